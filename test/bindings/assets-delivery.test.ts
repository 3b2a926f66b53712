import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask, type Said, startSites, writeFiles } from '../support/assets-sites.ts'
import type { Workerd } from '../support/workerd.ts'

const dir = mkdtempSync(join(tmpdir(), 'assets-delivery-'))
const TEXT = 'words that come again and again '.repeat(64)
const LARGE = 'x'.repeat(1024 * 1024 + 1)
const NOISE = crypto.getRandomValues(new Uint8Array(4096))

describe('the body of a static file', () => {
  let workerd: Workerd
  const get = (path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Said> =>
    ask(Number(new URL(workerd.url).port), path, {
      method,
      headers: { 'x-site': 'site', 'x-code': '1', ...headers },
    })

  beforeAll(async () => {
    writeFiles(dir, {
      'text.txt': TEXT,
      'short.txt': 'x'.repeat(255),
      'long-enough.txt': 'x'.repeat(256),
      'noise.txt': NOISE,
      'image.png': TEXT,
      'large.txt': LARGE,
      'held.txt': LARGE.slice(1),
      'still.txt': TEXT,
      _headers: '/still.txt\n  Cache-Control: no-transform',
    })
    workerd = await startSites({ site: { dir } })
  })
  afterAll(async () => {
    await workerd?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  test.each([
    ['br', 'br'],
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['identity', undefined],
    ['gzip;q=0', undefined],
    ['zstd', undefined],
  ])('is coded as the client accepts it: %s gives %s', async (accepted, coding) => {
    for (const _ of ['made', 'kept']) {
      const said = await get('/text.txt', { 'accept-encoding': accepted })
      expect(said.headers['content-encoding']).toBe(coding)
      expect(said.headers.vary).toBe('Accept-Encoding')
      expect(said.headers.etag).toMatch(coding ? /^W\/"[0-9a-f]{32}"$/ : /^"[0-9a-f]{32}"$/)
      expect(said.headers['content-length']).toBe(String(said.body.length))
      const decode = { br: brotliDecompressSync, gzip: gunzipSync }[coding ?? '']
      expect((decode ? decode(said.body) : said.body).toString()).toBe(TEXT)
    }
  })

  test('is one for caches, coded or not: the weak ETag gives a 304 too', async () => {
    const { headers } = await get('/text.txt', { 'accept-encoding': 'br' })
    const again = await get('/text.txt', { 'accept-encoding': 'br', 'if-none-match': headers.etag ?? '' })
    expect([again.status, again.body.length]).toEqual([304, 0])
  })

  test.each([
    ['of 256 bytes', '/long-enough.txt', true],
    ['of 255 bytes', '/short.txt', false],
    ['that gets no smaller', '/noise.txt', false],
    ['of a type that is coded already', '/image.png', false],
    ['of 1 MiB', '/held.txt', true],
    ['of more than 1 MiB', '/large.txt', false],
    ['that says no-transform', '/still.txt', false],
  ])('%s: %s is coded: %s', async (_what, path, isCoded) => {
    const { headers } = await get(path, { 'accept-encoding': 'gzip' })
    expect(headers['content-encoding']).toBe(isCoded ? 'gzip' : undefined)
  })

  test('is never coded for code that may read it', async () => {
    const { headers, body } = await get('/text.txt', { 'accept-encoding': 'br', 'x-code': '0' })
    expect([headers['content-encoding'], headers.vary, body.toString()]).toEqual([undefined, undefined, TEXT])
  })

  test('says its length, streamed or not', async () => {
    const said = await get('/large.txt')
    expect(said.headers['content-length']).toBe(String(LARGE.length))
    expect(said.body.toString() === LARGE).toBe(true)
  })

  test.each([
    ['a small one', '/long-enough.txt', ['MISS', 'HIT']],
    ['a large one', '/large.txt', ['MISS', 'MISS']],
  ])('is kept in memory if it is %s', async (_what, path, expected) => {
    const fresh = await startSites({ site: { dir } })
    try {
      const port = Number(new URL(fresh.url).port)
      const seen = []
      for (const _ of expected)
        seen.push((await ask(port, path, { headers: { 'x-site': 'site' } })).headers['cf-cache-status'])
      expect(seen).toEqual(expected)
    } finally {
      await fresh.stop()
    }
  })
})
