import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Answer, Caller } from './support/caller.ts'
import { edgesOf } from './support/edges.ts'
import { applyGateway } from './support/gateway.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'

const HOST = 'limits.example'
const WINDOW_MS = 1000
/** Far less than two edges can answer, also on a machine that has other things to do. */
const LIMIT = 300
const BURST = 100
const by = 'header:x-caller'

let platform: RunningPlatform
/** Two connections to each of two edges. */
let callers: Caller[] = []

beforeAll(async () => {
  platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '3' } })
  await platform.upload('ok', 'export default { fetch: () => new Response("ok") }')
  await applyGateway(platform, {
    routes: [
      { match: `${HOST}/window`, script: 'ok', use: ['window'] },
      { match: `${HOST}/bucket`, script: 'ok', use: ['bucket'] },
      { match: `${HOST}/quota`, script: 'ok', use: ['quota'] },
      { match: `${HOST}/all`, script: 'ok', use: ['all'] },
      { match: `${HOST}/once`, script: 'ok', use: ['once'] },
    ],
    policies: {
      window: { type: 'rate-limit', limit: LIMIT, window: '1s', by },
      bucket: { type: 'rate-limit', limit: LIMIT, window: '1s', burst: BURST, algorithm: 'token-bucket', by },
      all: { type: 'rate-limit', limit: 100_000, window: '1s', by: 'all', headers: false },
      quota: { type: 'quota', limit: 500, period: 'day', by },
      once: { type: 'idempotency', by },
    },
  })
  const edges = edgesOf(platform).slice(0, 2)
  const socketOf = (edge: string) => ({ socketPath: join(platform.dataDir, 'run', `${edge}.front`) })
  callers = [...edges, ...edges].map(edge => new Caller(socketOf(edge)))
})

afterAll(async () => {
  for (const caller of callers) caller.close()
  await platform?.stop()
})

/**
 * Every connection calls as fast as it is answered, for so long, or until it is refused. What passed, by when it came
 * and was answered.
 */
async function load(path: string, ms: number, caller: string, endsRefused = false): Promise<Answer[]> {
  const endMs = performance.now() + ms
  const answers: Answer[] = []
  await Promise.all(
    callers.map(async connection => {
      while (performance.now() < endMs) {
        const answer = await connection.call(HOST, path, { headers: { 'x-caller': caller } })
        answers.push(answer)
        if (endsRefused && answer.status === 429) break
      }
    }),
  )
  const strange = answers.filter(({ status }) => status !== 200 && status !== 429)
  expect(strange).toEqual([])
  return answers.filter(({ status }) => status === 200)
}

/** The most that surely passed within any stretch of this length: sent after its begin, answered before its end. */
function mostWithin(passed: readonly Answer[], ms: number): number {
  const starts = passed.map(({ startedAtMs }) => startedAtMs).sort((a, b) => a - b)
  const byEnd = passed.toSorted((a, b) => a.startedAtMs + a.ms - b.startedAtMs - b.ms)
  let most = 0
  for (const from of starts) {
    let within = 0
    for (const { startedAtMs, ms: tookMs } of byEnd) {
      if (startedAtMs + tookMs > from + ms) break
      if (startedAtMs >= from) within++
    }
    most = Math.max(most, within)
  }
  return most
}

describe('four connections to two edges', () => {
  test('get the limit of a sliding window through, and never more in any window', async () => {
    const passed = await load('/window', 4000, 'ann')
    expect(mostWithin(passed, WINDOW_MS)).toBeLessThanOrEqual(LIMIT)
    // The first window's units come back after a window and 1 % for leases, 1 % for slices, and so on.
    expect(passed.length).toBeGreaterThan(LIMIT * 3.4)
    expect(passed.length).toBeLessThanOrEqual(LIMIT * 5)
  })

  test('get burst + rate · t through a token bucket, and no more', async () => {
    const passed = await load('/bucket', 3000, 'ann')
    for (const ms of [100, 500, 1000, 2000]) {
      expect(mostWithin(passed, ms)).toBeLessThanOrEqual(BURST + (LIMIT * ms) / WINDOW_MS)
    }
    expect(passed.length).toBeGreaterThan((BURST + 3 * LIMIT) * 0.85)
  })

  test('get exactly a quota through', async () => {
    const passed = await load('/quota', 20_000, 'ann', true)
    expect(passed).toHaveLength(500)
    const listed = await platform.v1<{ quotas: { used: number }[] }>('GET', '$A/quotas?policy=quota')
    expect(listed.body.quotas).toMatchObject([{ policy: 'quota', limit: 500, used: 500 }])
  })
})

test('callers who hang up hold nobody up', async () => {
  const socketPath = join(platform.dataDir, 'run', `${edgesOf(platform)[0]}.front`)
  const impatient = Array.from(
    { length: 8 },
    () => new Caller({ socketPath }, { keepAlive: false, giveUpMs: 2 }),
  )
  const endMs = performance.now() + 2000
  const hangUps = impatient.map(async caller => {
    let count = 0
    while (performance.now() < endMs) {
      if ((await caller.call(HOST, '/all')).status === 0) count++
      // Without a rest they would be more than an edge can answer, and be shed with those who wait.
      await delay(5)
    }
    return count
  })
  const passed = await load('/all', 2000, 'ann')
  expect((await Promise.all(hangUps)).reduce((a, b) => a + b)).toBeGreaterThan(10)
  expect(Math.max(...passed.map(({ ms }) => ms))).toBeLessThan(500)
})

test('a spent quota and a kept answer outlive a kill of the state process', async () => {
  const once = () =>
    platform.fetch(HOST, '/once', { method: 'POST', headers: { 'idempotency-key': 'k', 'x-caller': 'bob' } })
  const spend = () => platform.fetch(HOST, '/quota', { headers: { 'x-caller': 'bob' } })
  for (let i = 0; i < 3; i++) expect((await spend()).status).toBe(200)
  const first = await once()
  expect([first.status, first.headers.get('idempotency-replayed')]).toEqual([200, null])
  process.kill(platform.processes().state as number, 'SIGKILL')
  const { headers } = await spend()
  expect(headers.get('ratelimit')).toMatch(/^"quota";r=496;t=\d+$/)
  expect((await once()).headers.get('idempotency-replayed')).toBe('true')
})

test('an explained request says what is left, and spends nothing', async () => {
  const explain = () =>
    platform.v1('POST', '$A/explain', { url: `http://${HOST}/quota`, headers: { 'x-caller': 'cid' } })
  await explain()
  const { status, body } = await explain()
  expect(status).toBe(200)
  expect(JSON.stringify(body)).toContain('"remaining":500')
})
