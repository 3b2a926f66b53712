import { exportSPKI, importJWK, SignJWT } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { jwtPolicy } from '../../routes/policies/jwt/index.ts'
import { parsePem } from '../../routes/policies/jwt/pem.ts'
import { TokenCache } from '../../routes/policies/jwt/token-cache.ts'
import { readCookie } from '../../routes/policies/jwt/token-source.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { AUDIENCE, FakeProvider, goodClaims, ISSUER, makeSigner, NOW, type Signer } from './jwt-support.ts'
import { codeOf, type ExchangeSetup, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

let signer: Signer
let other: Signer
beforeAll(async () => {
  ;[signer, other] = await Promise.all([makeSigner('one'), makeSigner('two')])
})

// Key sets go by the clock; exchanges by the time at which they came.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'], now: NOW_MS }))
afterEach(() => void vi.useRealTimers())

const URL_ = 'https://api.example.com/orders/7'
const OPTIONS = { issuer: ISSUER, audience: AUDIENCE }
const make = (options: Record<string, unknown> = OPTIONS): Phase =>
  createPhase(jwtPolicy, options, { name: 'customers' })

const bearer = (token: string, init: RequestInit = {}) =>
  new Request(URL_, { ...init, headers: { authorization: `Bearer ${token}` } })

/** An exchange that can reach the provider. */
function exchangeWith(
  request: Request,
  provider = new FakeProvider().publish([signer]),
  setup: ExchangeSetup = {},
) {
  return makeExchange(request, { ...setup, services: provider.services })
}

describe('the policy jwt', () => {
  test('lets a good token pass, and says whose it is', async () => {
    const token = await signer.sign({ scope: 'orders:read orders:write', roles: ['clerk'], team: 'red' })
    const exchange = exchangeWith(bearer(token))
    const response = await runPolicy(make(), exchange)
    expect(await response.text()).toBe('ok')
    expect(exchange.identity).toEqual({
      type: 'jwt',
      policy: 'customers',
      subject: 'ann',
      scopes: ['orders:read', 'orders:write'],
      roles: ['clerk'],
      claims: { ...goodClaims(), scope: 'orders:read orders:write', roles: ['clerk'], team: 'red' },
    })
  })

  test('leaves request and response untouched', async () => {
    const request = bearer(await signer.sign())
    const answer = new Response('untouched')
    const exchange = exchangeWith(request)
    expect(await runPolicy(make(), exchange, () => answer)).toBe(answer)
    expect(exchange.request).toBe(request)
  })

  test('decides at once on a token that it has seen: no promise, no fetch', async () => {
    const phase = make()
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign()
    await runPolicy(phase, exchangeWith(bearer(token), provider))
    const calls = provider.calls.length
    const again = exchangeWith(bearer(token), provider)
    expect(phase.request?.(again)).toBeUndefined()
    expect(again.identity?.subject).toBe('ann')
    expect(provider.calls).toHaveLength(calls)
  })

  test('a token that it has seen ends when it expires, to the millisecond', async () => {
    const phase = make()
    const token = await signer.sign({ exp: NOW + 60 })
    const at = (nowMs: number) => exchangeWith(bearer(token), undefined, { nowMs })
    expect((await runPolicy(phase, at(NOW_MS))).status).toBe(200)
    expect((await runPolicy(phase, at(NOW_MS + 64_999))).status).toBe(200)
    const late = await runPolicy(phase, at(NOW_MS + 65_000))
    expect(late.status).toBe(401)
    expect(await codeOf(late)).toBe('ERR_JWT_EXPIRED')
  })

  test('a token that it has seen is refused once its key is withdrawn', async () => {
    const phase = make()
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign({ exp: NOW + 86_400 })
    expect((await runPolicy(phase, exchangeWith(bearer(token), provider))).status).toBe(200)
    provider.publish([other])
    vi.setSystemTime(NOW_MS + 600_000)
    // This one still passes, and makes the keys be fetched.
    expect((await runPolicy(phase, exchangeWith(bearer(token), provider))).status).toBe(200)
    await Promise.all(provider.waitedFor)
    const response = await runPolicy(phase, exchangeWith(bearer(token), provider))
    expect(await codeOf(response)).toBe('ERR_JWT_INVALID')
  })

  test('a token that it has seen is refused when the provider was away for too long', async () => {
    const phase = make({ ...OPTIONS, key_max_stale: '1h' })
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign({ exp: NOW + 86_400 })
    await runPolicy(phase, exchangeWith(bearer(token), provider))
    provider.goDown()
    vi.setSystemTime(NOW_MS + 3_599_999)
    expect((await runPolicy(phase, exchangeWith(bearer(token), provider))).status).toBe(200)
    vi.setSystemTime(NOW_MS + 3_600_000)
    expect((await runPolicy(phase, exchangeWith(bearer(token), provider))).status).toBe(503)
  })

  test('a hundred first requests at the same time fetch the keys once', async () => {
    const phase = make()
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign()
    const all = Array.from({ length: 100 }, () => runPolicy(phase, exchangeWith(bearer(token), provider)))
    expect((await Promise.all(all)).every(response => response.status === 200)).toBe(true)
    expect(provider.keyFetches).toBe(1)
  })

  test('refuses with 503 when the keys can not be had, and tells the caller no more', async () => {
    const provider = new FakeProvider().publish([signer])
    provider.goDown()
    const trace = makeTrace()
    const response = await runPolicy(make(), exchangeWith(bearer(await signer.sign()), provider, { trace }))
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('1')
    expect(await response.clone().text()).not.toContain('id.example.com')
    expect(await codeOf(response)).toBe('ERR_IDENTITY_PROVIDER')
    expect(trace.findings.join()).toContain('id.example.com')
  })

  test('each issuer signs with its own keys only', async () => {
    const second = 'https://login.example.org'
    const provider = new FakeProvider().publish([signer])
    provider.documents.set(`${second}/.well-known/openid-configuration`, () =>
      Response.json({ issuer: second, jwks_uri: `${second}/keys` }),
    )
    provider.documents.set(`${second}/keys`, () => Response.json({ keys: [other.publicJwk] }))
    const phase = make({ ...OPTIONS, issuer: [ISSUER, second] })
    const statusOf = async (token: string) =>
      (await runPolicy(phase, exchangeWith(bearer(token), provider))).status
    expect(await statusOf(await signer.sign())).toBe(200)
    expect(await statusOf(await other.sign({ iss: second }))).toBe(200)
    expect(await statusOf(await signer.sign({ iss: second }))).toBe(401)
    expect(await statusOf(await other.sign())).toBe(401)
    expect(await statusOf(await signer.sign({ iss: 'https://evil.example' }))).toBe(401)
    expect(provider.calls.some(url => url.includes('evil'))).toBe(false)
  })

  test('a dry run decides, explains, and keeps nothing', async () => {
    const phase = make()
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign()
    const trace = makeTrace()
    const dry = exchangeWith(bearer(token), provider, { trace, isDryRun: true })
    expect(await phase.request?.(dry)).toBeUndefined()
    expect(trace.findings).toEqual([
      'The token was verified. {"issuer":"https://id.example.com","kid":"one","alg":"ES256"}',
    ])
    expect(phase.request?.(exchangeWith(bearer(token), provider))).toBeInstanceOf(Promise)
  })
})

describe('the policy jwt refuses', () => {
  test('no token with a challenge that names no error', async () => {
    const response = await runPolicy(make(), new Request(URL_))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer realm="customers"')
    expect(await codeOf(response)).toBe('ERR_JWT_MISSING')
  })

  test.each([
    ['another scheme', { authorization: 'Basic YTpi' }, 'ERR_JWT_MISSING'],
    ['the scheme alone', { authorization: 'Bearer' }, 'ERR_JWT_MISSING'],
    ['a scheme that begins alike', { authorization: 'Bearers abc' }, 'ERR_JWT_MISSING'],
    ['nonsense', { authorization: 'Bearer abc' }, 'ERR_JWT_INVALID'],
    ['two tokens', { authorization: 'Bearer a.b.c, Bearer d.e.f' }, 'ERR_JWT_INVALID'],
  ])('%s', async (_what, headers, code) => {
    const response = await runPolicy(
      make(),
      new Request(URL_, { headers: headers as Record<string, string> }),
    )
    expect(response.status).toBe(401)
    expect(await codeOf(response)).toBe(code)
  })

  test('a bad token with the words of RFC 6750', async () => {
    const response = await runPolicy(make(), exchangeWith(bearer(await signer.sign({ exp: NOW - 60 }))))
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="customers", error="invalid_token", error_description="The token has expired."',
    )
  })

  test('and no description breaks out of its quotes', async () => {
    const response = await runPolicy(
      make(),
      exchangeWith(bearer(await signer.sign({}, { kid: 'x", a="\\é' }))),
    )
    const challenge = response.headers.get('www-authenticate') ?? ''
    expect(challenge.split('"')).toHaveLength(7)
    expect(challenge).toMatch(/^Bearer realm="customers", error="invalid_token", error_description="[ -~]*"$/)
  })

  test('a token that is too long, before anything else', async () => {
    const response = await runPolicy(make({ ...OPTIONS, max_token_bytes: 256 }), bearer('a'.repeat(257)))
    expect(response.headers.get('www-authenticate')).toContain(
      'The token has 257 bytes; at most 256 are taken.',
    )
  })
})

describe('the policy jwt and scopes', () => {
  const scopes = { GET: ['orders:read'], POST: ['orders:read', 'orders:write'] }
  test.each([
    ['GET', 'orders:read', 200],
    ['HEAD', 'orders:read', 200],
    ['GET', 'orders:readonly', 403],
    ['GET', '', 403],
    ['POST', 'orders:read orders:write', 200],
    ['POST', 'orders:write', 403],
    ['DELETE', 'orders:read orders:write', 403],
  ])('%s with "%s" → %i', async (method, scope, status) => {
    const phase = make({ ...OPTIONS, scopes })
    const provider = new FakeProvider().publish([signer])
    const token = await signer.sign({ scope })
    for (const _time of ['first', 'seen before']) {
      const exchange = exchangeWith(bearer(token, { method }), provider)
      expect((await runPolicy(phase, exchange)).status).toBe(status)
      expect(exchange.identity === undefined).toBe(status === 403)
    }
  })

  test('the refusal says which are needed', async () => {
    const response = await runPolicy(
      make({ ...OPTIONS, scopes }),
      exchangeWith(bearer(await signer.sign(), { method: 'POST' })),
    )
    expect(await codeOf(response)).toBe('ERR_SCOPE_MISSING')
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="customers", error="insufficient_scope", scope="orders:read orders:write"',
    )
  })

  test.each([
    [{ scope: 'a b' }, ['a', 'b']],
    [{ scope: ['a', 'b c', 7] }, ['a', 'b c']],
    [{ scp: 'a b' }, ['a', 'b']],
    [{ scp: ['a'], permissions: ['b', 'a'] }, ['a', 'b']],
    [{ scopes: ['a'] }, ['a']],
    [{ scope: { a: 1 } }, []],
    [{}, []],
  ])('are read from %j', async (claims, expected) => {
    const exchange = exchangeWith(bearer(await signer.sign(claims)))
    await runPolicy(make(), exchange)
    expect(exchange.identity?.scopes).toEqual(expected)
  })

  test('and roles from where the options say', async () => {
    const exchange = exchangeWith(
      bearer(await signer.sign({ realm_access: { roles: ['admin'] }, authz: { s: ['x'] } })),
    )
    await runPolicy(
      make({ ...OPTIONS, roles_claim: 'realm_access.roles', scopes_claim: 'authz.s' }),
      exchange,
    )
    expect(exchange.identity).toMatchObject({ roles: ['admin'], scopes: ['x'] })
  })
})

describe('the policy jwt and places of tokens', () => {
  const places = { ...OPTIONS, cookie: 'session', query: 'access_token' }

  test.each(['bearer', 'BEARER', 'Bearer', 'bEaReR'])('takes the scheme %s', async scheme => {
    const request = new Request(URL_, { headers: { authorization: `${scheme}   ${await signer.sign()}` } })
    expect((await runPolicy(make(), exchangeWith(request))).status).toBe(200)
  })

  test('takes a header of its own, without a scheme', async () => {
    const request = new Request(URL_, { headers: { 'cf-access-jwt-assertion': await signer.sign() } })
    const phase = make({ ...OPTIONS, header: 'Cf-Access-Jwt-Assertion', hide: true })
    const seen = await runPolicy(phase, exchangeWith(request), exchange =>
      Response.json([...exchange.takeRequest().headers.keys()]),
    )
    expect(await seen.json()).toEqual([])
  })

  test('takes a cookie, and hides it alone if asked to', async () => {
    const headers = { cookie: `a=1; session=${await signer.sign()}; b=2` }
    const target = (exchange: ReturnType<typeof makeExchange>) =>
      new Response(exchange.takeRequest().headers.get('cookie'))
    const shown = await runPolicy(make(places), exchangeWith(new Request(URL_, { headers })), target)
    expect(await shown.text()).toBe(headers.cookie)
    const hidden = await runPolicy(
      make({ ...places, hide: true }),
      exchangeWith(new Request(URL_, { headers })),
      target,
    )
    expect(await hidden.text()).toBe('a=1; b=2')
  })

  test('takes a query parameter, never shows it, and keeps the answer out of shared caches', async () => {
    const request = new Request(`${URL_}?a=%20b&access_token=${await signer.sign()}&c`, {
      method: 'POST',
      body: 'x',
    })
    const target = async (exchange: ReturnType<typeof makeExchange>) =>
      new Response(`${exchange.request.method} ${exchange.request.url} ${await exchange.request.text()}`)
    const response = await runPolicy(make(places), exchangeWith(request), target)
    expect(await response.text()).toBe(`POST ${URL_}?a=%20b&c x`)
    expect(response.headers.get('cache-control')).toBe('private')
  })

  test('does not look at cookie and query unless it is told to', async () => {
    const token = await signer.sign()
    const request = new Request(`${URL_}?access_token=${token}`, { headers: { cookie: `session=${token}` } })
    expect(await codeOf(await runPolicy(make(), exchangeWith(request)))).toBe('ERR_JWT_MISSING')
  })

  test('prefers the header, even if its token is bad', async () => {
    const request = new Request(URL_, {
      headers: { authorization: 'Bearer x', cookie: `session=${await signer.sign()}` },
    })
    expect(await codeOf(await runPolicy(make(places), exchangeWith(request)))).toBe('ERR_JWT_INVALID')
  })

  test.each([
    ['a token', { authorization: 'Bearer x' }, true],
    ['a cookie', { cookie: 'session=x' }, true],
    ['nothing', {}, false],
    ['another scheme', { authorization: 'Basic x' }, false],
    ['an empty cookie', { cookie: 'session=' }, false],
  ])('isPresented() with %s: %s', (_what, headers, isPresented) => {
    const request = new Request(URL_, { headers: headers as Record<string, string> })
    expect(make(places).isPresented?.(makeExchange(request))).toBe(isPresented)
  })

  test.each([
    ['a=1; session=x', 'x'],
    ['session=x; session=y', 'x'],
    ['session="x"', 'x'],
    ['xsession=y; sessionx=z', undefined],
    ['session', undefined],
    ['session=a=b', 'a=b'],
  ])('readCookie(%j) → %s', (header, value) => {
    expect(readCookie(header, 'session')).toBe(value)
  })
})

describe('the policy jwt and keys in the gateway file', () => {
  test('takes a JWK, a PEM text, or several', async () => {
    const pem = await exportSPKI((await importJWK(signer.publicJwk as never, 'ES256')) as CryptoKey)
    for (const keys of [signer.publicJwk, pem, [other.publicJwk, signer.publicJwk], [pem, other.publicJwk]]) {
      const phase = make({ audience: AUDIENCE, keys })
      expect((await runPolicy(phase, bearer(await signer.sign()))).status).toBe(200)
    }
  })

  test.each(['RS256', 'ES256', 'ES384', 'ES512', 'EdDSA'])(
    'parsePem() reads what others write: %s',
    async alg => {
      const { publicJwk } = await makeSigner('k', alg)
      const pem = await exportSPKI((await importJWK(publicJwk as never, alg)) as CryptoKey)
      const { kid: _kid, alg: _alg, use: _use, ...key } = publicJwk
      expect(parsePem(pem)).toEqual(key)
      expect(parsePem(pem.replaceAll('\n', '\r\n'))).toEqual(key)
    },
  )

  test.each([
    ['-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----', /private key/],
    ['-----BEGIN RSA PUBLIC KEY-----\nAA==\n-----END RSA PUBLIC KEY-----', /convert it/],
    ['-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----', /certificate/],
    ['-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----', /damaged/],
    ['-----BEGIN PUBLIC KEY-----\nMIIB', /damaged/],
    ['-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----', /damaged/],
    ['hello', /no PEM/],
  ])('parsePem() says what is wrong with %j', (pem, message) => {
    expect(parsePem(pem)).toMatch(message)
  })

  test('takes tokens of any of several secrets', async () => {
    const secrets = ['a'.repeat(32), 'b'.repeat(32)]
    const phase = make({ ...OPTIONS, secret: secrets })
    for (const secret of [...secrets, 'c'.repeat(32)]) {
      const token = await new SignJWT(goodClaims())
        .setProtectedHeader({ alg: 'HS256' })
        .sign(Buffer.from(secret))
      expect((await runPolicy(phase, bearer(token))).status).toBe(secret.startsWith('c') ? 401 : 200)
    }
  })

  test.each([
    ['text', (bytes: Buffer) => bytes.toString('latin1')],
    ['hex', (bytes: Buffer) => bytes.toString('hex')],
    ['base64', (bytes: Buffer) => bytes.toString('base64')],
    ['base64', (bytes: Buffer) => bytes.toString('base64url')],
  ])('reads a secret that is written as %s', async (encoding, write) => {
    const bytes = Buffer.from(Array.from({ length: 33 }, (_, i) => i * 3 + 1))
    const token = await new SignJWT(goodClaims()).setProtectedHeader({ alg: 'HS256' }).sign(bytes)
    const phase = make({ ...OPTIONS, secret: write(bytes), secret_encoding: encoding })
    expect((await runPolicy(phase, bearer(token))).status).toBe(200)
  })
})

describe('the options of jwt', () => {
  test.each([
    ['nothing to verify with', {}, 'There must be an "issuer", or keys'],
    ['an issuer that is no URL', { issuer: 'accounts' }, '"accounts" must be an https: URL'],
    ['an issuer over http:', { issuer: 'http://id.example.com' }, 'must be an https: URL'],
    ['a key set over http:', { jwks: 'http://id.example.com/keys' }, 'must be an https: URL'],
    [
      'two sources of keys',
      { jwks: 'https://id.example.com', secret: 'x'.repeat(32) },
      '"jwks" and "secret"',
    ],
    ['HS256 without secret', { issuer: ISSUER, algorithms: ['HS256'] }, 'HS256 needs a "secret"'],
    ['RS256 with a secret', { secret: 'x'.repeat(32), algorithms: ['RS256'] }, 'RS256 needs a public key'],
    ['none', { issuer: ISSUER, algorithms: ['none'] }, 'algorithms'],
    ['a short secret', { secret: 'x'.repeat(31) }, 'HS256 needs 32'],
    [
      'a secret too short for the algorithm',
      { secret: 'x'.repeat(47), algorithms: ['HS384'] },
      'HS384 needs 48 bytes',
    ],
    ['a secret that is not hex', { secret: 'x'.repeat(64), secret_encoding: 'hex' }, 'not written as hex'],
    ['a secret among keys', { keys: { kty: 'oct', k: 'AAAA' } }, 'does not belong in "keys"'],
    ['a key that is none', { keys: ['hello'] }, 'keys[0] can not be used'],
    ['no place for tokens', { issuer: ISSUER, header: false }, 'must be a "cookie" or a "query"'],
    ['a token size of 255 bytes', { issuer: ISSUER, max_token_bytes: 255 }, 'from 256 to 65536'],
    ['too much leeway', { issuer: ISSUER, leeway: 301 }, 'leeway'],
    ['an unknown key', { issuer: ISSUER, isuer: ISSUER }, '"isuer" is not known here'],
  ])('refuse %s', (_what, options, message) => {
    expect(() => make(options)).toThrow(message)
    expect(() => make(options)).toThrow('ERR_GATEWAY_FILE')
  })

  test('take http: on this machine, and elsewhere if told to', () => {
    expect(make({ issuer: 'http://127.0.0.1:9000' })).toBeDefined()
    expect(make({ issuer: 'http://id.internal', allow_http: true })).toBeDefined()
  })

  test('never show a secret in a message', () => {
    for (const secret of ['hunter2-hunter2', ['hunter2-hunter2']]) {
      expect(() => make({ secret })).toThrow(/^(?!.*hunter2)/)
    }
  })
})

describe('TokenCache', () => {
  const value = (expiresAtMs = 1000) => ({ expiresAtMs })

  test('keeps what is used, within its bytes and its entries', () => {
    for (const [bounds, bytes] of [
      [{ maxBytes: 1000, maxEntries: 1e6 }, 10],
      [{ maxBytes: 1e9, maxEntries: 100 }, 10],
    ] as const) {
      const cache = new TokenCache(bounds)
      cache.set('used', value(), bytes)
      for (let i = 0; i < 10_000; i++) {
        cache.set(`k${i}`, value(), bytes)
        expect(cache.get('used', 0)).toBeDefined()
        expect(cache.size).toBeLessThanOrEqual(101)
      }
      expect(cache.get('k0', 0)).toBeUndefined()
      expect(cache.get('k9999', 0)).toBeDefined()
    }
  })

  test('forgets at the time, not before', () => {
    const cache = new TokenCache({ maxBytes: 1000, maxEntries: 10 })
    cache.set('a', value(1000), 10)
    expect(cache.get('a', 999)).toBeDefined()
    expect(cache.get('a', 1000)).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  test('does not take what would push out everything else', () => {
    const cache = new TokenCache({ maxBytes: 1000, maxEntries: 10 })
    cache.set('a', value(), 10)
    cache.set('large', value(), 501)
    expect(cache.get('large', 0)).toBeUndefined()
    expect(cache.get('a', 0)).toBeDefined()
  })

  test('counts an entry that is written again once', () => {
    const cache = new TokenCache({ maxBytes: 1000, maxEntries: 10 })
    cache.set('a', value(), 100)
    for (let i = 0; i < 100; i++) cache.set('b', value(), 100)
    expect(cache.size).toBe(2)
  })
})
