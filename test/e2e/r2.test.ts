import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import type { Platform } from './support/client.ts'
import { openFirstHost, openHosts } from './support/hosts.ts'
import { createProject, createWorker } from './support/project.ts'

const hosts = await openHosts('r2-api')
const first = await openFirstHost('r2')

interface Listing {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly http_metadata: Record<string, string>
  readonly storage_class: string
}

describe.each(first)('wrangler r2 on `npm $kind`', platform => {
  const { dir } = { dir: process.cwd() }
  const wrangler = (args: readonly string[], cwd = dir) => platform.wrangler(['r2', ...args], { cwd })
  const run = async (args: readonly string[], cwd = dir) => {
    const finished = await wrangler(args, cwd)
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const fail = async (args: readonly string[], cwd = dir) => {
    const finished = await wrangler(args, cwd)
    expect(finished.code, finished.all).toBe(1)
    return finished.all
  }

  test('bucket create, list, info and delete', async () => {
    expect(await run(['bucket', 'create', 'photos'])).toContain("Created bucket 'photos'")
    expect(await fail(['bucket', 'create', 'photos'])).toContain('[code: 10004]')
    expect(await run(['bucket', 'list'])).toMatch(/name: +photos\ncreation_date: +20\d\d-/)

    await object(platform, 'PUT', 'photos', 'a', 'x'.repeat(1500))
    await object(platform, 'PUT', 'photos', 'b', '')
    const info = JSON.parse(await run(['bucket', 'info', 'photos', '--json']))
    expect(info).toMatchObject({ name: 'photos', object_count: '2', bucket_size: '1.5 kB' })

    expect(await fail(['bucket', 'delete', 'photos'])).toContain('[code: 10008]')
    await platform.api('DELETE', '$A/r2/buckets/photos/objects', ['a', 'b'])
    expect(await run(['bucket', 'delete', 'photos'])).toContain('Deleted bucket photos.')
    expect(await fail(['bucket', 'info', 'photos'])).toContain('[code: 10006]')
  })

  test('object put, get and delete carry files, headers, and keys of any spelling', async () => {
    await makeBucket(platform, 'files')
    const project = createProject({ 'empty.txt': '' })
    const bytes = randomBytes(20_000_001)
    writeFileSync(join(project.dir, 'in.bin'), bytes)
    const key = 'ключ/with space/é\u{1f600}&+.bin'
    const about = ['--content-type', 'image/png', '--cache-control', 'max-age=60']
    const more = ['--content-disposition', 'inline', '--expires', 'Wed, 21 Oct 2026 07:28:00 GMT']
    await run(
      ['object', 'put', `files/${key}`, '--file', 'in.bin', ...about, ...more, '--remote'],
      project.dir,
    )
    await run(['object', 'get', `files/${key}`, '--file', 'out.bin', '--remote'], project.dir)
    expect(readFileSync(join(project.dir, 'out.bin')).equals(bytes)).toBe(true)

    const [listed] = (await listObjects(platform, 'files')).result
    expect(listed).toMatchObject({
      ...{ key, size: bytes.length, etag: createHash('md5').update(bytes).digest('hex') },
      ...{ storage_class: 'Standard', custom_metadata: {} },
      http_metadata: {
        ...{ contentType: 'image/png', cacheControl: 'max-age=60', contentDisposition: 'inline' },
        cacheExpiry: '2026-10-21T07:28:00.000Z',
      },
    })

    await run(['object', 'put', 'files/empty', '--file', 'empty.txt', '--remote'], project.dir)
    expect(await run(['object', 'get', 'files/empty', '--pipe', '--remote'], project.dir)).toBe('')
    await run(['object', 'delete', `files/${key}`, '--remote'], project.dir)
    expect((await listObjects(platform, 'files')).result.map(({ key }) => key)).toEqual(['empty'])
    const gone = await fail(['object', 'get', `files/${key}`, '--pipe', '--remote'], project.dir)
    expect(gone).toContain('The specified key does not exist')
    const nowhere = ['object', 'put', 'no-such-bucket/a', '--file', 'in.bin', '--remote']
    expect(await fail(nowhere, project.dir)).toContain('The specified bucket does not exist')
  })

  test('a function and the API see the same objects, in a bucket that its deploy made', async () => {
    const bucket = { binding: 'FILES', bucket_name: 'shared-files' }
    const source = `export default {
      async fetch(request, env) {
        if (request.method === 'PUT') {
          const { key, size, etag } = await env.FILES.put('from-function', request.body, {
            httpMetadata: { contentType: 'text/x-own' }, customMetadata: { by: 'anna' },
          })
          return Response.json({ key, size, etag })
        }
        const found = await env.FILES.get('from-api')
        return new Response(found.body, { headers: { 'x-type': found.httpMetadata.contentType } })
      },
    }`
    const project = createWorker('r2-user', source, { r2_buckets: [bucket] })
    const deployed = await platform.wrangler(['deploy'], { cwd: project.dir })
    expect(deployed.code, deployed.all).toBe(0)

    const bytes = randomBytes(200_000)
    await object(platform, 'PUT', 'shared-files', 'from-api', bytes, { 'content-type': 'application/x-api' })
    const seen = await platform.call('r2-user')
    expect(seen.headers.get('x-type')).toBe('application/x-api')
    expect(Buffer.from(await seen.arrayBuffer()).equals(bytes)).toBe(true)

    const written = JSON.parse(await platform.read('r2-user', '/', { method: 'PUT', body: 'hi' }))
    const read = await object(platform, 'GET', 'shared-files', 'from-function')
    expect(await read.text()).toBe('hi')
    expect(read.headers.get('content-type')).toBe('text/x-own')
    expect(read.headers.get('etag')).toBe(`"${written.etag}"`)
    const { result } = await listObjects(platform, 'shared-files', '?prefix=from-f')
    expect(result).toEqual([expect.objectContaining({ custom_metadata: { by: 'anna' } })])
  })

  test('bucket notification create, list and delete; changes reach the queue', async () => {
    await makeBucket(platform, 'told')
    const created = await platform.api<{ queue_id: string }>('POST', '$A/queues', { queue_name: 'changes' })
    const queueId = created.result.queue_id
    await platform.api('POST', `$A/queues/${queueId}/consumers`, { type: 'http_pull', settings: {} })

    const events = ['--event-type', 'object-create', 'object-delete']
    const rule = ['--queue', 'changes', '--prefix', 'in/', '--suffix', '.txt', '--description', 'why']
    await run(['bucket', 'notification', 'create', 'told', ...events, ...rule])
    const list = await run(['bucket', 'notification', 'list', 'told'])
    expect(list).toMatch(/queue_name: +changes/)
    expect(list).toMatch(/prefix: +in\/\n/)
    expect(list).toMatch(/suffix: +\.txt\n/)
    expect(await fail(['bucket', 'notification', 'create', 'told', ...events, ...rule])).toContain('11014')

    const { etag } = await (await object(platform, 'PUT', 'told', 'in/a.txt', 'text')).json().then(resultOf)
    await object(platform, 'PUT', 'told', 'out/a.txt', 'text')
    await object(platform, 'DELETE', 'told', 'in/never.txt')
    await object(platform, 'DELETE', 'told', 'in/a.txt')
    const common = { account: platform.accountId, bucket: 'told', eventTime: expect.stringMatching(/Z$/) }
    const messages = await pull(platform, queueId, 2)
    expect(messages).toEqual([
      { ...common, action: 'PutObject', object: { key: 'in/a.txt', size: 4, eTag: etag } },
      { ...common, action: 'DeleteObject', object: { key: 'in/a.txt' } },
    ])

    const [, id = ''] = /rule_id: +([0-9a-f]{32})/.exec(list) ?? []
    const remove = ['bucket', 'notification', 'delete', 'told', '--queue', 'changes']
    await run([...remove, '--rule', id])
    expect(await fail(remove)).toContain('11014')
    await object(platform, 'PUT', 'told', 'in/late.txt', 'text')
    expect(await run(['bucket', 'notification', 'list', 'told'])).not.toContain('rule_id')
  })

  test('what is not here is refused by name', async () => {
    await makeBucket(platform, 'plain')
    const expected = [
      [['bucket', 'lifecycle', 'list', 'plain'], 'Lifecycle rules: not supported here'],
      [['bucket', 'cors', 'list', 'plain'], 'CORS policies of buckets: not supported here'],
    ] as const
    for (const [args, text] of expected) expect(await fail(args)).toContain(text)
    for (const path of ['sippy', 'lock', 'domains/custom', 'domains/managed']) {
      const { errors, status } = await platform.api('GET', `$A/r2/buckets/plain/${path}`)
      expect({ status, errors }, path).toMatchObject({
        ...{ status: 501, errors: [{ message: expect.stringContaining('not supported here') }] },
      })
    }
  })

  test('skerry r2 and our own API show what buckets hold', async () => {
    await makeBucket(platform, 'shown')
    for (const key of ['a/1', 'a/2', 'b']) await object(platform, 'PUT', 'shown', key, 'xyz')
    const { body } = await platform.v1('GET', '$A/buckets/shown')
    expect(body).toMatchObject({ name: 'shown', objects: 3, bytes: 9, uploads: 0 })
    const all = await platform.v1<{ name: string }[]>('GET', '$A/buckets')
    expect(all.body).toContainEqual(body)

    const listed = await platform.skerry(['r2', 'list'])
    expect(listed.stdout).toMatch(/^shown +3 +9 +20/m)
    const folders = await platform.skerry(['r2', 'objects', 'shown', '--delimiter', '/', '--json'])
    expect(JSON.parse(folders.stdout)).toMatchObject({ objects: [{ key: 'b' }], prefixes: ['a/'] })
    const first = await platform.v1<{ cursor: string }>('GET', '$A/buckets/shown/objects?limit=2')
    const path = `$A/buckets/shown/objects?cursor=${encodeURIComponent(first.body.cursor)}`
    expect((await platform.v1('GET', path)).body).toMatchObject({ objects: [{ key: 'b' }], cursor: null })

    expect((await platform.v1('DELETE', '$A/buckets/shown/objects?key=b')).status).toBe(204)
    expect((await platform.v1('GET', '$A/buckets/shown')).body).toMatchObject({ objects: 2, bytes: 6 })
    expect((await platform.v1('GET', '$A/buckets/none')).status).toBe(404)
    const unknown = await platform.skerry(['r2', 'objects', 'none'])
    expect([unknown.code, unknown.all]).toEqual([1, expect.stringContaining('ERR_R2_BUCKET_NOT_FOUND')])
  })
})

describe.each(hosts)('R2 of the API on `npm $kind`', platform => {
  const code = async (method: string, path: string, body?: unknown, headers = {}, token = platform.token) => {
    const { errors, status } = await platform.api(method, path, body, token, headers)
    return [status, errors[0]?.code]
  }

  test('names of buckets have 3 to 63 lower-case letters, digits and dashes', async () => {
    for (const name of ['abc', '0-0', 'a'.repeat(63)]) {
      expect((await platform.api('POST', '$A/r2/buckets', { name })).success, name).toBe(true)
    }
    const wrong = ['ab', 'a'.repeat(64), '', 'Abc', 'a_b', 'a.b', '-ab', 'ab-', 'é12', null, 7, undefined]
    for (const name of wrong) {
      expect(await code('POST', '$A/r2/buckets', { name }), String(name)).toEqual([400, 10005])
    }
    expect(await code('POST', '$A/r2/buckets', '{')).toEqual([400, 10002])
    expect(await code('POST', '$A/r2/buckets', { name: 'where', locationHint: 'mars' })).toEqual([400, 10028])
    expect(await code('POST', '$A/r2/buckets', { name: 'cold', storageClass: 'Ice' })).toEqual([400, 10028])
    const eu = { 'cf-r2-jurisdiction': 'eu' }
    expect(await code('POST', '$A/r2/buckets', { name: 'lawful' }, eu)).toEqual([501, 10042])
    const listed = await platform.api<{ buckets: { name: string }[] }>('GET', '$A/r2/buckets')
    const names = listed.result.buckets.map(({ name }) => name)
    expect(names.filter(name => ['where', 'cold', 'lawful'].includes(name))).toEqual([])
  })

  test('buckets are listed by name, in pages', async () => {
    for (const name of ['paged-a', 'paged-b', 'paged-c']) await makeBucket(platform, name)
    const list = async (query: string) => {
      const path = `$A/r2/buckets?name_contains=paged&${query}`
      const answer = (await platform.api<{ buckets: { name: string }[] }>('GET', path)) as unknown as {
        readonly result: { readonly buckets: readonly { readonly name: string }[] }
        readonly result_info: { readonly cursor: string }
      }
      return [answer.result.buckets.map(({ name }) => name.slice(-1)).join(''), answer.result_info.cursor]
    }
    expect(await list('')).toEqual(['abc', ''])
    expect(await list('per_page=2')).toEqual(['ab', 'paged-b'])
    expect(await list('per_page=2&cursor=paged-b')).toEqual(['c', ''])
    expect(await list('direction=desc&per_page=1')).toEqual(['c', 'paged-c'])
    expect(await list('direction=desc&start_after=paged-c')).toEqual(['ba', ''])
    expect(await code('GET', '$A/r2/buckets?per_page=1000')).toEqual([200, undefined])
    for (const query of ['per_page=1001', 'per_page=0', 'per_page=x', 'direction=up']) {
      expect(await code('GET', `$A/r2/buckets?${query}`), query).toEqual([400, 10028])
    }
  })

  test('a bucket is made once, and its storage class can be changed', async () => {
    const body = { name: 'cool', storageClass: 'InfrequentAccess', locationHint: 'weur' }
    expect((await platform.api('POST', '$A/r2/buckets', body)).result).toMatchObject({
      storage_class: 'InfrequentAccess',
    })
    expect(await code('POST', '$A/r2/buckets', { name: 'cool' })).toEqual([409, 10004])
    const stored = async (key: string, headers = {}) => {
      await object(platform, 'PUT', 'cool', key, '', headers)
      const { result } = await listObjects(platform, 'cool', `?prefix=${key}`)
      return result[0]?.storage_class
    }
    expect(await stored('a')).toBe('InfrequentAccess')
    expect(await stored('b', { 'cf-r2-storage-class': 'Standard' })).toBe('Standard')
    const patch = (name: string) =>
      code('PATCH', '$A/r2/buckets/cool', undefined, { 'cf-r2-storage-class': name })
    expect(await patch('Standard')).toEqual([200, undefined])
    expect(await patch('Ice')).toEqual([400, 10028])
    expect((await platform.api('GET', '$A/r2/buckets/cool')).result).toMatchObject({
      ...{ name: 'cool', storage_class: 'Standard' },
    })
    expect(await stored('c')).toBe('Standard')
  })

  test('objects of a bucket that is not there are not found', async () => {
    const calls = [
      ['GET', '$A/r2/buckets/none'],
      ['PATCH', '$A/r2/buckets/none', undefined, { 'cf-r2-storage-class': 'Standard' }],
      ['DELETE', '$A/r2/buckets/none'],
      ['GET', '$A/r2/buckets/none/objects'],
      ['GET', '$A/r2/buckets/none/objects/a'],
      ['PUT', '$A/r2/buckets/none/objects/a', 'x'],
      ['DELETE', '$A/r2/buckets/none/objects/a'],
      ['DELETE', '$A/r2/buckets/none/objects', ['a']],
      ['GET', '$A/event_notifications/r2/none/configuration'],
      ['PUT', `$A/event_notifications/r2/none/configuration/queues/${'0'.repeat(32)}`, { rules: [] }],
      ['DELETE', `$A/event_notifications/r2/none/configuration/queues/${'0'.repeat(32)}`],
    ] as const
    for (const call of calls) {
      expect(await code(...(call as [string, string])), call.join(' ')).toEqual([404, 10006])
    }
  })

  test.each([1, 400_000, 8_000_000])('whoever sends %d bytes to such a bucket is told so', async bytes => {
    for (let i = 0; i < 5; i++) {
      const answer = await object(platform, 'PUT', 'none', 'a', new Uint8Array(bytes))
      expect(answer.status).toBe(404)
      expect(await answer.text()).toContain('"code":10006')
    }
  })

  test('another account has its own buckets, and a viewer changes nothing', async () => {
    await makeBucket(platform, 'mine-alone')
    await object(platform, 'PUT', 'mine-alone', 'a', 'secret')
    const other = await platform.as('r2-other')
    expect((await other.api('GET', '$A/r2/buckets/mine-alone')).errors[0]?.code).toBe(10006)
    await makeBucket(other, 'mine-alone')
    expect((await listObjects(other, 'mine-alone')).result).toEqual([])
    const query = 'query { r2StorageAdaptiveGroups }'
    const variables = { accountTag: platform.accountId, filter: { bucketName: 'mine-alone' } }
    const foreign = await other.createToken('admin')
    const asked = await platform.api('POST', '/graphql', { query, variables }, foreign)
    expect(asked).toMatchObject({ data: null, errors: [{ message: expect.stringContaining('not for an') }] })

    const viewer = await platform.createToken('viewer')
    const calls = [
      ['POST', '$A/r2/buckets', { name: 'by-viewer' }],
      ['DELETE', '$A/r2/buckets/mine-alone'],
      ['PATCH', '$A/r2/buckets/mine-alone'],
      ['PUT', '$A/r2/buckets/mine-alone/objects/b', 'x'],
      ['DELETE', '$A/r2/buckets/mine-alone/objects/a'],
      ['DELETE', '$A/r2/buckets/mine-alone/objects', ['a']],
      ['PUT', `$A/event_notifications/r2/mine-alone/configuration/queues/x`, {}],
      ['DELETE', `$A/event_notifications/r2/mine-alone/configuration/queues/x`],
    ] as const
    for (const [method, path, body] of calls) {
      expect(await code(method, path, body, {}, viewer), `${method} ${path}`).toEqual([403, 10000])
    }
    expect(
      (await platform.v1('DELETE', '$A/buckets/mine-alone/objects?key=a', undefined, viewer)).status,
    ).toBe(403)
    expect(await (await object(platform, 'GET', 'mine-alone', 'a')).text()).toBe('secret')
  })

  test('keys have 1 to 1,024 bytes, in any spelling of a URL', async () => {
    await makeBucket(platform, 'keys')
    const longest = `${'é'.repeat(511)}ab`
    for (const key of [longest, 'a/b//c', '%41', ' ', 'a?b#c', '__proto__']) {
      const put = await object(platform, 'PUT', 'keys', encodeURIComponent(key), key)
      expect((await put.json()) as object, key).toMatchObject({ result: { key } })
      expect(await (await object(platform, 'GET', 'keys', encodeURIComponent(key))).text()).toBe(key)
    }
    const slashes = await object(platform, 'GET', 'keys', 'a/b//c')
    expect(await slashes.text()).toBe('a/b//c')
    const bad = [encodeURIComponent(`${longest}c`), '%ff', '']
    for (const key of bad) {
      expect(await code('PUT', `$A/r2/buckets/keys/objects/${key}`, 'x'), key).toEqual([400, 10020])
    }
    expect(await code('DELETE', '$A/r2/buckets/keys/objects', [''])).toEqual([400, 10020])
    expect(await code('DELETE', '$A/r2/buckets/keys/objects', [7])).toEqual([400, 10020])
    const many = Array.from({ length: 1001 }, (_, i) => `none-${i}`)
    expect(await code('DELETE', '$A/r2/buckets/keys/objects', many)).toEqual([400, 10028])
    expect(await code('DELETE', '$A/r2/buckets/keys/objects', many.slice(1))).toEqual([200, undefined])
    expect(await code('DELETE', '$A/r2/buckets/keys/objects', {})).toEqual([400, 10028])
    expect(await code('GET', '$A/r2/buckets/keys/objects?per_page=1001')).toEqual([400, 10028])
    expect(await code('GET', '$A/r2/buckets/keys/objects?cursor=!')).toEqual([400, expect.any(Number)])
    const expires = { expires: 'tomorrow' }
    expect(await code('PUT', '$A/r2/buckets/keys/objects/x', 'x', expires)).toEqual([400, 10028])
  })

  test('an object is read as it was written, whole or in part, whatever its encoding says', async () => {
    await makeBucket(platform, 'read')
    const bytes = randomBytes(70_000)
    const size = bytes.length
    // Not as a page: the proxy of `wrangler dev` looks into those.
    const headers = { 'content-encoding': 'gzip', 'content-type': 'text/css', 'content-language': 'de' }
    await object(platform, 'PUT', 'read', 'page', bytes, headers)
    const whole = await raw(platform, 'GET', 'read', 'page')
    expect(whole.body.equals(bytes)).toBe(true)
    expect(whole.headers).toMatchObject({ ...headers, 'content-length': String(size) })
    // On the control plane's own host it must not run as a page.
    expect(whole.headers['content-security-policy']).toContain('sandbox')

    const part = await raw(platform, 'GET', 'read', 'page', { range: 'bytes=10-19' })
    expect(part).toMatchObject({ status: 206, headers: { 'content-range': `bytes 10-19/${size}` } })
    expect(part.body.equals(bytes.subarray(10, 20))).toBe(true)
    const past = await raw(platform, 'GET', 'read', 'page', { range: `bytes=${size}-` })
    expect(past.status).toBe(416)
    const head = await raw(platform, 'HEAD', 'read', 'page')
    expect(head).toMatchObject({
      status: 200,
      headers: { 'content-length': String(size), etag: whole.headers.etag },
    })
    expect((await raw(platform, 'HEAD', 'read', 'none')).status).toBe(404)
  })

  test('an upload of 300 MiB is let in, one byte more is not, and one that breaks off leaves nothing', async () => {
    await makeBucket(platform, 'whole')
    await object(platform, 'PUT', 'whole', 'kept', 'before')
    const limit = LIMITS.r2UploadBytes
    // The proxy of `wrangler dev` answers nobody who is still writing.
    if (platform.kind === 'start') expect(await announce(platform, 'whole', 'new', limit + 1)).toBe(413)
    for (const key of ['new', 'kept']) expect(await announce(platform, 'whole', key, limit)).toBe('waits')
    expect(await (await object(platform, 'GET', 'whole', 'kept')).text()).toBe('before')
    await vi.waitFor(async () => {
      const { body } = await platform.v1('GET', '$A/buckets/whole')
      expect(body).toMatchObject({ objects: 1, bytes: 6, uploads: 0 })
    })
    await object(platform, 'DELETE', 'whole', 'kept')
    expect(await code('DELETE', '$A/r2/buckets/whole')).toEqual([200, undefined])
  })

  test('a bucket that is made again under its name is empty, and forgets its rules', async () => {
    await makeBucket(platform, 'again')
    const { result } = await platform.api<{ queue_id: string }>('POST', '$A/queues', {
      queue_name: 'again-q',
    })
    const rules = `$A/event_notifications/r2/again/configuration/queues/${result.queue_id}`
    const rule = { prefix: '', suffix: '', actions: ['PutObject'] }
    expect((await platform.api('PUT', rules, { rules: [rule] })).success).toBe(true)
    await object(platform, 'PUT', 'again', 'a', 'x')
    expect(await code('DELETE', '$A/r2/buckets/again')).toEqual([409, 10008])
    await object(platform, 'DELETE', 'again', 'a')
    expect(await code('DELETE', '$A/r2/buckets/again')).toEqual([200, undefined])
    expect(await code('PUT', '$A/r2/buckets/again/objects/a', 'x')).toEqual([404, 10006])
    await makeBucket(platform, 'again')
    expect((await platform.api('GET', '$A/event_notifications/r2/again/configuration')).result).toEqual({
      ...{ bucketName: 'again', queues: [] },
    })

    const wrong = [
      [{ rules: [] }, 400, 11014],
      [{}, 400, 11014],
      [{ rules: [{ ...rule, actions: ['GetObject'] }] }, 400, 11014],
    ] as const
    for (const [body, ...expected] of wrong) expect(await code('PUT', rules, body)).toEqual(expected)
    const unknown = `$A/event_notifications/r2/again/configuration/queues/${'0'.repeat(32)}`
    expect((await platform.api('PUT', unknown, { rules: [rule] })).status).toBe(404)
    // A queue's name is no id.
    const byName = `$A/event_notifications/r2/again/configuration/queues/again-q`
    expect((await platform.api('PUT', byName, { rules: [rule] })).status).toBe(404)
  })
})

async function makeBucket(platform: Platform, name: string): Promise<void> {
  const { success, errors } = await platform.api('POST', '$A/r2/buckets', { name })
  expect(success, JSON.stringify(errors)).toBe(true)
}

function objectPath({ accountId }: Platform, bucket: string, key: string): string {
  return `/client/v4/accounts/${accountId}/r2/buckets/${bucket}/objects/${key}`
}

/** A call for one object; its key as a URL has it. */
function object(
  platform: Platform,
  method: string,
  bucket: string,
  key: string,
  body?: string | Uint8Array<ArrayBuffer>,
  headers = {},
): Promise<Response> {
  return platform.fetch(`127.0.0.1:${platform.port}`, objectPath(platform, bucket, key), {
    method,
    headers: { authorization: `Bearer ${platform.token}`, ...headers },
    ...(body !== undefined && { body }),
  })
}

function listObjects(platform: Platform, bucket: string, query = '') {
  return platform.api<Listing[]>('GET', `$A/r2/buckets/${bucket}/objects${query}`)
}

function resultOf(envelope: unknown): { etag: string } {
  return (envelope as { result: { etag: string } }).result
}

/** The same with what came over the wire: nothing decoded. */
function raw(platform: Platform, method: string, bucket: string, key: string, headers = {}) {
  const { port, token } = platform
  const options = {
    ...{ host: '127.0.0.1', port, method, path: objectPath(platform, bucket, key) },
    headers: { authorization: `Bearer ${token}`, ...headers },
  }
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>(
    (resolve, reject) => {
      const request = httpRequest(options, response => {
        const chunks: Buffer[] = []
        response.on('data', chunk => chunks.push(chunk)).on('error', reject)
        const status = response.statusCode ?? 0
        response.on('end', () =>
          resolve({ status, headers: { ...response.headers }, body: Buffer.concat(chunks) }),
        )
      })
      request.on('error', reject).end()
    },
  )
}

/** Begins an upload of so many bytes: the status if it is refused at once, else it is broken off after sixteen million. */
function announce(platform: Platform, bucket: string, key: string, bytes: number): Promise<number | 'waits'> {
  const options = {
    ...{
      host: '127.0.0.1',
      port: platform.port,
      method: 'PUT',
      path: objectPath(platform, bucket, key),
    },
    headers: { authorization: `Bearer ${platform.token}`, 'content-length': String(bytes) },
  }
  return new Promise(resolve => {
    const request = httpRequest(options, response => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('error', () => {})
    // An answer may be lost on who is writing when the connection is closed.
    if (bytes > LIMITS.r2UploadBytes) return request.flushHeaders()
    // What doesn't fit in the sockets' buffers is read by the platform before the end of this is written.
    request.write(Buffer.alloc(16_000_000), () => {
      request.destroy()
      resolve('waits')
    })
  })
}

/** Messages of a queue, oldest first, once there are so many. */
async function pull(platform: Platform, queueId: string, count: number): Promise<unknown[]> {
  const found: { attempts: number; body: string }[] = []
  await vi.waitFor(
    async () => {
      const path = `$A/queues/${queueId}/messages/pull`
      const { result, errors } = await platform.api<{ messages: typeof found }>('POST', path, {
        batch_size: 10,
      })
      expect(errors).toEqual([])
      found.push(...result.messages)
      expect(found.length).toBeGreaterThanOrEqual(count)
    },
    { timeout: 15_000, interval: 100 },
  )
  return found.map(({ body }) => parseBody(body)).sort(byTime)
}

/** A message of JSON comes as base64 of it, or as it is. */
function parseBody(body: unknown): { eventTime: string } {
  if (typeof body !== 'string') return body as { eventTime: string }
  return JSON.parse(body.startsWith('{') ? body : Buffer.from(body, 'base64').toString())
}

function byTime(a: { eventTime: string }, b: { eventTime: string }): number {
  return a.eventTime < b.eventTime ? -1 : 1
}
