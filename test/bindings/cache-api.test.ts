import { describe, expect, test } from 'vitest'
import { lifetimeOf } from '../../bindings/cache/freshness.ts'
import { cacheProps } from '../../bindings/cache/props.ts'
import { type Counted, chooseVictims, isCountDue, makeRoom } from '../../bindings/cache/quota.ts'
import { parseRanges } from '../../bindings/cache/ranges.ts'
import { unmark } from '../../bindings/cache/unmark.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { EdgeEnv } from '../../src/env.ts'

const NOW_MS = Date.parse('2026-11-21T12:00:00Z')
const at = (seconds: number) => new Date(NOW_MS + seconds * 1000).toUTCString()
const ttl = (headers: Record<string, string>, status = 200, isPersonal = false) =>
  lifetimeOf(status, new Headers(headers), isPersonal, NOW_MS)?.ttlSeconds

describe('lifetimeOf()', () => {
  test.each([
    [{ 'cache-control': 'max-age=1' }, 1],
    [{ 'cache-control': 'max-age=0' }, undefined],
    [{ 'cache-control': 'max-age=31536000' }, 31_536_000],
    [{ 'cache-control': 'max-age=31536001' }, 31_536_000],
    [{ 'cache-control': 's-maxage=7, max-age=9' }, 7],
    [{ 'cache-control': 'max-age=9, max-age=7' }, 7],
    [{ 'cache-control': 'max-age=100', age: '99' }, 1],
    [{ 'cache-control': 'max-age=100', age: '100' }, undefined],
    [{ 'cache-control': 'public', expires: at(30) }, 30],
    [{ expires: at(30) }, 30],
    [{ expires: at(30), date: at(-10) }, 40],
    [{ expires: at(0) }, undefined],
    [{ expires: 'never' }, undefined],
    [{ expires: at(30), 'cache-control': 'max-age=5' }, 5],
    [{ 'cache-control': 'x="a, max-age=5", max-age=9' }, 9],
  ])('of %j is %s', (headers, seconds) => {
    expect(ttl(headers as unknown as Record<string, string>)).toBe(seconds)
  })

  test.each([
    [200, 7200],
    [301, 7200],
    [302, 1200],
    [303, 1200],
    [404, 180],
    [410, 180],
    [203, undefined],
    [307, undefined],
    [500, undefined],
  ])('of a response that says nothing is that of its status: %s', (status, seconds) => {
    expect(ttl({}, status)).toBe(seconds)
  })

  test.each([
    ['max-age=9', undefined],
    ['max-age=9, public', 9],
    ['max-age=9, must-revalidate', 9],
    ['s-maxage=9', 9],
  ])('of an answer to a caller who said who he is: %s', (control, seconds) => {
    expect(ttl({ 'cache-control': control }, 200, true)).toBe(seconds)
  })
})

describe('parseRanges()', () => {
  const many = (count: number) =>
    `bytes=${Array.from({ length: count }, (_, i) => `${i * 2}-${i * 2}`).join()}`

  test('reads 16 parts', () => expect(parseRanges(many(16), 100)).toHaveLength(16))
  test('gives the whole body for 17', () => expect(parseRanges(many(17), 100)).toEqual([]))
  test('gives the whole body for parts that are more than it together', () => {
    expect(parseRanges('bytes=0-5,5-8', 10)).toHaveLength(2)
    expect(parseRanges('bytes=0-5,5-9', 10)).toEqual([])
  })
  test('finds nothing in a body of no bytes', () => {
    expect(parseRanges('bytes=0-', 0)).toBeUndefined()
    expect(parseRanges('bytes=-1', 0)).toEqual([])
  })
})

describe('chooseVictims()', () => {
  const entry = (key: string, bytes: number, storedAtMs: number): Counted => ({ key, bytes, storedAtMs })
  const stored = [entry('c', 40, 3), entry('a', 30, 1), entry('b', 30, 2)]

  test('chooses none within the bounds', () => expect(chooseVictims(stored, 100, 3)).toEqual([]))
  test('chooses the oldest until nine tenths of the bytes are left', () => {
    expect(chooseVictims(stored, 99, 3).map(({ key }) => key)).toEqual(['a'])
    expect(chooseVictims(stored, 70, 3).map(({ key }) => key)).toEqual(['a', 'b'])
  })
  test('does the same for the number of entries', () => {
    expect(chooseVictims(stored, 100, 2).map(({ key }) => key)).toEqual(['a', 'b'])
  })
  test('chooses all if one alone is too much', () => expect(chooseVictims(stored, 30, 3)).toHaveLength(3))
})

describe('an account’s room', () => {
  const account = 'a'.repeat(32)
  /** A store with three entries of 600 MiB, in pages of two. */
  const openStore = () => {
    const keys = ['new', 'old', 'middle'].map((name, i) => ({
      name: `~caches:${account}/s/${name}`,
      metadata: { bytes: 600 * 1024 * 1024, storedAtMs: [3, 1, 2][i] },
    }))
    const asked: unknown[] = []
    const deleted: string[] = []
    const list = async ({ prefix, cursor }: { prefix: string; cursor?: string }) => {
      asked.push(prefix)
      return cursor
        ? { keys: keys.slice(2), list_complete: true }
        : { keys: keys.slice(0, 2), list_complete: false, cursor: 'next' }
    }
    const env = { KV: { list, delete: async (key: string) => void deleted.push(key) } } as unknown as EdgeEnv
    return { env, asked, deleted }
  }

  test('is counted at first, and then after a sixteenth', async () => {
    expect(isCountDue(account, 1)).toBe(true)
    await makeRoom(account, openStore().env)
    expect(isCountDue(account, LIMITS.cacheBytes / 16 - 1)).toBe(false)
    expect(isCountDue(account, 1)).toBe(true)
    await makeRoom(account, openStore().env)
    for (let i = 1; i < LIMITS.cacheEntries / 16; i++) expect(isCountDue(account, 0)).toBe(false)
    expect(isCountDue(account, 0)).toBe(true)
  })

  test('is made by deleting the oldest entries of that account', async () => {
    const { env, asked, deleted } = openStore()
    await makeRoom(account, env)
    expect(new Set(asked)).toEqual(new Set([`~caches:${account}/`]))
    expect(deleted).toEqual([`~caches:${account}/s/old`, `~caches:${account}/s/middle`])
  })
})

describe('unmark()', () => {
  const marked = (body: string, length = body.length) => {
    const mark = new Uint8Array(new Float64Array([length]).buffer)
    return new Uint8Array([...new TextEncoder().encode(body), ...mark])
  }
  const run = async (bytes: Uint8Array, pieceBytes: number, maxBytes = 100, announced?: number) => {
    let fault: string | undefined
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < bytes.length; i += pieceBytes) controller.enqueue(bytes.slice(i, i + pieceBytes))
        controller.close()
      },
    })
    const body = unmark(pieces, maxBytes, announced, found => {
      fault = found
    })
    return new Response(body).text().catch(() => fault)
  }

  test.each([1, 3, 8, 9, 100])('gives the body without its mark, in pieces of %s bytes', async size => {
    expect(await run(marked('twelve bytes'), size)).toBe('twelve bytes')
  })
  test.each([
    ['the mark is missing', new TextEncoder().encode('twelve bytes')],
    ['there is less than a mark', new Uint8Array(7)],
    ['there is nothing', new Uint8Array()],
    ['it is of another length', marked('twelve bytes', 11)],
    ['the mark is cut', marked('twelve bytes').slice(0, -1)],
  ])('fails if %s', async (_, bytes) => {
    expect(await run(bytes, 4)).toBe('broken')
  })
  test('fails if the body is not as long as announced', async () => {
    expect(await run(marked('twelve bytes'), 4, 100, 12)).toBe('twelve bytes')
    expect(await run(marked('twelve bytes'), 4, 100, 13)).toBe('broken')
  })
  test('fails past the limit', async () => {
    expect(await run(marked('twelve bytes'), 4, 12)).toBe('twelve bytes')
    expect(await run(marked('twelve bytes'), 4, 11)).toBe('too-large')
  })
})

test.each([
  ['2024-04-28', [], false],
  ['2024-04-29', [], true],
  ['2024-04-28', ['brotli_content_encoding'], true],
  ['2024-04-29', ['no_brotli_content_encoding'], false],
])('cacheProps() knows who reads Brotli: %s %j', (compatibilityDate, compatibilityFlags, readsBrotli) => {
  const owner = { accountId: 'a', script: 's' }
  expect(cacheProps(owner, { compatibilityDate, compatibilityFlags })).toEqual({ ...owner, readsBrotli })
})
