import { beforeAll, describe, expect, test } from 'vitest'
import { apiKeyPolicy } from '../../routes/policies/api-key.ts'
import { readParameter, withoutParameter } from '../../routes/policies/credential-reader.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { createApiKeySecret, isMistypedApiKey } from '../../src/core/api-key-text.ts'
import type { ApiKey } from '../../src/core/gateway.ts'
import { sha256Hex } from '../../src/core/ids.ts'
import { codeOf, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

const KEY: ApiKey = {
  id: 'key-1',
  prefix: 'sk_abcdef',
  name: 'ci',
  owner: 'team-blue',
  scopes: ['orders:read'],
  metadata: { plan: 'gold' },
  expiresAtMs: 0,
  revokedAtMs: 0,
}

let text: string
let hash: string

beforeAll(async () => {
  const secret = await createApiKeySecret()
  text = secret.text
  hash = secret.hash
})

describe('api-key', () => {
  test.each<[place: string, options: object, request: (key: string) => Request]>([
    ['Authorization: Bearer', {}, key => withHeaders({ authorization: `Bearer ${key}` })],
    ['authorization: bearer, in any case', {}, key => withHeaders({ authorization: `bEARER  ${key} ` })],
    ['X-Api-Key', {}, key => withHeaders({ 'x-api-key': key })],
    [
      'X-Api-Key beside an Authorization of another policy',
      {},
      key => withHeaders({ 'x-api-key': key, authorization: 'Bearer eyJ' }),
    ],
    ['a header of one’s own', { header: 'X-Team-Key' }, key => withHeaders({ 'x-team-key': key })],
    [
      'a header with a scheme',
      { header: 'authorization', scheme: 'Token' },
      key => withHeaders({ authorization: `Token ${key}` }),
    ],
    ['the query', { query: 'key' }, key => new Request(`https://a.example/?a=1&key=${key}`)],
  ])('finds the key in %s', async (_place, options, request) => {
    const exchange = open(request(text), found())
    const answer = await runPolicy(createPhase(apiKeyPolicy, options, { name: 'keys' }), exchange)
    expect(answer.status).toBe(200)
    expect(exchange.identity).toEqual({
      type: 'api-key',
      policy: 'keys',
      subject: 'key-1',
      scopes: ['orders:read'],
      roles: [],
      claims: { owner: 'team-blue', name: 'ci', metadata: { plan: 'gold' }, prefix: 'sk_abcdef' },
    })
  })

  test.each<[what: string, options: object, headers: Record<string, string>]>([
    ['nothing', {}, {}],
    ['an empty header', {}, { 'x-api-key': '' }],
    ['a scheme without a key', {}, { authorization: 'Bearer ' }],
    ['another scheme', {}, { authorization: 'Basic YTpi' }],
    ['the usual header where another one is named', { header: 'x-team-key' }, { 'x-api-key': 'k' }],
    ['the key in another case of scheme', { header: 'x-k', scheme: 'Key' }, { 'x-k': 'Keyx' }],
  ])('asks for a key where there is %s', async (_what, options, headers) => {
    const exchange = open(withHeaders(headers), found())
    const phase = createPhase(apiKeyPolicy, options)
    expect(phase.isPresented?.(exchange)).toBe(false)
    const answer = await runPolicy(phase, exchange)
    expect([answer.status, await codeOf(answer)]).toEqual([401, 'ERR_API_KEY_MISSING'])
    expect(answer.headers.get('www-authenticate')).toMatch(/^\w+ realm="api-key"$/)
  })

  test.each<[what: string, key: Partial<ApiKey> | undefined, code: string, said: string]>([
    ['is unknown', undefined, 'ERR_API_KEY_INVALID', 'There is no such API key.'],
    ['was revoked', { revokedAtMs: 1 }, 'ERR_API_KEY_INVALID', 'The API key was revoked.'],
    [
      'expires now',
      { expiresAtMs: NOW_MS },
      'ERR_API_KEY_EXPIRED',
      `The API key expired at ${new Date(NOW_MS).toISOString()}.`,
    ],
    [
      'was revoked and has expired',
      { revokedAtMs: 1, expiresAtMs: 1 },
      'ERR_API_KEY_INVALID',
      'The API key was revoked.',
    ],
  ])('refuses a key that %s', async (_what, change, code, said) => {
    const exchange = open(withHeaders({ 'x-api-key': text }), () => change && { ...KEY, ...change })
    const answer = await runPolicy(createPhase(apiKeyPolicy, {}), exchange)
    expect(answer.status).toBe(401)
    expect(await answer.json()).toMatchObject({ code, detail: said })
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="api-key", error="invalid_token"')
    expect(exchange.identity).toBeUndefined()
  })

  test('accepts a key until the millisecond before it expires', async () => {
    const exchange = open(withHeaders({ 'x-api-key': text }), () => ({ ...KEY, expiresAtMs: NOW_MS + 1 }))
    expect((await runPolicy(createPhase(apiKeyPolicy, {}), exchange)).status).toBe(200)
  })

  test('does not look up a mistyped key, nor one that is too long', async () => {
    const seen: string[] = []
    const find = (hash: string) => {
      seen.push(hash)
      return undefined
    }
    for (const wrong of [`${text.slice(0, -1)}${text.endsWith('0') ? '1' : '0'}`, 'x'.repeat(513)]) {
      const answer = await runPolicy(
        createPhase(apiKeyPolicy, {}),
        open(withHeaders({ 'x-api-key': wrong }), find),
      )
      expect(await codeOf(answer)).toBe('ERR_API_KEY_INVALID')
    }
    expect(seen).toEqual([])
    await runPolicy(createPhase(apiKeyPolicy, {}), open(withHeaders({ 'x-api-key': 'x'.repeat(512) }), find))
    expect(seen).toEqual([await sha256Hex('x'.repeat(512))])
  })

  test('answers at once for a key seen before, and sees its revocation and its end at once', async () => {
    let key: ApiKey | undefined = KEY
    const phase = createPhase(apiKeyPolicy, {})
    const ask = () => phase.request?.(open(withHeaders({ 'x-api-key': text }), () => key))
    expect(ask()).toBeInstanceOf(Promise)
    await ask()
    expect(ask()).toBeUndefined()
    key = { ...KEY, revokedAtMs: NOW_MS }
    expect(ask()).toBeInstanceOf(Response)
    key = undefined
    expect(ask()).toBeInstanceOf(Response)
  })

  test('waits for keys that are looked up elsewhere', async () => {
    const phase = createPhase(apiKeyPolicy, {})
    for (let i = 0; i < 2; i++) {
      const exchange = open(withHeaders({ 'x-api-key': text }), async () => KEY)
      expect((await runPolicy(phase, exchange)).status).toBe(200)
      expect(exchange.identity?.subject).toBe('key-1')
    }
  })

  test.each<[scopes: unknown, method: string, status: number, needed: string | null]>([
    [['orders:read'], 'POST', 200, null],
    [['orders:read', 'orders:write'], 'GET', 403, 'orders:read orders:write'],
    [{ GET: ['orders:read'] }, 'GET', 200, null],
    [{ GET: ['orders:read'] }, 'HEAD', 200, null],
    [{ get: ['orders:read'], POST: ['orders:write'] }, 'POST', 403, 'orders:write'],
    [{ GET: ['orders:read'] }, 'DELETE', 403, null],
    [{ GET: [], '*': ['admin'] }, 'DELETE', 403, 'admin'],
    [{ GET: ['x'], '*': [] }, 'DELETE', 200, null],
  ])('with scopes %j answers %s with %i', async (scopes, method, status, needed) => {
    const request = new Request('https://a.example/', { method, headers: { 'x-api-key': text } })
    const exchange = open(request, found())
    const answer = await runPolicy(createPhase(apiKeyPolicy, { scopes }), exchange)
    expect(answer.status).toBe(status)
    if (status === 200) return
    expect(await codeOf(answer)).toBe('ERR_SCOPE_MISSING')
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer error="insufficient_scope"${needed ? `, scope="${needed}"` : ''}`,
    )
    expect(exchange.identity, 'an identity that was refused is none').toBeUndefined()
  })

  test.each<[options: object, header: string | null]>([
    [{}, null],
    [{ hide: false }, 'key'],
  ])('with %j the function sees %s', async (options, seen) => {
    const headers = { 'x-api-key': text, authorization: 'other', 'x-kept': 'k' }
    const exchange = open(withHeaders(headers), found())
    await runPolicy(createPhase(apiKeyPolicy, options), exchange)
    const sent = exchange.takeRequest()
    expect(sent.headers.get('x-api-key')).toBe(seen && text)
    expect(sent.headers.get('authorization')).toBe('other')
    expect(sent.headers.get('x-kept')).toBe('k')
  })

  test('takes the key out of the query, and leaves the rest as it is spelt, body and method too', async () => {
    const url = `https://a.example/p%20q?a=%7e&key=${text}&b=1+2&key=again&keys=3`
    const exchange = open(new Request(url, { method: 'POST', body: 'text' }), found())
    await runPolicy(createPhase(apiKeyPolicy, { query: 'key' }), exchange)
    const sent = exchange.takeRequest()
    expect(sent.url).toBe('https://a.example/p%20q?a=%7e&b=1+2&keys=3')
    expect([sent.method, await sent.text()]).toEqual(['POST', 'text'])
  })

  test('notes why, and never the key', async () => {
    const trace = makeTrace()
    const services = { apiKeys: { find: found() } }
    await runPolicy(
      createPhase(apiKeyPolicy, {}),
      makeExchange(withHeaders({ 'x-api-key': text }), { trace, services }),
    )
    expect(trace.findings.join()).toContain('The API key was accepted. {"id":"key-1"')
    expect(trace.findings.join()).not.toContain(text)
  })

  test.each<[options: unknown, message: string]>([
    [{ scheme: 'Token' }, '"scheme" is of no use without "header".'],
    [{ header: 'x key' }, 'header: It must be the name of a header.'],
    [{ query: 'a&b' }, 'query: It must be the name of a parameter.'],
    [{ scopes: ['a b'] }, 'A scope has 1 to 128'],
    [{ scopes: { 'GET!': [] } }, 'It must be a method, or "*".'],
    [{ keys: [] }, '"keys" is not known here'],
  ])('refuses the options %j', (options, message) => {
    expect(() => createPhase(apiKeyPolicy, options)).toThrow(message)
  })
})

describe('createApiKeySecret()', () => {
  test('makes texts of 39 characters that are never the same, and says their hash and beginning', async () => {
    const secrets = await Promise.all(Array.from({ length: 200 }, createApiKeySecret))
    for (const { text, prefix, hash } of secrets) {
      expect(text).toMatch(/^sk_[0-9A-Za-z]{36}$/)
      expect(text.slice(0, 9)).toBe(prefix)
      expect(hash).toBe(await sha256Hex(text))
      expect(isMistypedApiKey(text)).toBe(false)
    }
    expect(new Set(secrets.map(({ text }) => text)).size).toBe(200)
    // 178 bits: every character of the alphabet turns up.
    expect(new Set(secrets.flatMap(({ text }) => [...text.slice(3, 33)])).size).toBe(62)
  })

  test('isMistypedApiKey() finds each changed or swapped character, and leaves keys of others alone', () => {
    for (let i = 3; i < text.length; i++) {
      const other = text.charAt(i) === 'a' ? 'b' : 'a'
      expect(isMistypedApiKey(text.slice(0, i) + other + text.slice(i + 1)), `at ${i}`).toBe(true)
    }
    for (let i = 3; i < text.length - 1; i++) {
      if (text.charAt(i) === text.charAt(i + 1)) continue
      const swapped = text.slice(0, i) + text.charAt(i + 1) + text.charAt(i) + text.slice(i + 2)
      expect(isMistypedApiKey(swapped), `at ${i}`).toBe(true)
    }
    for (const foreign of ['', 'sk_', 'sk_live_51H8xQ2eZvKYlo2C9a8b7c6d5e4f3g2', `${text}x`, text.slice(1)]) {
      expect(isMistypedApiKey(foreign)).toBe(false)
    }
  })
})

describe('query parameters', () => {
  test.each<[url: string, value: string | undefined, without: string]>([
    ['http://a/?k=1', '1', 'http://a/'],
    ['http://a/?k=1&b=2', '1', 'http://a/?b=2'],
    ['http://a/?kk=1&k=%2B+', '+ ', 'http://a/?kk=1'],
    ['http://a/?b=k=1', undefined, 'http://a/?b=k=1'],
    ['http://a/k=1', undefined, 'http://a/k=1'],
    ['http://a/?k', undefined, 'http://a/'],
    ['http://a/?k=%', '%', 'http://a/'],
    ['http://a/?k=&k=2', '', 'http://a/'],
  ])('%s has %j', (url, value, without) => {
    expect(readParameter(url, 'k')).toBe(value)
    expect(withoutParameter(url, 'k')).toBe(without)
  })
})

function withHeaders(headers: Record<string, string>): Request {
  return new Request('https://api.example.com/orders', { headers })
}

function found(): (asked: string) => ApiKey | undefined {
  return asked => (asked === hash ? KEY : undefined)
}

function open(
  request: Request,
  find: (hash: string) => ApiKey | undefined | Promise<ApiKey | undefined>,
): Exchange {
  return makeExchange(request, {
    services: { apiKeys: { find } },
  })
}
