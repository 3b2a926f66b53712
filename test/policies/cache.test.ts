import { Hono, type MiddlewareHandler } from 'hono'
import { describe, expect, test } from 'vitest'
import { cachePolicy } from '../../routes/policies/cache/index.ts'
import { CacheMemory } from '../../routes/policies/cache/memory.ts'
import { toMiddleware } from '../../routes/policies/middleware.ts'
import type { CacheService, StoredBytes } from '../../routes/policies/services.ts'
import type { Purge } from '../../src/core/gateway.ts'
import { type AskOptions, fresh, identityOf, makeCache } from './cache-support.ts'
import { codeOf, makeTrace, NOW_MS } from './support.ts'

const cacheMiddleware = toMiddleware(cachePolicy)
const date = (ms: number) => new Date(ms).toUTCString()

describe('cache', () => {
  test('gives a fresh response without asking, and says so in Age and Cache-Status', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const miss = await cache.ask('/a')
    expect(miss.headers.get('cache-status')).toBe('Skerry; fwd=uri-miss; stored')
    expect(await miss.text()).toBe('v1')
    await cache.settle()
    cache.advance(20)
    const hit = await cache.ask('/a')
    expect(await hit.text()).toBe('v1')
    expect(hit.headers.get('age')).toBe('20')
    expect(hit.headers.get('cache-status')).toBe('Skerry; hit; ttl=40')
    expect(hit.headers.get('date')).toBe(date(NOW_MS))
    expect(hit.headers.get('content-length')).toBe('2')
    expect(cache.count).toBe(1)
  })

  test.each([
    ['a second before it is over', 59, 1],
    ['when it is over', 60, 2],
  ])('asks again %s, or not', async (_when, seconds, count) => {
    const cache = makeCache()
    cache.origin = fresh()
    await cache.text('/a')
    cache.advance(seconds)
    await cache.text('/a')
    expect(cache.count).toBe(count)
  })

  test('answers a hit synchronously', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    await cache.text('/a')
    let isAsked = false
    cache.origin = () => {
      isAsked = true
      return new Response()
    }
    // Without a promise, it is there before anything is awaited.
    expect(cache.answer('/a')).toBeInstanceOf(Response)
    expect(isAsked).toBe(false)
  })

  test('says nothing where status_header is off', async () => {
    const cache = makeCache({ status_header: false })
    cache.origin = fresh()
    expect((await cache.ask('/a')).headers.has('cache-status')).toBe(false)
    await cache.settle()
    const hit = await cache.ask('/a')
    expect(hit.headers.has('cache-status')).toBe(false)
    expect(hit.headers.get('age')).toBe('0')
  })
})

describe('cache, what it must not hand on', () => {
  const anna = identityOf('anna')
  const bert = identityOf('bert')

  test.each([
    ['private', { 'cache-control': 'private, max-age=60' }, {}],
    ['no-store', { 'cache-control': 'no-store, max-age=60' }, {}],
    ['Set-Cookie', { 'cache-control': 'max-age=60', 'set-cookie': 'session=anna' }, {}],
    ['Set-Cookie beside public', { 'cache-control': 'public, max-age=60', 'set-cookie': 'session=anna' }, {}],
    [
      'a request with Authorization',
      { 'cache-control': 'max-age=60' },
      { headers: { authorization: 'Bearer a' } },
    ],
    ['a request of somebody identified', { 'cache-control': 'max-age=60' }, { identity: anna }],
    ['Vary: *', { 'cache-control': 'max-age=60', vary: '*' }, {}],
    ['no lifetime', {}, {}],
    ['targeted no-store', { 'cache-control': 'max-age=60', 'cdn-cache-control': 'no-store' }, {}],
  ])('%s: the next caller is not given it', async (_what, headers, asked) => {
    for (const next of [{}, { identity: bert }, { headers: { authorization: 'Bearer b' } }]) {
      const cache = makeCache()
      cache.origin = fresh(headers as Record<string, string>)
      expect(await cache.text('/me', asked)).toBe('v1')
      expect(await cache.text('/me', next)).toBe('v2')
    }
  })

  test.each([
    ['public', { 'cache-control': 'public, max-age=60' }],
    ['s-maxage', { 'cache-control': 's-maxage=60' }],
    ['must-revalidate', { 'cache-control': 'max-age=60, must-revalidate' }],
  ])('%s: also callers with credentials share it (RFC 9111 §3.5)', async (_what, headers) => {
    for (const asked of [{ identity: anna }, { headers: { authorization: 'Bearer a' } }]) {
      const cache = makeCache()
      cache.origin = fresh(headers)
      expect(await cache.text('/me', asked)).toBe('v1')
      expect(await cache.text('/me', { identity: bert })).toBe('v1')
      expect(await cache.text('/me', { headers: { authorization: 'Bearer b' } })).toBe('v1')
    }
  })

  test('an anonymous response is not given to a caller with credentials, who may get another one', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    await cache.text('/me')
    expect(await cache.text('/me', { identity: anna })).toBe('v2')
    expect(await cache.text('/me', { headers: { authorization: 'x' } })).toBe('v3')
    expect(await cache.text('/me', { identity: identityOf('', 'anonymous') })).toBe('v1')
  })

  test('one that a policy behind the cache found the caller of is as private', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const jwt = {
      request(exchange: { identity: unknown }) {
        exchange.identity = anna
        return undefined
      },
    }
    expect(await cache.text('/me', { behind: [jwt as never] })).toBe('v1')
    expect(await cache.text('/me')).toBe('v2')
  })

  test('Vary: Cookie: only the same cookies get it', async () => {
    const cache = makeCache()
    cache.origin = fresh({ 'cache-control': 'max-age=60', vary: 'Cookie' })
    expect(await cache.text('/me', { headers: { cookie: 's=anna' } })).toBe('v1')
    expect(await cache.text('/me', { headers: { cookie: 's=bert' } })).toBe('v2')
    expect(await cache.text('/me')).toBe('v3')
    expect(await cache.text('/me', { headers: { cookie: 's=anna' } })).toBe('v1')
  })

  test('key.identity: each caller has responses of its own, others none', async () => {
    const cache = makeCache({ key: { identity: true } })
    cache.origin = fresh()
    expect(await cache.text('/me', { identity: anna })).toBe('v1')
    expect(await cache.text('/me', { identity: bert })).toBe('v2')
    expect(await cache.text('/me', { identity: { ...anna, policy: 'other' } })).toBe('v3')
    expect(await cache.text('/me', { headers: { authorization: 'x' } })).toBe('v4')
    expect(await cache.text('/me')).toBe('v5')
    expect(await cache.text('/me', { identity: anna })).toBe('v1')
    expect(await cache.text('/me')).toBe('v5')
  })

  test('those who wait for a private response get their own', async () => {
    const cache = makeCache()
    cache.origin = request =>
      new Response(`for ${request.headers.get('authorization')}`, {
        headers: { 'cache-control': 'max-age=60' },
      })
    const names = ['a', 'b', 'c']
    const texts = await Promise.all(
      names.map(name => cache.text('/me', { headers: { authorization: name } })),
    )
    expect(texts).toEqual(['for a', 'for b', 'for c'])
  })

  test('set_cookie = "strip": stored without the cookie, which only the first caller got', async () => {
    const cache = makeCache({ set_cookie: 'strip' })
    cache.origin = fresh({ 'cache-control': 'max-age=60', 'set-cookie': 'a=b' })
    const first = await cache.ask('/a')
    expect(first.headers.get('set-cookie')).toBe('a=b')
    await first.text()
    await cache.settle()
    const second = await cache.ask('/a')
    expect(second.headers.has('set-cookie')).toBe(false)
    expect(await second.text()).toBe('v1')
  })

  test('private="set-cookie" does the same without being asked for', async () => {
    const cache = makeCache()
    cache.origin = fresh({
      'cache-control': 'max-age=60, private="set-cookie, x-me"',
      'set-cookie': 'a=b',
      'x-me': '1',
    })
    await cache.text('/a')
    const second = await cache.ask('/a')
    expect([second.headers.has('set-cookie'), second.headers.has('x-me')]).toEqual([false, false])
    expect(await second.text()).toBe('v1')
  })

  test('routes, versions and policies do not share', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    expect(await cache.text('/a', { route: 'one' })).toBe('v1')
    expect(await cache.text('/a', { route: 'two' })).toBe('v2')
    expect(await cache.text('/a', { route: 'one', version: 'beta' })).toBe('v3')
    expect(await cache.text('/a', { route: 'one' })).toBe('v1')
  })
})

describe('cache, header changes of other policies', () => {
  const adding = (name: string, value: string) => ({
    request(exchange: { responseHeaders: { set(name: string, value: string): void } }) {
      exchange.responseHeaders.set(name, value)
      return undefined
    },
  })

  test('those behind it are stored, those before it belong to the one answer', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const around = {
      before: [adding('x-remaining', '9') as never],
      behind: [adding('x-behind', 'b') as never],
    }
    const miss = await cache.ask('/a', around)
    expect([miss.headers.get('x-remaining'), miss.headers.get('x-behind')]).toEqual(['9', 'b'])
    await miss.text()
    await cache.settle()
    const hit = await cache.ask('/a', { before: [adding('x-remaining', '8') as never] })
    expect([hit.headers.get('x-remaining'), hit.headers.get('x-behind')]).toEqual(['8', 'b'])
    expect((await cache.ask('/a')).headers.has('x-remaining')).toBe(false)
  })

  test('responses vary by what the target got, not by what the client sent', async () => {
    const cache = makeCache()
    cache.origin = fresh({ 'cache-control': 'max-age=60', vary: 'x-team' })
    const team = (name: string) => ({
      before: [
        {
          request(exchange: { requestHeaders: { set(name: string, value: string): void } }) {
            exchange.requestHeaders.set('x-team', name)
            return undefined
          },
        } as never,
      ],
    })
    expect(await cache.text('/a', team('red'))).toBe('v1')
    expect(await cache.text('/a', team('blue'))).toBe('v2')
    expect(await cache.text('/a', team('red'))).toBe('v1')
  })
})

describe('cache, validation', () => {
  test('asks on condition of what is stored, and updates it by a 304', async () => {
    const cache = makeCache()
    cache.origin = request =>
      request.headers.get('if-none-match') === '"1"'
        ? new Response(null, {
            status: 304,
            headers: { etag: '"1"', 'cache-control': 'max-age=10', 'x-new': '1' },
          })
        : new Response('body', { headers: { etag: '"1"', 'cache-control': 'max-age=5', 'x-old': '1' } })
    await cache.text('/a')
    cache.advance(6)
    const validated = await cache.ask('/a')
    expect(validated.status).toBe(200)
    expect(await validated.text()).toBe('body')
    expect([validated.headers.get('x-new'), validated.headers.get('x-old')]).toEqual(['1', '1'])
    expect(validated.headers.get('cache-status')).toBe('Skerry; fwd=stale; fwd-status=304; stored')
    await cache.settle()
    cache.advance(9)
    expect(await cache.text('/a')).toBe('body')
    expect(cache.count).toBe(2)
  })

  test('a 304 about another strong tag is not believed: the target must send the whole', async () => {
    const cache = makeCache()
    let status = 200
    cache.origin = request =>
      request.headers.has('if-none-match')
        ? new Response(null, { status: 304, headers: { etag: '"2"' } })
        : new Response(`whole ${status++}`, { headers: { etag: '"1"', 'cache-control': 'max-age=5' } })
    await cache.text('/a')
    cache.advance(6)
    expect(await cache.text('/a')).toBe('whole 201')
    expect(cache.count).toBe(3)
  })

  test.each([
    ['If-None-Match with the tag', { 'if-none-match': '"1"' }, 304],
    ['If-None-Match with the weak tag', { 'if-none-match': 'W/"1"' }, 304],
    ['If-None-Match with several', { 'if-none-match': '"0", "1"' }, 304],
    ['If-None-Match with any', { 'if-none-match': '*' }, 304],
    ['If-None-Match with another', { 'if-none-match': '"2"' }, 200],
    ['If-Modified-Since at its time', { 'if-modified-since': date(NOW_MS - 1000_000) }, 304],
    ['If-Modified-Since a second before', { 'if-modified-since': date(NOW_MS - 1001_000) }, 200],
    [
      'If-None-Match before If-Modified-Since',
      { 'if-none-match': '"2"', 'if-modified-since': date(NOW_MS) },
      200,
    ],
  ])('%s: on a hit and on a miss alike', async (_what, headers, status) => {
    const cache = makeCache()
    const stored = { etag: '"1"', 'last-modified': date(NOW_MS - 1000_000), 'cache-control': 'max-age=60' }
    cache.origin = fresh(stored)
    const miss = await cache.ask('/a', { headers: headers as unknown as Record<string, string> })
    expect(miss.status).toBe(status)
    await miss.text()
    await cache.settle()
    expect(cache.seen[0]?.headers.has('if-none-match')).toBe(false)
    const hit = await cache.ask('/a', { headers: headers as unknown as Record<string, string> })
    expect(hit.status).toBe(status)
    expect(hit.headers.get('etag')).toBe('"1"')
    expect(hit.headers.has('content-length')).toBe(status === 200)
    expect(cache.count).toBe(1)
  })

  test('no-cache: each use is validated', async () => {
    const cache = makeCache()
    cache.origin = request =>
      request.headers.has('if-none-match')
        ? new Response(null, { status: 304 })
        : new Response('x', { headers: { etag: '"1"', 'cache-control': 'no-cache, max-age=60' } })
    for (let i = 0; i < 3; i++) expect(await cache.text('/a')).toBe('x')
    expect(cache.seen.map(request => request.headers.get('if-none-match'))).toEqual([null, '"1"', '"1"'])
  })

  test('a HEAD’s answer updates what it describes, and else makes it stale', async () => {
    const cache = makeCache()
    cache.origin = () => new Response('12', { headers: { etag: '"1"', 'cache-control': 'max-age=5' } })
    await cache.text('/a')
    cache.advance(6)
    cache.origin = () =>
      new Response(null, { headers: { etag: '"1"', 'cache-control': 'max-age=50', 'x-by': 'head' } })
    await cache.ask('/a', { method: 'HEAD' })
    expect((await cache.ask('/a')).headers.get('x-by')).toBe('head')
    cache.advance(60)
    cache.origin = () => new Response(null, { headers: { etag: '"2"', 'cache-control': 'max-age=50' } })
    await cache.ask('/a', { method: 'HEAD' })
    await cache.ask('/a')
    expect(cache.seen.at(-1)?.headers.has('if-none-match')).toBe(false)
  })
})

describe('cache, stale responses', () => {
  const failing = () => {
    throw new Error('connection refused')
  }
  const refused = () => new Response('busy', { status: 503 })

  test.each([
    ['unreachable, nothing said: for a minute', 'max-age=5', {}, failing, 60, true],
    ['unreachable, nothing said: not longer', 'max-age=5', {}, failing, 65, false],
    ['an error, nothing said', 'max-age=5', {}, refused, 6, false],
    ['an error, stale-if-error', 'max-age=5, stale-if-error=20', {}, refused, 24, true],
    ['an error, stale-if-error is over', 'max-age=5, stale-if-error=20', {}, refused, 25, false],
    ['an error, the option', 'max-age=5', { stale_if_error: '20s' }, refused, 24, true],
    ['an error, must-revalidate', 'max-age=5, must-revalidate, stale-if-error=20', {}, refused, 6, false],
    ['unreachable, must-revalidate', 'max-age=5, must-revalidate', {}, failing, 6, false],
    ['unreachable, proxy-revalidate', 'max-age=5, proxy-revalidate', {}, failing, 6, false],
    ['unreachable, s-maxage', 's-maxage=5', { stale_if_error: '20s' }, failing, 6, false],
    ['unreachable, s-maxage that says otherwise', 's-maxage=5, stale-if-error=9', {}, failing, 6, true],
    ['unreachable, no-cache', 'max-age=5, no-cache', {}, failing, 6, false],
  ])('%s', async (_what, control, options, failure, seconds, isGiven) => {
    const cache = makeCache(options)
    cache.origin = new Response('stored', { headers: { 'cache-control': control, etag: '"1"' } })
    await cache.text('/a')
    cache.advance(seconds)
    cache.origin = failure
    const answer = await cache.ask('/a').catch(() => undefined)
    expect(await answer?.text()).toBe(isGiven ? 'stored' : failure === failing ? undefined : 'busy')
    if (isGiven) expect(answer?.headers.get('cache-status')).toMatch(/^Skerry; hit; fwd=stale/)
  })

  test.each<[what: string, options: AskOptions]>([
    ['a HEAD', { method: 'HEAD' }],
    ['a wish for a part', { headers: { range: 'bytes=0-1' } }],
  ])('stale-while-revalidate: behind the answer to %s the whole is asked for', async (_what, options) => {
    const cache = makeCache()
    const headers = { 'cache-control': 'max-age=5, stale-while-revalidate=10' }
    cache.origin = request => {
      if (request.method === 'HEAD') return new Response(null, { headers })
      return request.headers.has('range')
        ? new Response('wh', { status: 206, headers: { ...headers, 'content-range': 'bytes 0-1/5' } })
        : new Response(cache.count === 1 ? 'first' : 'whole', { headers })
    }
    expect(await cache.text('/a')).toBe('first')
    cache.advance(6)
    await cache.text('/a', options)
    expect(await cache.text('/a')).toBe('whole')
    expect(cache.count).toBe(2)
  })

  test('stale-while-revalidate: gives what is stored and asks behind it, once', async () => {
    const cache = makeCache()
    cache.origin = fresh({ 'cache-control': 'max-age=5, stale-while-revalidate=10' })
    await cache.text('/a')
    cache.advance(6)
    const [one, two] = await Promise.all([cache.ask('/a'), cache.ask('/a')])
    expect([await one?.text(), await two?.text()]).toEqual(['v1', 'v1'])
    expect(one?.headers.get('cache-status')).toBe('Skerry; hit; ttl=-1')
    await cache.settle()
    expect(cache.count).toBe(2)
    expect(await cache.text('/a')).toBe('v2')
    cache.advance(15)
    expect(await cache.text('/a')).toBe('v3')
  })
})

describe('cache, what clients may ask for', () => {
  test.each([
    ['no-cache', 'no-cache', 2],
    ['no-store', 'no-store', 2],
    ['max-age reached', 'max-age=10', 1],
    ['max-age exceeded', 'max-age=9', 2],
    ['min-fresh left', 'min-fresh=50', 1],
    ['min-fresh not left', 'min-fresh=51', 2],
    ['something else', 'no-transform, x=y', 1],
  ])('%s', async (_what, control, count) => {
    for (const [client_directives, expected] of [
      ['honour', count],
      ['ignore', 1],
    ] as const) {
      const cache = makeCache({ client_directives })
      cache.origin = fresh()
      await cache.text('/a')
      cache.advance(10)
      await cache.text('/a', { headers: { 'cache-control': control } })
      expect(cache.count).toBe(expected)
    }
  })

  test.each([
    ['max-stale within', 'max-age=5', 'max-stale=10', 15, 1],
    ['max-stale exceeded', 'max-age=5', 'max-stale=10', 16, 2],
    ['max-stale without bound', 'max-age=5', 'max-stale', 500, 1],
    ['max-stale, must-revalidate', 'max-age=5, must-revalidate', 'max-stale', 6, 2],
    ['max-stale, s-maxage', 's-maxage=5', 'max-stale', 6, 2],
  ])('%s', async (_what, control, asked, seconds, count) => {
    const cache = makeCache()
    cache.origin = new Response('x', { headers: { 'cache-control': control, etag: '"1"' } })
    await cache.text('/a')
    cache.advance(seconds)
    await cache.text('/a', { headers: { 'cache-control': asked } })
    expect(cache.count).toBe(count)
  })

  test('only-if-cached: what is stored, or 504', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const refused = await cache.ask('/a', { headers: { 'cache-control': 'only-if-cached' } })
    expect([refused.status, await codeOf(refused)]).toEqual([504, 'ERR_NOT_CACHED'])
    await cache.text('/a')
    expect(await cache.text('/a', { headers: { 'cache-control': 'only-if-cached' } })).toBe('v1')
    expect(cache.count).toBe(1)
  })

  test('no-store: the answer is not stored', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    await cache.text('/a', { headers: { 'cache-control': 'no-store' } })
    expect(await cache.text('/a')).toBe('v2')
  })
})

describe('cache, methods', () => {
  test.each([
    ['POST', 200, true],
    ['PUT', 204, true],
    ['PATCH', 302, true],
    ['DELETE', 200, true],
    ['UNKNOWN', 200, true],
    ['POST', 404, false],
    ['POST', 500, false],
    ['OPTIONS', 200, false],
  ])('%s with %i forgets what is stored: %s', async (method, status, forgets) => {
    const cache = makeCache()
    cache.origin = fresh()
    await cache.text('/a?x=1')
    cache.origin = () => new Response(null, { status })
    await cache.text('/a?x=1', { method })
    cache.origin = () => new Response('after', { headers: { 'cache-control': 'max-age=60' } })
    expect(await cache.text('/a?x=1')).toBe(forgets ? 'after' : 'v1')
  })

  test.each([
    ['location', '/b', true],
    ['content-location', 'https://example.com/b', true],
    ['location', 'https://other.example/b', false],
    ['location', 'http://example.com/b', false],
  ])('also what the answer names in %s %s, if it is of the same origin: %s', async (name, url, forgets) => {
    const cache = makeCache()
    cache.origin = fresh()
    const stored = url.startsWith('http') ? url : `https://example.com${url}`
    await cache.text(stored)
    cache.origin = () => new Response(null, { status: 201, headers: { [name]: url } })
    await cache.text('/a', { method: 'POST' })
    cache.origin = () => new Response('after')
    expect(await cache.text(stored)).toBe(forgets ? 'after' : 'v1')
  })

  test('what is being fetched while somebody writes is not stored', async () => {
    const cache = makeCache()
    const { promise: written, resolve } = Promise.withResolvers<void>()
    cache.origin = async request => {
      if (request.method === 'POST') return new Response(null, { status: 204 })
      await written
      return new Response('old', { headers: { 'cache-control': 'max-age=60' } })
    }
    const early = cache.ask('/a')
    await cache.ask('/a', { method: 'POST' })
    resolve()
    expect(await (await early).text()).toBe('old')
    await cache.settle()
    cache.origin = () => new Response('new')
    expect(await cache.text('/a')).toBe('new')
  })

  test('a POST that names its own URL in Content-Location answers GETs', async () => {
    const cache = makeCache()
    cache.origin = () =>
      new Response('posted', { headers: { 'cache-control': 'max-age=60', 'content-location': '/a' } })
    await cache.text('/a', { method: 'POST' })
    expect(await cache.text('/a')).toBe('posted')
    expect(cache.count).toBe(1)
  })

  test('methods = ["GET"]: HEAD goes to the target', async () => {
    const cache = makeCache({ methods: ['GET'] })
    cache.origin = fresh()
    await cache.text('/a')
    await cache.text('/a', { method: 'HEAD' })
    expect(cache.count).toBe(2)
  })
})

describe('cache, parts', () => {
  test.each([
    ['bytes=0-1', 206, 'ab', 'bytes 0-1/6'],
    ['bytes=4-', 206, 'ef', 'bytes 4-5/6'],
    ['bytes=-2', 206, 'ef', 'bytes 4-5/6'],
    ['bytes=2-99', 206, 'cdef', 'bytes 2-5/6'],
    ['bytes=6-', 416, '', 'bytes */6'],
    ['bytes=0-1,3-4', 200, 'abcdef', null],
    ['lines=0-1', 200, 'abcdef', null],
    ['bytes=3-2', 200, 'abcdef', null],
  ])('%s of what is stored: %i', async (range, status, text, contentRange) => {
    const cache = makeCache()
    cache.origin = new Response('abcdef', { headers: { 'cache-control': 'max-age=60' } })
    await cache.text('/a')
    const answer = await cache.ask('/a', { headers: { range } })
    expect([answer.status, await answer.text(), answer.headers.get('content-range')]).toEqual([
      status,
      text,
      contentRange,
    ])
    expect(cache.count).toBe(1)
  })

  test.each([
    ['"1"', 206],
    ['"2"', 200],
    ['W/"1"', 200],
    [date(NOW_MS - 100_000), 206],
    [date(NOW_MS - 99_000), 200],
  ])('If-Range %s: %i', async (ifRange, status) => {
    const cache = makeCache()
    const headers = { 'cache-control': 'max-age=60', etag: '"1"', 'last-modified': date(NOW_MS - 100_000) }
    cache.origin = new Response('abcdef', { headers })
    await cache.text('/a')
    const answer = await cache.ask('/a', { headers: { range: 'bytes=0-1', 'if-range': ifRange } })
    expect(answer.status).toBe(status)
  })

  test('a 206 answers only who asks in the same words', async () => {
    const cache = makeCache()
    cache.origin = request =>
      request.headers.has('range')
        ? new Response('ab', {
            status: 206,
            headers: { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-1/6' },
          })
        : new Response('abcdef', { headers: { 'cache-control': 'max-age=60' } })
    const part = { headers: { range: 'bytes=0-1' } }
    expect(await cache.text('/a', part)).toBe('ab')
    expect((await cache.ask('/a', part)).status).toBe(206)
    expect(cache.count).toBe(1)
    expect(await cache.text('/a', { headers: { range: 'bytes=0-0' } })).toBe('ab')
    expect(cache.count).toBe(2)
    expect(await cache.text('/a')).toBe('abcdef')
    expect(await cache.text('/a')).toBe('abcdef')
    expect(cache.count).toBe(3)
  })
})

describe('cache, options', () => {
  test.each([
    ['ttl for what says nothing', { ttl: '30s' }, 200, {}, 29, 1],
    ['ttl is over', { ttl: '30s' }, 200, {}, 30, 2],
    ['ttl does not store errors', { ttl: '30s' }, 500, {}, 1, 2],
    ['what a response says goes before', { ttl: '30s' }, 200, { 'cache-control': 'max-age=5' }, 6, 2],
    ['unless it is overridden', { ttl: '30s', override: true }, 200, { 'cache-control': 'max-age=5' }, 6, 1],
    ['never for private', { ttl: '30s', override: true }, 200, { 'cache-control': 'private' }, 1, 2],
    ['never for no-store', { ttl: '30s', override: true }, 200, { 'cache-control': 'no-store' }, 1, 2],
    ['by status', { ttl_by_status: { 404: '10s' } }, 404, {}, 9, 1],
    ['by class', { ttl_by_status: { '5xx': 3 } }, 502, {}, 2, 1],
    ['by status before class', { ttl_by_status: { 503: 0, '5xx': 30 } }, 503, {}, 1, 2],
    ['statuses', { statuses: [404] }, 200, { 'cache-control': 'max-age=60' }, 1, 2],
    ['heuristic', { heuristic: 0.1 }, 200, { 'last-modified': date(NOW_MS - 100_000) }, 9, 1],
    ['heuristic is over', { heuristic: 0.1 }, 200, { 'last-modified': date(NOW_MS - 100_000) }, 10, 2],
    ['no heuristic by default', {}, 200, { 'last-modified': date(NOW_MS - 100_000) }, 1, 2],
  ])('%s', async (_what, options, status, headers, seconds, count) => {
    const cache = makeCache(options)
    cache.origin = fresh(headers as Record<string, string>, status)
    await cache.text('/a')
    cache.advance(seconds)
    await cache.text('/a')
    expect(cache.count).toBe(count)
  })

  test.each([
    ['all', {}, '/a?x=1&y=2', '/a?x=1&y=3', false],
    ['order counts', {}, '/a?x=1&y=2', '/a?y=2&x=1', false],
    ['sorted', { sort_query: true }, '/a?x=1&y=2', '/a?y=2&x=1', true],
    ['sorted, of one name', { sort_query: true }, '/a?x=1&x=2', '/a?x=2&x=1', false],
    ['none', { query: 'none' }, '/a?x=1', '/a', true],
    ['kept', { query: ['x'] }, '/a?x=1&y=2', '/a?x=1&z=3', true],
    ['kept differs', { query: ['x'] }, '/a?x=1', '/a?x=2', false],
    ['ignored', { ignore_query: ['utm_*'] }, '/a?utm_source=1&x=1', '/a?x=1&utm_term=2', true],
    ['ignored, encoded', { ignore_query: ['utm_*'] }, '/a?%75tm_source=1', '/a', true],
  ])('key: query %s', async (_what, key, first, second, isSame) => {
    const cache = makeCache({ key })
    cache.origin = fresh()
    await cache.text(first)
    expect(await cache.text(second)).toBe(isSame ? 'v1' : 'v2')
  })

  test.each([
    ['a header', { headers: ['X-Region'] }, { 'x-region': 'eu' }, { 'x-region': 'us' }],
    ['a cookie', { cookies: ['lang'] }, { cookie: 'a=1; lang=de' }, { cookie: 'a=1; lang=en' }],
    ['the device', { device: true }, { 'user-agent': 'iPhone Mobile' }, { 'user-agent': 'Firefox' }],
  ])('key: %s tells responses apart', async (_what, key, first, second) => {
    const cache = makeCache({ key })
    cache.origin = fresh()
    expect(await cache.text('/a', { headers: first as Record<string, string> })).toBe('v1')
    expect(await cache.text('/a', { headers: second as Record<string, string> })).toBe('v2')
    expect(await cache.text('/a', { headers: first as Record<string, string> })).toBe('v1')
  })

  test('ignore_vary: what the operator knows not to matter', async () => {
    const cache = makeCache({ ignore_vary: ['User-Agent'] })
    cache.origin = fresh({ 'cache-control': 'max-age=60', vary: 'User-Agent, Accept' })
    await cache.text('/a', { headers: { 'user-agent': 'one' } })
    expect(await cache.text('/a', { headers: { 'user-agent': 'two' } })).toBe('v1')
    expect(await cache.text('/a', { headers: { accept: 'x' } })).toBe('v2')
  })

  test.each([
    [4, 1],
    [3, 2],
  ])('max_object_bytes = %i of a body of 4 bytes: %i requests', async (max_object_bytes, count) => {
    const cache = makeCache({ max_object_bytes })
    cache.origin = new Response('four', { headers: { 'cache-control': 'max-age=60' } })
    await cache.text('/a')
    expect(await cache.text('/a')).toBe('four')
    expect(cache.count).toBe(count)
  })

  test('an unknown option, or one out of bounds, is refused', () => {
    expect(() => makeCache({ unknown: 1 })).toThrow()
    expect(() => makeCache({ heuristic: 2 })).toThrow('at most 1')
    expect(() => makeCache({ key: { ignore_query: ['a*b'] } })).toThrow('only its last one')
  })
})

describe('cache, one fetch for many', () => {
  test('those who wait are answered by it, and told so', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const answers = await Promise.all(Array.from({ length: 20 }, () => cache.ask('/a')))
    expect(await Promise.all(answers.map(answer => answer.text()))).toEqual(Array(20).fill('v1'))
    expect(cache.count).toBe(1)
    expect(answers[1]?.headers.get('cache-status')).toBe('Skerry; fwd=uri-miss; collapsed')
  })

  test('collapse = false: each asks by itself', async () => {
    const cache = makeCache({ collapse: false })
    cache.origin = fresh()
    await Promise.all(Array.from({ length: 5 }, () => cache.text('/a')))
    expect(cache.count).toBe(5)
  })

  test('who wants another variant asks by itself', async () => {
    const cache = makeCache()
    cache.origin = request =>
      new Response(request.headers.get('accept-language'), {
        headers: { 'cache-control': 'max-age=60', vary: 'Accept-Language' },
      })
    const ask = (language: string) => cache.text('/a', { headers: { 'accept-language': language } })
    expect(await Promise.all([ask('de'), ask('de'), ask('en')])).toEqual(['de', 'de', 'en'])
    expect(cache.count).toBe(2)
  })

  test('a fetch that fails fails for the one who fetched; the others ask themselves', async () => {
    const cache = makeCache()
    let asked = 0
    cache.origin = async () => {
      if (asked++ === 0) throw new Error('refused')
      return new Response('ok', { headers: { 'cache-control': 'max-age=60' } })
    }
    const outcomes = await Promise.allSettled([cache.text('/a'), cache.text('/a')])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
    expect(cache.memory.flights.size).toBe(0)
  })
})

describe('cache, across edges', () => {
  /** Two edges over one store, with locks and purges. */
  function twoEdges(options = {}) {
    const stored = new Map<string, StoredBytes>()
    const locks = new Map<string, (() => void)[]>()
    const purges: Purge[] = []
    const memories = [new CacheMemory(), new CacheMemory()]
    const service: CacheService = {
      scope: 'account',
      async begin(key) {
        const waiters = locks.get(key)
        if (!waiters) {
          locks.set(key, [])
          return { isFetcher: true, handle: 'h' }
        }
        await new Promise<void>(resolve => waiters.push(resolve))
        return { isFetcher: false, handle: '' }
      },
      async done(key) {
        const waiters = locks.get(key) ?? []
        locks.delete(key)
        for (const resolve of waiters) resolve()
      },
      read: async key => stored.get(key),
      write: async (key, bytes) => void stored.set(key, bytes),
      forget: async keys => {
        for (const memory of memories) memory.forget(keys)
      },
      purgesSince: sequence => purges.filter(purge => purge.sequence > sequence),
    }
    const [a, b] = memories.map(memory => makeCache(options, { service, memory }))
    if (!a || !b) throw new Error('unreachable')
    return { a, b, stored, purges, service, locks }
  }

  test('a hundred requests on two edges are one fetch', async () => {
    const { a, b, locks } = twoEdges()
    const origin = fresh()
    a.origin = origin
    b.origin = origin
    const texts = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? a : b).text('/a')))
    expect(texts).toEqual(Array(100).fill('v1'))
    expect(a.count + b.count).toBe(1)
    expect(locks.size).toBe(0)
  })

  test('what one stored, another finds, also of those that vary', async () => {
    const { a, b } = twoEdges()
    const origin = fresh({ 'cache-control': 'max-age=60', vary: 'accept', etag: '"1"', 'cache-tag': 't' })
    a.origin = origin
    b.origin = origin
    expect(await a.text('/a', { headers: { accept: 'x' } })).toBe('v1')
    expect(await b.text('/a', { headers: { accept: 'x' } })).toBe('v1')
    expect(await b.text('/a', { headers: { accept: 'y' } })).toBe('v2')
    expect(await a.text('/a', { headers: { accept: 'y' } })).toBe('v2')
  })

  test('what one stored, another finds that has stored another variant', async () => {
    const { a, b } = twoEdges()
    const origin = fresh({ 'cache-control': 'max-age=60', vary: 'accept' })
    a.origin = origin
    b.origin = origin
    expect(await a.text('/a', { headers: { accept: 'x' } })).toBe('v1')
    expect(await b.text('/a', { headers: { accept: 'y' } })).toBe('v2')
    expect(await b.text('/a', { headers: { accept: 'x' } })).toBe('v1')
    expect(await b.text('/a', { headers: { accept: 'y' } })).toBe('v2')
  })

  test('a part that one edge stored is no answer on another', async () => {
    const { a, b } = twoEdges()
    const origin = (request: Request) =>
      request.headers.has('range')
        ? new Response('ab', {
            status: 206,
            headers: { 'cache-control': 'max-age=60', 'content-range': 'bytes 0-1/6' },
          })
        : new Response('abcdef', { headers: { 'cache-control': 'max-age=60' } })
    a.origin = origin
    b.origin = origin
    expect(await a.text('/a', { headers: { range: 'bytes=0-1' } })).toBe('ab')
    expect(await b.text('/a')).toBe('abcdef')
    expect(await a.text('/a', { headers: { range: 'bytes=4-' } })).toBe('ef')
    expect(a.count + b.count).toBe(2)
  })

  test('what one stored that is stale by now, another gives while it asks behind it', async () => {
    const { a, b } = twoEdges()
    const origin = fresh({ 'cache-control': 'max-age=5, stale-while-revalidate=60' })
    a.origin = origin
    b.origin = origin
    await a.text('/a')
    b.advance(10)
    expect(await b.text('/a')).toBe('v1')
    expect(await b.text('/a')).toBe('v2')
    expect(a.count + b.count).toBe(2)
  })

  test('what one stored of an identified caller, another gives to nobody else', async () => {
    const { a, b } = twoEdges({ key: { identity: true } })
    const origin = fresh()
    a.origin = origin
    b.origin = origin
    await a.text('/me', { identity: identityOf('anna') })
    expect(await b.text('/me', { identity: identityOf('bert') })).toBe('v2')
    expect(await b.text('/me')).toBe('v3')
    expect(await b.text('/me', { identity: identityOf('anna') })).toBe('v1')
  })

  test.each([
    ['everything', { kind: 'everything' }, true],
    ['its URL', { kind: 'url', value: 'https://example.com/a/b?x=1' }, true],
    ['its URL by another scheme', { kind: 'url', value: 'http://EXAMPLE.com/a/b?x=1' }, true],
    ['another query', { kind: 'url', value: 'https://example.com/a/b' }, false],
    ['a prefix', { kind: 'prefix', value: 'example.com/a' }, true],
    ['a prefix within a part', { kind: 'prefix', value: 'example.com/a/' }, true],
    ['no prefix of parts', { kind: 'prefix', value: 'example.com/a/b?x' }, false],
    ['its host', { kind: 'host', value: 'Example.com' }, true],
    ['a wildcard', { kind: 'host', value: '*.com' }, true],
    ['another host', { kind: 'host', value: 'xample.com' }, false],
    ['its tag', { kind: 'tag', value: 'Blue' }, true],
    ['another tag', { kind: 'tag', value: 'bl' }, false],
  ] as const)(
    'a purge of %s holds in memory and in the store, for what was asked before it',
    async (_what, target, isGone) => {
      const { a, b, purges } = twoEdges()
      const origin = fresh({ 'cache-control': 'max-age=60', 'cache-tag': 'red, blue' })
      a.origin = origin
      b.origin = origin
      const path = '/a/b?x=1'
      const first = await a.ask(path)
      expect(first.headers.has('cache-tag')).toBe(false)
      await first.text()
      await a.settle()
      purges.push({ sequence: 1, atMs: NOW_MS, ...target } as Purge)
      expect(await b.text(path)).toBe(isGone ? 'v2' : 'v1')
      expect(await a.text(path)).toBe(isGone ? 'v2' : 'v1')
      expect(await a.text(path)).toBe(isGone ? 'v2' : 'v1')
    },
  )

  test('a purge during a fetch holds for what the fetch brings', async () => {
    const { a, b, purges } = twoEdges()
    a.origin = () => {
      purges.push({ sequence: 1, atMs: NOW_MS, kind: 'everything' })
      return new Response('old', { headers: { 'cache-control': 'max-age=60' } })
    }
    expect(await a.text('/a')).toBe('old')
    a.origin = fresh()
    b.origin = new Response('new', { headers: { 'cache-control': 'max-age=60' } })
    expect(await b.text('/a')).toBe('new')
    expect(await a.text('/a')).toBe('new')
  })

  test('who writes on one edge makes the other, and the store, forget', async () => {
    const { a, b } = twoEdges()
    const origin = fresh()
    a.origin = origin
    b.origin = origin
    await a.text('/a')
    await b.text('/a')
    a.origin = new Response(null, { status: 204 })
    await a.text('/a', { method: 'DELETE' })
    expect(await b.text('/a')).toBe('v2')
  })

  test.each(['begin', 'read', 'write', 'done'] as const)(
    'requests are answered while %s fails',
    async name => {
      const { a, service } = twoEdges()
      service[name] = async () => {
        throw new Error('state is away')
      }
      a.origin = fresh()
      expect(await a.text('/a')).toBe('v1')
      expect(await a.text('/a')).toBe('v1')
      expect(await a.text('/b')).toBe('v2')
    },
  )

  test('what another version of the platform stored is no answer', async () => {
    const { a, stored } = twoEdges()
    a.origin = fresh()
    await a.text('/a')
    for (const [key, { body }] of stored) stored.set(key, { meta: '{"format":0,"entry":{}}', body })
    a.memory.store.clear()
    expect(await a.text('/a')).toBe('v2')
  })
})

describe('cache, dry run', () => {
  test('says what it would do, and does nothing', async () => {
    const cache = makeCache()
    cache.origin = fresh()
    const before = makeTrace()
    expect(cache.explain('/a', { trace: before })).toBeUndefined()
    expect(before.findings).toEqual(['The target is asked. {"why":"uri-miss"}'])
    await cache.text('/a')
    cache.advance(10)
    const trace = makeTrace()
    expect(cache.explain('/a', { trace })?.status).toBe(200)
    expect(trace.findings[0]).toBe('A stored response answers. {"why":"hit","age":10,"ttl":50}')
    cache.explain('/a', { method: 'DELETE' })
    expect(cache.explain('/a')?.status).toBe(200)
    expect(cache.count).toBe(1)
  })
})

describe('cache as middleware', () => {
  /** A Worker of Hono's, with what goes on behind its answers. */
  function makeWorker(headers: Record<string, string>, name: string) {
    const app = new Hono()
    let count = 0
    app.use('*', cacheMiddleware({ key: { query: 'none' } }, { name }) as unknown as MiddlewareHandler)
    app.get('/a', c => c.text(`v${++count}`, 200, headers))
    app.post('/a', c => c.body(null, 204))
    const pending: Promise<unknown>[] = []
    const context = { waitUntil: (promise: Promise<unknown>) => void pending.push(promise) }
    const ask = async (path: string, init?: RequestInit) => {
      const answer = await app.request(path, init, {}, {
        ...context,
        passThroughOnException() {},
        props: {},
      } as never)
      const text = await answer.text()
      while (pending.length > 0) await pending.shift()
      return `${text} ${answer.headers.get('cache-status')}`
    }
    return ask
  }

  test('answers without the handler, and forgets on writes', async () => {
    const ask = makeWorker({ 'cache-control': 'max-age=60' }, 'one')
    expect(await ask('/a?x=1')).toBe('v1 Skerry; fwd=uri-miss; stored')
    expect(await ask('/a?x=2')).toMatch(/^v1 Skerry; hit/)
    expect(await ask('/a', { method: 'POST' })).toBe(' Skerry; fwd=method')
    expect(await ask('/a')).toBe('v2 Skerry; fwd=uri-miss; stored')
  })

  test('asks the handler behind a stale answer', async () => {
    const ask = makeWorker({ 'cache-control': 'max-age=0, stale-while-revalidate=60' }, 'two')
    expect(await ask('/a')).toMatch(/^v1 /)
    expect(await ask('/a')).toMatch(/^v1 Skerry; hit/)
    expect(await ask('/a')).toMatch(/^v2 Skerry; hit/)
  })
})
