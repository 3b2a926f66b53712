import { describe, expect, test } from 'vitest'
import { introspectionPolicy } from '../../routes/policies/introspection.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { AUDIENCE, ISSUER, makeGate, NOW } from './jwt-support.ts'
import { codeOf, type ExchangeSetup, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

const ENDPOINT = 'https://id.example.com/introspect'
const OPTIONS = { endpoint: ENDPOINT, client_id: 'gateway', client_secret: 's3cret' }
const make = (options: Record<string, unknown> = {}): Phase =>
  createPhase(introspectionPolicy, { ...OPTIONS, ...options }, { name: 'opaque' })

const ACTIVE = { active: true, sub: 'ann', scope: 'orders:read', client_id: 'app', exp: NOW + 3600 }

/** A provider that isn't one: it answers every question with what the test puts there, and keeps the questions. */
class FakeProvider {
  answer: () => Response | Promise<Response> = () => Response.json(ACTIVE)
  readonly questions: { readonly url: string; readonly headers: Headers; readonly form: URLSearchParams }[] =
    []
  readonly waitedFor: Promise<unknown>[] = []

  exchange(token: string | undefined, setup: ExchangeSetup = {}, method = 'GET') {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    return makeExchange(
      new Request('https://api.example.com/orders', { method, headers: headers as Record<string, string> }),
      {
        ...setup,
        services: {
          fetch: async (input, init) => {
            const request = new Request(input, init as RequestInit)
            this.questions.push({
              url: request.url,
              headers: request.headers,
              form: new URLSearchParams(await request.text()),
            })
            return this.answer()
          },
          waitUntil: promise => void this.waitedFor.push(promise),
        },
      },
    )
  }
}

describe('the policy introspection', () => {
  test('asks the provider as RFC 7662 has it, and says whose the token is', async () => {
    const provider = new FakeProvider()
    const exchange = provider.exchange('opaque+token/1=')
    expect((await runPolicy(make(), exchange)).status).toBe(200)
    expect(exchange.identity).toEqual({
      type: 'introspection',
      policy: 'opaque',
      subject: 'ann',
      scopes: ['orders:read'],
      roles: [],
      claims: ACTIVE,
    })
    const [question] = provider.questions
    expect(question?.url).toBe(ENDPOINT)
    expect(question?.headers.get('authorization')).toBe(`Basic ${btoa('gateway:s3cret')}`)
    expect(Object.fromEntries(question?.form ?? [])).toEqual({
      token: 'opaque+token/1=',
      token_type_hint: 'access_token',
    })
  })

  test('proves who it is in the form if told to, and spells the secret as forms do', async () => {
    const secret = 'a b:c%é&'
    const provider = new FakeProvider()
    await runPolicy(
      make({ client_secret: secret, auth_method: 'client_secret_post' }),
      provider.exchange('t'),
    )
    await runPolicy(make({ client_secret: secret }), provider.exchange('t'))
    expect(provider.questions[0]?.form.get('client_secret')).toBe(secret)
    expect(provider.questions[0]?.headers.get('authorization')).toBeNull()
    expect(provider.questions[1]?.headers.get('authorization')).toBe(
      `Basic ${btoa('gateway:a+b%3Ac%25%C3%A9%26')}`,
    )
  })

  test('asks once for all who come with the same token at the same time', async () => {
    const provider = new FakeProvider()
    const gate = makeGate()
    provider.answer = async () => {
      await gate.opened
      return Response.json(ACTIVE)
    }
    const phase = make()
    const all = Array.from({ length: 20 }, () => runPolicy(phase, provider.exchange('same')))
    const another = runPolicy(phase, provider.exchange('another'))
    await expect.poll(() => provider.questions.length).toBe(2)
    gate.open()
    expect((await Promise.all([...all, another])).every(response => response.status === 200)).toBe(true)
    expect(provider.questions.map(each => each.form.get('token')).sort()).toEqual(['another', 'same'])
    expect(provider.waitedFor).toHaveLength(2)
  })

  test('decides at once on a token that it has asked for: no promise', async () => {
    const provider = new FakeProvider()
    const phase = make()
    await runPolicy(phase, provider.exchange('t'))
    expect(phase.request?.(provider.exchange('t'))).toBeUndefined()
    expect(provider.questions).toHaveLength(1)
  })

  test.each([
    ['an active token, for as long as the options say', { cache: '30s' }, ACTIVE, 30],
    ['an active token, until it expires', {}, { ...ACTIVE, exp: NOW + 20 }, 25],
    ['an active token that never expires', {}, { active: true }, 60],
    ['an inactive token', {}, { active: false }, 10],
    ['an inactive token, for as long as the options say', { negative_cache: 2 }, { active: false }, 2],
    ['a token for somebody else', { issuer: ISSUER }, ACTIVE, 10],
  ])('keeps what it learnt of %s', async (_what, options, answer, seconds) => {
    const provider = new FakeProvider()
    provider.answer = () => Response.json(answer)
    const phase = make(options)
    const at = (nowMs: number) => runPolicy(phase, provider.exchange('t', { nowMs }))
    const { status } = await at(NOW_MS)
    expect((await at(NOW_MS + seconds * 1000 - 1)).status).toBe(status)
    expect(provider.questions).toHaveLength(1)
    await at(NOW_MS + seconds * 1000)
    expect(provider.questions).toHaveLength(2)
  })

  test('asks each time where nothing is to be kept', async () => {
    const provider = new FakeProvider()
    const phase = make({ cache: 0, negative_cache: 0 })
    for (let i = 0; i < 3; i++) await runPolicy(phase, provider.exchange('t'))
    expect(provider.questions).toHaveLength(3)
  })

  test('a dry run asks, and keeps nothing', async () => {
    const provider = new FakeProvider()
    const phase = make()
    const trace = makeTrace()
    await runPolicy(phase, provider.exchange('t', { isDryRun: true, trace }))
    await runPolicy(phase, provider.exchange('t'))
    expect(provider.questions).toHaveLength(2)
    expect(trace.findings).toEqual(['The token is active. {"subject":"ann","scopes":["orders:read"]}'])
  })
})

describe('the policy introspection refuses', () => {
  test('no token, without an error in the challenge', async () => {
    const response = await runPolicy(make(), new FakeProvider().exchange(undefined))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="opaque"')
    expect(await codeOf(response)).toBe('ERR_ACCESS_TOKEN_MISSING')
  })

  test.each([
    ['one that is not active', { active: false }, {}, 'not active'],
    ['one that is not active, whatever else is said', { ...ACTIVE, active: false }, {}, 'not active'],
    ['one that has expired though it is called active', { ...ACTIVE, exp: NOW - 5 }, {}, 'expired'],
    ['one that is not valid yet', { ...ACTIVE, nbf: NOW + 60 }, {}, 'not valid yet'],
    ['one with an exp that is no number', { ...ACTIVE, exp: 'never' }, {}, 'no time'],
    ['one of another issuer', { ...ACTIVE, iss: 'https://evil.example' }, { issuer: ISSUER }, 'issuer'],
    ['one of an issuer that is not told', ACTIVE, { issuer: ISSUER }, 'issuer'],
    ['one for another audience', { ...ACTIVE, aud: ['x'] }, { audience: AUDIENCE }, 'audience'],
    ['one without a claim that is required', ACTIVE, { claims: { tenant: 'acme' } }, "'tenant'"],
    ['a refresh token', { ...ACTIVE, token_type: 'refresh_token' }, {}, 'refresh_token'],
    ['one that is bound to a proof', { ...ACTIVE, token_type: 'DPoP' }, {}, 'dpop'],
  ])('%s', async (_what, answer, options, message) => {
    const provider = new FakeProvider()
    provider.answer = () => Response.json(answer)
    const exchange = provider.exchange('t')
    const response = await runPolicy(make(options), exchange)
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toMatch(
      /^Bearer realm="opaque", error="invalid_token", error_/,
    )
    expect(response.headers.get('www-authenticate')).toContain(message)
    expect(await codeOf(response)).toBe('ERR_ACCESS_TOKEN_INVALID')
    expect(exchange.identity).toBeUndefined()
  })

  test.each([
    ['the longest token', 'x'.repeat(8192), 200],
    ['one that is longer', 'x'.repeat(8193), 401],
    ['two tokens', 'a, Bearer b', 401],
    ['a token with a quote', 'a"b', 401],
  ])('%s → %i', async (_what, token, status) => {
    const provider = new FakeProvider()
    expect((await runPolicy(make(), provider.exchange(token as string))).status).toBe(status)
    expect(provider.questions).toHaveLength(status === 200 ? 1 : 0)
  })

  test('a method whose scopes the token lacks', async () => {
    const provider = new FakeProvider()
    const phase = make({ scopes: { GET: ['orders:read'], POST: ['orders:write'] } })
    expect((await runPolicy(phase, provider.exchange('t'))).status).toBe(200)
    const response = await runPolicy(phase, provider.exchange('t', {}, 'POST'))
    expect(await codeOf(response)).toBe('ERR_SCOPE_MISSING')
    expect(response.headers.get('www-authenticate')).toContain('scope="orders:write"')
  })
})

describe('the policy introspection and a provider in trouble', () => {
  test.each([
    ['out of reach', () => Promise.reject(new TypeError('refused')), 'can not be reached'],
    ['that does not know the client', () => new Response('', { status: 401 }), 'answered 401'],
    ['with an error', () => new Response('', { status: 500 }), 'answered 500'],
    [
      'that redirects',
      () => new Response('', { status: 307, headers: { location: 'https://evil.example' } }),
      '307',
    ],
    ['that says nothing', () => new Response(''), 'no JSON object'],
    ['that does not say active', () => Response.json({}), 'without "active"'],
    ['whose active is a text', () => Response.json({ active: 'true' }), 'without "active"'],
    ['that says it twice', () => new Response('{"active":false,"active":true}'), 'no JSON object'],
    [
      'that says too much',
      () => new Response(`{"active":true${' '.repeat(65_536)}}`),
      'more than 65536 bytes',
    ],
  ])('%s: 503, and nothing is kept', async (_what, answer, cause) => {
    const provider = new FakeProvider()
    provider.answer = answer
    const phase = make()
    const trace = makeTrace()
    const exchange = provider.exchange('t', { trace })
    const response = await runPolicy(phase, exchange)
    expect(response.status).toBe(503)
    expect(await codeOf(response)).toBe('ERR_IDENTITY_PROVIDER')
    expect(await response.clone().text()).not.toContain('id.example.com')
    expect(trace.findings.join().replaceAll('\\', '')).toContain(cause)
    expect(exchange.identity).toBeUndefined()
    provider.answer = () => Response.json(ACTIVE)
    expect((await runPolicy(phase, provider.exchange('t'))).status).toBe(200)
  })

  test('that is slow: 503 after the timeout', async () => {
    const provider = new FakeProvider()
    provider.answer = () => new Promise(() => {})
    expect((await runPolicy(make({ timeout: 0.1 }), provider.exchange('t'))).status).toBe(503)
  })

  test('is asked about so many tokens at a time and no more', async () => {
    const provider = new FakeProvider()
    const gate = makeGate()
    provider.answer = async () => {
      await gate.opened
      return Response.json(ACTIVE)
    }
    const phase = make()
    const all = Array.from({ length: 257 }, (_, i) => runPolicy(phase, provider.exchange(`t${i}`)))
    await expect.poll(() => provider.questions.length).toBe(256)
    gate.open()
    const statuses = (await Promise.all(all)).map(response => response.status)
    expect(statuses.filter(status => status === 503)).toHaveLength(1)
    expect((await runPolicy(phase, provider.exchange('later'))).status).toBe(200)
  })

  test('never tells the secret', async () => {
    const provider = new FakeProvider()
    provider.answer = () => new Response('', { status: 401 })
    const trace = makeTrace()
    const response = await runPolicy(make(), provider.exchange('secret-token', { trace }))
    const said = `${trace.findings.join()} ${await response.text()} ${[...response.headers].join()}`
    expect(said).not.toMatch(/s3cret|secret-token/)
  })
})

describe('the options of introspection', () => {
  test.each([
    ['an endpoint over http:', { endpoint: 'http://id.example.com/introspect' }, 'must be an https: URL'],
    ['an endpoint that is none', { endpoint: 'introspect' }, 'must be an https: URL'],
    ['no secret', { client_secret: undefined }, '"client_secret"'],
    ['a cache that is too long', { cache: '61m' }, 'cache'],
    ['an unknown key', { jwks: 'https://id.example.com' }, '"jwks" is not known here'],
  ])('refuse %s', (_what, options, message) => {
    expect(() => make(options)).toThrow(message)
    expect(() => make(options)).toThrow('ERR_GATEWAY_FILE')
  })
})
