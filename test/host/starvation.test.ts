import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Callers } from '../../host/callers.ts'
import { canLook, look } from '../../host/look.ts'
import { Watch } from '../../host/watch.ts'
import { resolveWatchOptions, type Sight, type WatchAction } from '../../host/watch-options.ts'
import type { IsolateOwner } from '../../src/core/isolate-id.ts'
import type { Workerd } from '../support/workerd.ts'
import { request, startFunctions } from './hangs.ts'

const GIB = 1024 ** 3
const LOOK_MS = 50
/** From the ask that isn't answered to the first look. */
const LATE_MS = 100

function owner(script: string, accountId = 'a'.repeat(32)): IsolateOwner {
  return { accountId, script, turnMs: 500, digest: `${script}-1` }
}

type Kill = Extract<WatchAction, { type: 'kill' }> & { readonly atMs: number }
type See = (atMs: number) => Sight

/** Watches a process that answers a heartbeat at 0 and then no more; `see` says what a look shows. */
function watch(untilMs: number, see: See): Kill | undefined {
  const watched = new Watch(resolveWatchOptions({ softBytes: GIB, hardBytes: 2 * GIB }))
  watched.take({ type: 'answered', atMs: 0 })
  for (let atMs = LATE_MS; atMs <= untilMs; atMs += LOOK_MS) {
    for (const action of watched.take({ type: 'waiting', atMs, forMs: atMs })) {
      const then =
        action.type === 'look' ? watched.take({ type: 'looked', atMs, sight: see(atMs) }) : [action]
      for (const done of then) if (done.type === 'kill') return { ...done, atMs }
    }
  }
  return undefined
}

/** A look at a function that takes one turn after another, of `turnMs` each, while nobody looks for I/O. */
function starving(atMs: number, turnMs = 0.1, callers: Partial<Callers> = {}, script = 'starver'): Sight {
  const turns = Math.floor(atMs / turnMs)
  return {
    isolate: owner(script),
    turnKey: `${script} ${turns}`,
    turns,
    sincePollMs: atMs,
    callers: { waiting: 1, requests: 1, sockets: 0, ...callers },
  }
}

describe('Watch blames a function that starves its process', () => {
  test.each([
    { turnMs: 0.02, atMs: 2100 },
    { turnMs: 0.5, atMs: 2100 },
    { turnMs: 3.9, atMs: 2100 },
    { turnMs: 10, atMs: 5150 },
    { turnMs: 18, atMs: 9200 },
  ])('with turns of $turnMs ms, after $atMs ms', ({ turnMs, atMs }) => {
    const kill = watch(12_000, ms => starving(ms, turnMs))
    expect(kill).toMatchObject({ atMs, blame: { kind: 'cpu', owner: owner('starver') } })
  })

  test('and says for what', () => {
    const kill = watch(3000, ms => starving(ms))
    expect(kill?.blame?.detail).toBe(
      'it kept its process from everything else for 2.0 s with 20000 short turns, each caused by the one before: ' +
        'calls, streams or sockets that never leave the process',
    )
    expect(kill?.why).toBe(kill?.blame?.detail)
  })

  test('in nine of ten looks that name a function, and in no fewer', () => {
    const seeEach = (n: number) => (ms: number) =>
      (ms / LOOK_MS) % n === 0 ? starving(ms, 0.1, {}, 'other') : starving(ms)
    expect(watch(3000, seeEach(11))?.blame?.owner).toEqual(owner('starver'))
    expect(watch(3000, seeEach(8))).toBeUndefined()
  })

  test('among looks that name nobody', () => {
    const see: See = ms => (ms % 150 === 0 ? starving(ms) : { sincePollMs: ms })
    expect(watch(3000, see)?.blame?.owner).toEqual(owner('starver'))
  })

  test.each([
    { callers: { waiting: 40 }, atMs: 2100 },
    { callers: { waiting: 60 }, atMs: 3100 },
    { callers: { waiting: 150, requests: 150 }, atMs: 7600 },
    { callers: { requests: 3900 }, atMs: 2100 },
    { callers: { requests: 7900 }, atMs: 4100 },
    { callers: { sockets: 1 }, atMs: 5200 },
    { callers: { sockets: 2 }, atMs: undefined },
  ])('later, with callers that explain a part of it: $callers', ({ callers, atMs }) => {
    const kill = watch(12_000, ms => starving(ms, 0.1, callers))
    expect(kill?.blame && kill.atMs).toBe(atMs)
  })

  test('as if it had many callers, where nobody knows', () => {
    const kill = watch(12_000, ms => {
      const { callers: _, ...sight } = starving(ms)
      return sight
    })
    expect(kill).toMatchObject({ atMs: 7600, blame: { owner: owner('starver') } })
  })
})

test.each<{ title: string; see: See }>([
  { title: 'waits for I/O', see: () => ({}) },
  { title: 'looks for I/O now and then', see: ms => ({ ...starving(ms), sincePollMs: 80 }) },
  { title: 'looked for I/O once in the middle', see: ms => ({ ...starving(ms), sincePollMs: ms % 1800 }) },
  { title: 'gets no processor', see: ms => ({ ...starving(ms), threadMs: ms * 0.4 }) },
  { title: 'runs code of ours', see: ms => ({ sincePollMs: ms }) },
  { title: 'takes few turns', see: ms => starving(ms, 25) },
  { title: 'shows no new turns', see: ms => ({ ...starving(ms), turns: 7 }) },
])('Watch does not take a process for starving that $title', ({ see }) => {
  expect(watch(9900, see)).toBeUndefined()
})

test('Watch does not count a drought through an answer', () => {
  const watched = new Watch(resolveWatchOptions({ softBytes: GIB, hardBytes: 2 * GIB }))
  const actions: WatchAction[] = []
  for (let atMs = 0; atMs < 9000; atMs += LOOK_MS) {
    if (atMs % 1900 === 0) actions.push(...watched.take({ type: 'answered', atMs }))
    actions.push(...watched.take({ type: 'waiting', atMs, forMs: 200 }))
    actions.push(...watched.take({ type: 'looked', atMs, sight: starving(atMs) }))
  }
  expect(actions.filter(({ type }) => type === 'kill')).toEqual([])
})

describe('Watch, of functions that starve a process by calling each other,', () => {
  const see =
    (callers: Record<'one' | 'two', number>, accountOfTwo = 'a'.repeat(32)): See =>
    ms => {
      const script = ms % 100 === 0 ? 'one' : 'two'
      const sight = starving(ms, 0.1, { waiting: callers[script] }, script)
      return script === 'two' ? { ...sight, isolate: owner('two', accountOfTwo) } : sight
    }

  test('blames the one that was asked from outside', () => {
    const kill = watch(12_000, see({ one: 1, two: 0 }))
    expect(kill).toMatchObject({ atMs: 4100, blame: { kind: 'cpu', owner: owner('one') } })
    expect(kill?.why).toMatch(
      /^functions called each other without a pause for 4\.0 s, in \d+ short turns, and kept .* \(one, two\); of these/,
    )
  })

  test.each([
    { title: 'both were', kill: see({ one: 1, two: 1 }) },
    { title: 'neither was', kill: see({ one: 0, two: 0 }) },
    { title: 'they are of two accounts', kill: see({ one: 1, two: 0 }, 'b'.repeat(32)) },
  ])('blames nobody if $title, and ends the process', ({ kill }) => {
    const { atMs, blame, why } = watch(12_000, kill) ?? {}
    expect([atMs, blame]).toEqual([4100, undefined])
    expect(why).toMatch(/^functions called each other without a pause for 4\.0 s, in \d+ short turns/)
  })
})

/** What came with one look for I/O: requests to one of three functions each, and the turns that each brings. */
const batches = fc.array(fc.oneof(batch(1, 150, 1, 499), batch(100, 150, 3, 15)), {
  minLength: 1,
  maxLength: 8,
})

function batch(minLength: number, maxLength: number, minTurns: number, maxTurnMs: number) {
  const request = fc.record({
    script: fc.constantFrom('one', 'two', 'three'),
    turns: fc.integer({ min: minTurns, max: 5 }),
    turnMs: fc.integer({ min: 0, max: maxTurnMs }),
  })
  return fc.array(request, { minLength, maxLength, size: 'max' })
}

test('Watch never blames a function for the load of its callers', () => {
  fc.assert(
    fc.property(batches, fc.boolean(), (all, onlyOne) => {
      expect(
        overload(all.map(batch => batch.map(item => (onlyOne ? { ...item, script: 'one' } : item)))),
      ).toEqual([])
    }),
    { numRuns: 100 },
  )
})

/** Runs a process through batches, in which all requests take turns; gives the kills that blame somebody. */
function overload(all: readonly (readonly { script: string; turns: number; turnMs: number }[])[]): Kill[] {
  const watched = new Watch(resolveWatchOptions({ softBytes: GIB, hardBytes: 2 * GIB }))
  const had = new Map<string, number>()
  const requests = new Map<string, number>()
  const kills: Kill[] = []
  let nowMs = 0
  let nextMs = 0
  for (const batch of all) {
    const polledMs = nowMs
    for (const { script } of batch) requests.set(script, (requests.get(script) ?? 0) + 1)
    watched.take({ type: 'answered', atMs: nowMs })
    for (let round = 1; round <= 5; round++) {
      for (const { script, turns, turnMs } of batch) {
        if (round > turns) continue
        had.set(script, (had.get(script) ?? 0) + 1)
        const waiting = batch.filter(other => other.script === script && other.turns >= round).length
        for (nowMs += turnMs; nextMs < nowMs; nextMs += LOOK_MS) {
          if (nextMs < polledMs + LATE_MS) continue
          const sight = {
            ...{
              isolate: owner(script),
              turns: had.get(script) ?? 0,
              turnKey: `${script} ${had.get(script)}`,
            },
            sincePollMs: nextMs - polledMs,
            callers: { waiting, requests: requests.get(script) ?? 0, sockets: 0 },
          }
          const actions = [
            ...watched.take({ type: 'waiting', atMs: nextMs, forMs: nextMs - polledMs }),
            ...watched.take({ type: 'looked', atMs: nextMs, sight }),
          ]
          for (const action of actions)
            if (action.type === 'kill' && action.blame) kills.push({ ...action, atMs: nextMs })
        }
      }
    }
  }
  return kills
}

describe.skipIf(canLook())('Watch, over a real workerd,', () => {
  /** Watches it for so long as if no heartbeat were answered: only what looks show can save it. */
  async function watchReal(workerd: Workerd, forMs: number, callers: Callers): Promise<Kill | undefined> {
    const watched = new Watch(resolveWatchOptions({ softBytes: GIB, hardBytes: 2 * GIB }))
    const startMs = performance.now()
    watched.take({ type: 'answered', atMs: startMs })
    for (let atMs = startMs; atMs - startMs < forMs; await delay(LOOK_MS)) {
      atMs = performance.now()
      const actions = [...watched.take({ type: 'waiting', atMs, forMs: LATE_MS })]
      if (actions.some(({ type }) => type === 'look'))
        actions.push(...watched.take({ type: 'looked', atMs, sight: { ...look(workerd.pid), callers } }))
      for (const action of actions) if (action.type === 'kill') return { ...action, atMs: atMs - startMs }
    }
    return undefined
  }

  async function start(): Promise<Workerd> {
    const workerd = await startFunctions()
    onTestFinished(() => workerd.stop())
    await request(workerd, 'culprit', '/')
    return workerd
  }

  // Where other tests leave its process no processor for half a second, one of its short turns looks like a long one.
  test('blames a function that calls itself without end', { timeout: 20_000, retry: 2 }, async () => {
    const workerd = await start()
    request(workerd, 'culprit', '/relay')
    const kill = await watchReal(workerd, 12_000, { waiting: 1, requests: 2, sockets: 0 })
    expect(kill?.blame).toMatchObject({ kind: 'cpu', owner: { script: 'culprit' } })
    expect(kill?.why).toContain('short turns')
    expect(kill?.atMs).toBeGreaterThan(2000)
  })

  test('blames nobody for 64 requests at once again and again', { timeout: 20_000 }, async () => {
    const workerd = await start()
    let isOver = false
    const callers = Array.from({ length: 64 }, async () => {
      while (!isOver) await request(workerd, 'culprit', '/short')
    })
    const kill = await watchReal(workerd, 5000, { waiting: 1, requests: 2, sockets: 0 })
    isOver = true
    expect(kill).toBeUndefined()
    await Promise.all(callers)
  })
})
