import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const MIB = 1024 * 1024
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

const dir = mkdtempSync(join(tmpdir(), 'r2-object-'))
const blobs = join(dir, 'blobs')
mkdirSync(blobs)
const host = await bundleModule('test/worker/r2-service.ts')
let workerd: Workerd = await start()
afterAll(async () => {
  await workerd.stop()
  rmSync(dir, { recursive: true, force: true })
})

describe('an object', () => {
  test('is read as it was written, and its bytes are one file', async () => {
    expect(await call('put', { bucket: 'one', value: 'hello' })).toMatchObject({ size: 5 })
    expect(await call('get', { bucket: 'one' })).toEqual({ size: 5, text: 'hello' })
    expect(files()).toHaveLength(1)
  })

  test('leaves no file behind when it is replaced or deleted', async () => {
    await call('put', { bucket: 'one', value: 'again' })
    await settled('one')
    expect(files()).toHaveLength(1)
    await call('delete', { bucket: 'one' })
    await settled('one')
    expect(files()).toEqual([])
    expect(await call('get', { bucket: 'one' })).toEqual({ reason: 'no-such-key' })
  })

  test('needs no file if it is empty', async () => {
    expect(await call('fill', { bucket: 'empty' }, ['a'])).toBeNull()
    expect(await call('get', { bucket: 'empty', key: 'a' })).toEqual({ size: 0, text: '' })
    expect(files()).toEqual([])
  })

  test.each([1, 64 * 1024, 64 * 1024 + 1, 3 * MIB + 5, 17 * MIB])('of %i bytes, streamed', async length => {
    expect(await call('stream', { bucket: 'sizes', length })).toMatchObject({ size: length })
    const { text } = (await call('get', { bucket: 'sizes' })) as { text: string | number }
    expect(typeof text === 'number' ? text : text.length).toBe(length)
    expect(await call('get', { bucket: 'sizes' }, { range: { offset: length - 1 } })).toMatchObject({
      text: '\x07',
    })
  })

  test('of a length that nobody told', async () => {
    expect(await call('unknown', { bucket: 'sizes', length: 300_000 })).toMatchObject({ size: 300_000 })
  })

  test('is not written by a body that is shorter than it said', async () => {
    await call('put', { bucket: 'short', value: 'old' })
    expect(await call('short', { bucket: 'short', length: 200_000 })).toHaveProperty('reason')
    expect(await call('get', { bucket: 'short' })).toMatchObject({ text: 'old' })
    await settled('short')
    expect(await call('rows', { bucket: 'short' })).toMatchObject({ objects: 1, pending: 0, garbage: 0 })
  })

  test('is not written by bytes of another checksum', async () => {
    const before = files().length
    const options = { checksums: { md5: '0'.repeat(32) } }
    expect(await call('put', { bucket: 'sums', value: 'x' }, options)).toEqual({ reason: 'bad-digest' })
    expect(await call('head', { bucket: 'sums' })).toEqual({ reason: 'no-such-key' })
    await settled('sums')
    expect(files()).toHaveLength(before)
  })

  test('is made by one of many who want it to be new', async () => {
    const results = (await call('race', { bucket: 'race', count: 20 })) as { status: string }[]
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    await settled('race')
    expect(await call('rows', { bucket: 'race' })).toMatchObject({ objects: 1, pending: 0, garbage: 0 })
  })

  test.each([1000, 20 * MIB])(
    'of %i bytes is read to its end though it is replaced meanwhile',
    async length => {
      await call('stream', { bucket: 'replaced', length })
      expect(await call('get while it is replaced', { bucket: 'replaced' })).toBe(length)
      expect(await call('get', { bucket: 'replaced' })).toMatchObject({ text: 'newer' })
    },
  )

  test('belongs to its bucket and account alone', async () => {
    await call('put', { account: 'a', bucket: 'b', value: 'mine' })
    for (const other of [
      { account: 'a', bucket: 'c' },
      { account: 'c', bucket: 'b' },
    ]) {
      expect(await call('get', other)).toEqual({ reason: 'no-such-key' })
      expect(await call('list', other)).toMatchObject({ objects: [] })
    }
  })
})

describe('a list', () => {
  const keys = [
    ...Array.from({ length: 120 }, (_, i) => `many/${String(i).padStart(3, '0')}`),
    'one',
    'two/x',
    'zzz',
  ]

  test('goes through every key once, page by page', async () => {
    await call('fill', { bucket: 'list' }, keys)
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await list({ limit: 50, ...(cursor && { cursor }) })
      seen.push(...page.objects.map(({ key }) => key))
      cursor = page.cursor
    } while (cursor)
    expect(seen).toEqual(keys)
  })

  test('skips a folder of more keys than are read at a time', async () => {
    const page = await list({ delimiter: '/' })
    expect(page.objects.map(({ key }) => key)).toEqual(['one', 'zzz'])
    expect(page.delimitedPrefixes).toEqual(['many/', 'two/'])
    expect(page.truncated).toBe(false)
  })

  test('ends a page between folders', async () => {
    const first = await list({ delimiter: '/', limit: 1 })
    expect(first).toMatchObject({ objects: [], delimitedPrefixes: ['many/'], truncated: true })
    const second = await list({ delimiter: '/', limit: 1, cursor: first.cursor })
    expect(second.objects.map(({ key }) => key)).toEqual(['one'])
  })

  test('shows at most 100 objects with their metadata', async () => {
    expect((await list({ include: ['httpMetadata'] })).objects).toHaveLength(100)
    expect((await list({})).objects).toHaveLength(keys.length)
  })

  test.each([
    [0, 'max-keys'],
    [1, undefined],
    [1000, undefined],
    [1001, 'max-keys'],
    [1.5, 'max-keys'],
  ])('of %d at most', async (limit, reason) => {
    const page = (await call('list', { bucket: 'list' }, { limit })) as { reason?: string }
    expect(page.reason).toBe(reason)
  })

  test('refuses a cursor that is none', async () => {
    expect(await call('list', { bucket: 'list' }, { cursor: '%' })).toEqual({ reason: 'argument' })
  })

  async function list(options: object) {
    return (await call('list', { bucket: 'list' }, options)) as {
      objects: { key: string }[]
      delimitedPrefixes: string[]
      truncated: boolean
      cursor?: string
    }
  }
})

describe('an upload in parts', () => {
  test('becomes an object of its parts, whose range is read across them', async () => {
    const { id, parts } = await upload('parts', [5 * MIB, 5 * MIB, 3])
    expect(await call('complete', { bucket: 'parts', upload: id }, parts)).toMatchObject({
      size: 10 * MIB + 3,
    })
    const range = { offset: 5 * MIB - 1, length: 5 * MIB + 3 }
    expect(await call('get', { bucket: 'parts' }, { range })).toMatchObject({ text: range.length })
    expect(await call('rows', { bucket: 'parts' })).toMatchObject({
      pieces: 3,
      parts: 0,
      pending: 0,
      garbage: 0,
    })
  })

  test('keeps its parts ten minutes after the object is gone, for whoever reads it', async () => {
    const before = files().length
    await call('delete', { bucket: 'parts' })
    expect(files()).toHaveLength(before)
    await call('age', { bucket: 'parts', ms: 10 * MINUTE_MS })
    await settled('parts')
    expect(files()).toHaveLength(before - 3)
  })

  test('leaves nothing when it is thrown away', async () => {
    const before = files().length
    const { id } = await upload('abort', [5 * MIB, 3])
    expect(await call('stats', { bucket: 'abort' })).toEqual({ objects: 0, bytes: 0, uploads: 1 })
    await call('abort', { bucket: 'abort', upload: id })
    await settled('abort')
    expect(files()).toHaveLength(before)
    expect(await call('stats', { bucket: 'abort' })).toEqual({ objects: 0, bytes: 0, uploads: 0 })
  })

  test('is thrown away after 7 days, not before', async () => {
    const before = files().length
    await upload('old', [3])
    await call('age', { bucket: 'old', ms: 7 * DAY_MS - MINUTE_MS })
    expect(await call('rows', { bucket: 'old' })).toMatchObject({ uploads: 1, parts: 1 })
    await call('age', { bucket: 'old', ms: MINUTE_MS })
    await settled('old')
    expect(await call('rows', { bucket: 'old' })).toMatchObject({ uploads: 0, parts: 0 })
    expect(files()).toHaveLength(before)
  })

  async function upload(bucket: string, sizes: number[]) {
    return (await call('upload', { bucket }, sizes)) as { id: string; parts: object[] }
  }
})

describe('a bucket', () => {
  test('counts its objects and bytes', async () => {
    await call('put', { bucket: 'count', key: 'a', value: '12345' })
    await call('put', { bucket: 'count', key: 'b', value: '1' })
    await call('put', { bucket: 'count', key: 'a', value: '123' })
    expect(await call('stats', { bucket: 'count' })).toEqual({ objects: 2, bytes: 4, uploads: 0 })
    await call('delete', { bucket: 'count', key: 'a' })
    expect(await call('stats', { bucket: 'count' })).toEqual({ objects: 1, bytes: 1, uploads: 0 })
  })

  test('can be closed when it is empty; then it refuses everything', async () => {
    expect(await call('close', { bucket: 'count' })).toBe(false)
    await call('delete', { bucket: 'count', key: 'b' })
    await call('upload', { bucket: 'count' }, [3])
    expect(await call('close', { bucket: 'count' })).toBe(true)
    expect(await call('close', { bucket: 'count' })).toBe(true)
    for (const what of ['put', 'get', 'head', 'delete', 'list', 'upload']) {
      const options = what === 'upload' ? [3] : undefined
      expect(await call(what, { bucket: 'count' }, options), what).toEqual({ reason: 'no-such-bucket' })
    }
    await settled('count')
    expect(await call('rows', { bucket: 'count' })).toMatchObject({
      objects: 0,
      parts: 0,
      pending: 0,
      garbage: 0,
    })
  })
})

describe('kill -9', () => {
  test('in the middle of a write leaves the object as it was, and what was written is swept', async () => {
    await call('put', { bucket: 'crash', value: 'before' })
    const before = files()
    await call('hang', { bucket: 'crash', length: 3 * MIB })
    await expect.poll(files).toHaveLength(before.length + 1)
    expect(await call('rows', { bucket: 'crash' })).toMatchObject({ pending: 1 })

    await workerd.stop()
    workerd = await start()
    expect(await call('get', { bucket: 'crash' })).toMatchObject({ text: 'before' })
    expect(files().filter(file => !before.includes(file))).toEqual([expect.stringMatching(/\.tmp$/)])
    await call('age', { bucket: 'crash', ms: 14 * MINUTE_MS })
    expect(await call('rows', { bucket: 'crash' })).toMatchObject({ pending: 1 })
    await call('age', { bucket: 'crash', ms: MINUTE_MS })
    await settled('crash')
    expect(files()).toEqual(before)
  })

  test('after a write was acknowledged loses nothing', async () => {
    await call('stream', { bucket: 'kept', key: 'stream', length: 2 * MIB })
    const { id, parts } = (await call('upload', { bucket: 'kept', key: 'parts' }, [5 * MIB, 3])) as {
      id: string
      parts: object[]
    }
    await workerd.stop()
    workerd = await start()
    expect(await call('get', { bucket: 'kept', key: 'stream' })).toMatchObject({ text: 2 * MIB })
    const done = await call('complete', { bucket: 'kept', key: 'parts', upload: id }, parts)
    expect(done).toMatchObject({ size: 5 * MIB + 3 })
    await workerd.stop()
    workerd = await start()
    expect(await call('get', { bucket: 'kept', key: 'parts' })).toMatchObject({ text: 5 * MIB + 3 })
  })
})

function start(): Promise<Workerd> {
  return startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'BLOBS', service: 'blobs' },
      { name: 'BUCKET', durableObjectNamespace: { className: 'Bucket' } },
    ],
    durableObjects: ['Bucket'],
    dataDir: join(dir, 'data'),
    services: [{ name: 'blobs', disk: { path: blobs, writable: true, allowDotfiles: true } }],
  })
}

async function call(
  what: string,
  query: Record<string, string | number>,
  options?: unknown,
): Promise<unknown> {
  const search = new URLSearchParams({ do: what })
  for (const [name, value] of Object.entries(query)) search.set(name, String(value))
  const init = options === undefined ? {} : { method: 'POST', body: JSON.stringify(options) }
  return (await workerd.fetch(`/?${search}`, init)).json()
}

/** Every file there is below the blobs' directory. */
function files(): string[] {
  const entries = readdirSync(blobs, { recursive: true, withFileTypes: true })
  return entries.filter(entry => entry.isFile()).map(({ name }) => name)
}

/** Waits until a bucket has thrown away what is due. */
async function settled(bucket: string): Promise<void> {
  await expect.poll(() => call('rows', { bucket })).toMatchObject({ garbage: 0 })
}
