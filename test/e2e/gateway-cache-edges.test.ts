import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type CachedOrigin, startCachedOrigin } from './support/cached-origin.ts'
import { Caller } from './support/caller.ts'
import type { Platform } from './support/client.ts'
import { edgesOf, until, waysTo } from './support/edges.ts'
import { applyGateway } from './support/gateway.ts'
import type { SendInit } from './support/http.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'

/** What several edges make of one cache: on a platform of its own, whose processes are killed. */

const HOST = 'edges.example'
const OTHER_HOST = 'other.edges.example'
const FRESH = { 'cache-control': 'max-age=600' }
const CROWD = 50
/** Who fetches and isn't heard of for so long is taken for dead: another one fetches. */
const DEAD_MS = 2000

let platform: RunningPlatform
let origin: CachedOrigin
/** Each edge alone. */
let ways: Platform['fetch'][]
let paths = 0
const newPath = (below = '/up') => `${below}/${++paths}`

beforeAll(async () => {
  platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '3' } })
  origin = await startCachedOrigin()
  const source = `export default {
    fetch: () => new Response(crypto.randomUUID(), { headers: { 'cache-control': 'max-age=600' } }),
  }`
  await platform.upload('random', source)
  await applyGateway(platform, {
    routes: [
      { match: [`${HOST}/up/*`, `${OTHER_HOST}/up/*`], upstream: origin.url, use: ['cache'] },
      { match: `${HOST}/script/*`, script: 'random', use: ['cache'] },
    ],
    policies: { cache: { type: 'cache' } },
  })
  ways = waysTo(platform)
})
afterEach(() => {
  origin.heldBy = undefined
  origin.failure = 'none'
})
afterAll(async () => {
  await platform?.stop()
  await origin?.stop()
})

async function read(way: Platform['fetch'], path: string, host = HOST, init?: SendInit): Promise<string> {
  const response = await way(host, path, init)
  const text = await response.text()
  return response.status === 200 ? text : `${response.status} ${text}`
}

/** What each edge answers, asked at once. */
const readAll = (path: string, host = HOST) => Promise.all(ways.map(way => read(way, path, host)))

/** Lets every edge have it in its memory. */
async function warm(path: string, host = HOST): Promise<void> {
  origin.say(path.split('?')[0] ?? path, { headers: FRESH })
  for (const way of ways) await read(way, path, host)
  const isHit = async (way: Platform['fetch']) =>
    (await way(host, path)).headers.get('cache-status')?.includes('hit')
  for (const way of ways) expect(await isHit(way)).toBe(true)
}

const purge = async (body: object) => {
  const { status } = await platform.v1('POST', '$A/cache/purge', body)
  expect(status).toBe(200)
}

test('there are two edges', () => {
  expect(ways).toHaveLength(2)
})

describe('a crowd that misses the same at the same time', () => {
  /** Everybody is on the way before the origin answers. */
  const crowd = async (path: string, callers: Platform['fetch'][]) => {
    const gate = Promise.withResolvers<void>()
    origin.heldBy = gate.promise
    origin.say(path, { headers: FRESH })
    const texts = callers.map(way => read(way, path))
    await until('the origin is asked', async () => origin.count(path) > 0)
    // Requests on other connections are answered in no order: these were sent after all of the crowd.
    for (const way of ways) await way(HOST, '/nothing')
    gate.resolve()
    return Promise.all(texts)
  }

  test.each([1, 2, 3, 4, 5])('makes one request to the origin (%i)', async () => {
    const path = newPath()
    const callers = ways.flatMap(way => Array.from({ length: CROWD }, () => way))
    expect(await crowd(path, callers)).toEqual(callers.map(() => 'answer 1'))
    expect(origin.count(path)).toBe(1)
    expect(await readAll(path)).toEqual(['answer 1', 'answer 1'])
    expect(origin.count(path)).toBe(1)
  })

  test('does so on connections of its own to the public port, too', async () => {
    const path = newPath()
    const callers = Array.from({ length: 2 * CROWD }, () => platform.fetch)
    expect(await crowd(path, callers)).toEqual(callers.map(() => 'answer 1'))
    expect(origin.count(path)).toBe(1)
  })

  test('makes one request to an origin that is slow, too', async () => {
    const path = newPath()
    origin.say(path, { headers: FRESH })
    origin.heldBy = delay(2 * DEAD_MS)
    const callers = ways.flatMap(way => Array.from({ length: CROWD }, () => way))
    expect(await Promise.all(callers.map(way => read(way, path)))).toEqual(callers.map(() => 'answer 1'))
    expect(origin.count(path)).toBe(1)
  })

  test('makes one call of a function', async () => {
    const path = newPath('/script')
    const texts = ways.flatMap(way => Array.from({ length: CROWD }, () => read(way, path)))
    const [first, ...others] = new Set(await Promise.all(texts))
    expect(first).toMatch(/^[0-9a-f-]{36}$/)
    expect(others).toEqual([])
  })

  test('has one of its own fetch it when who fetched has gone away', async () => {
    const path = newPath()
    const gate = Promise.withResolvers<void>()
    origin.heldBy = gate.promise
    origin.say(path, { headers: FRESH })
    const impatient = new AbortController()
    const lost = (ways[0] as Platform['fetch'])(HOST, path, { signal: impatient.signal })
    await until('the origin is asked', async () => origin.count(path) > 0)
    const texts = ways.flatMap(way => Array.from({ length: 5 }, () => read(way, path)))
    for (const way of ways) await way(HOST, '/nothing')
    impatient.abort()
    await expect(lost).rejects.toThrow()
    gate.resolve()
    for (const text of await Promise.all(texts)) expect(text).toMatch(/^answer [12]$/)
    expect(origin.count(path)).toBeLessThanOrEqual(2)
  })

  test('whose answer is nobody else’s is not made wait for one another', async () => {
    const path = newPath()
    origin.say(path, { headers: { 'cache-control': 'private' } })
    const texts = await Promise.all(ways.flatMap(way => Array.from({ length: 10 }, () => read(way, path))))
    expect(new Set(texts).size).toBe(20)
  })
})

describe('after a purge is acknowledged no edge gives what was stored', () => {
  test.each<[what: string, path: string, body: (path: string) => object]>([
    ['of a URL', '/up/url', path => ({ urls: [`http://${HOST}${path}`] })],
    [
      'of a URL that is spelt with https',
      '/up/https',
      path => ({ urls: [`https://${HOST.toUpperCase()}${path}`] }),
    ],
    ['of a URL with a query', '/up/query?a=1&b=2', path => ({ urls: [`http://${HOST}${path}`] })],
    ['below a prefix', '/up/below/a/b', () => ({ prefixes: [`${HOST}/up/below`] })],
    ['on a host', '/up/host', () => ({ hosts: [HOST] })],
    ['on a host of a domain', '/up/domain', () => ({ hosts: ['*.example'] })],
    ['at all', '/up/everything', () => ({ everything: true })],
  ])('%s', async (_what, path, body) => {
    for (let round = 0; round < 3; round++) {
      await warm(path)
      const before = origin.count(path.split('?')[0] ?? '')
      await purge(body(path))
      const texts = await readAll(path)
      expect(texts).not.toContain(`answer ${before}`)
      expect(new Set(texts).size).toBe(1)
    }
  })

  test('with a tag, and gives the others still', async () => {
    const [tagged, other, untagged] = [newPath(), newPath(), newPath()]
    await warm(untagged)
    for (const [path, tag] of [
      [tagged, 'Product-7, all'],
      [other, 'product-8, all'],
    ] as const) {
      origin.say(path, { headers: { ...FRESH, 'cache-tag': tag } })
      for (const way of ways) expect(await read(way, path)).toBe('answer 1')
    }
    await purge({ tags: ['product-7'] })
    expect([await readAll(tagged), await readAll(other)]).toEqual([
      Array(2).fill('answer 2'),
      Array(2).fill('answer 1'),
    ])
    await purge({ tags: ['ALL'] })
    expect([await readAll(tagged), await readAll(other)]).toEqual([
      Array(2).fill('answer 3'),
      Array(2).fill('answer 2'),
    ])
    expect(await readAll(untagged)).toEqual(['answer 1', 'answer 1'])
  })

  test('and leaves other URLs, prefixes and hosts alone', async () => {
    const path = newPath()
    await warm(path)
    await warm(path, OTHER_HOST)
    await purge({ urls: [`http://${OTHER_HOST}${path}`, `http://${HOST}${path}?x`], prefixes: [`${HOST}/u`] })
    expect(await readAll(path)).toEqual(['answer 1', 'answer 1'])
    expect(await readAll(path, OTHER_HOST)).toEqual(['answer 3', 'answer 3'])
    await purge({ hosts: [OTHER_HOST] })
    expect(await readAll(path)).toEqual(['answer 1', 'answer 1'])
  })

  test('nor keeps what was on its way when it came', async () => {
    const path = newPath()
    const gate = Promise.withResolvers<void>()
    origin.heldBy = gate.promise
    origin.say(path, { headers: FRESH })
    const early = read(ways[0] as Platform['fetch'], path)
    await until('the origin is asked', async () => origin.count(path) === 1)
    await purge({ urls: [`http://${HOST}${path}`] })
    origin.heldBy = undefined
    gate.resolve()
    expect(await early).toBe('answer 1')
    for (const text of await readAll(path)) expect(text).toMatch(/^answer [23]$/)
  })

  test('nor does one that is started after it', async () => {
    const path = newPath()
    await warm(path)
    await purge({ urls: [`http://${HOST}${path}`] })
    await restart(0)
    expect(await readAll(path)).toEqual(['answer 2', 'answer 2'])
  })
})

test.each(['POST', 'DELETE'])(
  'what %s changes by one edge, the other does not give any more',
  async method => {
    for (let i = 0; i < 3; i++) {
      const path = newPath()
      await warm(path)
      await read(ways[i % 2] as Platform['fetch'], path, HOST, { method })
      expect(await readAll(path)).toEqual(['answer 3', 'answer 3'])
    }
  },
)

test('what is stale on one edge is fetched anew in the background, while nobody waits on any', async () => {
  const path = newPath()
  origin.say(path, { headers: { 'cache-control': 'max-age=0, stale-while-revalidate=600' } })
  expect(await read(ways[0] as Platform['fetch'], path)).toBe('answer 1')
  for (let i = 0; i < 20; i++) {
    const startedAtMs = performance.now()
    for (const text of await readAll(path)) expect(text).toMatch(/^answer \d+$/)
    expect(performance.now() - startedAtMs).toBeLessThan(2000)
  }
  const before = origin.count(path)
  await until('each edge has a newer one', async () => {
    const counts = (await readAll(path)).map(text => Number(text.split(' ')[1]))
    return counts.every(count => count > before)
  })
})

describe('when an edge is killed', () => {
  test('what is stored is given by the others, and by its successor, without the origin', async () => {
    const known = Array.from({ length: 20 }, () => newPath())
    for (const path of known) {
      origin.say(path, { headers: FRESH })
      expect(await read(ways[0] as Platform['fetch'], path)).toBe('answer 1')
    }
    for (const path of known) expect(await read(ways[1] as Platform['fetch'], path)).toBe('answer 1')
    await restart(0)
    origin.failure = 'breaks'
    for (const path of known) expect(await readAll(path)).toEqual(['answer 1', 'answer 1'])
  })

  test('callers of the public port get no errors meanwhile, and the origin little to do', async () => {
    const known = Array.from({ length: 10 }, () => newPath())
    for (const path of known) await warm(path)
    const asked = origin.seen.length
    const failed: string[] = []
    let isOver = false
    let answered = 0
    const callers = Array.from({ length: 4 }, () => new Caller({ port: platform.port }, { keepAlive: false }))
    const calls = callers.map(async caller => {
      for (let i = 0; !isOver; i++) {
        const { status, text } = await caller.call(HOST, known[i % known.length])
        if (status === 200 && text.startsWith('answer')) answered++
        // What was under way in the process itself is lost with it.
        else if (status !== 0) failed.push(`${status} ${text}`)
      }
    })
    await restart(0)
    await restart(1)
    isOver = true
    await Promise.all(calls)
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThan(100)
    expect(origin.seen.length - asked).toBeLessThanOrEqual(known.length)
  })

  test('who waits on another edge for what it was fetching is answered soon', async () => {
    for (const index of [0, 1]) {
      const path = newPath()
      origin.say(path, { headers: FRESH })
      const gate = Promise.withResolvers<void>()
      origin.heldBy = gate.promise
      const lost = read(ways[index] as Platform['fetch'], path).catch(() => 'lost')
      await until('the origin is asked', async () => origin.count(path) === 1)
      origin.heldBy = undefined
      const others = Array.from({ length: 10 }, () => read(ways[1 - index] as Platform['fetch'], path))
      await (ways[1 - index] as Platform['fetch'])(HOST, '/nothing')
      const startedAtMs = performance.now()
      await restart(index)
      expect(await Promise.all(others)).toEqual(Array(10).fill('answer 2'))
      expect(performance.now() - startedAtMs).toBeLessThan(DEAD_MS + 1000)
      gate.resolve()
      expect(await lost).toBe('lost')
    }
  })
})

describe('when the state process is killed', () => {
  test('edges go on giving what is stored, and fetch what is not', async () => {
    const known = newPath()
    await warm(known)
    const kill = () => process.kill(platform.processes().state ?? Number.NaN, 'SIGKILL')
    for (let i = 0; i < 3; i++) {
      kill()
      expect(await readAll(known)).toEqual(['answer 1', 'answer 1'])
      const path = newPath()
      origin.say(path, { headers: FRESH })
      for (const text of await readAll(path)) expect(text).toMatch(/^answer [12]$/)
    }
  })

  test('who waits for one of another edge gets an answer', async () => {
    const path = newPath()
    const gate = Promise.withResolvers<void>()
    origin.heldBy = gate.promise
    origin.say(path, { headers: FRESH })
    const texts = ways.map(way => read(way, path))
    await until('the origin is asked', async () => origin.count(path) === 1)
    process.kill(platform.processes().state ?? Number.NaN, 'SIGKILL')
    await until('the other one fetches itself', async () => origin.count(path) === 2)
    gate.resolve()
    for (const text of await Promise.all(texts)) expect(text).toMatch(/^answer [12]$/)
  })
})

/** Kills an edge; resolves when its successor answers. */
async function restart(index: number): Promise<void> {
  const edge = edgesOf(platform).sort()[index] ?? ''
  const old = platform.processes()[edge]
  process.kill(old ?? Number.NaN, 'SIGKILL')
  await until(`${edge} answers`, async () => {
    if (platform.processes()[edge] === old) return false
    const way = waysTo(platform)[edgesOf(platform).indexOf(edge)]
    const status = await way?.(HOST, '/nothing').then(
      response => response.status,
      () => 0,
    )
    return status === 404
  })
}
