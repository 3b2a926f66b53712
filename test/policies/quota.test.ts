import { describe, expect, it } from 'vitest'
import type { Identity } from '../../routes/policies/identity.ts'
import { createLocalLimiter } from '../../routes/policies/local-limiter.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { QuotaPhase, quotaPolicy } from '../../routes/policies/quota.ts'
import type { LimiterService } from '../../routes/policies/services.ts'
import { periodEndMs, type QuotaRequest } from '../../src/core/permits.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const NOON = Date.UTC(2026, 10, 21, 12)
const DEFAULTS = {
  limit: 3,
  period: 'day',
  by: 'api-key',
  missing: 'ip',
  cost: 1,
  headers: true,
  on_failure: 'closed',
} as const

type Options = ConstructorParameters<typeof QuotaPhase>[0]

function setUp(options: Partial<Options> = {}, edges = 1) {
  const clock = { nowMs: NOON }
  const now = () => clock.nowMs
  const asked: QuotaRequest[] = []
  const local = createLocalLimiter(now)
  const failure = { isAway: false }
  const limiter: LimiterService = {
    take: request => local.take(request),
    async spend(request) {
      if (failure.isAway) throw new Error('away')
      asked.push(request)
      return local.spend(request)
    },
  }
  const phases = Array.from({ length: edges }, () => new QuotaPhase({ ...DEFAULTS, ...options }, 'plan', now))
  const exchangeOf = (key: string | undefined, more = {}) => {
    const exchange = makeExchange(new Request('https://api.example.com/'), {
      clientIp: '203.0.113.7',
      services: { limiter },
      ...more,
    })
    if (key) exchange.identity = identityOf(key)
    return exchange
  }
  const send = (key: string | undefined = 'k1', edge = 0) =>
    runPolicy(phases[edge] as QuotaPhase, exchangeOf(key))
  const passed = async (count: number, key?: string, edge?: number) => {
    let ok = 0
    for (let i = 0; i < count; i++) if ((await send(key, edge)).status === 200) ok++
    return ok
  }
  return { clock, asked, failure, phases, exchangeOf, send, passed }
}

const identityOf = (subject: string): Identity => ({
  type: 'api-key',
  policy: 'keys',
  subject,
  scopes: [],
  roles: [],
  claims: {},
})

describe('quota', () => {
  it('lets the limit through, then refuses with 429 until the next day', async () => {
    const { clock, send, passed } = setUp()
    expect(await passed(3)).toBe(3)
    const refused = await send()
    expect(refused.status).toBe(429)
    expect(await codeOf(refused)).toBe('ERR_QUOTA_EXCEEDED')
    expect(await refused.json()).toMatchObject({
      detail: 'The quota of 3 requests a day is used up; the next day begins at 2026-11-22T00:00:00.000Z.',
    })
    expect(refused.headers.get('retry-after')).toBe(String(12 * 3600))
    expect(refused.headers.get('ratelimit')).toBe(`"plan";r=0;t=${12 * 3600}`)
    clock.nowMs = Date.UTC(2026, 10, 22) - 1
    expect(await passed(1)).toBe(0)
    clock.nowMs = Date.UTC(2026, 10, 22)
    expect(await passed(4)).toBe(3)
  })

  it('tells callers what is left', async () => {
    const { send } = setUp({ period: 'month' })
    const { headers } = await send()
    expect(headers.get('ratelimit-policy')).toBe('"plan";q=3;w=2678400')
    expect(headers.get('ratelimit')).toBe(`"plan";r=2;t=${9.5 * 86_400}`)
  })

  it('counts callers apart, and those without key by their address; operators see who', async () => {
    const { asked, passed } = setUp()
    expect(await passed(5, 'k1')).toBe(3)
    expect(await passed(5, 'k2')).toBe(3)
    const anonymous = setUp()
    const answer = await runPolicy(anonymous.phases[0] as QuotaPhase, anonymous.exchangeOf(undefined))
    expect(answer.status).toBe(200)
    expect(anonymous.asked[0]?.key).toBe('ip=203.0.113.7')
    expect(new Set(asked.map(({ key }) => key))).toEqual(new Set(['api-key=keys/k1', 'api-key=keys/k2']))
  })

  it('below a thousand asks for each request, so that nothing is held back', async () => {
    const { asked, passed } = setUp({ limit: 999 }, 3)
    const ok = await Promise.all([0, 1, 2].map(edge => passed(400, 'k1', edge)))
    expect(ok.reduce((a, b) => a + b)).toBe(999)
    expect(asked.every(({ ahead }) => ahead === 0)).toBe(true)
  })

  it('of larger ones holds at most a thousandth on each edge, and never lets more through', async () => {
    const { asked, passed } = setUp({ limit: 10_000, headers: false }, 3)
    let ok = 0
    for (let i = 0; i < 6; i++) ok += await passed(2000, 'k1', i % 3)
    expect(ok).toBeLessThanOrEqual(10_000)
    expect(ok).toBeGreaterThanOrEqual(10_000 - 30)
    expect(Math.max(...asked.map(({ ahead }) => ahead))).toBe(10)
    expect(asked.length).toBeLessThan(2000)
  })

  it('spends what it holds of a day on that day only', async () => {
    const { clock, asked, passed } = setUp({ limit: 100_000, headers: false })
    await passed(40)
    const before = asked.length
    await passed(1)
    expect(asked.length).toBe(before)
    clock.nowMs += 86_400_000
    await passed(1)
    expect(asked.length).toBe(before + 1)
  })

  it.each([
    ['closed', 503],
    ['open', 200],
  ] as const)('when the count is away and on_failure is %s: %i', async (on_failure, status) => {
    const { failure, send } = setUp({ on_failure })
    failure.isAway = true
    expect((await send()).status).toBe(status)
  })

  it('in a dry run counts nothing, and says why', async () => {
    const { phases, exchangeOf, passed } = setUp()
    const trace = makeTrace()
    const explain = async () =>
      (await phases[0]?.explain(exchangeOf('k1', { trace, isDryRun: true })))?.status
    expect(await explain()).toBeUndefined()
    expect(trace.findings.join()).toMatch(/api-key=keys\/k1.*within the quota.*"remaining":3/)
    expect(await passed(3)).toBe(3)
    expect(await explain()).toBe(429)
  })

  it.each([
    [{ limit: 0 }, 'limit'],
    [{ limit: 1, period: 'week' }, 'period'],
    [{ limit: 1, cost: 2 }, 'cost: No request may cost more than "limit"'],
  ])('refuses the options %j', (options, message) => {
    expect(() => createPhase(quotaPolicy, options)).toThrow(`quota: ${message}`)
  })
})

describe('periodEndMs()', () => {
  it.each([
    ['day', '2026-12-31T00:00:00.000Z', '2027-01-01T00:00:00.000Z'],
    ['day', '2026-12-30T23:59:59.999Z', '2026-12-31T00:00:00.000Z'],
    ['day', '2028-02-28T12:00:00.000Z', '2028-02-29T00:00:00.000Z'],
    ['month', '2026-12-31T23:59:59.999Z', '2027-01-01T00:00:00.000Z'],
    ['month', '2027-01-01T00:00:00.000Z', '2027-02-01T00:00:00.000Z'],
  ] as const)('of the %s of %s is %s', (period, now, end) => {
    expect(new Date(periodEndMs(period, Date.parse(now))).toISOString()).toBe(end)
  })
})
