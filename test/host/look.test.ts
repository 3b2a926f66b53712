import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { canLook, type Look, look } from '../../host/look.ts'
import type { Workerd } from '../support/workerd.ts'
import { HANGS, idOf, request, startFunctions } from './hangs.ts'

// An upgrade of workerd that moves what a look reads fails here: see LAYOUT in host/look.ts.

const OTHERS = ['a', 'b', 'd', 'e', 'peer']

async function start(others: readonly string[] = OTHERS): Promise<Workerd> {
  const workerd = await startFunctions()
  onTestFinished(() => workerd.stop())
  await Promise.all(others.map(script => request(workerd, script, '/')))
  return workerd
}

/** Looks until one turn has lasted that long; gives that turn's look, and all isolates seen in long turns. */
async function seeTurn(pid: number, atLeastMs = 100): Promise<Look> {
  let first: { seen: Look; atMs: number } | undefined
  for (const endMs = performance.now() + 20_000; performance.now() < endMs; await delay(5)) {
    const seen = look(pid)
    if (!seen.turnKey || seen.turnKey !== first?.seen.turnKey) first = { seen, atMs: performance.now() }
    else if (performance.now() - first.atMs >= atLeastMs) return seen
  }
  throw new Error(`no turn lasted ${atLeastMs} ms; the last look was ${JSON.stringify(look(pid))}`)
}

const OWNER = { accountId: 'a'.repeat(32), script: 'culprit', turnMs: 500, digest: 'd1g3st.p1' }

describe.skipIf(canLook())('look() names the function that hangs in', () => {
  test.each(Object.entries(HANGS))('%s', async (_way, hang) => {
    const workerd = await start()
    hang(workerd, 'culprit')
    const seen = await seeTurn(workerd.pid)
    expect(seen).toMatchObject({
      state: 'running',
      isolate: OWNER,
      isolateName: `functions:${idOf('culprit')}`,
    })
    expect(look(workerd.pid).turnKey).toBe(seen.turnKey)
  })
})

describe.skipIf(canLook())('look()', () => {
  test('names the culprit among 50 functions that are being called', async () => {
    const scripts = Array.from({ length: 50 }, (_, index) => `f${index}`)
    const workerd = await start(scripts)
    for (const script of scripts) for (let i = 0; i < 4; i++) request(workerd, script, '/')
    request(workerd, 'f17', '/loop')
    for (const script of scripts) request(workerd, script, '/')
    const { isolate } = await seeTurn(workerd.pid)
    expect(isolate?.script).toBe('f17')
    const tookMs = Array.from({ length: 100 }, () => look(workerd.pid).tookMs).sort((a, b) => a - b)
    console.info(
      `a look with 50 isolates: median ${tookMs[50]?.toFixed(3)} ms, p99 ${tookMs[98]?.toFixed(3)} ms`,
    )
    expect(tookMs[50]).toBeLessThan(15)
  })

  test("names nobody when the platform's own isolate hangs, but sees the turn", async () => {
    const workerd = await start()
    request(workerd, 'a', '/gateway')
    const seen = await seeTurn(workerd.pid)
    expect(seen.state).toBe('running')
    expect(seen.isolate).toBeUndefined()
    expect(seen.isolateName).toBe('main')
  })

  test('names nobody in a process that waits', async () => {
    const workerd = await start()
    await expect.poll(() => look(workerd.pid)).toEqual({ state: 'idle', tookMs: expect.any(Number) })
  })

  test.each([
    [
      'of many requests',
      async (workerd: Workerd) => {
        const turns = Array.from({ length: 4 }, async () => {
          for (let i = 0; i < 12; i++) await request(workerd, 'busy', '/short')
        })
        await Promise.all(turns)
      },
    ],
    ['of one request', (workerd: Workerd) => request(workerd, 'busy', '/pauses')],
  ])('gives short turns %s a key each', async (_what, work) => {
    const workerd = await start()
    let isDone = false
    const done = work(workerd).then(() => {
      isDone = true
    })
    const seen = new Map<string, number>()
    const sincePoll: number[] = []
    while (!isDone) {
      const { isolate, turnKey, sincePollMs = 0 } = look(workerd.pid)
      sincePoll.push(sincePollMs)
      if (isolate?.script === 'busy' && turnKey) seen.set(turnKey, (seen.get(turnKey) ?? 0) + 1)
      await delay(1)
    }
    await done
    // 48 or 50 turns of 20 ms and many tiny ones; the machine may be too slow to see each.
    expect(seen.size).toBeGreaterThan(40)
    expect(Math.max(...seen.values())).toBeLessThan(25)
    expect(sincePoll.filter(ms => ms > 0).length).toBeGreaterThan(40)
    expect(sincePoll.sort((a, b) => a - b)[Math.floor(sincePoll.length / 2)]).toBeLessThan(100)
  })

  test('tells for how long short turns that cause each other have kept a process from its events', async () => {
    const workerd = await start()
    request(workerd, 'culprit', '/relay')
    await expect.poll(() => look(workerd.pid).sincePollMs).toBeGreaterThan(300)
    const keys = new Set<string | undefined>()
    for (let i = 0; i < 20; i++) {
      const { turnKey, isolate, sincePollMs } = look(workerd.pid)
      if (isolate) keys.add(turnKey)
      expect(sincePollMs).toBeGreaterThan(300)
      await delay(1)
    }
    expect(keys.size).toBeGreaterThan(1)
  })

  test('leaves the process running unless asked to keep it stopped, and looks at one that is stopped', async () => {
    const workerd = await start()
    look(workerd.pid)
    expect((await request(workerd, 'a', '/')).status).toBe(200)

    request(workerd, 'culprit', '/loop')
    const { turnKey } = await seeTurn(workerd.pid)
    expect(look(workerd.pid, { keepStopped: true })).toMatchObject({ isolate: OWNER, turnKey })
    expect(stateOf(workerd.pid)).toBe('T')
    expect(look(workerd.pid)).toMatchObject({ isolate: OWNER, turnKey })
    expect(look(workerd.pid, { keepStopped: true })).toMatchObject({ isolate: OWNER, turnKey })
    expect(stateOf(workerd.pid)).toBe('T')
  })

  test('says that a process is gone, whenever it went', async () => {
    const workerd = await start()
    look(workerd.pid)
    await workerd.stop()
    expect(look(workerd.pid)).toMatchObject({ state: 'gone' })
    expect(look(workerd.pid, { keepStopped: true })).toMatchObject({ state: 'gone' })
  })

  test('names nobody in a process that is not workerd', () => {
    expect(look(process.pid)).toEqual({ state: 'running', tookMs: expect.any(Number) })
  })
})

describe('canLook()', () => {
  test.skipIf(process.platform !== 'linux')('has nothing against a running workerd', async () => {
    const workerd = await start()
    expect(canLook()).toBeUndefined()
    expect(canLook(workerd.pid)).toBeUndefined()
  })

  test.skipIf(process.platform !== 'linux')('says that there is no such process', () => {
    expect(canLook(2 ** 30)).toBe('there is no process 1073741824')
  })

  test.skipIf(process.platform === 'linux')('names the system that has no such thing', () => {
    expect(canLook()).toContain(process.platform)
  })
})

/** `T` is stopped, `R` runs, `S` sleeps. */
function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return stat[stat.lastIndexOf(')') + 2]
}
