import { Hono, type MiddlewareHandler } from 'hono'
import { describe, expect, test } from 'vitest'
import { anyOfPolicy } from '../../routes/policies/any-of.ts'
import { apiKeyPolicy } from '../../routes/policies/api-key.ts'
import { basicPolicy } from '../../routes/policies/basic/index.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import type { Identity } from '../../routes/policies/identity.ts'
import { ipPolicy } from '../../routes/policies/ip.ts'
import { createPhase, toMiddleware } from '../../routes/policies/middleware.ts'
import { mtlsPolicy } from '../../routes/policies/mtls/index.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { rbacPolicy } from '../../routes/policies/rbac.ts'
import { runPolicies } from '../../routes/policies/run.ts'
import type { ApiKey } from '../../src/core/gateway.ts'
import { sha256Hex } from '../../src/core/ids.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const HASH = await sha256Hex('right')
const KEY: ApiKey = {
  ...{ id: 'key-1', prefix: 'r', name: 'n', owner: 'o', scopes: [], metadata: {} },
  ...{ expiresAtMs: 0, revokedAtMs: 0 },
}
const services = { apiKeys: { find: (hash: string) => (hash === HASH ? KEY : undefined) } }

const CHILDREN: Readonly<Record<string, Phase>> = {
  keys: createPhase(apiKeyPolicy, {}, { name: 'keys' }),
  scoped: createPhase(apiKeyPolicy, { header: 'x-scoped', scopes: ['admin'] }, { name: 'scoped' }),
  staff: createPhase(basicPolicy, { users: { ann: 'secret' } }, { name: 'staff' }),
  office: createPhase(ipPolicy, { allow: ['10.0.0.0/8'] }, { name: 'office' }),
  proxy: createPhase(mtlsPolicy, { from: 'envoy', trusted: ['10.0.0.0/8'] }, { name: 'proxy' }),
  login: {
    request: exchange => {
      exchange.responseHeaders.append('set-cookie', 'state=1')
      return new Response(null, { status: 302, headers: { location: '/login' } })
    },
    isPresented: exchange => exchange.request.headers.has('cookie'),
  },
  down: {
    request: exchange => exchange.refuse('ERR_STATE_UNAVAILABLE', 'down'),
    isPresented: exchange => exchange.request.headers.has('x-down'),
  },
  broken: { request: exchange => exchange.refuse('ERR_POLICY_FAILED', 'broken') },
}

const RIGHT_KEY = { 'x-api-key': 'right' }
const WRONG_KEY = { 'x-api-key': 'wrong' }
const RIGHT_USER = { authorization: `Basic ${btoa('ann:secret')}` }
const WRONG_USER = { authorization: `Basic ${btoa('ann:wrong')}` }
const KEYS_CHALLENGE = 'Bearer realm="keys"'
const STAFF_CHALLENGE = 'Basic realm="staff", charset="UTF-8"'

describe('any-of', () => {
  test.each<[policies: string[], headers: Record<string, string>, clientIp: string, who: string | undefined]>(
    [
      [['keys', 'staff'], RIGHT_KEY, '', 'key-1'],
      [['keys', 'staff'], RIGHT_USER, '', 'ann'],
      [['keys', 'staff'], { ...RIGHT_KEY, ...RIGHT_USER }, '', 'key-1'],
      [['staff', 'keys'], { ...RIGHT_KEY, ...RIGHT_USER }, '', 'ann'],
      [['keys', 'staff'], { ...WRONG_KEY, ...RIGHT_USER }, '', 'ann'],
      [['keys', 'staff'], { ...RIGHT_KEY, ...WRONG_USER }, '', 'key-1'],
      [['keys', 'office'], {}, '10.0.0.1', undefined],
      [['keys', 'office'], RIGHT_KEY, '192.0.2.1', 'key-1'],
      [['keys', 'office'], WRONG_KEY, '10.0.0.1', undefined],
    ],
  )('of %j lets %j from "%s" pass as %s', async (policies, headers, clientIp, who) => {
    for (const anonymous of [false, true]) {
      const exchange = open(headers, { clientIp })
      const answer = await runPolicy(anyOf({ policies, anonymous }), exchange)
      expect(answer.status).toBe(200)
      expect(exchange.identity?.subject).toBe(who)
    }
  })

  test.each<
    [
      policies: string[],
      headers: Record<string, string>,
      status: number,
      code: string,
      challenge: string | null,
    ]
  >([
    [['keys', 'staff'], {}, 401, 'ERR_CREDENTIALS_MISSING', `${KEYS_CHALLENGE}, ${STAFF_CHALLENGE}`],
    [['keys', 'office'], {}, 401, 'ERR_CREDENTIALS_MISSING', KEYS_CHALLENGE],
    [['office', 'proxy'], {}, 403, 'ERR_IP_REFUSED', null],
    [['keys', 'staff'], WRONG_KEY, 401, 'ERR_API_KEY_INVALID', `${KEYS_CHALLENGE}, error="invalid_token"`],
    [['keys', 'staff'], WRONG_USER, 401, 'ERR_CREDENTIALS_INVALID', STAFF_CHALLENGE],
    [
      ['keys', 'staff'],
      { ...WRONG_KEY, ...WRONG_USER },
      401,
      'ERR_API_KEY_INVALID',
      `${KEYS_CHALLENGE}, error="invalid_token", ${STAFF_CHALLENGE}`,
    ],
    [
      ['keys', 'scoped'],
      { ...WRONG_KEY, 'x-scoped': 'right' },
      403,
      'ERR_SCOPE_MISSING',
      'Bearer error="insufficient_scope", scope="admin"',
    ],
    [['keys', 'down'], { ...WRONG_KEY, 'x-down': '1' }, 503, 'ERR_STATE_UNAVAILABLE', null],
    [['keys', 'broken'], {}, 500, 'ERR_POLICY_FAILED', null],
  ])('of %j answers %j with %i %s', async (policies, headers, status, code, challenge) => {
    const exchange = open(headers, { clientIp: '192.0.2.1' })
    const answer = await runPolicy(anyOf({ policies }), exchange)
    expect([answer.status, await codeOf(answer), answer.headers.get('www-authenticate')]).toEqual([
      status,
      code,
      challenge,
    ])
    expect(exchange.identity).toBeUndefined()
  })

  test.each<[policies: string[], headers: Record<string, string>, status: number]>([
    [['keys', 'staff'], {}, 200],
    [['keys', 'office'], {}, 200],
    [['keys', 'login'], {}, 200],
    [['keys', 'staff'], WRONG_KEY, 401],
    [['keys', 'staff'], WRONG_USER, 401],
    [['keys', 'login'], { cookie: 'expired' }, 302],
    [['keys', 'down'], { 'x-down': '1' }, 503],
    [['keys', 'broken'], {}, 500],
  ])('with anonymous = true, of %j, answers %j with %i', async (policies, headers, status) => {
    const exchange = open(headers, { clientIp: '192.0.2.1' })
    const answer = await runPolicy(anyOf({ policies, anonymous: true }), exchange)
    expect(answer.status).toBe(status)
    const nobody = {
      type: 'anonymous',
      policy: 'either',
      subject: 'anonymous',
      scopes: [],
      roles: [],
      claims: {},
    }
    expect(exchange.identity).toEqual(status === 200 ? nobody : undefined)
    expect(answer.headers.has('set-cookie')).toBe(status === 302)
  })

  test('lets the one that begins a log-in answer who presented nothing, and no other', async () => {
    const answer = await runPolicy(anyOf({ policies: ['keys', 'login'] }), open({}))
    expect([answer.status, answer.headers.get('location')]).toEqual([302, '/login'])
    const wrong = await runPolicy(anyOf({ policies: ['keys', 'login'] }), open(WRONG_KEY))
    expect([wrong.status, wrong.headers.get('set-cookie')]).toEqual([401, null])
  })

  test('keeps the identity that an earlier policy found, unless one of its own finds another', async () => {
    const earlier = { type: 'jwt', policy: 'j', subject: 'first', scopes: [], roles: [], claims: {} }
    for (const [headers, who] of [
      [{}, 'first'],
      [RIGHT_KEY, 'key-1'],
    ] as const) {
      const exchange = open(headers)
      exchange.identity = earlier
      await runPolicy(anyOf({ policies: ['keys', 'staff'], anonymous: true }), exchange)
      expect(exchange.identity.subject).toBe(who)
    }
  })

  test('takes made-up certificates out also where another policy lets the caller pass', async () => {
    const exchange = open({ ...RIGHT_KEY, 'x-forwarded-client-cert': 'Hash=00' })
    expect((await runPolicy(anyOf({ policies: ['keys', 'proxy'] }), exchange)).status).toBe(200)
    expect(exchange.takeRequest().headers.has('x-forwarded-client-cert')).toBe(false)
  })

  test('tells rbac what would do for callers that passed as nobody', async () => {
    const trace = makeTrace()
    const phases = [
      anyOf({ policies: ['keys', 'login', 'staff'], anonymous: true }),
      createPhase(rbacPolicy, { rules: [{ roles: ['x'] }] }),
    ]
    const answer = await runPolicies(phases, open({}, { trace }), () => new Response('ok'))
    expect(answer.status).toBe(401)
    expect(answer.headers.get('www-authenticate')).toBe(`${KEYS_CHALLENGE}, ${STAFF_CHALLENGE}`)
    expect(answer.headers.has('set-cookie')).toBe(false)
  })

  test('can be made of others, and of itself by none', async () => {
    const inner = anyOf({ policies: ['staff', 'office'] })
    const outer = createPhase(
      anyOfPolicy,
      { policies: ['keys', 'inner'] },
      { policies: { ...CHILDREN, inner } },
    )
    for (const [headers, clientIp, status] of [
      [RIGHT_KEY, '', 200],
      [RIGHT_USER, '', 200],
      [WRONG_USER, '192.0.2.1', 401],
      [{}, '10.0.0.1', 200],
      [{}, '192.0.2.1', 401],
    ] as const) {
      expect((await runPolicy(outer, open(headers, { clientIp }))).status).toBe(status)
    }
  })

  test('is Hono middleware with policies that createPhase() made', async () => {
    const app = new Hono<{ Variables: { identity: Identity } }>()
    const options = { policies: ['keys', 'staff'], anonymous: false }
    const middleware = toMiddleware(anyOfPolicy)(options, { policies: CHILDREN, services })
    app.use(middleware as unknown as MiddlewareHandler)
    app.get('/', c => c.text(c.get('identity').subject))
    const ask = async (headers: Record<string, string>) => {
      const answer = await app.request('/', { headers })
      return [
        answer.status,
        answer.status === 200 ? await answer.text() : answer.headers.get('www-authenticate'),
      ]
    }
    expect(await ask(RIGHT_KEY)).toEqual([200, 'key-1'])
    expect(await ask(RIGHT_USER)).toEqual([200, 'ann'])
    expect(await ask({})).toEqual([401, `${KEYS_CHALLENGE}, ${STAFF_CHALLENGE}`])
  })

  test('asks explain() in a dry run', async () => {
    const dry: Phase = { request: () => new Response('no', { status: 500 }), explain: () => undefined }
    const phase = createPhase(anyOfPolicy, { policies: ['dry'] }, { policies: { dry } })
    expect((await runPolicy(phase, open({}, { isDryRun: true }))).status).toBe(200)
    expect((await runPolicy(phase, open({}))).status).toBe(500)
  })

  test('notes what each says', async () => {
    const trace = makeTrace()
    await runPolicy(anyOf({ policies: ['keys', 'staff'] }), open({ ...WRONG_KEY, ...RIGHT_USER }, { trace }))
    expect(trace.findings.filter(each => each.includes('polic'))).toEqual([
      'A policy refuses the caller. {"policy":"keys","status":401}',
      'One of the policies lets the caller pass. {"policy":"staff"}',
    ])
  })

  test.each<[options: unknown, message: string]>([
    [{}, '"policies" is missing'],
    [{ policies: [] }, 'There must be a policy.'],
    [{ policies: ['keys', 'keys'] }, 'A policy is there twice.'],
    [{ policies: ['nobody'] }, 'there is no policy "nobody"'],
    [{ policies: ['around'] }, `"around" can't be in "policies"`],
    [{ policies: ['response'] }, `"response" can't be in "policies"`],
    [{ policies: ['empty'] }, `"empty" can't be in "policies"`],
  ])('refuses the options %j', (options, message) => {
    const policies: Record<string, Phase> = {
      ...CHILDREN,
      around: { around: async (_, next) => next() },
      response: { request: () => undefined, response: response => response },
      empty: {},
    }
    expect(() => createPhase(anyOfPolicy, options, { policies })).toThrow(message)
  })
})

function anyOf(options: object): Phase {
  return createPhase(anyOfPolicy, options, { name: 'either', policies: CHILDREN })
}

function open(headers: Record<string, string>, setup: Parameters<typeof makeExchange>[1] = {}): Exchange {
  return makeExchange(new Request('https://api.example.com/', { headers }), { services, ...setup })
}
