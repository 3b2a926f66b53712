import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CachedOrigin, type Said, startCachedOrigin } from './support/cached-origin.ts'
import { until, waysTo } from './support/edges.ts'
import { applyGateway, putGatewaySecret } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import type { SendInit } from './support/http.ts'

const hosts = await openHosts('gateway-cache')
const HOST = 'cache.example'
const FRESH = { 'cache-control': 'max-age=60' }
const SHARED = { 'cache-control': 'public, max-age=60' }

/** Says what the query asks for, and something else each time. */
const SCRIPT = `export default {
  fetch(request) {
    const headers = new Headers(new URL(request.url).searchParams)
    return new Response(crypto.randomUUID(), { headers })
  },
}`

const login = (user: string) => ({ authorization: `Basic ${btoa(`${user}:pass-1234`)}` })

describe.each(hosts)('the cache on `npm $kind`', platform => {
  let origin: CachedOrigin
  let paths = 0
  /** A path that nobody has asked for yet. */
  const newPath = (route = 'up') => `/${route}/${++paths}`
  /** By one edge and no other: what they share is another matter. */
  const call = (path: string, init?: SendInit) => (waysTo(platform)[0] ?? platform.fetch)(HOST, path, init)
  const read = async (path: string, init?: SendInit) => {
    const response = await call(path, init)
    const { status, headers } = response
    return { status, headers, text: await response.text(), cache: headers.get('cache-status') }
  }

  beforeAll(async () => {
    origin = await startCachedOrigin()
    await platform.upload('random', SCRIPT)
    await putGatewaySecret(platform, 'PASS', 'pass-1234')
    const upstream = origin.url
    await applyGateway(platform, {
      routes: [
        { match: `${HOST}/script/*`, script: 'random', use: ['cache'] },
        { match: `${HOST}/up/*`, upstream, use: ['cache'] },
        { match: `${HOST}/users/*`, upstream, use: ['users', 'cache'] },
        { match: `${HOST}/behind/*`, upstream, use: ['cache', 'users'] },
        { match: `${HOST}/own/*`, upstream, use: ['users', 'own'] },
        { match: `${HOST}/ttl/*`, upstream, use: ['ttl'] },
        { match: `${HOST}/cookies/*`, upstream, use: ['cookies'] },
      ],
      policies: {
        cache: { type: 'cache', stale_if_error: '1h' },
        own: { type: 'cache', key: { identity: true } },
        ttl: { type: 'cache', ttl: '1m' },
        cookies: { type: 'cache', set_cookie: 'strip' },
        users: { type: 'basic', users: { ann: 'secret:PASS', bob: 'secret:PASS' } },
      },
    })
  })
  afterEach(() => {
    origin.failure = 'none'
    origin.heldBy = undefined
  })
  afterAll(() => origin?.stop())

  describe('answers again what was stored', () => {
    test('of an upstream, and says so', async () => {
      const path = newPath()
      origin.say(path, { headers: FRESH })
      const first = await read(path)
      expect(first).toMatchObject({ status: 200, text: 'answer 1', cache: 'Skerry; fwd=uri-miss; stored' })
      expect(first.headers.has('age')).toBe(false)
      for (let i = 0; i < 10; i++) {
        const { status, text, cache, headers } = await read(path)
        expect([status, text, cache]).toEqual([
          200,
          'answer 1',
          expect.stringMatching(/^Skerry; hit; ttl=(60|5\d)$/),
        ])
        expect(Number(headers.get('age'))).toBeLessThan(10)
        expect(headers.get('age')).toMatch(/^\d+$/)
        expect(headers.get('cache-control')).toBe('max-age=60')
      }
      expect(origin.count(path)).toBe(1)
    })

    test('of a function', async () => {
      const path = `${newPath('script')}?cache-control=max-age%3D60&etag=%22a%22`
      const first = await read(path)
      expect(first.cache).toBe('Skerry; fwd=uri-miss; stored')
      const again = await read(path)
      expect([again.text, again.cache]).toEqual([first.text, expect.stringMatching(/^Skerry; hit; ttl=/)])
      expect((await read(`${path}&x=1`)).text).not.toBe(first.text)
    })

    test('adds the age that it came with', async () => {
      const path = newPath()
      origin.say(path, { headers: { ...FRESH, age: '40' } })
      await read(path)
      const { headers, cache } = await read(path)
      expect(Number(headers.get('age'))).toBeGreaterThanOrEqual(40)
      expect(cache).toMatch(/^Skerry; hit; ttl=(20|1\d)$/)
    })

    test('for as long as the operator says where the response does not', async () => {
      const path = newPath('ttl')
      expect((await read(path)).cache).toBe('Skerry; fwd=uri-miss; stored')
      expect((await read(path)).cache).toMatch(/^Skerry; hit; ttl=(60|5\d)$/)
      const untold = newPath()
      expect([(await read(untold)).cache, (await read(untold)).cache]).toEqual(
        Array(2).fill('Skerry; fwd=uri-miss'),
      )
    })

    test('to HEAD without a body', async () => {
      const path = newPath()
      origin.say(path, { headers: { ...FRESH, 'x-own': 'yes' } })
      await read(path)
      const head = await read(path, { method: 'HEAD' })
      expect([head.status, head.text, head.headers.get('content-length')]).toEqual([200, '', '8'])
      expect(head.headers.get('x-own')).toBe('yes')
      expect(head.cache).toMatch(/hit/)
      expect(origin.count(path)).toBe(1)
    })

    test.each<[what: string, headers: Record<string, string>, status: number]>([
      ['the same ETag', { 'if-none-match': '"v1"' }, 304],
      ['one of several', { 'if-none-match': '"v0", W/"v1"' }, 304],
      ['another ETag', { 'if-none-match': '"v2"' }, 200],
      ['a later date', { 'if-modified-since': 'Sat, 21 Nov 2026 00:00:00 GMT' }, 304],
      ['an earlier date', { 'if-modified-since': 'Fri, 20 Nov 2020 00:00:00 GMT' }, 200],
    ])('on the condition of %s', async (_what, headers, status) => {
      const path = newPath()
      const modified = 'Sat, 21 Nov 2020 00:00:00 GMT'
      origin.say(path, {
        headers: { ...FRESH, etag: '"v1"', 'last-modified': modified, 'content-type': 'text/x' },
      })
      await read(path)
      const answer = await read(path, { headers })
      expect([answer.status, answer.text]).toEqual([status, status === 304 ? '' : 'answer 1'])
      expect(answer.headers.get('etag')).toBe('"v1"')
      expect(answer.headers.get('content-type')).toBe(status === 304 ? null : 'text/x')
      expect(origin.count(path)).toBe(1)
    })

    test.each<[headers: Record<string, string>, status: number, range: string | null, text: string]>([
      [{ range: 'bytes=0-3' }, 206, 'bytes 0-3/10', '0123'],
      [{ range: 'bytes=-3' }, 206, 'bytes 7-9/10', '789'],
      [{ range: 'bytes=8-100' }, 206, 'bytes 8-9/10', '89'],
      [{ range: 'bytes=10-' }, 416, 'bytes */10', ''],
      [{ range: 'bytes=0-1,3-4' }, 200, null, '0123456789'],
      [{ range: 'lines=1-2' }, 200, null, '0123456789'],
      [{ range: 'bytes=0-3', 'if-range': '"v1"' }, 206, 'bytes 0-3/10', '0123'],
      [{ range: 'bytes=0-3', 'if-range': '"v2"' }, 200, null, '0123456789'],
    ])('in the part that %j asks for', async (headers, status, range, text) => {
      const path = newPath()
      origin.say(path, { headers: { ...FRESH, etag: '"v1"' }, body: '0123456789' })
      await read(path)
      const answer = await read(path, { headers })
      expect([answer.status, answer.headers.get('content-range'), answer.text]).toEqual([status, range, text])
      if (status === 206) expect(answer.headers.get('content-length')).toBe(String(text.length))
      expect(origin.count(path)).toBe(1)
    })

    test('with its content coding, to those who understand it', async () => {
      const path = newPath()
      const text = 'long '.repeat(1000)
      origin.say(path, ({ headers }) => {
        const isCoded = headers['accept-encoding']?.includes('gzip') ?? false
        const vary = { ...FRESH, vary: 'Accept-Encoding' }
        return isCoded
          ? { headers: { ...vary, 'content-encoding': 'gzip' }, body: gzipSync(text) }
          : { headers: vary, body: text }
      })
      for (let i = 0; i < 3; i++) {
        const coded = await call(path, { headers: { 'accept-encoding': 'gzip' } })
        expect(coded.headers.get('content-encoding')).toBe('gzip')
        expect(gunzipSync(Buffer.from(await coded.arrayBuffer())).toString()).toBe(text)
        const plain = await call(path, { headers: { 'accept-encoding': 'identity' } })
        expect([plain.headers.get('content-encoding'), await plain.text()]).toEqual([null, text])
      }
      expect(origin.count(path)).toBeLessThanOrEqual(2)
    })

    test('that was asked for anew on a condition, when it is stale', async () => {
      const path = newPath()
      origin.say(path, ({ headers }) => ({
        status: headers['if-none-match'] === '"v1"' ? 304 : 200,
        headers: { 'cache-control': 'max-age=0', etag: '"v1"' },
      }))
      await read(path)
      const { status, text, cache } = await read(path)
      expect([status, text, cache]).toEqual([200, 'answer 1', 'Skerry; fwd=stale; fwd-status=304; stored'])
      expect(origin.count(path)).toBe(2)
    })

    test.each<[what: string, init: SendInit]>([
      ['HEAD', { method: 'HEAD' }],
      ['a wish for a part', { headers: { range: 'bytes=0-3' } }],
    ])('whole, though %s made it be asked for anew', async (_what, init) => {
      const path = newPath()
      const headers = { 'cache-control': 'max-age=0, stale-while-revalidate=60' }
      origin.say(path, { headers, body: '0123456789' })
      await read(path)
      await read(path, init)
      await until('it is asked for anew', async () => origin.count(path) > 1)
      for (let i = 0; i < 10; i++) expect((await read(path)).text).toBe('0123456789')
    })

    test('at once, while it is asked for anew in the background', async () => {
      const path = newPath()
      origin.say(path, { headers: { 'cache-control': 'max-age=0, stale-while-revalidate=60' } })
      await read(path)
      const gate = Promise.withResolvers<void>()
      origin.heldBy = gate.promise
      expect((await read(path)).text).toBe('answer 1')
      gate.resolve()
      await expect.poll(async () => (await read(path)).text).not.toBe('answer 1')
    })
  })

  describe('stands in for the origin', () => {
    test.each(['error', 'breaks'] as const)('while it is down: %s', async failure => {
      const path = newPath()
      origin.say(path, { headers: { 'cache-control': 'max-age=0', etag: '"v1"' } })
      await read(path)
      origin.failure = failure
      const bridged = await read(path)
      expect([bridged.status, bridged.text]).toEqual([200, 'answer 1'])
      expect(bridged.cache).toMatch(/^Skerry; hit; fwd=stale; fwd-status=50[23]; ttl=-?\d+$/)
      expect((await read(newPath())).status).toBe(failure === 'error' ? 503 : 502)
      origin.failure = 'none'
      expect((await read(path)).cache).toMatch(/^Skerry; fwd=stale; fwd-status=200; stored$/)
    })
  })

  describe('forgets', () => {
    test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('what %s changes', async method => {
      const path = newPath()
      origin.say(path, { headers: FRESH })
      await read(path)
      expect((await read(path, { method })).text).toBe('answer 2')
      expect((await read(path)).text).toBe('answer 3')
    })

    test('nothing for a method that failed', async () => {
      const path = newPath()
      origin.say(path, ({ method }) => (method === 'GET' ? { headers: FRESH } : { status: 400 }))
      await read(path)
      await read(path, { method: 'POST' })
      expect((await read(path)).text).toBe('answer 1')
    })
  })

  describe('gives nobody what is somebody else’s:', () => {
    test.each<[what: string, said: Said, first: SendInit, second: SendInit]>([
      ['an answer to Authorization', { headers: FRESH }, { headers: login('ann') }, {}],
      [
        'an answer to Authorization, to another one',
        { headers: FRESH },
        { headers: login('ann') },
        { headers: login('bob') },
      ],
      ['Set-Cookie', { headers: { ...FRESH, 'set-cookie': 'session=1' } }, {}, {}],
      ['Set-Cookie that is public', { headers: { ...SHARED, 'set-cookie': ['a=1', 'b=2'] } }, {}, {}],
      ['private', { headers: { 'cache-control': 'private, max-age=60' } }, {}, {}],
      [
        'private, in capitals and among others',
        { headers: { 'cache-control': 'max-age=60, PRIVATE' } },
        {},
        {},
      ],
      ['no-store', { headers: { 'cache-control': 'no-store' } }, {}, {}],
      ['no-store and a lifetime', { headers: { 'cache-control': 'public, max-age=60, no-store' } }, {}, {}],
      ['no-cache', { headers: { 'cache-control': 'no-cache' } }, {}, {}],
      ['s-maxage=0', { headers: { 'cache-control': 'max-age=60, s-maxage=0' } }, {}, {}],
      ['Vary: *', { headers: { ...SHARED, vary: '*' } }, {}, {}],
      [
        'Vary: Cookie',
        { headers: { ...SHARED, vary: 'Cookie' } },
        { headers: { cookie: 'u=ann' } },
        { headers: { cookie: 'u=bob' } },
      ],
      [
        'Vary: Cookie, to one without',
        { headers: { ...SHARED, vary: 'Cookie' } },
        { headers: { cookie: 'u=ann' } },
        {},
      ],
      [
        'Vary: Authorization',
        { headers: { ...SHARED, vary: 'Authorization' } },
        { headers: login('ann') },
        { headers: login('bob') },
      ],
    ])('%s', async (_what, said, first, second) => {
      const path = newPath()
      origin.say(path, said)
      expect((await read(path, first)).text).toBe('answer 1')
      expect((await read(path, second)).text).toBe('answer 2')
      expect((await read(path, first)).text).not.toBe('answer 2')
    })

    test.each([
      ['an earlier policy', 'users'],
      ['a later policy', 'behind'],
    ])('the answer to an identity that %s found out', async (_what, route) => {
      const path = newPath(route)
      origin.say(path, { headers: FRESH })
      expect((await read(path, { headers: login('ann') })).text).toBe('answer 1')
      expect((await read(path, { headers: login('bob') })).text).toBe('answer 2')
      expect((await read(path, { headers: login('ann') })).text).toBe('answer 3')
      expect((await read(path)).status).toBe(401)
    })

    test('what is behind a login, to one who has not logged in, public as it is', async () => {
      const path = newPath('users')
      origin.say(path, { headers: SHARED })
      expect((await read(path, { headers: login('ann') })).text).toBe('answer 1')
      expect((await read(path, { headers: login('bob') })).text).toBe('answer 1')
      expect((await read(path)).status).toBe(401)
    })

    test('each his own, where the key has the identity', async () => {
      const path = newPath('own')
      origin.say(path, { headers: FRESH })
      for (let i = 0; i < 2; i++) {
        expect((await read(path, { headers: login('ann') })).text).toBe('answer 1')
        expect((await read(path, { headers: login('bob') })).text).toBe('answer 2')
      }
    })

    test('cookies, where the operator has them left out', async () => {
      const path = newPath('cookies')
      origin.say(path, { headers: { ...FRESH, 'set-cookie': 'session=1' } })
      expect((await read(path)).headers.get('set-cookie')).toBe('session=1')
      const { text, headers } = await read(path)
      expect([text, headers.get('set-cookie')]).toEqual(['answer 1', null])
    })
  })
})
