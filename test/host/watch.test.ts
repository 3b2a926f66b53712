import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Watch } from '../../host/watch.ts'
import { resolveWatchOptions, type WatchAction, type WatchOptions } from '../../host/watch-options.ts'
import type { IsolateOwner } from '../../src/core/isolate-id.ts'

const MIB = 1024 * 1024
const SOFT = 640 * MIB
const HARD = 1664 * MIB
const SECOND_MS = 1000
const HOUR_MS = 3600 * SECOND_MS

function owner(script: string, turnMs = 500): IsolateOwner {
  return { accountId: 'a'.repeat(32), script, turnMs, digest: `${script}-1` }
}

/** A stretch of the process's time: a turn of a function or, without `by`, of our own code. */
interface Turn {
  readonly fromMs: number
  readonly toMs: number
  readonly by?: IsolateOwner
}

interface Scenario {
  readonly turns?: readonly Turn[]
  /** Heartbeats are answered between two turns; else only when the process has nothing else to do. */
  readonly isFair?: boolean
  readonly untilMs: number
  /** From one beat of the watcher to the next; the last one repeats. */
  readonly beatsMs?: readonly number[]
  readonly usedBytes?: (atMs: number) => number
  /** The thread's CPU time. */
  readonly threadMs?: (atMs: number) => number
  readonly options?: Partial<WatchOptions>
}

type Done = WatchAction & { readonly atMs: number }

/** Runs a watch over a process that does as the scenario says, asked and read every 50 ms of virtual time. */
function simulate({ turns = [], isFair = true, untilMs, beatsMs = [50], ...scenario }: Scenario): Done[] {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }, scenario.options))
  const done: Done[] = []
  const turnAt = (ms: number) => turns.findIndex(({ fromMs, toMs }) => fromMs <= ms && ms < toMs)
  const freeFrom = (ms: number) => {
    let free = ms
    for (let at = turnAt(free); at >= 0; at = isFair ? -1 : turnAt(free)) free = turns[at]?.toMs ?? free
    return free
  }
  const act = (actions: readonly WatchAction[], atMs: number) => {
    for (const action of actions) {
      done.push({ ...action, atMs })
      if (action.type !== 'look') continue
      const at = turnAt(atMs)
      const isolate = turns[at]?.by
      const threadMs = scenario.threadMs?.(atMs)
      const sight = {
        ...(isolate && { isolate, turnKey: `turn ${at}` }),
        ...(threadMs !== undefined && { threadMs }),
      }
      act(watch.take({ type: 'looked', atMs, sight }), atMs)
    }
  }
  let askedMs: number | undefined
  for (let [ms, beat] = [0, 0]; ms <= untilMs; ms += beatsMs[Math.min(beat++, beatsMs.length - 1)] ?? 50) {
    // What happened since the last beat is heard of before the timer.
    if (askedMs !== undefined && freeFrom(askedMs) <= ms) {
      act(watch.take({ type: 'answered', atMs: freeFrom(askedMs) }), freeFrom(askedMs))
      askedMs = undefined
    }
    if (scenario.usedBytes) {
      act(watch.take({ type: 'memory', atMs: ms, rssBytes: scenario.usedBytes(ms) }), ms)
    }
    if (askedMs === undefined) askedMs = ms
    else act(watch.take({ type: 'waiting', atMs: ms, forMs: ms - askedMs }), ms)
  }
  return done
}

function only<T extends WatchAction['type']>(done: readonly Done[], type: T) {
  return done.filter((action): action is Extract<Done, { type: T }> => action.type === type)
}

function shortTurns(): fc.Arbitrary<Turn[]> {
  const turn = fc.record({
    pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 300 })),
    lengthMs: fc.integer({ min: 1, max: 499 }),
    script: fc.constantFrom('one', 'two', undefined),
  })
  return fc.array(turn, { minLength: 1, maxLength: 40 }).map(list => {
    let ms = 10
    return list.map(({ pauseMs, lengthMs, script }) => {
      const fromMs = ms + pauseMs
      ms = fromMs + lengthMs
      return { fromMs, toMs: ms, ...(script && { by: owner(script) }) }
    })
  })
}

test('Watch never blames a function whose turns are within its limit, however busy the process', () => {
  const beats = fc.array(fc.constantFrom(50, 50, 50, 51, 90, 400, 5000), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(shortTurns(), fc.boolean(), beats, (turns, isFair, beatsMs) => {
      const done = simulate({ turns, isFair, beatsMs, untilMs: 25 * SECOND_MS })
      expect(only(done, 'kill').filter(({ blame }) => blame)).toEqual([])
    }),
  )
})

test('Watch never ends a process that answers every heartbeat within a second', () => {
  fc.assert(
    fc.property(shortTurns(), turns => {
      expect(only(simulate({ turns, untilMs: 25 * SECOND_MS }), 'kill')).toEqual([])
    }),
  )
})

test('Watch always blames a turn that is longer than its limit, within that and 200 ms', () => {
  fc.assert(
    fc.property(
      shortTurns(),
      fc.integer({ min: 10, max: 30_000 }),
      fc.integer({ min: 0, max: 49 }),
      (before, limitMs, phaseMs) => {
        const fromMs = Math.max(...before.map(({ toMs }) => toMs)) + 200 + phaseMs
        const loop = { fromMs, toMs: fromMs + limitMs + 200, by: owner('loop', limitMs) }
        const [kill] = only(simulate({ turns: [...before, loop], untilMs: loop.toMs }), 'kill')
        expect(kill?.blame).toMatchObject({ kind: 'cpu', owner: loop.by })
        expect(kill?.atMs).toBeLessThanOrEqual(fromMs + limitMs + 200)
      },
    ),
  )
})

test('Watch says what it blames for', () => {
  const turns = [{ fromMs: 10, toMs: 5000, by: owner('loop') }]
  const [kill] = only(simulate({ turns, untilMs: 5000 }), 'kill')
  expect(kill).toEqual({
    type: 'kill',
    atMs: 650,
    why: 'it computed without a pause for more than 500 ms (seen for 500 ms)',
    blame: {
      kind: 'cpu',
      owner: owner('loop'),
      detail: 'it computed without a pause for more than 500 ms (seen for 500 ms)',
    },
  })
})

test('Watch looks at nothing while heartbeats are answered in time, and every 50 ms when one is late', () => {
  expect(simulate({ untilMs: 5000 })).toEqual([])
  const turns = [{ fromMs: 10, toMs: 420, by: owner('slow') }]
  expect(simulate({ turns, untilMs: 2000 }).map(({ type, atMs }) => `${type} ${atMs}`)).toEqual([
    'look 150',
    'look 200',
    'look 250',
    'look 300',
    'look 350',
    'look 400',
  ])
})

test('Watch goes by the limit of each function', () => {
  const turns = [
    { fromMs: 10, toMs: 3900, by: owner('patient', 5000) },
    { fromMs: 4010, toMs: 9000, by: owner('hasty', 100) },
  ]
  const [kill] = only(simulate({ turns, untilMs: 9000 }), 'kill')
  expect(kill).toMatchObject({ atMs: 4250, blame: { owner: { script: 'hasty' } } })
})

test('Watch counts a turn on through looks that show nobody', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  const kills: WatchAction[] = []
  for (let atMs = 150; atMs <= 650; atMs += 50) {
    watch.take({ type: 'waiting', atMs, forMs: atMs - 50 })
    const isNamed = atMs % 100 === 50
    const sight = isNamed ? { isolate: owner('loop'), turnKey: 'k' } : {}
    kills.push(...watch.take({ type: 'looked', atMs, sight }))
  }
  expect(kills).toMatchObject([{ type: 'kill', blame: { owner: { script: 'loop' } } }])
})

test.each([
  { title: 'other turns of the same isolate', key: (i: number) => `turn ${i}`, script: () => 'one' },
  { title: 'another isolate', key: () => 'k', script: (i: number) => (i % 2 ? 'one' : 'two') },
])('Watch does not take $title for one turn', ({ key, script }) => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  const actions = Array.from({ length: 40 }, (_, i) =>
    watch.take({
      type: 'looked',
      atMs: 100 + i * 50,
      sight: { isolate: owner(script(i)), turnKey: key(i) },
    }),
  ).flat()
  expect(actions).toEqual([])
})

test('Watch does not count a look from before the last answer, told after it', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  const sight = { isolate: owner('loop', 10), turnKey: 'k' }
  watch.take({ type: 'answered', atMs: 0 })
  watch.take({ type: 'answered', atMs: 100 })
  const told = [98, 99, 100, 120].flatMap(atMs => watch.take({ type: 'looked', atMs, sight }))
  expect(told).toMatchObject([{ type: 'kill', blame: { detail: expect.stringContaining('seen for 20 ms') } }])
})

test('Watch blames nobody when looks show one function in many turns, and ends the process after 10 s', () => {
  const turns = Array.from({ length: 1300 }, (_, i) => ({
    fromMs: 10 + i * 10,
    toMs: 20 + i * 10,
    by: owner('busy'),
  }))
  expect(only(simulate({ turns, isFair: false, untilMs: 13 * SECOND_MS }), 'kill')).toEqual([
    {
      type: 'kill',
      blame: undefined,
      why: 'it answered no heartbeat for 10 s, and no one function is the reason',
      atMs: 10_050,
    },
  ])
})

test('Watch blames nobody when our own code hangs, and ends the process after 10 s', () => {
  const turns = [{ fromMs: 10, toMs: 60_000 }]
  const kills = only(simulate({ turns, untilMs: 20 * SECOND_MS }), 'kill')
  expect(kills).toMatchObject([{ blame: undefined, atMs: 10_050 }])
})

test('Watch ends a process that refuses its heartbeats for 10 s', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  const kills = Array.from({ length: 201 }, (_, i) =>
    watch.take({ type: 'broken', atMs: 50 + i * 50 }),
  ).flat()
  expect(kills).toMatchObject([{ type: 'kill', blame: undefined }])
  expect(watch.take({ type: 'answered', atMs: 11_000 })).toEqual([])
})

test('Watch decides nothing before the first answer', () => {
  const turns = [{ fromMs: 0, toMs: 60_000, by: owner('loop') }]
  expect(simulate({ turns, untilMs: 30 * SECOND_MS })).toEqual([])
})

test('Watch ends a hanging process after 5 s where looks are not possible', () => {
  const turns = [{ fromMs: 10, toMs: 60_000, by: owner('loop') }]
  const done = simulate({ turns, untilMs: 20 * SECOND_MS, options: { canLook: false } })
  expect(done).toMatchObject([{ type: 'kill', blame: undefined, atMs: 5050 }])
})

test.each([
  { share: 0.6, expected: [{ blame: { kind: 'cpu' }, atMs: 650 }] },
  { share: 0.4, expected: [{ blame: { kind: 'cpu' }, atMs: 800 }] },
  { share: 0, expected: [{ blame: undefined, why: 'it answered no heartbeat for 10 s, and hardly ran' }] },
])('Watch counts a turn whose thread ran for $share of the time', ({ share, expected }) => {
  const turns = [{ fromMs: 10, toMs: 60_000, by: owner('loop') }]
  const done = simulate({ turns, untilMs: 15 * SECOND_MS, threadMs: ms => ms * share })
  expect(only(done, 'kill')).toMatchObject(expected)
})

test('Watch forgives what seems to have happened while the machine was suspended', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  const take = (atMs: number) => [
    ...watch.take({ type: 'waiting', atMs, forMs: atMs }),
    ...watch.take({ type: 'looked', atMs, sight: { isolate: owner('slow'), turnKey: 'k' } }),
  ]
  watch.take({ type: 'answered', atMs: 0 })
  const before = [100, 150, 200, 250].flatMap(take)
  const after = [0, 50].flatMap(ms => take(HOUR_MS + ms))
  expect([...before, ...after].filter(({ type }) => type === 'kill')).toEqual([])
})

test('Watch does not take an answer that waited for the watcher for a late one', () => {
  expect(simulate({ untilMs: 100 * SECOND_MS, beatsMs: [50, 50, 3000, 50, 20_000, 50] })).toEqual([])
})

const grow =
  (fromMs: number, bytesPerSecond: number, baseBytes = 100 * MIB) =>
  (atMs: number) =>
    baseBytes + (Math.max(0, atMs - fromMs) / SECOND_MS) * bytesPerSecond

test.each([
  { perSecond: 200, overMs: 1200, bound: 'by looks in one turn' },
  { perSecond: 1000, overMs: 250, bound: 'by looks in one turn' },
  { perSecond: 2000, overMs: 150, bound: 'before half of the space to the hard limit' },
])('Watch blames a turn that takes $perSecond MiB/s for memory', ({ perSecond, overMs }) => {
  const bomb = { fromMs: 1010, toMs: 60_000, by: owner('bomb', 30_000) }
  const usedBytes = grow(1010, perSecond * MIB)
  const crossedMs = 1010 + ((SOFT - 100 * MIB) / (perSecond * MIB)) * SECOND_MS
  const [kill] = only(simulate({ turns: [bomb], usedBytes, untilMs: 20 * SECOND_MS }), 'kill')
  expect(kill?.blame).toMatchObject({ kind: 'memory', owner: bomb.by })
  expect(kill?.atMs).toBeLessThanOrEqual(crossedMs + overMs)
  expect(usedBytes(kill?.atMs ?? 0)).toBeLessThan((SOFT + HARD) / 2)
})

test('Watch blames a function that takes memory in many short turns', () => {
  const turns = Array.from({ length: 3000 }, (_, i) => ({
    fromMs: 1010 + i * 7,
    toMs: 1010 + i * 7 + 6,
    by: owner('bomb'),
  }))
  const [kill] = only(simulate({ turns, usedBytes: grow(1010, 500 * MIB), untilMs: 20 * SECOND_MS }), 'kill')
  expect(kill?.blame).toMatchObject({ kind: 'memory', owner: { script: 'bomb' } })
  expect(kill?.why).toMatch(
    /^it took \d+ MiB in a process that then used \d+ MiB, above the limit of 640 MiB$/,
  )
})

test('Watch needs two looks when memory grows by half the space between the limits at once', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  watch.take({ type: 'memory', atMs: 0, rssBytes: 100 * MIB })
  const look = (atMs: number, turnKey: string) =>
    watch.take({ type: 'looked', atMs, sight: { isolate: owner('bomb'), turnKey } })
  expect(watch.take({ type: 'memory', atMs: 50, rssBytes: 1160 * MIB })).toEqual([{ type: 'look' }])
  expect(look(51, 'a')).toEqual([])
  expect(watch.take({ type: 'memory', atMs: 100, rssBytes: 1170 * MIB })).toEqual([{ type: 'look' }])
  expect(look(101, 'b')).toMatchObject([{ type: 'kill', blame: { kind: 'memory' } }])
})

test('Watch does not blame a function for memory that was added while it was not seen', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  watch.take({ type: 'memory', atMs: 0, rssBytes: 500 * MIB })
  const actions = [900, 960, 1020, 1080, 1140].flatMap((mib, i) => {
    const atMs = 50 + i * 50
    const sight = i === 0 ? {} : { isolate: owner('late'), turnKey: `turn ${i}` }
    return [
      ...watch.take({ type: 'memory', atMs, rssBytes: mib * MIB }),
      ...watch.take({ type: 'looked', atMs, sight }),
    ]
  })
  expect(actions.filter(({ type }) => type === 'kill')).toEqual([])
})

test('Watch does not blame a busy function for memory that was there before', () => {
  const turns = Array.from({ length: 500 }, (_, i) => ({
    fromMs: 1010 + i * 20,
    toMs: 1010 + i * 20 + 19,
    by: owner('busy'),
  }))
  // A heap that is collected again and again, just above the limit.
  const usedBytes = (ms: number) => 650 * MIB + (ms % 400) * 0.05 * MIB
  const done = simulate({ turns, usedBytes, untilMs: 10 * SECOND_MS })
  expect(only(done, 'kill')).toEqual([])
  expect(only(done, 'evict').length).toBeGreaterThan(0)
})

test('Watch blames nobody when two functions take turns while memory grows, and replaces the process', () => {
  const turns = Array.from({ length: 4000 }, (_, i) => ({
    fromMs: 1000 + i * 3,
    toMs: 1000 + i * 3 + 3,
    by: owner(i % 2 ? 'bomb' : 'innocent'),
  }))
  const done = simulate({ turns, usedBytes: grow(1000, 200 * MIB), untilMs: 9 * SECOND_MS })
  expect(only(done, 'kill')).toEqual([])
  expect(only(done, 'replace')).toMatchObject([{ reason: 'memory' }])
})

test('Watch tells the one that grows within its turns from others that are busy', () => {
  const turns = Array.from({ length: 60 }, (_, i) => ({
    fromMs: 1000 + i * 100,
    toMs: 1000 + i * 100 + (i % 2 ? 60 : 99),
    by: owner(i % 2 ? 'innocent' : 'bomb'),
  }))
  const usedBytes = (ms: number) => {
    let used = 500 * MIB
    for (const { fromMs, toMs, by } of turns) {
      if (by.script === 'bomb') used += Math.max(0, Math.min(ms, toMs) - fromMs) * MIB
    }
    return used
  }
  const [kill] = only(simulate({ turns, usedBytes, untilMs: 7 * SECOND_MS }), 'kill')
  expect(kill?.blame).toMatchObject({ kind: 'memory', owner: { script: 'bomb' } })
})

test('Watch never blames for memory without growth of the amount that is allowed', () => {
  const readings = fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(shortTurns(), readings, fc.boolean(), (turns, mibs, isFair) => {
      // In one episode, so that growth adds up to 100 MiB at most.
      const sorted = mibs.toSorted((a, b) => a - b)
      const usedBytes = (ms: number) =>
        SOFT + (sorted[Math.min(Math.floor(ms / 50), sorted.length - 1)] ?? 0) * MIB
      const done = simulate({ turns, isFair, usedBytes, untilMs: 9 * SECOND_MS })
      expect(only(done, 'kill')).toEqual([])
    }),
  )
})

test('Watch has an idle process above the soft limit evict, more each time, then replaces it once', () => {
  const done = simulate({ usedBytes: ms => (ms < 40_000 ? 100 : 700) * MIB, untilMs: 60 * SECOND_MS })
  expect(only(done, 'look')[0]?.atMs).toBe(40_000)
  expect(only(done, 'evict').map(({ count, atMs }) => [count, atMs])).toEqual([
    [16, 40_200],
    [32, 40_600],
    [64, 41_000],
    [128, 41_400],
    [128, 41_800],
  ])
  expect(only(done, 'replace').map(({ atMs }) => atMs)).toEqual([42_200])
  expect(only(done, 'replace')).toMatchObject([
    { reason: 'memory', why: 'it uses 700 MiB, more than 640, and no one function is the reason' },
  ])
})

test('Watch stops evicting when memory is below the soft limit again', () => {
  const done = simulate({
    usedBytes: ms => (ms < 1000 || ms > 1300 ? 100 : 700) * MIB,
    untilMs: 60 * SECOND_MS,
  })
  expect(only(done, 'evict').map(({ count }) => count)).toEqual([16])
  expect(only(done, 'replace')).toEqual([])
})

test('Watch does not replace a young process for being full, unless the hard limit is near', () => {
  const full = simulate({ usedBytes: () => 700 * MIB, untilMs: 29 * SECOND_MS })
  expect(only(full, 'replace')).toEqual([])
  const near = simulate({ usedBytes: () => 1500 * MIB, untilMs: 29 * SECOND_MS })
  expect(only(near, 'replace')).toMatchObject([{ reason: 'memory' }])
})

test('Watch says nothing of the memory of a process without limits', () => {
  const options = { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY }
  const usedBytes = grow(0, 1000 * MIB)
  const turns = [{ fromMs: 10, toMs: 400, by: owner('busy') }]
  const done = simulate({ turns, usedBytes, untilMs: 60 * SECOND_MS, options })
  expect(done.filter(({ type }) => type !== 'look')).toEqual([])
})

test.each([
  { counters: { ageMs: 7 * 24 * HOUR_MS }, expected: [] },
  { counters: { ageMs: 7 * 24 * HOUR_MS + 1 }, expected: ['age: it has run for 168 hours'] },
  { counters: { isolatesLoaded: 1500 }, expected: [] },
  { counters: { isolatesLoaded: 1501 }, expected: ['isolates: it holds 1501 isolates, more than 1500'] },
  { counters: { everLoaded: 20_000 }, expected: [] },
  { counters: { everLoaded: 20_001 }, expected: ['isolates: it has loaded 20001 isolates, more than 20000'] },
  { counters: { ageMs: HOUR_MS }, rssMib: 600, expected: [] },
  { counters: { ageMs: HOUR_MS + 1 }, rssMib: 544, expected: [] },
  { counters: { ageMs: HOUR_MS + 1 }, rssMib: 545, expected: ['memory: it has grown to 545 MiB over time'] },
])('Watch given $counters, $rssMib MiB says $expected', ({ counters, rssMib = 100, expected }) => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'memory', atMs: 0, rssBytes: rssMib * MIB })
  const full = { isolatesLoaded: 1, everLoaded: 1, ageMs: 1, ...counters }
  const actions = [1, 2].flatMap(atMs => watch.take({ type: 'answered', atMs, counters: full }))
  expect(actions.map(action => action.type === 'replace' && `${action.reason}: ${action.why}`)).toEqual(
    expected,
  )
})

test.each([
  { title: 'the function that the last looks show', scripts: ['bomb', 'bomb'], blamed: 'bomb' },
  { title: 'it among looks that show nobody', scripts: ['bomb', undefined, 'bomb'], blamed: 'bomb' },
  { title: 'nobody, after a single look', scripts: ['bomb'], blamed: undefined },
  { title: 'nobody, when looks show two', scripts: ['bomb', 'bomb', 'other'], blamed: undefined },
  {
    title: 'nobody, when most show nobody',
    scripts: ['bomb', undefined, undefined, undefined, 'bomb'],
    blamed: undefined,
  },
])('Watch.blameForEnd() of a process out of memory blames $title', ({ scripts, blamed }) => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  watch.take({ type: 'answered', atMs: 0 })
  scripts.forEach((script, i) => {
    const sight = script ? { isolate: owner(script), turnKey: `${i}` } : {}
    watch.take({ type: 'looked', atMs: 100 + i * 50, sight })
  })
  expect(watch.blameForEnd(400)?.owner.script).toBe(blamed)
})

test('Watch.blameForEnd() goes by looks of the last half second', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  for (const atMs of [0, 50]) {
    watch.take({ type: 'looked', atMs, sight: { isolate: owner('bomb'), turnKey: 'k' } })
  }
  for (let atMs = 100; atMs <= 600; atMs += 100) watch.take({ type: 'broken', atMs })
  expect(watch.blameForEnd(600)).toBeUndefined()
})

test('Watch.blameForEnd() blames nobody twice', () => {
  const watch = new Watch(resolveWatchOptions({ softBytes: SOFT, hardBytes: HARD }))
  const sight = { isolate: owner('loop', 10), turnKey: 'k' }
  watch.take({ type: 'answered', atMs: 0 })
  const kills = [100, 150].flatMap(atMs => watch.take({ type: 'looked', atMs, sight }))
  expect(kills).toMatchObject([{ type: 'kill', blame: { owner: { script: 'loop' } } }])
  expect(watch.blameForEnd(160)).toBeUndefined()
})
