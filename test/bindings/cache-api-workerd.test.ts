import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'

const MIB = 1024 * 1024
const URL = 'https://files.example/x'

/** A function that does what the query says with one entry of its cache. */
const FUNCTION = `
const URL_ = '${URL}'
const open = name => (name ? caches.open(name) : caches.default)
const chunk = new Uint8Array(65536).fill(7)
const bodyOf = (bytes, failsAt) => {
  const { readable, writable } = new IdentityTransformStream()
  const writer = writable.getWriter()
  const pump = async () => {
    for (let left = bytes; left > 0; left -= chunk.length) {
      if (bytes - left >= failsAt) throw new RangeError('broken')
      await writer.write(chunk.subarray(0, Math.min(left, chunk.length)))
    }
    await writer.close()
  }
  pump().catch(error => writer.abort(error))
  return readable
}
export default {
  async fetch(request, env, ctx) {
    const query = Object.fromEntries(new URL(request.url).searchParams)
    const cache = await open(query.name)
    if (query.op === 'env') return Response.json([Object.keys(env), Object.keys((await import('cloudflare:workers')).env)])
    if (query.op === 'put') {
      const headers = { 'cache-control': 'max-age=100', ...(query.length && { 'content-length': query.length }) }
      try {
        await cache.put(URL_, new Response(query.text ?? bodyOf(Number(query.bytes), Number(query.failsAt ?? Infinity)), { headers }))
        return new Response('put')
      } catch (error) {
        return new Response(String(error))
      }
    }
    if (query.op === 'delete') return new Response(String(await cache.delete(URL_)))
    if (query.op === 'hostile') {
      // Whoever patches the prototype gets hold of the stub.
      let prototype = ctx.exports.default
      while (!Object.hasOwn(prototype, 'fetch')) prototype = Object.getPrototypeOf(prototype)
      const native = prototype.fetch
      let stub
      prototype.fetch = function (...args) { stub = this; return native.apply(this, args) }
      await cache.match(URL_)
      if (!stub) return new Response('no stub')
      const calls = [
        { cf: { name: '', url: URL_, accountId: 'other', script: 'other' } },
        { cf: { name: { toString: 1 }, url: URL_ } },
        { method: 'PUT', cf: { name: '', url: URL_, status: 'x', headers: [] } },
        { method: 'PUT', cf: { name: '', url: URL_, status: 200, headers: [[1, 2, 3]] } },
        { method: 'POST', cf: { name: '', url: URL_ } },
        {},
      ]
      const answers = []
      for (const init of calls) answers.push(await native.call(stub, 'http://x/', init).then(r => r.status, String))
      return Response.json(answers)
    }
    const found = await cache.match(new Request(URL_, { headers: query.range ? { range: query.range } : {} }))
    if (!found) return new Response('miss')
    let bytes = 0
    let others = 0
    for await (const part of found.body) {
      bytes += part.length
      for (const byte of part) if (byte !== 7) others++
    }
    return Response.json({ status: found.status, length: found.headers.get('content-length'), bytes, others })
  },
}`

let workerd: Workerd
const dir = mkdtempSync(join(tmpdir(), 'cache-api-'))
beforeAll(async () => {
  workerd = await startWorkerd({
    modules: { 'host.js': await bundleModule('test/worker/cache-api-host.ts') },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'KV', kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace: 'kv' }) } } },
      { name: 'DRIVER', text: FUNCTION },
    ],
    services: embeddedKv('kv', dir),
  })
})
afterAll(async () => {
  await workerd.stop()
  rmSync(dir, { recursive: true, force: true })
})

const ask = async (query: Record<string, string | number>) =>
  (await workerd.fetch(`/?${new URLSearchParams(query as Record<string, string>)}`)).text()

describe('an entry', () => {
  test.each([{ script: 'other' }, { account: '1'.repeat(32) }, { name: 'named' }, { name: 'default' }])(
    'is found by nobody else: %j',
    async other => {
      expect(await ask({ op: 'put', text: 'x' })).toBe('put')
      expect(await ask(other)).toBe('miss')
      expect(await ask({ op: 'delete', ...other })).toBe('false')
      expect(await ask({})).toContain('"status":200')
    },
  )

  test('is what another version of the script finds', async () => {
    expect(await ask({ op: 'put', text: 'x', script: 'twice' })).toBe('put')
    expect(await ask({ script: 'twice', date: '2024-01-01' })).toContain('"status":200')
  })
})

test.each(['2022-01-01', '2026-11-01'])('the stub is in no env, date %s', async date => {
  expect(await ask({ op: 'env', date })).toBe('[["SAID"],["SAID"]]')
})

test('whoever gets hold of the stub reaches nothing else, and breaks nothing', async () => {
  expect(await ask({ op: 'put', text: 'x', script: 'hostile' })).toBe('put')
  const [own, ...others] = JSON.parse(await ask({ op: 'hostile', script: 'hostile' })) as unknown[]
  expect(own).toBe(200)
  for (const status of others) expect(status === 400 || /^TypeError/.test(String(status))).toBe(true)
  expect(await ask({ script: 'hostile' })).toContain('"status":200')
})

describe.each(['2022-01-01', '2026-11-01'])('a long body, date %s', date => {
  const script = `long-${date}`
  const here = (query: Record<string, string | number>) => ask({ ...query, script, date })

  test('passes whole', async () => {
    const bytes = 3 * MIB + 1
    expect(await here({ op: 'put', bytes })).toBe('put')
    expect(JSON.parse(await here({}))).toEqual({ status: 200, length: null, bytes, others: 0 })
  })

  test('has the length that its response announces', async () => {
    const bytes = MIB
    expect(await here({ op: 'put', bytes, length: bytes })).toBe('put')
    expect(JSON.parse(await here({}))).toEqual({ status: 200, length: String(bytes), bytes, others: 0 })
  })

  test.each([{}, { length: MIB }])('gives parts: %j', async more => {
    await here({ op: 'put', bytes: MIB, ...more })
    const part = { status: 206, others: 0 }
    expect(JSON.parse(await here({ range: 'bytes=1000000-1000099' }))).toEqual({
      ...part,
      length: '100',
      bytes: 100,
    })
    expect(JSON.parse(await here({ range: 'bytes=10-' }))).toEqual({
      ...part,
      length: String(MIB - 10),
      bytes: MIB - 10,
    })
    expect(JSON.parse(await here({ range: `bytes=${MIB}-` }))).toMatchObject({ status: 416 })
  })

  test.each([100_000, 2 * MIB])(
    'that fails after %s bytes is not stored, and its error is the caller’s',
    async failsAt => {
      await here({ op: 'delete' })
      expect(await here({ op: 'put', bytes: 3 * MIB, failsAt })).toBe('RangeError: broken')
      expect(await here({})).toBe('miss')
    },
  )

  test('that fails leaves what was stored before', async () => {
    await here({ op: 'put', bytes: 100 })
    expect(await here({ op: 'put', bytes: 3 * MIB, failsAt: MIB })).toBe('RangeError: broken')
    expect(JSON.parse(await here({}))).toMatchObject({ bytes: 100 })
  })
})

describe('the longest body', () => {
  // The head takes some hundred bytes of the value.
  const longest = 25 * MIB - 4096
  const here = (query: Record<string, string | number>) => ask({ ...query, script: 'limit' })

  test.each([{}, { length: longest }])('is stored: %j', async more => {
    expect(await here({ op: 'put', bytes: longest, ...more })).toBe('put')
    expect(JSON.parse(await here({}))).toMatchObject({ bytes: longest, others: 0 })
  })

  test.each([{}, { length: 25 * MIB }])(
    'is not stored if it is longer, silently as natively: %j',
    async more => {
      await here({ op: 'delete' })
      expect(await here({ op: 'put', bytes: 25 * MIB, ...more })).toBe('put')
      expect(await here({})).toBe('miss')
    },
  )
})
