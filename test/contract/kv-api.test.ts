import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'

interface Envelope {
  readonly success: boolean
  readonly errors: readonly { code: number; message: string }[]
  readonly result: unknown
  readonly result_info?: Record<string, unknown>
}
interface Namespace {
  readonly id: string
  readonly title: string
}
interface Call {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Uint8Array
  readonly account?: string
}

let workerd: Workerd
const dir = mkdtempSync(join(tmpdir(), 'kv-api-'))

beforeAll(async () => {
  workerd = await startWorkerd({
    modules: { 'api.js': await bundleModule('test/worker/kv-api.ts') },
    bindings: [{ name: 'KV', kvNamespace: { name: 'kv', props: { json: '{"namespace":"kv"}' } } }],
    durableObjects: ['Registry', 'DIRECTORY'],
    services: embeddedKv('kv', dir),
  })
})

afterAll(async () => {
  await workerd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

function request(path: string, { account = 'one', ...init }: Call = {}): Promise<Response> {
  return workerd.fetch(`/client/v4/accounts/${account}/storage/kv/namespaces${path}`, init)
}

async function api(path: string, call?: Call): Promise<Envelope & { status: number }> {
  const response = await request(path, call)
  return { status: response.status, ...((await response.json()) as Envelope) }
}

/** The result of a call that must succeed. */
async function result<T = unknown>(path: string, call?: Call): Promise<T> {
  const answer = await api(path, call)
  expect(answer).toMatchObject({ status: 200, success: true, errors: [], messages: [] })
  return answer.result as T
}

const json = (method: string, body: unknown): Call => ({
  method,
  // As wrangler sends it.
  headers: { 'content-type': 'text/plain;charset=UTF-8' },
  body: JSON.stringify(body),
})

let titles = 0
const create = (title = `title ${++titles}`, account = 'one') =>
  result<Namespace>('', { ...json('POST', { title }), account })
const put = (id: string, key: string, body: string | Uint8Array, query = '') =>
  result(`/${id}/values/${encodeURIComponent(key)}${query}`, { method: 'PUT', body })

describe('KV namespaces', () => {
  test('are created, read, renamed and deleted', async () => {
    const namespace = await create('mine')
    expect(namespace).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      title: 'mine',
      supports_url_encoding: true,
    })
    expect(await result(`/${namespace.id}`)).toEqual(namespace)
    const renamed = { ...namespace, title: 'ours' }
    expect(await result(`/${namespace.id}`, json('PUT', { title: 'ours' }))).toEqual(renamed)
    expect(await result(`/${namespace.id}`, json('PUT', { title: 'ours' }))).toEqual(renamed)
    await result(`/${namespace.id}`, { method: 'DELETE' })
    expect(await api(`/${namespace.id}`)).toMatchObject({ status: 404, errors: [{ code: 10013 }] })
    // The title is free again.
    expect((await create('ours')).id).not.toBe(namespace.id)
  })

  test('are listed in the order asked for, page by page until an empty page', async () => {
    for (const title of ['b', 'c', 'a']) await create(title, 'listed')
    const list = async (query: string) => {
      const { result, result_info } = await api(query, { account: 'listed' })
      return { titles: (result as Namespace[]).map(({ title }) => title), info: result_info }
    }
    expect(await list('?per_page=1000&order=title&direction=asc')).toEqual({
      titles: ['a', 'b', 'c'],
      info: { page: 1, per_page: 1000, count: 3, total_count: 3 },
    })
    expect((await list('?order=title&direction=desc')).titles).toEqual(['c', 'b', 'a'])
    expect((await list('?order=title&per_page=2&page=2')).titles).toEqual(['c'])
    expect((await list('?per_page=1000&page=2')).titles).toEqual([])
    const ids = ((await api('', { account: 'listed' })).result as Namespace[]).map(({ id }) => id)
    expect(ids).toEqual([...ids].sort())
  })

  test.each([
    {
      what: 'a title that is taken',
      call: json('POST', { title: 'taken' }),
      code: 10014,
      message: 'a namespace with this account ID and title already exists',
    },
    {
      what: 'no title',
      call: json('POST', {}),
      code: 10019,
      message: 'The field "title" must be a non-empty string.',
    },
    {
      what: 'an empty title',
      call: json('POST', { title: '' }),
      code: 10019,
      message: 'The field "title" must be a non-empty string.',
    },
    {
      what: 'a title of 513 bytes',
      call: json('POST', { title: 'x'.repeat(513) }),
      code: 10019,
      message: 'The title has 513 bytes; at most 512 are allowed.',
    },
    {
      what: 'no JSON',
      call: { method: 'POST', body: '{' },
      code: 10002,
      message: expect.stringContaining('not JSON'),
    },
  ])('refuse $what', async ({ call, code, message }) => {
    await api('', json('POST', { title: 'taken' }))
    expect(await api('', call)).toMatchObject({
      status: 400,
      success: false,
      result: null,
      errors: [{ code, message }],
    })
  })

  test('accept a title of 512 bytes', async () => {
    expect((await create('é'.repeat(256))).title).toHaveLength(256)
  })

  test('keep their titles apart per account, and out of other accounts’ reach', async () => {
    const { id } = await create('same')
    await create('same', 'two')
    await put(id, 'k', 'v')
    for (const path of ['', '/keys', '/values/k', '/metadata/k']) {
      expect(await api(`/${id}${path}`, { account: 'two' })).toMatchObject({
        status: 404,
        errors: [{ code: 10013 }],
      })
    }
  })

  test('can’t be renamed to a title that is taken', async () => {
    await api('', json('POST', { title: 'taken' }))
    const { id } = await create()
    expect(await api(`/${id}`, json('PUT', { title: 'taken' }))).toMatchObject({
      status: 400,
      errors: [{ code: 10014 }],
    })
  })

  test('take their values with them, and no others', async () => {
    const [gone, kept] = [await create(), await create()]
    for (let i = 0; i < 120; i++) await put(gone.id, `gone ${i}`, 'v')
    await put(kept.id, 'kept', 'v')
    const keys = async () => (await (await workerd.fetch('/keys')).json()) as string[]
    expect((await keys()).filter(key => key.includes('gone'))).toHaveLength(120)
    await result(`/${gone.id}`, { method: 'DELETE' })
    await vi.waitFor(async () => expect((await keys()).filter(key => key.includes('gone'))).toEqual([]))
    expect((await keys()).filter(key => key.includes('kept'))).toHaveLength(1)
  })

  test.each([
    { method: 'GET', path: '', operation: 'get namespace' },
    { method: 'PUT', path: '', operation: 'rename namespace' },
    { method: 'DELETE', path: '', operation: 'delete namespace' },
    { method: 'GET', path: '/keys', operation: 'list keys' },
    { method: 'GET', path: '/values/k', operation: 'get' },
    { method: 'PUT', path: '/values/k', operation: 'put' },
    { method: 'DELETE', path: '/values/k', operation: 'delete' },
    { method: 'GET', path: '/metadata/k', operation: 'get' },
    { method: 'PUT', path: '/bulk', operation: 'bulk put' },
    { method: 'DELETE', path: '/bulk', operation: 'bulk delete' },
    { method: 'POST', path: '/bulk/delete', operation: 'bulk delete' },
    { method: 'POST', path: '/bulk/get', operation: 'bulk get' },
  ])('that don’t exist: $method $path says so', async ({ method, path, operation }) => {
    expect(await api(`/${'0'.repeat(32)}${path}`, { method })).toMatchObject({
      status: 404,
      errors: [{ code: 10013, message: `${operation}: 'namespace not found'` }],
    })
  })

  test.each([
    { method: 'POST', path: '' },
    { method: 'PUT', path: '/ns' },
    { method: 'DELETE', path: '/ns' },
    { method: 'PUT', path: '/ns/values/k' },
    { method: 'DELETE', path: '/ns/values/k' },
    { method: 'PUT', path: '/ns/bulk' },
    { method: 'DELETE', path: '/ns/bulk' },
    { method: 'POST', path: '/ns/bulk/delete' },
  ])('are not changed by a viewer: $method $path', async ({ method, path }) => {
    const answer = await api(path, { method, headers: { 'x-role': 'viewer' } })
    expect(answer).toMatchObject({ status: 403, errors: [{ code: 10000 }] })
  })

  test('are read by a viewer', async () => {
    const { id } = await create()
    const headers = { 'x-role': 'viewer' }
    await result('', { headers })
    await result(`/${id}/keys`, { headers })
    expect(await result(`/${id}/bulk/get`, { ...json('POST', { keys: ['k'] }), headers })).toEqual({
      values: { k: null },
    })
  })
})

describe('KV values', () => {
  const keys = ['a', 'a/b', 'a%2Fb', '%', 'ü/😀', 'a b+c', 'x?y#z', '...', 'x/..', '\0', 'values/metadata/k']

  test.each(keys)('are written and read under the key %j', async key => {
    const { id } = await create()
    await put(id, key, `value of ${key}`)
    const response = await request(`/${id}/values/${encodeURIComponent(key)}`)
    expect(response.status).toBe(200)
    expect(await response.text()).toBe(`value of ${key}`)
    expect(await result(`/${id}/keys`)).toEqual([{ name: key }])
    await result(`/${id}/values/${encodeURIComponent(key)}`, { method: 'DELETE' })
    expect(await result(`/${id}/keys`)).toEqual([])
  })

  test('may be named by slashes as they are', async () => {
    const { id } = await create()
    await put(id, 'dir/file', 'v')
    expect(await (await request(`/${id}/values/dir/file?x=1`)).text()).toBe('v')
  })

  test.each([0, 1, 70_000, 1024 * 1024])('of %i random bytes come back unchanged', async length => {
    const { id } = await create()
    const bytes = randomBytes(length)
    await put(id, 'k', bytes)
    const response = await request(`/${id}/values/k`)
    expect(response.headers.get('content-type')).toBe('application/octet-stream')
    expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  })

  test('are the body whatever its type, as in Cloudflare’s API', async () => {
    const { id } = await create()
    const body = '{"value":"v","metadata":"{}"}'
    await result(`/${id}/values/k`, { method: 'PUT', body, headers: { 'content-type': 'application/json' } })
    expect(await (await request(`/${id}/values/k`)).text()).toBe(body)
  })

  test('of 25 MiB are accepted, a byte more is not', async () => {
    const { id } = await create()
    const limit = 25 * 1024 * 1024
    await put(id, 'k', new Uint8Array(limit))
    expect((await (await request(`/${id}/values/k`)).arrayBuffer()).byteLength).toBe(limit)
    const answer = await api(`/${id}/values/k2`, { method: 'PUT', body: new Uint8Array(limit + 1) })
    expect(answer).toMatchObject({
      status: 413,
      errors: [{ code: 10024, message: "put: 'Value length of 26214401 exceeds limit of 26214400.'" }],
    })
  })

  test('of a length that is not announced are refused at 25 MiB', async () => {
    const { id } = await create()
    const headers = { 'transfer-encoding': 'chunked' }
    const limit = 25 * 1024 * 1024
    await result(`/${id}/values/k`, { method: 'PUT', headers, body: new Uint8Array(limit) })
    const answer = await api(`/${id}/values/k2`, { method: 'PUT', headers, body: new Uint8Array(limit + 1) })
    expect(answer).toMatchObject({ status: 413, errors: [{ code: 10024 }] })
    expect(await result(`/${id}/keys`)).toEqual([{ name: 'k' }])
  })

  test('tell when they expire', async () => {
    const { id } = await create()
    const inAnHour = Math.floor(Date.now() / 1000) + 3600
    await put(id, 'at', 'v', `?expiration=${inAnHour}`)
    await put(id, 'ttl', 'v', '?expiration_ttl=3600')
    await put(id, 'never', 'v')
    const expiration = async (key: string) =>
      (await request(`/${id}/values/${key}`)).headers.get('expiration')
    expect(await expiration('at')).toBe(String(inAnHour))
    expect(Math.abs(Number(await expiration('ttl')) - inAnHour)).toBeLessThan(30)
    expect(await expiration('never')).toBeNull()
  })

  test('tell only their own expiry, not that of a key they begin', async () => {
    const { id } = await create()
    await put(id, 'key', 'v')
    await put(id, 'key2', 'v', '?expiration_ttl=3600')
    expect((await request(`/${id}/values/key`)).headers.get('expiration')).toBeNull()
  })

  const form = async (fields: Record<string, string | Blob>): Promise<Call> => {
    const data = new FormData()
    for (const [name, value] of Object.entries(fields)) data.append(name, value)
    const encoded = new Response(data)
    return {
      method: 'PUT',
      headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
      body: new Uint8Array(await encoded.arrayBuffer()),
    }
  }

  test('of a form bring their metadata', async () => {
    const { id } = await create()
    const bytes = randomBytes(1000)
    await result(`/${id}/values/k`, await form({ value: new Blob([bytes]), metadata: '{"a":[1]}' }))
    expect(Buffer.from(await (await request(`/${id}/values/k`)).arrayBuffer()).equals(bytes)).toBe(true)
    expect(await result(`/${id}/metadata/k`)).toEqual({ a: [1] })
    expect(await result(`/${id}/keys`)).toEqual([{ name: 'k', metadata: { a: [1] } }])
    await result(`/${id}/values/k`, await form({ value: 'text', metadata: '' }))
    expect(await (await request(`/${id}/values/k`)).text()).toBe('text')
    expect(await result(`/${id}/metadata/k`)).toBeNull()
  })

  test.each([
    {
      what: 'no value',
      fields: { metadata: '{}' },
      status: 400,
      code: 10012,
      message: "put: 'the form has no part 'value''",
    },
    {
      what: 'metadata that is no JSON',
      fields: { value: 'v', metadata: '{' },
      status: 400,
      code: 10047,
      message: "put: 'metadata must be valid JSON'",
    },
    {
      what: 'metadata of 1,025 bytes',
      fields: { value: 'v', metadata: `"${'x'.repeat(1023)}"` },
      status: 400,
      code: 10047,
      message: "put: 'Metadata length of 1025 exceeds limit of 1024.'",
    },
    {
      what: 'a value of 25 MiB and a byte',
      fields: { value: 'x'.repeat(25 * 1024 * 1024 + 1) },
      status: 413,
      code: 10024,
      message: "put: 'Value length of 26214401 exceeds limit of 26214400.'",
    },
  ])('of a form with $what are refused', async ({ fields, status, code, message }) => {
    const { id } = await create()
    expect(await api(`/${id}/values/k`, await form(fields as Record<string, string>))).toMatchObject({
      status,
      errors: [{ code, message }],
    })
  })

  test('of a malformed form are refused', async () => {
    const { id } = await create()
    const headers = { 'content-type': 'multipart/form-data; boundary=x' }
    const answer = await api(`/${id}/values/k`, { method: 'PUT', headers, body: 'no form' })
    expect(answer).toMatchObject({ status: 400, errors: [{ code: 10012 }] })
  })

  test.each([
    { path: 'values/', code: 10042, status: 400, message: "get: 'Key names must not be empty'" },
    {
      path: 'values/%zz',
      code: 10042,
      status: 400,
      message: `get: 'the key "%zz" is not percent-encoded UTF-8'`,
    },
    {
      path: 'values/%ff',
      code: 10042,
      status: 400,
      message: `get: 'the key "%ff" is not percent-encoded UTF-8'`,
    },
    {
      path: `values/${'k'.repeat(505)}`,
      code: 10030,
      status: 414,
      message: "get: 'UTF-8 encoded length of 505 exceeds key length limit of 504.'",
    },
    { path: 'values/gone', code: 10009, status: 404, message: "get: 'key not found'" },
    { path: 'metadata/gone', code: 10009, status: 404, message: "get: 'key not found'" },
    { path: 'keys?limit=9', code: 10028, status: 400, message: expect.stringContaining('from 10 to 1000') },
    {
      path: 'keys?limit=1001',
      code: 10028,
      status: 400,
      message: expect.stringContaining('from 10 to 1000'),
    },
    { path: 'keys?limit=x', code: 10028, status: 400, message: expect.stringContaining('from 10 to 1000') },
    { path: 'keys?cursor=!', code: 10041, status: 400, message: "list keys: 'invalid cursor'" },
    { path: 'keys?cursor=~!', code: 10041, status: 400, message: "list keys: 'invalid cursor'" },
    {
      path: `keys?prefix=${'k'.repeat(505)}`,
      code: 10030,
      status: 414,
      message: expect.stringContaining('limit of 504'),
    },
  ])('answer GET $path with $code', async ({ path, status, code, message }) => {
    const { id } = await create()
    expect(await api(`/${id}/${path}`)).toMatchObject({ status, errors: [{ code, message }] })
  })

  test('under a key of 504 bytes are accepted', async () => {
    const { id } = await create()
    await put(id, 'k'.repeat(504), 'v')
    expect(await (await request(`/${id}/values/${'k'.repeat(504)}`)).text()).toBe('v')
  })

  test.each([
    {
      query: 'expiration_ttl=59',
      code: 10034,
      message: "put: 'Invalid expiration_ttl of 59. Expiration TTL must be at least 60.'",
    },
    {
      query: 'expiration_ttl=x',
      code: 10034,
      message: expect.stringContaining('Invalid expiration_ttl of "x"'),
    },
    {
      query: 'expiration_ttl=1.5',
      code: 10034,
      message: expect.stringContaining('Invalid expiration_ttl of "1.5"'),
    },
    {
      query: 'expiration=1',
      code: 10033,
      message: expect.stringContaining(
        'Invalid expiration of 1. Please specify integer greater than the current',
      ),
    },
    { query: 'expiration=99999999999', code: 10033, message: expect.stringContaining('at most 2147483647') },
  ])('refuse ?$query', async ({ query, code, message }) => {
    const { id } = await create()
    const answer = await api(`/${id}/values/k?${query}`, { method: 'PUT', body: 'v' })
    expect(answer).toMatchObject({ status: 400, errors: [{ code, message }] })
  })

  test('are listed by prefix, page by page', async () => {
    const { id } = await create()
    const other = await create()
    await put(other.id, 'p/other', 'v')
    const names = Array.from({ length: 25 }, (_, i) => `p/${String(i).padStart(2, '0')}`)
    await result(
      `/${id}/bulk`,
      json(
        'PUT',
        [...names, 'q'].map(key => ({ key, value: 'v' })),
      ),
    )
    const seen: string[] = []
    const counts: unknown[] = []
    let cursor = ''
    do {
      const page = await api(`/${id}/keys?prefix=p%2F&limit=10&cursor=${encodeURIComponent(cursor)}`)
      seen.push(...(page.result as { name: string }[]).map(({ name }) => name))
      counts.push(page.result_info?.count)
      cursor = page.result_info?.cursor as string
      expect(Buffer.from(cursor, 'base64').toString()).not.toMatch(/^\d{7}:/)
    } while (cursor)
    expect(seen).toEqual(names)
    expect(counts).toEqual([10, 10, 5])
  })
})

describe('KV bulk calls', () => {
  test('write, read and delete', async () => {
    const { id } = await create()
    const bytes = randomBytes(100)
    const pairs = [
      { key: 'text', value: 'ä', metadata: { a: 1 } },
      { key: 'bytes', value: bytes.toString('base64'), base64: true },
      { key: 'soon', value: '1', expiration_ttl: 3600 },
      { key: '__proto__', value: 'p' },
      { key: '10', value: '{"x":1}' },
    ]
    expect(await result(`/${id}/bulk`, json('PUT', pairs))).toEqual({
      successful_key_count: 5,
      unsuccessful_keys: [],
    })
    expect(Buffer.from(await (await request(`/${id}/values/bytes`)).arrayBuffer()).equals(bytes)).toBe(true)
    expect((await request(`/${id}/values/soon`)).headers.get('expiration')).toMatch(/^\d{10}$/)

    const values = (body: unknown) => result<{ values: object }>(`/${id}/bulk/get`, json('POST', body))
    const read = Object.entries((await values({ keys: ['text', 'gone', '10', '__proto__'] })).values)
    expect(new Map(read)).toEqual(
      new Map([
        ['10', '{"x":1}'],
        ['text', 'ä'],
        ['gone', null],
        ['__proto__', 'p'],
      ]),
    )
    expect(await values({ keys: ['10'], type: 'json' })).toEqual({ values: { 10: { x: 1 } } })
    expect(await values({ keys: ['text', 'gone'], withMetadata: true })).toEqual({
      values: { text: { value: 'ä', metadata: { a: 1 } }, gone: null },
    })

    const deleted = { successful_key_count: 2, unsuccessful_keys: [] }
    expect(await result(`/${id}/bulk`, json('DELETE', ['text', 'gone']))).toEqual(deleted)
    expect(await result(`/${id}/bulk/delete`, json('POST', ['bytes', 'soon']))).toEqual(deleted)
    expect(await result(`/${id}/keys`)).toEqual([{ name: '10' }, { name: '__proto__' }])
  })

  test('keep the last of several writes to one key', async () => {
    const { id } = await create()
    const pairs = Array.from({ length: 50 }, (_, i) => ({ key: 'same', value: String(i) }))
    expect(await result(`/${id}/bulk`, json('PUT', pairs))).toMatchObject({ successful_key_count: 50 })
    expect(await (await request(`/${id}/values/same`)).text()).toBe('49')
  })

  test('write 1,000 keys, as wrangler sends them', async () => {
    const { id } = await create()
    const pairs = Array.from({ length: 1000 }, (_, i) => ({ key: `k${i}`, value: 'v' }))
    expect(await result(`/${id}/bulk`, json('PUT', pairs))).toMatchObject({ successful_key_count: 1000 })
    expect((await api(`/${id}/keys`)).result_info).toEqual({ count: 1000, cursor: '' })
  })

  test.each([
    {
      what: 'a pair without a key',
      method: 'PUT',
      path: '',
      body: [{ value: 'v' }],
      code: 10042,
      message: "bulk put: 'keys must be strings, not absent'",
    },
    {
      what: 'a value that is no text',
      method: 'PUT',
      path: '',
      body: [{ key: 'k', value: 1 }],
      code: 10012,
      message: `bulk put: 'the value of the key "k" must be a string'`,
    },
    {
      what: 'bad base64',
      method: 'PUT',
      path: '',
      body: [{ key: 'k', value: '!', base64: true }],
      code: 10012,
      message: `bulk put: 'could not base64 decode value for key: "k"'`,
    },
    {
      what: 'a TTL too short',
      method: 'PUT',
      path: '',
      body: [{ key: 'k', value: 'v', expiration_ttl: 59 }],
      code: 10034,
      message: expect.stringContaining('at least 60'),
    },
    {
      what: 'too much metadata',
      method: 'PUT',
      path: '',
      body: [{ key: 'k', value: 'v', metadata: 'x'.repeat(1023) }],
      code: 10047,
      message: "bulk put: 'Metadata length of 1025 exceeds limit of 1024.'",
    },
    {
      what: '10,001 pairs',
      method: 'PUT',
      path: '',
      body: Array.from({ length: 10_001 }, () => ({ key: 'k', value: 'v' })),
      code: 10012,
      message: "bulk put: '10001 keys are more than the limit of 10000'",
    },
    {
      what: 'no array to write',
      method: 'PUT',
      path: '',
      body: {},
      code: 10002,
      message: expect.stringContaining('array'),
    },
    {
      what: 'no array to delete',
      method: 'DELETE',
      path: '',
      body: {},
      code: 10012,
      message: expect.stringContaining('array'),
    },
    {
      what: 'the empty key',
      method: 'POST',
      path: '/delete',
      body: [''],
      code: 10042,
      message: "bulk delete: 'Key names must not be empty'",
    },
    {
      what: 'no keys to read',
      method: 'POST',
      path: '/get',
      body: {},
      code: 10012,
      message: expect.stringContaining('1 to 100'),
    },
    {
      what: '101 keys to read',
      method: 'POST',
      path: '/get',
      body: { keys: Array.from({ length: 101 }, () => 'k') },
      code: 10012,
      message: expect.stringContaining('1 to 100'),
    },
    {
      what: 'an unknown type',
      method: 'POST',
      path: '/get',
      body: { keys: ['k'], type: 'stream' },
      code: 10012,
      message: `bulk get: '"stream" is not a valid type. Use "json" or "text"'`,
    },
  ])('refuse $what and write nothing', async ({ method, path, body, code, message }) => {
    const { id } = await create()
    expect(await api(`/${id}/bulk${path}`, json(method, body))).toMatchObject({
      status: 400,
      errors: [{ code, message }],
    })
    expect(await result(`/${id}/keys`)).toEqual([])
  })

  test('refuse to read as JSON what is none', async () => {
    const { id } = await create()
    await put(id, 'k', 'text')
    expect(await api(`/${id}/bulk/get`, json('POST', { keys: ['k'], type: 'json' }))).toMatchObject({
      status: 400,
      errors: [
        {
          code: 10012,
          message: "bulk get: 'At least one of the requested keys corresponds to a non-json value'",
        },
      ],
    })
  })
})
