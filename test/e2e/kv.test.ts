import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { createProject, createWorker } from './support/project.ts'

const hosts = await openFirstHost('kv')

describe.each(hosts)('wrangler kv on `npm $kind`', platform => {
  const run = async (cwd: string, ...args: string[]) => {
    const finished = await platform.wrangler(['kv', ...args], { cwd })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const createNamespace = async (title: string) =>
    (await platform.api<{ id: string }>('POST', '$A/storage/kv/namespaces', { title })).result.id
  const value = async (id: string, key: string) => {
    const path = `/client/v4/accounts/${platform.accountId}/storage/kv/namespaces/${id}/values/${encodeURIComponent(key)}`
    const headers = { authorization: `Bearer ${platform.token}` }
    return platform.fetch(`127.0.0.1:${platform.port}`, path, { headers })
  }

  test('namespace create, list, rename and delete', async () => {
    const { dir } = createProject({})
    expect(await run(dir, 'namespace', 'create', 'notes')).toMatch(/"id": "[0-9a-f]{32}"/)
    const list = async () =>
      JSON.parse(await run(dir, 'namespace', 'list')) as { id: string; title: string }[]
    const [created] = (await list()).filter(({ title }) => title === 'notes')
    expect(created).toBeDefined()
    const id = created?.id ?? ''

    const again = await platform.wrangler(['kv', 'namespace', 'create', 'notes'], { cwd: dir })
    expect(again.code).toBe(1)
    expect(again.all).toContain('already exists')

    await run(dir, 'namespace', 'rename', '--namespace-id', id, '--new-name', 'remarks')
    expect(await list()).toContainEqual(expect.objectContaining({ id, title: 'remarks' }))
    await run(dir, 'namespace', 'delete', '--namespace-id', id)
    expect((await list()).map(namespace => namespace.id)).not.toContain(id)
    const gone = await platform.wrangler(['kv', 'key', 'get', 'a', '--namespace-id', id, '--remote'], {
      cwd: dir,
    })
    expect(gone.code).toBe(1)
  })

  test('key put and get carry metadata, expiry, binary files, and keys of any spelling', async () => {
    const id = await createNamespace('keys')
    const { dir } = createProject({
      'wrangler.json': { name: 'any', kv_namespaces: [{ binding: 'STORE', id }] },
    })
    const place = ['--namespace-id', id, '--remote']
    await run(dir, 'key', 'put', 'plain', 'a value', ...place)
    expect(await run(dir, 'key', 'get', 'plain', ...place, '--text')).toBe('a value\n')

    const odd = 'ключ/with slash ?#&+%41 é\u{1f600}'
    await run(dir, 'key', 'put', odd, 'odd', ...place, '--metadata', '{"by":"anna"}', '--ttl', '3600')
    expect(await (await value(id, odd)).text()).toBe('odd')
    expect(await run(dir, 'key', 'get', odd, ...place, '--text')).toBe('odd\n')

    const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 7) % 256)
    writeFileSync(join(dir, 'file.bin'), bytes)
    await run(dir, 'key', 'put', 'binary', '--path', 'file.bin', ...place)
    expect(new Uint8Array(await (await value(id, 'binary')).arrayBuffer())).toEqual(bytes)

    const list = JSON.parse(await run(dir, 'key', 'list', '--binding', 'STORE', '--remote'))
    expect(list).toEqual(
      [
        { name: 'binary' },
        { name: 'plain' },
        { name: odd, expiration: expect.any(Number), metadata: { by: 'anna' } },
      ].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))),
    )
    const { expiration } = list.find(({ name }: { name: string }) => name === odd)
    expect(Math.abs(expiration - (Date.now() / 1000 + 3600))).toBeLessThan(60)
    expect(JSON.parse(await run(dir, 'key', 'list', ...place, '--prefix', 'bin'))).toEqual([
      { name: 'binary' },
    ])

    await run(dir, 'key', 'delete', 'plain', ...place)
    const gone = await platform.wrangler(['kv', 'key', 'get', 'plain', ...place], { cwd: dir })
    expect(gone.code).toBe(1)
    expect(gone.all).toContain('404')
  })

  test('bulk put, get and delete', async () => {
    const id = await createNamespace('bulk')
    const { dir } = createProject({
      'put.json': JSON.stringify([
        { key: 'a', value: 'A' },
        { key: 'b/ü', value: 'QkI=', base64: true, metadata: { n: 1 } },
        ...Array.from({ length: 1500 }, (_, at) => ({ key: `many-${at}`, value: String(at) })),
      ]),
      'get.json': JSON.stringify(['a', 'b/ü', 'none']),
      'delete.json': JSON.stringify(['a', ...Array.from({ length: 1500 }, (_, at) => `many-${at}`)]),
    })
    const place = ['--namespace-id', id, '--remote']
    await run(dir, 'bulk', 'put', 'put.json', ...place)
    const got = JSON.parse(await run(dir, 'bulk', 'get', 'get.json', ...place))
    expect(got).toEqual({ a: 'A', 'b/ü': 'BB', none: null })
    expect(JSON.parse(await run(dir, 'key', 'list', ...place))).toHaveLength(1502)
    await run(dir, 'bulk', 'delete', 'delete.json', ...place, '--force')
    expect(JSON.parse(await run(dir, 'key', 'list', ...place))).toEqual([{ name: 'b/ü', metadata: { n: 1 } }])
  })

  test('a function and the API see the same values', async () => {
    const id = await createNamespace('shared')
    const project = createWorker('kv-user', '', { kv_namespaces: [{ binding: 'STORE', id }] })
    const source = `export default {
      async fetch(request, env) {
        if (request.method === 'PUT') await env.STORE.put('from-function', await request.text(), { metadata: { x: 1 } })
        return Response.json(await env.STORE.getWithMetadata('from-wrangler'))
      },
    }`
    const bindings = [{ type: 'kv_namespace', name: 'STORE', namespace_id: id }]
    await platform.upload('kv-user', source, { bindings })
    const place = ['--binding', 'STORE', '--remote']
    await run(project.dir, 'key', 'put', 'from-wrangler', 'hello', '--metadata', '{"n":[1,2]}', ...place)
    const seen = await platform.read('kv-user', '/', { method: 'PUT', body: 'hi' })
    expect(JSON.parse(seen)).toMatchObject({ value: 'hello', metadata: { n: [1, 2] } })
    expect(await run(project.dir, 'key', 'get', 'from-function', '--text', ...place)).toBe('hi\n')
  })
})
