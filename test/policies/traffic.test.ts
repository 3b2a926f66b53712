import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { canaryPolicy } from '../../routes/policies/canary.ts'
import { Circuit, circuitBreakerPolicy } from '../../routes/policies/circuit-breaker.ts'
import { concurrencyPolicy } from '../../routes/policies/concurrency.ts'
import { maintenancePolicy } from '../../routes/policies/maintenance.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { RetryBudget, retryPolicy } from '../../routes/policies/retry.ts'
import { runPolicies } from '../../routes/policies/run.ts'
import { securityHeadersPolicy } from '../../routes/policies/security-headers.ts'
import { shadowPolicy } from '../../routes/policies/shadow.ts'
import { timeoutPolicy } from '../../routes/policies/timeout.ts'
import { transformPolicy } from '../../routes/policies/transform.ts'
import { codeOf, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

const get = (init?: RequestInit) => new Request('https://api.example.com/orders?n=1', init)

describe('timeout', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test.each([
    ['an answer just in time passes', 999, 200],
    ['one that comes later is a 504', 1001, 504],
  ])('%s', async (_, afterMs, status) => {
    const answer = runPolicy(
      createPhase(timeoutPolicy, { after: '1s' }),
      get(),
      () => new Promise(resolve => setTimeout(() => resolve(new Response('ok')), afterMs)),
    )
    await vi.advanceTimersByTimeAsync(2000)
    const response = await answer
    expect(response.status).toBe(status)
    if (status === 504) expect(await codeOf(response)).toBe('ERR_ROUTE_TIMEOUT')
  })
})

describe('retry', () => {
  const retry = (options: object = {}) => createPhase(retryPolicy, { backoff: 0, ...options })
  const failing = (failures: number, status = 503) => {
    let calls = 0
    return {
      get calls() {
        return calls
      },
      target: async (exchange: { request: Request }) => {
        calls++
        const text = await exchange.request.text()
        return new Response(text || 'ok', { status: calls <= failures ? status : 200 })
      },
    }
  }

  test.each([
    ['a GET that fails once', {}, get(), 1, 503, 200, 2],
    ['a GET that fails twice, by default', {}, get(), 2, 503, 503, 2],
    ['a GET that fails twice, with three attempts', { attempts: 3 }, get(), 2, 503, 200, 3],
    ['a POST', {}, get({ method: 'POST' }), 1, 503, 503, 1],
    ['a POST that the operator lets repeat', { methods: ['post'] }, get({ method: 'POST' }), 1, 503, 200, 2],
    ['an answer that is no use to repeat', {}, get(), 1, 500, 500, 1],
  ])('%s', async (_, options, request, failures, status, expected, calls) => {
    const target = failing(failures, status)
    const response = await runPolicy(retry(options), request, target.target)
    expect([response.status, target.calls]).toEqual([expected, calls])
  })

  test('a body is sent again, whole', async () => {
    const target = failing(1)
    const body = 'x'.repeat(1000)
    const request = get({ method: 'PUT', body, headers: { 'content-length': '1000' } })
    const response = await runPolicy(retry(), request, target.target)
    expect([response.status, await response.text()]).toEqual([200, body])
  })

  test.each([
    ['one that is longer than is kept', '1001'],
    ['one of unknown length', undefined],
  ])('a body isn’t sent twice: %s', async (_, length) => {
    const target = failing(1)
    const headers = length ? { 'content-length': length } : undefined
    const init = { method: 'PUT', body: 'x'.repeat(1001), ...(headers && { headers }) }
    const response = await runPolicy(retry({ max_body_bytes: 1000 }), get(init), target.target)
    expect([response.status, target.calls]).toEqual([503, 1])
  })

  test('a target that throws is tried again, and its last error is thrown', async () => {
    let calls = 0
    const target = () => {
      calls++
      throw new Error(`failure ${calls}`)
    }
    await expect(runPolicy(retry(), get(), target)).rejects.toThrow('failure 2')
  })

  test('what policies behind it change is changed once, however often it is sent', async () => {
    const seen: string[] = []
    const change = createPhase(transformPolicy, {
      path: { add_prefix: '/v1' },
      request: { add: { 'x-hop': 'here' } },
      response: { add: { 'x-answer': 'one' } },
    })
    const exchange = makeExchange(get())
    const response = await runPolicies([retry({ attempts: 3 }), change], exchange, asked => {
      const { url, headers } = asked.takeRequest()
      seen.push(`${new URL(url).pathname} ${headers.get('x-hop')}`)
      return new Response('', { status: 503 })
    })
    expect(seen).toEqual(Array(3).fill('/v1/orders here'))
    expect(response.headers.get('x-answer')).toBe('one')
  })

  test('beyond the budget nothing is repeated', async () => {
    const phase = retry({ budget: 10 })
    let calls = 0
    for (let i = 0; i < 200; i++) {
      await runPolicy(phase, get(), () => {
        calls++
        return new Response('', { status: 503 })
      })
    }
    // Ten that may come at once, and ten percent of the requests.
    expect(calls - 200).toBeGreaterThanOrEqual(28)
    expect(calls - 200).toBeLessThanOrEqual(30)
  })

  test('a budget of 0 repeats nothing', () => {
    const budget = new RetryBudget(0)
    budget.earn()
    expect(budget.spend()).toBe(false)
  })
})

describe('circuit-breaker', () => {
  const OPTIONS = { failures: 3, share: 50, window: 10, open: 5 }
  const afterFailures = (failures: number, successes = 0) => {
    const circuit = new Circuit(OPTIONS)
    for (let i = 0; i < successes; i++) circuit.count('worked', NOW_MS)
    for (let i = 0; i < failures; i++) circuit.count('failed', NOW_MS)
    return circuit
  }

  test.each([
    ['fewer failures than it takes', 2, 0, 0],
    ['so many failures', 3, 0, 5000],
    ['so many, but a smaller share than it takes', 3, 4, 0],
    ['so many, and just that share', 3, 3, 5000],
  ])('%s', (_, failures, successes, waitMs) => {
    expect(afterFailures(failures, successes).waitMs(NOW_MS)).toBe(waitMs)
  })

  test('failures of long ago don’t count', () => {
    const circuit = afterFailures(2)
    circuit.count('failed', NOW_MS + 10_001)
    expect(circuit.waitMs(NOW_MS + 10_001)).toBe(0)
  })

  test('after its rest one request is tried, and others still wait', () => {
    const circuit = afterFailures(3)
    expect(circuit.enter(NOW_MS + 4999)).toBe(1)
    expect(circuit.enter(NOW_MS + 5000)).toBe(0)
    expect(circuit.enter(NOW_MS + 5001)).toBeGreaterThan(0)
  })

  test.each([
    ['succeeds: it is closed', 'worked', 0],
    ['fails: it rests again', 'failed', 5000],
    ['is refused before it is sent: another may try at once', 'not sent', 0],
  ] as const)('the trial %s', (_, outcome, waitMs) => {
    const circuit = afterFailures(3)
    circuit.enter(NOW_MS + 5000)
    circuit.count(outcome, NOW_MS + 5100)
    expect(circuit.waitMs(NOW_MS + 5100)).toBe(waitMs)
  })

  test('a trial whose end nobody tells doesn’t keep it open for ever', () => {
    const circuit = afterFailures(3)
    circuit.enter(NOW_MS + 5000)
    expect(circuit.enter(NOW_MS + 10_000)).toBe(0)
  })

  test('while it is open the target isn’t asked, and the answer says for how long', async () => {
    const phase = createPhase(circuitBreakerPolicy, { failures: 1 })
    await runPolicy(phase, get(), () => new Response('', { status: 500 }))
    const response = await runPolicy(phase, get(), () => {
      throw new Error('the target was asked')
    })
    expect([response.status, await codeOf(response)]).toEqual([503, 'ERR_CIRCUIT_OPEN'])
    // The request before took time by the real clock.
    expect(response.headers.get('retry-after')).toMatch(/^[56]$/)
  })

  test('what a policy behind it refuses says nothing of the target', async () => {
    const refuses: Phase = { request: exchange => exchange.refuse('ERR_ROUTE_CONCURRENCY', 'full') }
    const phase = createPhase(circuitBreakerPolicy, { failures: 1 })
    const statuses = []
    for (let i = 0; i < 3; i++) {
      const response = await runPolicies([phase, refuses], makeExchange(get()), () => new Response('ok'))
      statuses.push(await codeOf(response))
    }
    expect(statuses).toEqual(Array(3).fill('ERR_ROUTE_CONCURRENCY'))
    expect((await runPolicy(phase, get())).status).toBe(200)
  })

  test('the end of what was sent before it opened says nothing new', () => {
    const circuit = afterFailures(2)
    const { turn } = circuit
    circuit.count('failed', NOW_MS)
    circuit.count('worked', NOW_MS + 6000, turn)
    expect(circuit.waitMs(NOW_MS + 4999)).toBe(1)
    circuit.enter(NOW_MS + 6000)
    circuit.count('worked', NOW_MS + 6001, turn)
    expect(circuit.waitMs(NOW_MS + 6001)).toBeGreaterThan(0)
  })

  test('routes don’t open each other’s circuits', async () => {
    const phase = createPhase(circuitBreakerPolicy, { failures: 1 })
    await runPolicy(phase, makeExchange(get(), { route: 'a' }), () => new Response('', { status: 500 }))
    const response = await runPolicy(phase, makeExchange(get(), { route: 'b' }))
    expect(response.status).toBe(200)
  })
})

describe('concurrency', () => {
  const held = () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const target = async () => {
      await promise
      return new Response('ok')
    }
    return { target, release: resolve }
  }
  const statusOf = async (answer: Promise<Response>) => (await answer).status
  // Places are waited for by the real clock.
  const now = () => makeExchange(get(), { nowMs: Date.now() })

  test('as many as the limit get through, one more is refused', async () => {
    const phase = createPhase(concurrencyPolicy, { limit: 2 })
    const { target, release } = held()
    const first = [runPolicy(phase, now(), target), runPolicy(phase, now(), target)]
    const refused = await runPolicy(phase, now(), target)
    expect([refused.status, await codeOf(refused)]).toEqual([503, 'ERR_ROUTE_CONCURRENCY'])
    expect(refused.headers.get('retry-after')).toBe('1')
    release()
    expect(await Promise.all(first.map(statusOf))).toEqual([200, 200])
    expect(await statusOf(runPolicy(phase, now(), target))).toBe(200)
  })

  test('one that waits gets the place that is given back', async () => {
    const phase = createPhase(concurrencyPolicy, { limit: 1, queue: 1, queue_timeout: 30 })
    const { target, release } = held()
    const answers = [runPolicy(phase, now(), target), runPolicy(phase, now(), target)]
    expect(await statusOf(runPolicy(phase, now(), target))).toBe(503)
    release()
    expect(await Promise.all(answers.map(statusOf))).toEqual([200, 200])
  })

  test('one that waits too long is refused', async () => {
    const phase = createPhase(concurrencyPolicy, { limit: 1, queue: 1, queue_timeout: 0.05 })
    const { target, release } = held()
    const first = runPolicy(phase, now(), target)
    expect(await statusOf(runPolicy(phase, now(), target))).toBe(503)
    release()
    expect(await statusOf(first)).toBe(200)
  })

  test('callers are counted apart where it is by header', async () => {
    const phase = createPhase(concurrencyPolicy, { limit: 1, by: 'header:x-team' })
    const { target, release } = held()
    const of = (team: string) => runPolicy(phase, get({ headers: { 'x-team': team } }), target)
    const answers = [of('a'), of('b')]
    expect(await statusOf(of('a'))).toBe(503)
    release()
    expect(await Promise.all(answers.map(statusOf))).toEqual([200, 200])
  })
})

describe('concurrency by caller', () => {
  test.each([
    ['an IPv6 caller is its network', 'ip', '2001:db8::1', '2001:db8::2', 503],
    ['another network is another caller', 'ip', '2001:db8::1', '2001:db8:0:1::1', 200],
    ['long values differ at their ends', 'header:x-key', `${'a'.repeat(5000)}1`, `${'a'.repeat(5000)}2`, 200],
    ['equal long values are one caller', 'header:x-key', 'a'.repeat(5000), 'a'.repeat(5000), 503],
  ])('%s', async (_, by, one, other, status) => {
    const phase = createPhase(concurrencyPolicy, { limit: 1, by })
    const { promise, resolve } = Promise.withResolvers<Response>()
    const from = (value: string, target: () => Response | Promise<Response>) => {
      const init = { clientIp: by === 'ip' ? value : '192.0.2.1', nowMs: Date.now() }
      return runPolicy(phase, makeExchange(get({ headers: { 'x-key': value } }), init), target)
    }
    const first = from(one, () => promise)
    expect((await from(other, () => new Response('ok'))).status).toBe(status)
    resolve(new Response('ok'))
    expect((await first).status).toBe(200)
  })
})

describe('canary', () => {
  const canary = (options: object) => createPhase(canaryPolicy, options)
  const versionFor = async (
    phase: ReturnType<typeof canary>,
    init: RequestInit = {},
    clientIp = '192.0.2.1',
  ) => {
    const exchange = makeExchange(get(init), { clientIp })
    const response = await runPolicy(phase, exchange)
    return { version: exchange.version, cookie: response.headers.get('set-cookie') }
  }

  test('shares are kept, within what chance allows', async () => {
    const phase = canary({ versions: [{ version: 'new', percent: 10 }], sticky_by: 'ip' })
    let drawn = 0
    for (let i = 0; i < 2000; i++) {
      const { version } = await versionFor(phase, {}, `10.0.${i >> 8}.${i & 255}`)
      if (version === 'new') drawn++
    }
    // 200 expected; six standard deviations.
    expect(drawn).toBeGreaterThan(120)
    expect(drawn).toBeLessThan(280)
  })

  test('equal addresses get equal versions', async () => {
    const phase = canary({ versions: [{ version: 'new', percent: 50 }], sticky_by: 'ip' })
    const drawn = await Promise.all(Array.from({ length: 20 }, () => versionFor(phase)))
    expect(new Set(drawn.map(({ version }) => version)).size).toBe(1)
  })

  test('a header may ask for a version that takes part, and for no other', async () => {
    const phase = canary({ versions: [{ version: 'new' }], header: 'x-version' })
    expect((await versionFor(phase, { headers: { 'x-version': 'new' } })).version).toBe('new')
    expect((await versionFor(phase, { headers: { 'x-version': 'secret' } })).version).toBeUndefined()
  })

  test('a cookie keeps a caller with what he had, deployed or new', async () => {
    const phase = canary({ versions: [{ version: 'new', percent: 100 }], cookie: 'v' })
    const first = await versionFor(phase)
    expect(first.cookie).toBe('v=new; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure')
    const kept = await versionFor(phase, { headers: { cookie: 'a=b; v=deployed' } })
    expect([kept.version, kept.cookie]).toEqual([undefined, null])
    const forged = await versionFor(phase, { headers: { cookie: 'v=secret' } })
    expect(forged.version).toBe('new')
  })

  test('caches are told what the choice depends on', async () => {
    const phase = canary({ versions: [{ version: 'new' }], header: 'x-version', cookie: 'v' })
    const response = await runPolicy(phase, get())
    expect(response.headers.get('vary')).toBe('x-version, Cookie')
  })

  test('shares may be decimal fractions', () => {
    const versions = ['a', 'b', 'c'].map(version => ({ version, percent: 33.3 }))
    expect(() => canary({ versions: [...versions, { version: 'd', percent: 0.1 }] })).not.toThrow()
  })

  test('shares above 100 percent are refused', () => {
    const versions = [
      { version: 'a', percent: 60 },
      { version: 'b', percent: 41 },
    ]
    expect(() => canary({ versions })).toThrow(/more than 100 percent/)
  })
})

describe('shadow', () => {
  const shadow = (options: object = {}) =>
    createPhase(shadowPolicy, { url: 'https://shadow.example.com/base/', ...options })
  const setUp = (answer: () => Promise<Response> = async () => new Response('shadow')) => {
    const copies: Request[] = []
    const pending: Promise<unknown>[] = []
    const services = {
      fetch: (input: Request | string, init?: RequestInit) => {
        copies.push(new Request(input, init))
        return answer()
      },
      waitUntil: (promise: Promise<unknown>) => void pending.push(promise),
    }
    return { copies, services, settled: () => Promise.all(pending) }
  }

  test('a copy goes out with path and query, without credentials, and marked', async () => {
    const { copies, services, settled } = setUp()
    const headers = { authorization: 'Bearer x', cookie: 'a=b', accept: 'text/html' }
    const response = await runPolicy(shadow(), makeExchange(get({ headers }), { services }))
    await settled()
    expect(await response.text()).toBe('ok')
    expect(copies.map(({ url }) => url)).toEqual(['https://shadow.example.com/base/orders?n=1'])
    expect(Object.fromEntries(copies[0]?.headers ?? [])).toEqual({
      accept: 'text/html',
      'skerry-shadow': '1',
    })
  })

  test('what policies before it hide from the target isn’t in the copy either', async () => {
    const { copies, services, settled } = setUp()
    const hide: Phase = { request: exchange => void exchange.requestHeaders.delete('x-api-key') }
    const exchange = makeExchange(get({ headers: { 'x-api-key': 'secret' } }), { services })
    await runPolicies([hide, shadow()], exchange, () => new Response('ok'))
    await settled()
    expect(copies.map(({ headers }) => headers.get('x-api-key'))).toEqual([null])
  })

  test('a copy isn’t copied again', async () => {
    const { copies, services } = setUp()
    await runPolicy(shadow(), makeExchange(get({ headers: { 'skerry-shadow': '1' } }), { services }))
    expect(copies).toEqual([])
  })

  test('the caller gets its body whole, and so does the copy', async () => {
    const { copies, services, settled } = setUp()
    const request = get({ method: 'POST', body: 'order', headers: { 'content-length': '5' } })
    const response = await runPolicy(
      shadow({ methods: ['POST'] }),
      makeExchange(request, { services }),
      async ({ request }) => new Response(await request.text()),
    )
    await settled()
    expect([await response.text(), await copies[0]?.text()]).toEqual(['order', 'order'])
  })

  test('a copy that fails, or never ends, doesn’t touch the answer', async () => {
    const { services } = setUp(() => Promise.reject(new Error('down')))
    expect((await runPolicy(shadow(), makeExchange(get(), { services }))).status).toBe(200)
    const { services: hanging } = setUp(() => new Promise(() => {}))
    expect((await runPolicy(shadow(), makeExchange(get(), { services: hanging }))).status).toBe(200)
  })

  test('no more copies are under way than allowed', async () => {
    const { copies, services } = setUp(() => new Promise(() => {}))
    const phase = shadow({ concurrency: 2 })
    for (let i = 0; i < 5; i++) await runPolicy(phase, makeExchange(get(), { services }))
    expect(copies).toHaveLength(2)
  })

  test.each([
    ['a method that isn’t copied', get({ method: 'DELETE' })],
    ['a WebSocket', get({ headers: { upgrade: 'websocket' } })],
  ])('%s is left alone', async (_, request) => {
    const { copies, services } = setUp()
    await runPolicy(shadow(), makeExchange(request, { services }))
    expect(copies).toEqual([])
  })

  test('a dry run sends nothing', async () => {
    const { copies, services } = setUp()
    const trace = makeTrace()
    await runPolicy(shadow(), makeExchange(get(), { services, isDryRun: true, trace }))
    expect([copies, trace.findings]).toEqual([[], ['A copy would be sent. {"percent":100}']])
  })
})

describe('maintenance', () => {
  test.each([
    ['callers get problem JSON', '*/*', 'application/problem+json'],
    ['browsers get the page', 'text/html,*/*', 'text/html; charset=utf-8'],
  ])('%s, with Retry-After', async (_, accept, type) => {
    const phase = createPhase(maintenancePolicy, { html: '<p>soon', retry_after: '10m' })
    const response = await runPolicy(phase, get({ headers: { accept } }))
    expect([response.status, response.headers.get('content-type')]).toEqual([503, type])
    expect(response.headers.get('retry-after')).toBe('600')
  })

  test('allowed addresses pass, and everybody when it is off', async () => {
    const phase = createPhase(maintenancePolicy, { allow: ['192.0.2.0/24'] })
    const from = (clientIp: string) => runPolicy(phase, makeExchange(get(), { clientIp }))
    expect((await from('192.0.2.9')).status).toBe(200)
    expect((await from('192.0.3.9')).status).toBe(503)
    expect((await runPolicy(createPhase(maintenancePolicy, { enabled: false }), get())).status).toBe(200)
  })
})

describe('security-headers', () => {
  const target = () =>
    new Response('ok', { headers: { 'x-frame-options': 'DENY', 'x-powered-by': 'PHP', server: 'a' } })

  test('puts the defaults in, leaves the target’s own, and takes out what tells too much', async () => {
    const response = await runPolicy(createPhase(securityHeadersPolicy, {}), get(), target)
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/plain;charset=UTF-8',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'strict-origin-when-cross-origin',
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    })
  })

  test('`override` replaces the target’s own, `false` leaves a header out', async () => {
    const phase = createPhase(securityHeadersPolicy, { override: true, hsts: false })
    const response = await runPolicy(phase, get(), target)
    expect(response.headers.get('x-frame-options')).toBe('SAMEORIGIN')
    expect(response.headers.has('strict-transport-security')).toBe(false)
  })

  test('a value with a line break is refused', () => {
    expect(() =>
      createPhase(securityHeadersPolicy, { content_security_policy: 'a\r\nset-cookie: b=c' }),
    ).toThrow(/one line/)
  })
})
