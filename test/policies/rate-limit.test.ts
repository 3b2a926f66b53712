import * as fields from 'structured-headers'
import { parse } from 'valibot'
import { describe, expect, it } from 'vitest'
import { createLocalLimiter } from '../../routes/policies/local-limiter.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { RateLimitPhase, rateLimitPolicy } from '../../routes/policies/rate-limit/index.ts'
import { rateLimitOptions } from '../../routes/policies/rate-limit/options.ts'
import { RateLimitHeaders } from '../../routes/policies/rate-limit-headers.ts'
import type { LimiterService, Services } from '../../routes/policies/services.ts'
import type { PermitRequest } from '../../src/core/permits.ts'
import { codeOf, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

type Input = Parameters<typeof createPhase>[1]

/** A policy, a clock and a shared limiter that counts how often it is asked. */
function setUp(input: object, edges = 1) {
  const clock = { nowMs: NOW_MS }
  const now = () => clock.nowMs
  const asked: PermitRequest[] = []
  const limiter = createLocalLimiter(now)
  const shared: LimiterService = {
    take(request) {
      asked.push(request)
      return limiter.take(request)
    },
    spend: request => limiter.spend(request),
  }
  const options = parse(rateLimitOptions, { window: '1m', ...input })
  const phases = Array.from({ length: edges }, () => new RateLimitPhase(options, 'fair', now))
  const send = async (
    request: Partial<{
      ip: string
      headers: Record<string, string>
      edge: number
      method: string
      route: string
      services: Partial<Services>
    }> = {},
  ) => {
    const { ip = '203.0.113.7', headers = {}, edge = 0, method = 'GET', route = 'orders', services } = request
    const exchange = makeExchange(new Request('https://api.example.com/', { headers, method }), {
      clientIp: ip,
      route,
      services: { limiter: shared, ...services },
    })
    return runPolicy(phases[edge] as RateLimitPhase, exchange)
  }
  const statuses = async (count: number, request = {}) => {
    const found: number[] = []
    for (let i = 0; i < count; i++) found.push((await send(request)).status)
    return found.filter(status => status === 200).length
  }
  return { clock, asked, send, statuses, phases, shared }
}

describe.each(['edge', 'global'] as const)('rate-limit, scope %s', scope => {
  it('lets the limit through, refuses one more with 429, and lets callers in again after the window', async () => {
    const { clock, send, statuses } = setUp({ limit: 3, scope })
    expect(await statuses(3)).toBe(3)
    clock.nowMs += 20_000
    const refused = await send()
    expect(refused.status).toBe(429)
    expect(await codeOf(refused)).toBe('ERR_RATE_LIMIT')
    expect(refused.headers.get('retry-after')).toBe('40')
    expect(await refused.json()).toMatchObject({
      detail: 'The limit of 3 requests in 60 s is used up; there is room again in 40 s.',
    })
    clock.nowMs = NOW_MS + 59_999
    expect((await send()).status).toBe(429)
    // A refusal is believed for a second where it was asked for.
    clock.nowMs = NOW_MS + 61_000
    expect(await statuses(4)).toBe(3)
  })

  it('tells callers what is left, as structured fields', async () => {
    const { clock, send } = setUp({ limit: 2, scope })
    const [first, second, third] = [await send(), await send(), await send()]
    clock.nowMs += 1
    const told = [first, second, third].map(({ headers }) => headers.get('ratelimit'))
    expect(told).toEqual(['"fair";r=1;t=60', '"fair";r=0;t=60', '"fair";r=0;t=60'])
    expect(first.headers.get('ratelimit-policy')).toBe('"fair";q=2;w=60')
    expect(third.headers.get('retry-after')).toBe('60')
  })

  it('gives the very answer of the target when it is to tell nothing', async () => {
    const { phases, shared } = setUp({ limit: 2, scope, headers: false })
    const answer = new Response('ok')
    const exchange = makeExchange(new Request('https://a.example/'), { services: { limiter: shared } })
    expect(await runPolicy(phases[0] as RateLimitPhase, exchange, () => answer)).toBe(answer)
  })

  it('counts each caller for itself', async () => {
    const { statuses } = setUp({ limit: 2, scope, by: 'header:x-team' })
    expect(await statuses(5, { headers: { 'x-team': 'red' } })).toBe(2)
    expect(await statuses(5, { headers: { 'x-team': 'blue' } })).toBe(2)
    expect(await statuses(5, { ip: '198.51.100.1' })).toBe(2)
    expect(await statuses(5, { ip: '198.51.100.2' })).toBe(2)
    expect(await statuses(5, { headers: { 'x-team': 'x'.repeat(1000) } })).toBe(2)
    expect(await statuses(5, { headers: { 'x-team': `${'x'.repeat(999)}y` } })).toBe(2)
  })

  it('counts what a request costs by method and route', async () => {
    const cost = { '*': 1, POST: 5, export: 10, 'POST export': 20, HEAD: 0 }
    const left = async (method: string, route: string) => {
      const { send } = setUp({ limit: 100, scope, cost })
      const told = (await send({ method, route })).headers.get('ratelimit')
      return told && Number(/r=(\d+)/.exec(told)?.[1])
    }
    expect(await left('GET', 'orders')).toBe(99)
    expect(await left('POST', 'orders')).toBe(95)
    expect(await left('GET', 'export')).toBe(90)
    expect(await left('POST', 'export')).toBe(80)
    expect(await left('HEAD', 'orders')).toBeNull()
  })

  it('as a token bucket: the burst at once, then the rate', async () => {
    const { clock, statuses } = setUp({ limit: 60, scope, algorithm: 'token-bucket', burst: 5 })
    expect(await statuses(10)).toBe(5)
    clock.nowMs += 3000
    expect(await statuses(10)).toBe(3)
  })

  it('in a dry run counts nothing, and says why', async () => {
    const { phases, shared, statuses } = setUp({ limit: 1, scope })
    const explain = async () => {
      const trace = makeTrace()
      const exchange = makeExchange(new Request('https://a.example/'), {
        trace,
        isDryRun: true,
        clientIp: '203.0.113.7',
        services: { limiter: shared },
      })
      const verdict = await phases[0]?.explain(exchange)
      return { status: verdict?.status, findings: trace.findings.join('\n') }
    }
    expect((await explain()).status).toBeUndefined()
    expect((await explain()).findings).toMatch(/ip=203\.0\.113\.7.*\n.*within the limit.*"remaining":1/)
    expect(await statuses(1)).toBe(1)
    expect((await explain()).status).toBe(429)
    expect((await explain()).findings).toContain('"retryAfterSeconds":60')
  })
})

describe('rate-limit, scope edge', () => {
  it('answers without a promise, and asks nobody', async () => {
    const { phases, asked, shared } = setUp({ limit: 1, scope: 'edge' })
    const decide = () =>
      phases[0]?.request(makeExchange(new Request('https://a.example/'), { services: { limiter: shared } }))
    expect(decide()).toBeUndefined()
    expect(decide()).toBeInstanceOf(Response)
    expect(asked).toEqual([])
  })
})

describe('rate-limit, scope global', () => {
  it('counts for all edges together', async () => {
    const { statuses } = setUp({ limit: 10 }, 3)
    const passed = [0, 1, 2].map(edge => statuses(5, { edge }))
    expect((await Promise.all(passed)).reduce((a, b) => a + b)).toBe(10)
  })

  it('asks for more ahead the more comes, and then decides without a promise', async () => {
    const { clock, asked, phases, shared } = setUp({ limit: 100_000, headers: false })
    let promises = 0
    for (let i = 0; i < 3000; i++) {
      clock.nowMs += 1
      const exchange = makeExchange(new Request('https://a.example/'), { services: { limiter: shared } })
      const verdict = phases[0]?.request(exchange)
      if (verdict instanceof Promise) promises++
      await verdict
      await new Promise(resolve => setImmediate(resolve))
    }
    expect(promises).toBeLessThan(15)
    expect(asked.length).toBeLessThan(40)
    expect(Math.max(...asked.map(({ ahead }) => ahead))).toBeGreaterThan(100)
  })

  it('lets nearly the whole limit through, however it comes', async () => {
    for (const burst of [1, 20, 400]) {
      const { clock, statuses } = setUp({ limit: 2000, headers: false, scope: 'global' }, 2)
      let passed = 0
      for (let sent = 0; sent < 4000; sent += burst) {
        clock.nowMs += burst * 10
        passed += await statuses(burst, { edge: (sent / burst) % 2 })
      }
      expect(passed).toBeGreaterThanOrEqual(1960)
      expect(passed).toBeLessThanOrEqual(2000)
    }
  })

  it('does not ask again for a caller who was refused, for a second', async () => {
    const { clock, asked, statuses } = setUp({ limit: 1 })
    expect(await statuses(100)).toBe(1)
    expect(asked).toHaveLength(2)
    clock.nowMs += 1000
    await statuses(100)
    expect(asked).toHaveLength(3)
  })

  it('sends the key as a digest: what callers send stays here', async () => {
    const { asked, send } = setUp({ limit: 9, by: 'header:authorization' })
    await send({ headers: { authorization: 'Bearer secret' } })
    expect(asked[0]?.key).toMatch(/^fair:[0-9a-f]{64}$/)
  })

  it.each([
    ['open', [200, 200, 429]],
    ['closed', [503, 503, 503]],
  ])('when the shared count is away and on_failure is %s: %j', async (on_failure, expected) => {
    const { send, clock } = setUp({ limit: 2, on_failure })
    let calls = 0
    const limiter: LimiterService = {
      take: async () => {
        calls++
        throw new Error('ERR_STATE_UNAVAILABLE: away')
      },
      spend: async () => Promise.reject(new Error('away')),
    }
    const found: number[] = []
    for (let i = 0; i < 3; i++) found.push((await send({ services: { limiter } })).status)
    expect(found).toEqual(expected)
    // For a second nobody waits for the same again.
    expect(calls).toBe(1)
    clock.nowMs += 1000
    expect((await send()).status).toBe(200)
  })
})

describe('options of rate-limit', () => {
  it.each([
    [{ limit: 0, window: '1m' }, 'limit'],
    [{ limit: 1, window: '0.5s' }, 'window'],
    [{ limit: 1, window: '2d' }, 'window'],
    [{ limit: 1, window: '1m', by: 'jwt' }, 'by'],
    [{ limit: 1, window: '1m', by: [] }, 'by'],
    [{ limit: 1, window: '1m', burst: 2 }, 'burst: It is for algorithm = "token-bucket" only.'],
    [{ limit: 1, window: '1m', cost: 2 }, 'cost: No request may cost more than "limit"'],
    [
      { limit: 9, window: '1m', algorithm: 'token-bucket', burst: 2, cost: { POST: 3 } },
      'cost: No request may',
    ],
    [{ limit: 1 }, 'window'],
    [{ limit: 1, window: '1m', burts: 1 }, 'burts'],
  ])('%j: %s', (options, message) => {
    expect(() => createPhase(rateLimitPolicy, options as Input)).toThrow(`rate-limit: ${message}`)
  })

  it.each([
    { limit: 1, window: 1 },
    { limit: 1_000_000_000, window: '1d' },
    { limit: 5, window: '1m', by: ['route', 'identity.sub', 'header:x-team', 'cookie:s', 'claims.a.b'] },
  ])('takes %j', options => {
    expect(createPhase(rateLimitPolicy, options)).toBeInstanceOf(RateLimitPhase)
  })
})

describe('RateLimitHeaders', () => {
  it.each(['fair', 'a "quoted" \\ name', 'per-team.v2', 'naïve'])('writes structured fields for %j', name => {
    const exchange = makeExchange(new Request('https://a.example/'))
    new RateLimitHeaders(name, { q: 100, w: 60, 'skerry-burst': 5 }).add(exchange, 7.9, 1001)
    new RateLimitHeaders('day', { q: 5, w: 86_400 }).add(exchange, -1, 0)
    const { headers } = exchange.finish(new Response('ok'))
    const shown = name.replace('ï', '?')
    expect(fields.parseList(headers.get('ratelimit-policy') ?? '')).toEqual([
      [shown, new Map(Object.entries({ q: 100, w: 60, 'skerry-burst': 5 }))],
      ['day', new Map(Object.entries({ q: 5, w: 86_400 }))],
    ])
    expect(fields.parseList(headers.get('ratelimit') ?? '')).toEqual([
      [shown, new Map(Object.entries({ r: 7, t: 2 }))],
      ['day', new Map(Object.entries({ r: 0, t: 0 }))],
    ])
  })
})
