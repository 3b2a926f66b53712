import { createHash, createHmac } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeSigner } from '../policies/jwt-support.ts'
import type { Platform } from './support/client.ts'
import { until, waysTo } from './support/edges.ts'
import { applyGateway, type Mirrored, putGatewaySecret, uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import type { SendInit } from './support/http.ts'
import { type FakeIdentityProvider, startIdentityProvider } from './support/identity-provider.ts'

const hosts = await openHosts('gateway-auth')
const HOST = 'auth.example'
const HOOK = 'a secret of a webhook'
/** A provider is asked again for a name that it didn't know after 30 seconds. */
const COOLDOWN_MS = 30_000

/** Tells of the body what must not change on the way. */
const DIGEST = `export default {
  async fetch(request, env, ctx) {
    const bytes = await request.arrayBuffer()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)).toHex()
    return Response.json({ length: bytes.byteLength, digest, props: ctx.props })
  },
}`

function documentFor({ issuer }: FakeIdentityProvider) {
  const orders = { audience: 'orders', issuer }
  return {
    trusted_proxies: ['127.0.0.1/32', '10.0.0.0/8'],
    routes: [
      { match: `${HOST}/orders/*`, script: 'mirror', use: ['orders'] },
      { match: `${HOST}/discovered`, script: 'mirror', use: ['discovered'] },
      { match: `${HOST}/rotated`, script: 'mirror', use: ['rotated'] },
      { match: `${HOST}/crowd`, script: 'mirror', use: ['crowd'] },
      { match: `${HOST}/opaque`, script: 'mirror', use: ['opaque'] },
      { match: `${HOST}/key`, script: 'mirror', use: ['keys'] },
      { match: `${HOST}/key/admin`, script: 'mirror', use: ['admin-keys'] },
      { match: `${HOST}/either`, script: 'mirror', use: ['either'] },
      { match: `${HOST}/hook`, script: 'digest', use: ['hook'] },
      { match: `${HOST}/staff`, script: 'mirror', use: ['discovered', 'rules'] },
      { match: `${HOST}/nobody`, script: 'mirror', use: ['rules'] },
      { match: `${HOST}/near`, script: 'mirror', use: ['near'] },
      { match: `${HOST}/secret`, script: 'mirror', use: ['users'] },
    ],
    policies: {
      orders: {
        type: 'jwt',
        jwks: `${issuer}/keys`,
        scopes: { GET: ['orders:read'], POST: ['orders:write'] },
        ...orders,
      },
      discovered: { type: 'jwt', ...orders },
      rotated: { type: 'jwt', jwks: `${issuer}/keys`, realm: 'rotated', ...orders },
      crowd: { type: 'jwt', realm: 'crowd', ...orders },
      opaque: {
        type: 'introspection',
        endpoint: `${issuer}/introspect`,
        client_id: 'gateway',
        client_secret: 'secret:CLIENT',
      },
      keys: { type: 'api-key' },
      'admin-keys': { type: 'api-key', scopes: ['admin'] },
      either: { type: 'any-of', policies: ['discovered', 'keys'], anonymous: true },
      hook: { type: 'hmac', provider: 'github', secret: 'secret:HOOK' },
      rules: { type: 'rbac', rules: [{ methods: ['GET'], roles: ['staff'] }] },
      near: { type: 'ip', allow: ['203.0.113.0/24'] },
      users: { type: 'basic', users: { ann: 'secret:ANN' } },
    },
  }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const withKey = (key: string) => ({ headers: { 'x-api-key': key } })

describe.each(hosts)('policies that authenticate, on `npm $kind`', platform => {
  let provider: FakeIdentityProvider
  /** Each edge alone. */
  let ways: Platform['fetch'][]

  const call = (path: string, init?: SendInit) => platform.fetch(HOST, path, init)
  const statusesOf = (path: string, init?: SendInit) =>
    Promise.all(ways.map(async way => (await way(HOST, path, init)).status))
  const everywhere = (status: number) => ways.map(() => status)
  const mirrored = async (path: string, init?: SendInit) => {
    const response = await call(path, init)
    const text = await response.text()
    expect(response.status, text).toBe(200)
    return JSON.parse(text) as Mirrored
  }
  const refused = async (path: string, init?: SendInit) => {
    const response = await call(path, init)
    const { code } = (await response.json()) as { code?: string }
    return { status: response.status, code, challenge: response.headers.get('www-authenticate') }
  }
  const askedFor = (path: string) => provider.asked.filter(each => each.endsWith(` ${path}`)).length

  let rotatedFromMs = 0
  beforeAll(async () => {
    provider = await startIdentityProvider()
    await uploadMirror(platform, 'mirror')
    await platform.upload('digest', DIGEST)
    const secrets = { HOOK, CLIENT: 'gateway', ANN: 'pass-1234' }
    for (const [name, text] of Object.entries(secrets)) await putGatewaySecret(platform, name, text)
    await applyGateway(platform, documentFor(provider))
    ways = waysTo(platform)
    // Now, as what is to be seen of rotation comes when this is long ago.
    expect(await statusesOf('/rotated', bearer(await provider.sign()))).toEqual(everywhere(200))
    rotatedFromMs = performance.now()
  })
  afterAll(() => provider?.stop())

  describe('jwt', () => {
    test('takes tokens that keys of its URL signed, and tells the function whose they are', async () => {
      const token = await provider.sign({ sub: 'ann', scope: 'orders:read', team: 'blue', roles: ['buyer'] })
      const { props, headers } = await mirrored('/orders/7', bearer(token))
      expect(props.identity).toMatchObject({
        ...{ type: 'jwt', policy: 'orders', subject: 'ann', scopes: ['orders:read'], roles: ['buyer'] },
        claims: { iss: provider.issuer, team: 'blue' },
      })
      expect(headers.authorization).toBe(`Bearer ${token}`)
    })

    test('finds keys by discovery', async () => {
      const { props } = await mirrored('/discovered', bearer(await provider.sign()))
      expect(props.identity).toMatchObject({ type: 'jwt', policy: 'discovered', subject: 'ann' })
    })

    test.each([
      ['GET', 'orders:read', 200],
      ['HEAD', 'orders:read', 200],
      ['GET', 'orders:write', 403],
      ['POST', 'orders:write', 200],
      ['POST', 'orders:read orders:write', 200],
      ['POST', 'orders:read', 403],
      ['DELETE', 'orders:read orders:write', 403],
    ])('%s with the scopes %s is %i', async (method, scope, status) => {
      const response = await call('/orders/7', { method, ...bearer(await provider.sign({ scope })) })
      expect(response.status).toBe(status)
      if (status !== 403 || method === 'DELETE') return
      expect(response.headers.get('www-authenticate')).toMatch(
        /error="insufficient_scope", scope="orders:\w+"$/,
      )
    })

    test.each<[what: string, token: () => Promise<string> | string, code: string]>([
      ['of another issuer', () => provider.sign({ iss: 'https://id.example' }), 'ERR_JWT_INVALID'],
      ['for another audience', () => provider.sign({ aud: 'invoices' }), 'ERR_JWT_INVALID'],
      [
        'that has expired',
        () => provider.sign({ exp: Math.floor(Date.now() / 1000) - 60 }),
        'ERR_JWT_EXPIRED',
      ],
      [
        'that is signed by somebody else',
        async () => provider.sign({}, await makeSigner('first')),
        'ERR_JWT_INVALID',
      ],
      ['that is nonsense', () => 'a.b.c', 'ERR_JWT_INVALID'],
    ])('refuses a token %s', async (_what, token, code) => {
      const answer = await refused('/discovered', bearer(await token()))
      expect(answer).toMatchObject({ status: 401, code })
      expect(answer.challenge).toContain('error="invalid_token"')
    })

    test('asks for no token in words of its own: the answer says how to send one', async () => {
      const answer = await refused('/discovered')
      expect(answer).toEqual({ status: 401, code: 'ERR_JWT_MISSING', challenge: 'Bearer realm="discovered"' })
    })

    test('a token seen before is good without the provider', async () => {
      const token = await provider.sign({ sub: 'known' })
      expect(await statusesOf('/discovered', bearer(token))).toEqual(everywhere(200))
      const asked = provider.asked.length
      provider.isDown = true
      try {
        for (let i = 0; i < 5; i++)
          expect(await statusesOf('/discovered', bearer(token))).toEqual(everywhere(200))
        // So are the keys: a token that nobody has seen yet is good, too.
        const other = await provider.sign({ sub: 'unknown' })
        expect(await statusesOf('/discovered', bearer(other))).toEqual(everywhere(200))
      } finally {
        provider.isDown = false
      }
      expect(provider.asked).toHaveLength(asked)
    })

    test('a crowd that comes while the keys are fetched asks once an edge, and all get in', async () => {
      const gate = Promise.withResolvers<void>()
      const asked = { keys: askedFor('/keys'), metadata: askedFor('/.well-known/openid-configuration') }
      provider.heldBy = gate.promise
      const tokens = await Promise.all(Array.from({ length: 20 }, (_, i) => provider.sign({ sub: `u${i}` })))
      // The one who asks first hangs up: the others wait for what it began.
      const impatient = new AbortController()
      const lost = ways.map(way =>
        way(HOST, '/crowd', { ...bearer(tokens[0] ?? ''), signal: impatient.signal }),
      )
      const isAsked = async () =>
        askedFor('/.well-known/openid-configuration') >= asked.metadata + ways.length
      await until('the provider is asked', isAsked)
      const crowd = ways.map(way =>
        tokens.map(async token => (await way(HOST, '/crowd', bearer(token))).status),
      )
      impatient.abort()
      for (const each of lost) await expect(each).rejects.toThrow()
      provider.heldBy = undefined
      gate.resolve()
      expect(await Promise.all(crowd.flat())).toEqual(ways.flatMap(() => tokens.map(() => 200)))
      expect(askedFor('/.well-known/openid-configuration') - asked.metadata).toBe(ways.length)
      expect(askedFor('/keys') - asked.keys).toBe(ways.length)
    })
  })

  describe('introspection', () => {
    test('takes what the provider calls active, and remembers it', async () => {
      const { props } = await mirrored('/opaque', bearer('bob'))
      expect(props.identity).toMatchObject({ type: 'introspection', policy: 'opaque', subject: 'bob' })
      expect(await statusesOf('/opaque', bearer('bob'))).toEqual(everywhere(200))
      const asked = askedFor('/introspect')
      expect(await statusesOf('/opaque', bearer('bob'))).toEqual(everywhere(200))
      expect(askedFor('/introspect')).toBe(asked)
    })

    test('a crowd with the same token asks once an edge, and all get in', async () => {
      const gate = Promise.withResolvers<void>()
      const asked = askedFor('/introspect')
      provider.heldBy = gate.promise
      const crowd = ways.map(way =>
        Array.from({ length: 20 }, async () => (await way(HOST, '/opaque', bearer('cid'))).status),
      )
      await until('the provider is asked', async () => askedFor('/introspect') >= asked + ways.length)
      provider.heldBy = undefined
      gate.resolve()
      expect(await Promise.all(crowd.flat())).toEqual(ways.flatMap(() => Array(20).fill(200)))
      expect(askedFor('/introspect') - asked).toBe(ways.length)
    })
  })

  describe('api-key', () => {
    interface Created {
      readonly id: string
      readonly key: string
    }
    const create = async (body: object = {}) => {
      const made = await platform.v1<Created>('POST', '$A/api-keys', { name: 'e2e', ...body })
      expect(made.status).toBe(201)
      return made.body
    }
    const change = (id: string, verb: string, body?: object) =>
      platform.v1<Created>('POST', `$A/api-keys/${id}/${verb}`, body)

    test('takes a key on every edge as soon as it is made, and tells the function whose it is', async () => {
      const { id, key } = await create({ owner: 'blue', scopes: ['a'], metadata: { plan: 'gold' } })
      expect(await statusesOf('/key', withKey(key))).toEqual(everywhere(200))
      for (const init of [withKey(key), bearer(key)]) {
        const { props, headers } = await mirrored('/key', init)
        expect(props.identity).toMatchObject({
          ...{ type: 'api-key', policy: 'keys', subject: id, scopes: ['a'] },
          claims: { owner: 'blue', name: 'e2e', metadata: { plan: 'gold' } },
        })
        expect(JSON.stringify(headers)).not.toContain(key)
      }
    })

    test('refuses a key on every edge from the moment that it is revoked', async () => {
      for (let i = 0; i < 5; i++) {
        const { id, key } = await create()
        expect(await statusesOf('/key', withKey(key))).toEqual(everywhere(200))
        expect((await change(id, 'revoke')).status).toBe(200)
        expect(await statusesOf('/key', withKey(key))).toEqual(everywhere(401))
      }
    })

    test('takes both of a rotated key while they overlap, then the new one alone', async () => {
      const { id, key } = await create({ owner: 'green' })
      const { body: next } = await change(id, 'rotate', { overlap: '1h' })
      expect(await statusesOf('/key', withKey(key))).toEqual(everywhere(200))
      expect(await statusesOf('/key', withKey(next.key))).toEqual(everywhere(200))
      const { body: last } = await change(next.id, 'rotate', { overlap: 0 })
      expect(await statusesOf('/key', withKey(next.key))).toEqual(everywhere(401))
      expect(await statusesOf('/key', withKey(last.key))).toEqual(everywhere(200))
    })

    test('wants scopes, and takes them when the key has got them', async () => {
      const { id, key } = await create()
      expect(await statusesOf('/key/admin', withKey(key))).toEqual(everywhere(403))
      await platform.v1('PATCH', `$A/api-keys/${id}`, { scopes: ['admin'] })
      expect(await statusesOf('/key/admin', withKey(key))).toEqual(everywhere(200))
    })

    test('takes no key of another account', async () => {
      const other = await platform.as('gateway-auth-other')
      const { body } = await other.v1<Created>('POST', '$A/api-keys', { name: 'theirs' })
      expect(await refused('/key', withKey(body.key))).toMatchObject({
        status: 401,
        code: 'ERR_API_KEY_INVALID',
      })
    })
  })

  describe('any-of', () => {
    test('takes what one of its policies takes, and nothing at all as nobody', async () => {
      const { body } = await platform.v1<{ key: string; id: string }>('POST', '$A/api-keys', {
        name: 'either',
      })
      const identityOf = async (init?: SendInit) => (await mirrored('/either', init)).props.identity
      expect(await identityOf(bearer(await provider.sign()))).toMatchObject({
        type: 'jwt',
        policy: 'discovered',
      })
      expect(await identityOf(withKey(body.key))).toMatchObject({ type: 'api-key', subject: body.id })
      expect(await identityOf(bearer(body.key))).toMatchObject({ type: 'api-key', subject: body.id })
      expect(await identityOf()).toEqual({
        ...{ type: 'anonymous', policy: 'either', subject: 'anonymous' },
        ...{ scopes: [], roles: [], claims: {} },
      })
    })

    test.each([
      ['a token', () => bearer('a.b.c')],
      ['a key', () => withKey('sk_unknown')],
    ])('takes nobody as nobody who presents %s that is wrong', async (_what, init) => {
      expect((await refused('/either', init())).status).toBe(401)
    })
  })

  describe('hmac', () => {
    const sign = (body: string | Uint8Array, secret = HOOK) => ({
      'x-hub-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    })
    const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256)
    const toDigest = (body: Uint8Array) => createHash('sha256').update(body).digest('hex')

    test.each<[how: string, toBody: () => Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>]>([
      ['whole', () => bytes],
      ['in chunks', () => new Blob([bytes.subarray(0, 40_000), bytes.subarray(40_000)]).stream()],
    ])('hands a webhook’s body on as it came, %s', async (_how, toBody) => {
      const response = await call('/hook', { method: 'POST', headers: sign(bytes), body: toBody() })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({
        ...{ length: bytes.byteLength, digest: toDigest(bytes) },
        props: {
          identity: { type: 'hmac', policy: 'hook', subject: 'github', claims: { provider: 'github' } },
        },
      })
    })

    test.each([
      ['another secret', (body: string) => sign(body, 'another'), 401, 'ERR_SIGNATURE_INVALID'],
      ['another body', () => sign('{"a":2}'), 401, 'ERR_SIGNATURE_INVALID'],
      ['no signature', () => ({}), 401, 'ERR_SIGNATURE_MISSING'],
      ['an old kind of signature', () => ({ 'x-hub-signature': 'sha1=0' }), 401, 'ERR_SIGNATURE_MISSING'],
    ])('refuses %s', async (_what, toHeaders, status, code) => {
      const body = '{"a":1}'
      const headers: Record<string, string> = toHeaders(body)
      expect(await refused('/hook', { method: 'POST', headers, body })).toMatchObject({ status, code })
    })
  })

  describe('rbac', () => {
    test('lets through what a rule allows, and nothing else', async () => {
      const staff = await provider.sign({ roles: ['staff'] })
      const others = await provider.sign({ roles: ['guest'] })
      expect((await call('/staff', bearer(staff))).status).toBe(200)
      expect((await call('/staff', { method: 'POST', ...bearer(staff) })).status).toBe(403)
      expect((await call('/staff', bearer(others))).status).toBe(403)
      expect((await call('/staff')).status).toBe(401)
      expect(await refused('/nobody', bearer(staff))).toMatchObject({
        status: 401,
        code: 'ERR_CREDENTIALS_MISSING',
      })
    })
  })

  describe('ip, behind proxies that the file trusts,', () => {
    test.each([
      ['nobody told', {}, 403],
      ['a client in the network', { 'x-forwarded-for': '203.0.113.7' }, 200],
      ['a client outside', { 'x-forwarded-for': '198.51.100.7' }, 403],
      ['a client outside who claims to be inside', { 'x-forwarded-for': '203.0.113.7, 198.51.100.7' }, 403],
      ['a client behind two proxies', { 'x-forwarded-for': '203.0.113.7, 10.1.2.3' }, 200],
      [
        'a client that another header tells',
        { 'cf-connecting-ip': '203.0.113.7', 'x-real-ip': '203.0.113.7' },
        403,
      ],
      ['one that Forwarded tells', { forwarded: 'for=203.0.113.7' }, 200],
    ])('%s', async (_what, headers, status) => {
      expect(await statusesOf('/near', { headers: headers as Record<string, string> })).toEqual(
        everywhere(status),
      )
    })
  })

  describe('an identity', () => {
    const forged = {
      'skerry-identity': 'forged',
      'skerry-subject': 'root',
      'skerry-scopes': 'admin',
      'skerry-roles': 'staff',
      'x-forwarded-user': 'root',
      'cf-worker': 'root',
    }

    test('is what a policy found, whatever headers a caller makes up', async () => {
      const { authorization } = bearer(await provider.sign({ roles: ['guest'] })).headers
      const { props, headers } = await mirrored('/discovered', { headers: { ...forged, authorization } })
      expect(props.identity).toMatchObject({ type: 'jwt', subject: 'ann', roles: ['guest'], scopes: [] })
      expect(Object.keys(headers).filter(name => name.startsWith('skerry-'))).toEqual([])
      expect((await call('/staff', { headers: { ...forged, authorization } })).status).toBe(403)
    })

    test.each(['/nobody', '/discovered', '/key', '/staff'])(
      'that is made up opens nothing at %s',
      async path => {
        expect(await statusesOf(path, { headers: forged })).toEqual(everywhere(401))
      },
    )

    test('is nobody’s to give to a function that a function calls', async () => {
      const source = `export default { fetch: (request, env) => env.MIRROR.fetch(request) }`
      const binding = { type: 'service', name: 'MIRROR', service: 'mirror' }
      await platform.upload('forwarder', source, { bindings: [binding] })
      const response = await platform.call('forwarder', '/', { headers: forged })
      const { props } = (await response.json()) as Mirrored
      expect(props.identity).toBeUndefined()
    })
  })

  test('a secret that is changed is in force for the next request, on every edge', async () => {
    const login = (password: string) => ({ headers: { authorization: `Basic ${btoa(`ann:${password}`)}` } })
    let before = 'pass-1234'
    expect(await statusesOf('/secret', login(before))).toEqual(everywhere(200))
    for (let i = 0; i < 5; i++) {
      const next = `changed-${i}`
      await putGatewaySecret(platform, 'ANN', next)
      expect(await statusesOf('/secret', login(next))).toEqual(everywhere(200))
      expect(await statusesOf('/secret', login(before))).toEqual(everywhere(401))
      before = next
    }
  })

  // The same code, and once is long enough.
  test.skipIf(platform.kind === 'dev')('keys that the provider changes are seen, on every edge', async () => {
    const [before] = provider.keys
    const known = bearer(await provider.sign())
    expect(await statusesOf('/rotated', known)).toEqual(everywhere(200))
    provider.keys = [await makeSigner('second')]
    const renewed = bearer(await provider.sign())
    const isSeen = async () => (await statusesOf('/rotated', renewed)).every(status => status === 200)
    await until('the new key is seen', isSeen, COOLDOWN_MS + 2000)
    expect(performance.now() - rotatedFromMs).toBeLessThan(COOLDOWN_MS + 3000)
    // What the key that is gone signed is good no more, though it was known.
    expect(await statusesOf('/rotated', known)).toEqual(everywhere(401))
    expect(before?.kid).toBe('first')
  })
})
