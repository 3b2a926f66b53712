import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compressPolicy } from '../../routes/policies/compress.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { chooseEncoding } from '../../src/core/accept-encoding.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'
import { runPolicy } from './support.ts'

describe('chooseEncoding()', () => {
  test.each([
    [null, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0.5, gzip', 'gzip'],
    ['br;q=0.5, gzip;q=0.5', 'br'],
    ['*', 'br'],
    ['*;q=0', undefined],
    ['br;q=0, *', 'gzip'],
    ['gzip;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['GZIP ; q=0.8', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip;q=nonsense', undefined],
    ['zstd', undefined],
  ])('%j → %s', (accepted, expected) => {
    expect(chooseEncoding(accepted, ['br', 'gzip'])).toBe(expected)
  })
})

test('compress outside of workerd: the bytes are what they say too', async () => {
  const request = new Request('https://a.example/', { headers: { 'accept-encoding': 'br, gzip' } })
  const target = () => new Response('skerry '.repeat(1000), { headers: { etag: '"a"' } })
  const response = await runPolicy(createPhase(compressPolicy, {}), request, target)
  expect(response.headers.get('content-encoding')).toBe('gzip')
  expect(response.headers.get('etag')).toBe('W/"a"')
  expect(String(gunzipSync(Buffer.from(await response.arrayBuffer())))).toBe('skerry '.repeat(1000))
})

describe('compress in workerd', () => {
  let workerd: Workerd
  beforeAll(async () => {
    workerd = await startWorkerd({ modules: { 'main.js': await bundleModule('test/worker/compress.ts') } })
  })
  afterAll(() => workerd?.stop())

  const WHOLE = 'skerry '.repeat(1000)
  const call = (query: string, headers: Record<string, string> = {}) =>
    workerd.fetch(`/?${query}`, { headers: { 'accept-encoding': 'br, gzip', ...headers } })

  test.each([
    ['br', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
    ['br, as a stream', 'br', brotliDecompressSync],
  ] as const)('%s: the bytes are what they say', async (name, encoding, decompress) => {
    const response = await call(name.includes('stream') ? 'stream' : '', { 'accept-encoding': encoding })
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(response.headers.get('content-encoding')).toBe(encoding)
    expect(response.headers.get('vary')).toBe('Accept-Encoding')
    expect(bytes.byteLength).toBeLessThan(WHOLE.length / 10)
    expect(String(decompress(bytes))).toBe(WHOLE)
  })

  test.each([
    ['no caller that understands it', '', { 'accept-encoding': 'identity' }],
    ['a picture', 'type=image/png', {}],
    ['events', 'type=text/event-stream', {}],
    ['a part', 'status=206', { 'x-content-range': 'bytes 0-6999/9000' }],
    ['no-transform', '', { 'x-cache-control': 'public, no-transform' }],
    ['a short body of known length', 'words=10', { 'x-content-length': '70' }],
  ])('%s: stays as it is', async (_, query, headers) => {
    const response = await call(query, headers)
    expect(response.headers.has('content-encoding')).toBe(false)
    expect(await response.text()).toMatch(/^(skerry )+$/)
  })

  test('a strong ETag becomes a weak one, a weak one stays', async () => {
    const etagOf = async (etag: string) => (await call('', { 'x-etag': etag })).headers.get('etag')
    expect(await etagOf('"a"')).toBe('W/"a"')
    expect(await etagOf('W/"a"')).toBe('W/"a"')
  })

  test('Vary is said to callers that get the plain body too', async () => {
    const response = await call('', { 'accept-encoding': 'identity', 'x-vary': 'Accept' })
    expect(response.headers.get('vary')).toBe('Accept, Accept-Encoding')
  })
})
