import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Counters, MAX_KEYS } from '../../bindings/rate-limit/counters.ts'
import { rateLimit } from '../../bindings/rate-limit/kind.ts'
import { type RuntimeHost, startRuntimeHost } from '../support/runtime-workerd.ts'

describe('Counters', () => {
  test('allows `limit` calls in a period, then none until it ends', () => {
    const counters = new Counters(0)
    const take = (nowMs: number) => counters.take('key', 3, 10_000, 1, nowMs)
    expect([0, 1, 9_999].map(take)).toEqual([true, true, true])
    expect(take(9_999)).toBe(false)
    expect([10_000, 10_001, 10_002, 10_003].map(take)).toEqual([true, true, true, false])
  })

  test('starts the period of a key with its first call', () => {
    const counters = new Counters(0)
    expect(counters.take('key', 1, 10_000, 1, 9_000)).toBe(true)
    expect(counters.take('key', 1, 10_000, 1, 18_999)).toBe(false)
    expect(counters.take('key', 1, 10_000, 1, 19_000)).toBe(true)
  })

  test('counts keys apart, and periods apart', () => {
    const counters = new Counters(0)
    expect(counters.take('a', 1, 10_000, 1, 0)).toBe(true)
    expect(counters.take('b', 1, 10_000, 1, 0)).toBe(true)
    expect(counters.take('a', 1, 60_000, 1, 0)).toBe(true)
    expect(counters.take('a', 1, 10_000, 1, 0)).toBe(false)
  })

  test('lets the call through that takes the count past the limit', () => {
    const counters = new Counters(0)
    const take = (delta: number) => counters.take('key', 10, 60_000, delta, 0)
    expect([take(9), take(100), take(1)]).toEqual([true, true, false])
  })

  test('keeps a count across generations for its whole period', () => {
    const counters = new Counters(0)
    expect(counters.take('key', 1, 60_000, 1, 59_999)).toBe(true)
    for (const nowMs of [60_000, 90_000, 119_998])
      expect(counters.take('key', 1, 60_000, 1, nowMs)).toBe(false)
    expect(counters.take('key', 1, 60_000, 1, 119_999)).toBe(true)
  })

  test('holds no more than two generations of keys', () => {
    const counters = new Counters(0)
    for (let i = 0; i < 3 * MAX_KEYS; i++) counters.take(`key ${i}`, 1, 60_000, 1, 0)
    expect(counters.size).toBeLessThanOrEqual(2 * MAX_KEYS)
    counters.take('key', 1, 60_000, 1, 120_000)
    expect(counters.size).toBe(1)
  })

  test.each([
    [119_999, false],
    [120_000, true],
  ])('is idle after %i ms: %s', (nowMs, idle) => {
    expect(new Counters(0).isIdle(nowMs)).toBe(idle)
  })

  test('never allows more than `limit` calls that begin in one period', () => {
    const steps = fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 80 })
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 5 }), (gaps, limit) => {
        const counters = new Counters(0)
        const windows: number[] = []
        let nowMs = 0
        let startedAtMs = Number.NEGATIVE_INFINITY
        for (const gap of gaps) {
          nowMs += gap
          if (nowMs - startedAtMs >= 10_000) {
            startedAtMs = nowMs
            windows.push(0)
          }
          if (counters.take('key', limit, 10_000, 1, nowMs)) windows.push((windows.pop() ?? 0) + 1)
        }
        expect(Math.max(...windows)).toBeLessThanOrEqual(limit)
      }),
    )
  })
})

describe('rateLimit.parse()', () => {
  const SIMPLE = { limit: 1, period: 10 }

  test.each([
    [
      { namespace_id: '1001', simple: SIMPLE },
      { namespace_id: '1001', simple: SIMPLE },
    ],
    [
      { namespace_id: 1001, simple: { limit: 100, period: 60 } },
      { namespace_id: '1001', simple: { limit: 100, period: 60 } },
    ],
  ])('takes %j', (input, expected) => {
    expect(rateLimit.parse(input, 'RL')).toEqual({ type: 'ratelimit', name: 'RL', ...expected })
  })

  test.each([
    [{ namespace_id: '1' }, '`simple.limit` is missing'],
    [{ namespace_id: '1', simple: { limit: 0, period: 10 } }, '`simple.limit` is 0'],
    [{ namespace_id: '1', simple: { limit: 1.5, period: 10 } }, '`simple.limit` is 1.5'],
    [{ namespace_id: '1', simple: { limit: '1', period: 10 } }, '`simple.limit` is "1"'],
    [
      { namespace_id: '1', simple: { limit: 1, period: 9 } },
      '`simple.period` is 9. It must be 10 or 60 (seconds).',
    ],
    [{ namespace_id: '1', simple: { limit: 1, period: 61 } }, '`simple.period` is 61'],
    [{ namespace_id: '', simple: SIMPLE }, '`namespace_id` is ""'],
    [{ simple: SIMPLE }, '`namespace_id` is missing'],
  ])('refuses %j', (input, problem) => {
    expect(() => rateLimit.parse(input, 'RL')).toThrow(
      expect.objectContaining({ code: 'ERR_BINDING_INVALID', detail: expect.stringContaining(problem) }),
    )
  })
})

describe('a rate-limit binding', () => {
  let host: RuntimeHost
  const CODE = `export default { async fetch(request, env) {
    const results = []
    for (const args of await request.json()) {
      try { results.push((await env.RL.limit(...args)).success) } catch (e) { results.push(e.name + ': ' + e.message) }
    }
    return Response.json(results)
  } }`

  beforeAll(async () => {
    host = await startRuntimeHost()
    for (const [name, namespace_id] of [
      ['one', '1'],
      ['same', '1'],
      ['other', '2'],
    ] as const) {
      await host.deploy(name, {
        modules: { 'index.js': CODE },
        bindings: [{ type: 'ratelimit', name: 'RL', namespace_id, simple: { limit: 2, period: 60 } }],
      })
    }
  })
  afterAll(() => host?.stop())

  const limit = async (name: string, ...calls: unknown[][]): Promise<unknown> =>
    JSON.parse(await host.run(name, '/', { method: 'POST', body: JSON.stringify(calls) }))

  test('refuses the call past the limit, per key', async () => {
    const a = [{ key: 'a' }]
    expect(await limit('one', a, a, a, [{ key: 'b' }])).toEqual([true, true, false, true])
  })

  test('shares counters with bindings of the same namespace, and no others', async () => {
    const calls = [[{ key: 'shared' }], [{ key: 'shared' }]]
    expect(await limit('one', ...calls)).toEqual([true, true])
    expect(await limit('same', ...calls)).toEqual([false, false])
    expect(await limit('other', ...calls)).toEqual([true, true])
  })

  test('counts keys of any length, and empty ones', async () => {
    const keys = ['x'.repeat(100_000), `${'x'.repeat(99_999)}y`, '', '__proto__']
    for (const key of keys)
      expect(await limit('one', [{ key }], [{ key }], [{ key }])).toEqual([true, true, false])
  })

  test('takes a delta', async () => {
    expect(await limit('one', [{ key: 'd', delta: 2 }], [{ key: 'd' }])).toEqual([true, false])
  })

  const KEY =
    "TypeError: Incorrect type for the 'key' field on 'RateLimitOptions': the provided value is not of type 'string'."
  const OPTIONS =
    "TypeError: Failed to execute 'limit' on 'RateLimit': parameter 1 is not of type 'RateLimitOptions'."

  test.each([
    [[], OPTIONS],
    [[null], OPTIONS],
    [['key'], OPTIONS],
    [[{}], KEY],
    [[{ key: 5 }], KEY],
    [[{ key: null }], KEY],
    [[{ key: 'k', delta: 0 }], 'RangeError: delta must be non-zero'],
    [[{ key: 'k', delta: 'x' }], 'TypeError: The value cannot be converted because it is not an integer.'],
    [
      [{ key: 'k', delta: -1 }],
      'TypeError: The value cannot be converted because it is negative and this API expects a positive number.',
    ],
    [
      [{ key: 'k', delta: 2 ** 32 }],
      'TypeError: Value out of range. Must be less than or equal to 4294967295.',
    ],
  ])('refuses limit(...%j)', async (args, message) => {
    expect(await limit('one', args)).toEqual([message])
  })
})
