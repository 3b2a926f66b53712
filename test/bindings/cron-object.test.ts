import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

/** `CronClock` in real workerd: its alarms really ring, on a clock that may run faster than ours. */

const ACCOUNT = 'a'.repeat(32)
const MINUTE_MS = 60_000
const NOON = Date.UTC(2026, 2, 1, 12)
const EACH = '* * * * *'

interface Call {
  accountId: string
  script: string
  cron: string
  scheduledTime: number
  startedMs: number
  endedMs?: number
}
interface Status {
  script: string
  cron: string
  created_on: string
  modified_on: string
  next_run: string
  last: { scheduled_time: string; outcome: string; error: string | null; attempts: number } | null
  skipped: { since: string; until: string } | null
}

/** An object whose clock shows `shownMs` at the start and runs `scale` times as fast as ours. */
class Clock {
  readonly #dataDir: string
  #workerd: Workerd | undefined

  constructor() {
    this.#dataDir = mkdtempSync(join(tmpdir(), 'cron-test-'))
  }

  async start(shownMs: number, scale: number, earlyMs = 0): Promise<void> {
    const clock = JSON.stringify({ realMs: Date.now(), shownMs, scale, earlyMs })
    this.#workerd = await startWorkerd({
      modules: { 'worker.js': code },
      durableObjects: ['CronClock'],
      bindings: [
        { name: 'CRON', durableObjectNamespace: { className: 'CronClock' } },
        { name: 'CLOCK', json: clock },
      ],
      dataDir: this.#dataDir,
    })
  }

  /** kill -9: what was stored stays. */
  async kill(): Promise<void> {
    await this.#workerd?.stop()
  }

  async remove(): Promise<void> {
    await this.kill()
    rmSync(this.#dataDir, { recursive: true, force: true })
  }

  async request(method: string, path: string, body?: unknown, headers = {}): Promise<Response> {
    if (!this.#workerd) throw new Error('not started')
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return this.#workerd.fetch(path, { method, headers, ...(body !== undefined && { body: text }) })
  }

  /** Calls a method of the object; its errors are thrown as their envelope's message. */
  async object<T>(method: string, ...args: unknown[]): Promise<T> {
    const response = await this.request('POST', `/object/${ACCOUNT}/${method}`, args)
    const body = (await response.json()) as { result: T; errors?: { error_code: string; message: string }[] }
    const [error] = body.errors ?? []
    if (error) throw new Error(`${error.error_code}: ${error.message}`)
    return body.result
  }

  set(script: string, crons: string[]): Promise<{ cron: string; created_on: string }[]> {
    return this.object('setSchedules', script, crons)
  }

  list(): Promise<Status[]> {
    return this.object('listSchedules')
  }

  async behave(script: string, behaviour: object): Promise<void> {
    await this.request('PUT', `/behaviours/${script}`, behaviour)
  }

  async calls(script?: string): Promise<Call[]> {
    const { calls } = (await (await this.request('GET', '/calls')).json()) as { calls: Call[] }
    return calls.filter(call => script === undefined || call.script === script)
  }

  async nowMs(): Promise<number> {
    return ((await (await this.request('GET', '/now')).json()) as { nowMs: number }).nowMs
  }

  /** The calls of a script (or all), once there are so many. */
  async untilCalls(count: number, script?: string): Promise<Call[]> {
    return until(
      () => this.calls(script),
      calls => calls.length >= count,
    )
  }
}

/** Asks again until the answer will do; the test's timeout bounds it. */
async function until<T>(ask: () => Promise<T>, isEnough: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask()
    if (isEnough(answer)) return answer
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

let code = ''
beforeAll(async () => {
  code = await bundleModule('test/worker/cron.ts')
})

let clock: Clock
async function startClock(shownMs: number, scale: number, earlyMs = 0): Promise<Clock> {
  clock = new Clock()
  await clock.start(shownMs, scale, earlyMs)
  return clock
}
afterEach(async () => {
  await clock.remove()
})

describe('setSchedules()', () => {
  test("replaces a script's crons, in order, without duplicates, and leaves other scripts' alone", async () => {
    const clock = await startClock(NOON, 1)
    await clock.set('a', ['0 3 * * *', '0 1 * * *', '0 3 * * *'])
    await clock.set('b', ['0 5 * * *'])
    expect((await clock.set('a', ['0 2 * * *', '0 1 * * *'])).map(({ cron }) => cron)).toEqual([
      '0 2 * * *',
      '0 1 * * *',
    ])
    expect((await clock.list()).map(({ script, cron }) => `${script} ${cron}`)).toEqual([
      'a 0 2 * * *',
      'a 0 1 * * *',
      'b 0 5 * * *',
    ])
    expect(await clock.object('getSchedules', 'nobody')).toEqual([])
    await clock.object('deleteScript', 'a')
    expect(await clock.object('getSchedules', 'a')).toEqual([])
  })

  test('keeps created_on and the next run of a cron that stays', async () => {
    const clock = await startClock(NOON, 20)
    const [before] = await clock.set('a', ['0 3 * * *'])
    const [planned] = await clock.list()
    await until(
      () => clock.nowMs(),
      now => now > NOON + 1000,
    )
    const [added, kept] = await clock.set('a', ['0 4 * * *', '0 3 * * *'])
    expect(kept).toEqual(before)
    expect(added?.created_on).not.toBe(before?.created_on)
    expect((await clock.list())[1]?.next_run).toBe(planned?.next_run)
    expect(planned?.next_run).toBe('2026-03-02T03:00:00.000Z')
  })

  test('takes 250 crons, refuses 251 and refuses what is no cron; then nothing has changed', async () => {
    const clock = await startClock(NOON, 1)
    const crons = Array.from({ length: 251 }, (_, index) => `${index % 60} ${Math.floor(index / 60)} 1 1 *`)
    expect(await clock.set('a', crons.slice(1))).toHaveLength(250)
    await expect(clock.set('a', crons)).rejects.toThrow(
      'ERR_CRON_LIMIT: The script has 251 cron triggers; at most 250 are allowed.',
    )
    await expect(clock.set('a', [EACH, '0 0 * * 0'])).rejects.toThrow(
      'ERR_CRON_INVALID: invalid cron string "0 0 * * 0": weekday "0"',
    )
    expect(await clock.list()).toHaveLength(250)
  })
})

describe('alarm()', () => {
  test('runs a cron within a second of each of its minutes, and nothing else', async () => {
    const clock = await startClock(NOON - 1500, 1)
    await clock.set('a', [EACH, '1 12 * * *'])
    const [call] = await clock.untilCalls(1)
    expect(call).toMatchObject({ accountId: ACCOUNT, script: 'a', cron: EACH, scheduledTime: NOON })
    expect(call?.startedMs).toBeGreaterThanOrEqual(NOON)
    expect(call?.startedMs).toBeLessThan(NOON + 1000)
    const [status] = await until(
      () => clock.list(),
      ([status]) => status?.last !== null,
    )
    expect(status).toMatchObject({
      next_run: '2026-03-01T12:01:00.000Z',
      last: { scheduled_time: '2026-03-01T12:00:00.000Z', outcome: 'ok', error: null, attempts: 1 },
      skipped: null,
    })
    expect(await clock.calls()).toHaveLength(1)
  })

  // The one test whose answer depends on how busy the machine is.
  test('runs 1,000 crons of one minute within a second of it, each once', { retry: 2 }, async () => {
    const clock = await startClock(NOON - 4000, 1)
    for (const script of ['a', 'b', 'c', 'd']) {
      await clock.behave(script, { delayMs: 30 })
      // 250 different expressions that all match noon.
      const days = (index: number) => `1,${2 + (index % 28)} 3,${4 + Math.floor(index / 28)}`
      await clock.set(
        script,
        Array.from({ length: 250 }, (_, index) => `0 12 ${days(index)} *`),
      )
    }
    expect(await clock.nowMs()).toBeLessThan(NOON)
    const scheduled = (await clock.list()).filter(({ next_run }) => next_run === '2026-03-01T12:00:00.000Z')
    expect(scheduled).toHaveLength(1000)
    // To list so many calls takes time that the runs need: ask when they must be over.
    await until(
      () => clock.nowMs(),
      now => now > NOON + 1500,
    )
    const calls = await clock.untilCalls(1000)
    expect(calls).toHaveLength(1000)
    expect(new Set(calls.map(({ script, cron }) => `${script} ${cron}`)).size).toBe(1000)
    expect(Math.max(...calls.map(({ startedMs }) => startedMs - NOON))).toBeLessThan(1000)
  })

  test('a handler that takes 90 s delays no other cron, and its own ticks overlap', async () => {
    const clock = await startClock(NOON - 50_000, 60)
    await clock.behave('slow', { delayMs: 90_000 })
    await clock.set('slow', [EACH])
    await clock.set('quick', [EACH])
    const quick = await clock.untilCalls(4, 'quick')
    expect(quick.slice(0, 4).map(({ scheduledTime }) => scheduledTime)).toEqual(
      [0, 1, 2, 3].map(minute => NOON + minute * MINUTE_MS),
    )
    // A minute is a second here: 30 s late would be half a second.
    for (const { startedMs, scheduledTime } of quick) expect(startedMs - scheduledTime).toBeLessThan(30_000)
    const slow = await until(
      () => clock.calls('slow'),
      calls => calls.length >= 3 && calls[0]?.endedMs !== undefined,
    )
    expect(slow[1]?.startedMs).toBeLessThan(slow[0]?.endedMs ?? 0)
  })

  test('an alarm that rings before its time by our clock costs no tick', async () => {
    const clock = await startClock(NOON - 50_000, 60, 20)
    await clock.set('a', [EACH])
    const calls = await clock.untilCalls(3)
    expect(calls.map(({ scheduledTime }) => scheduledTime)).toEqual(
      [0, 1, 2].map(minute => NOON + minute * MINUTE_MS),
    )
    for (const { startedMs, scheduledTime } of calls) expect(startedMs).toBeGreaterThanOrEqual(scheduledTime)
  })

  test.each([
    [
      'a handler that throws is tried three times',
      { outcome: 'exception', noRetry: false, error: 'Error: oh' },
      3,
    ],
    [
      'a handler that called noRetry() is tried once',
      { outcome: 'exception', noRetry: true, error: 'Error: oh' },
      1,
    ],
    [
      'a handler over its CPU limit is tried once',
      { outcome: 'exceededCpu', noRetry: false, error: 'CPU' },
      1,
    ],
  ])('%s', async (_, result, attempts) => {
    const clock = await startClock(NOON - 20_000, 20)
    await clock.behave('a', { result })
    await clock.set('a', ['0 12 * * *'])
    const [status] = await until(
      () => clock.list(),
      ([status]) => status?.last?.attempts === attempts,
    )
    expect(status?.last).toMatchObject({ outcome: result.outcome, error: result.error })
    // Well after the next retry would have been.
    await until(
      () => clock.nowMs(),
      now => now > NOON + 25_000,
    )
    expect((await clock.calls()).map(({ scheduledTime }) => scheduledTime)).toEqual(
      Array.from({ length: attempts }, () => NOON),
    )
  })

  test('a run that no edge takes is tried until one does', async () => {
    const clock = await startClock(NOON - 20_000, 20)
    await clock.behave('a', { rejects: 5 })
    await clock.set('a', ['0 12 * * *'])
    const [status] = await until(
      () => clock.list(),
      ([status]) => status?.last?.outcome === 'ok',
    )
    expect(status?.last).toMatchObject({ scheduled_time: '2026-03-01T12:00:00.000Z', attempts: 6 })
  })

  test('the cron of a script that is gone deletes itself, and only it', async () => {
    const clock = await startClock(NOON - 20_000, 20)
    await clock.behave('gone', { result: { outcome: 'scriptNotFound', noRetry: true } })
    await clock.set('gone', ['0 12 * * *'])
    await clock.set('a', ['0 12 * * *'])
    const left = await until(
      () => clock.list(),
      list => list.length < 2,
    )
    expect(left.map(({ script }) => script)).toEqual(['a'])
  })

  test('a cron that is removed while its retry waits is not retried', async () => {
    const clock = await startClock(NOON - 20_000, 20)
    await clock.behave('a', { result: { outcome: 'exception', noRetry: false } })
    await clock.set('a', ['0 12 * * *'])
    await clock.untilCalls(1)
    await clock.set('a', [])
    const known = (await clock.calls()).length
    await until(
      () => clock.nowMs(),
      now => now > NOON + 25_000,
    )
    expect(await clock.calls()).toHaveLength(known)
  })
})

describe('after kill -9', () => {
  test('a run that was under way runs again, with its own tick, and nothing runs twice', async () => {
    const clock = await startClock(NOON - 20_000, 20)
    await clock.behave('a', { delayMs: 3_600_000 })
    await clock.set('a', ['0 12 * * *'])
    await clock.untilCalls(1)
    await clock.kill()
    // No request wakes the object: its alarm does.
    await clock.start(NOON + MINUTE_MS, 20)
    const calls = await clock.untilCalls(1)
    expect(calls).toEqual([expect.objectContaining({ script: 'a', cron: '0 12 * * *', scheduledTime: NOON })])
    await until(
      () => clock.list(),
      ([status]) => status?.last?.outcome === 'ok',
    )
    await clock.kill()
    await clock.start(NOON + 2 * MINUTE_MS, 20)
    await until(
      () => clock.nowMs(),
      now => now > NOON + 2 * MINUTE_MS + 20_000,
    )
    expect(await clock.calls()).toEqual([])
  })

  test('of the ticks missed meanwhile the latest runs, once, and the rest is recorded', async () => {
    const clock = await startClock(NOON + 1000, 30)
    await clock.set('a', [EACH])
    await clock.set('b', ['30 12 * * *'])
    await clock.kill()
    await clock.start(NOON + 2 * 60 * MINUTE_MS + 1000, 30)
    const calls = await clock.untilCalls(1)
    expect(calls).toEqual([expect.objectContaining({ script: 'a', scheduledTime: Date.UTC(2026, 2, 1, 14) })])
    const [a, b] = await clock.list()
    expect(a?.skipped).toEqual({ since: '2026-03-01T12:01:00.000Z', until: '2026-03-01T14:00:00.000Z' })
    expect(b).toMatchObject({
      skipped: { since: '2026-03-01T12:30:00.000Z' },
      last: null,
      next_run: '2026-03-02T12:30:00.000Z',
    })
  })

  test('a clock that had run a year ahead and was corrected does not stop the crons for a year', async () => {
    const clock = await startClock(NOON + 365 * 24 * 60 * MINUTE_MS, 1)
    await clock.set('a', [EACH])
    await clock.kill()
    await clock.start(NOON - 1500, 1)
    expect((await clock.list())[0]?.next_run).toBe('2026-03-01T12:00:00.000Z')
    expect((await clock.untilCalls(1))[0]?.scheduledTime).toBe(NOON)
  })
})

describe('runNow()', () => {
  test.each([
    ["the script's first cron", ['0 3 * * *', '0 1 * * *'], [], '0 3 * * *'],
    ['the cron it is given', ['0 3 * * *'], ['0 4 * * *'], '0 4 * * *'],
    ['no cron for a script that has none', [], [], ''],
  ])('runs at once with %s, at the minute that it is', async (_, crons, args, cron) => {
    const clock = await startClock(NOON + 12_345, 1)
    const result = { outcome: 'exception', noRetry: true, error: 'Error: oh' }
    await clock.behave('a', { result })
    await clock.set('a', crons)
    expect(await clock.object('runNow', 'a', ...args)).toEqual(result)
    expect(await clock.calls()).toEqual([
      expect.objectContaining({ accountId: ACCOUNT, script: 'a', cron, scheduledTime: NOON }),
    ])
    for (const { last } of await clock.list()) expect(last).toBeNull()
  })
})

describe('/workers/scripts/:name/schedules', () => {
  const path = (script: string) => `/accounts/${ACCOUNT}/workers/scripts/${script}/schedules`

  test('PUT sets what wrangler sends and GET shows it', async () => {
    const clock = await startClock(NOON, 1)
    const headers = { 'content-type': 'text/plain' }
    const put = await clock.request('PUT', path('a'), [{ cron: '*/3 * * * *' }], headers)
    const get = await clock.request('GET', path('a'))
    const body = await put.json()
    const time = expect.stringMatching(/^2026-03-01T12:00:\d\d\.\d{6}Z$/)
    expect(body).toEqual({
      success: true,
      errors: [],
      messages: [],
      result: { schedules: [{ cron: '*/3 * * * *', created_on: time, modified_on: time }] },
    })
    expect(await get.json()).toEqual(body)
  })

  test.each([
    [
      'an invalid cron',
      'a',
      '[{"cron":"0 0 * * 0"}]',
      400,
      10100,
      'invalid cron string "0 0 * * 0": weekday "0"',
    ],
    ['a script that is not there', 'absent', '[]', 404, 10007, 'This Worker does not exist on your account.'],
    ['a body that is no array', 'a', '{"cron":"* * * * *"}', 400, 10002, 'must be a JSON array'],
    ['an item without a cron', 'a', '[{}]', 400, 10002, 'The field "cron" must be a string'],
  ])('PUT refuses %s', async (_, script, body, status, code, message) => {
    const clock = await startClock(NOON, 1)
    const response = await clock.request('PUT', path(script), body)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({
      success: false,
      errors: [{ code, message: expect.stringContaining(message) }],
    })
    expect(await clock.list()).toEqual([])
  })

  test('a viewer may read and not write', async () => {
    const clock = await startClock(NOON, 1)
    const headers = { role: 'viewer' }
    expect((await clock.request('GET', path('a'), undefined, headers)).status).toBe(200)
    expect((await clock.request('PUT', path('a'), [], headers)).status).toBe(403)
  })

  test('GET refuses a script that is not there', async () => {
    const clock = await startClock(NOON, 1)
    expect((await clock.request('GET', path('absent'))).status).toBe(404)
  })
})
