import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'

// Neighbours in the store's order, so that whatever leaks, leaks.
const A = '0000001:'
const B = '0000002:'

let workerd: Workerd
const dir = mkdtempSync(join(tmpdir(), 'kv-isolation-'))

beforeAll(async () => {
  const [driver, host] = await Promise.all([
    bundleModule('test/worker/kv-isolation.ts'),
    bundleModule('test/worker/kv-host.ts'),
  ])
  workerd = await startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'KV', kvNamespace: { name: 'kv', props: { json: '{"namespace":"kv"}' } } },
      { name: 'DRIVER', text: driver },
    ],
    services: embeddedKv('kv', dir),
  })
  for (const [prefix, names] of [
    [A, ['a1', 'a2', 'a3', 'é', '\uffff', '😀']],
    [B, ['b1', 'b2', `${A}a1`]],
  ] as const) {
    for (const name of names) await call(prefix, 'put', name, `value of ${prefix}`)
  }
})

afterAll(async () => {
  await workerd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** What the function whose namespace has the prefix gets from a call of its binding. */
async function call(
  prefix: string,
  method: string,
  ...args: unknown[]
): Promise<{ ok?: unknown; error?: string }> {
  const response = await workerd.fetch(`/?prefix=${prefix}`, {
    method: 'POST',
    body: JSON.stringify({ method, args }),
  })
  return (await response.json()) as { ok?: unknown; error?: string }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const cursors = [
  '',
  'AA==',
  base64(A),
  base64(B),
  base64(`${B}b1`),
  base64('b1'),
  base64('\0'),
  base64('\u{10ffff}'),
  '~',
  `~${base64(A)}`,
  `~${base64(`${B}b1`)}`,
  `~${base64('\0')}`,
  '~garbage',
  '~~',
]
const prefixes = ['', A, B, '0', '\0', '%', '_', '*', '../', '\ufeff', 'b', '\u{10ffff}']

describe('two KV namespaces in one store', () => {
  test('list their own keys and no others', async () => {
    const names = async (prefix: string) =>
      ((await call(prefix, 'list')).ok as KVList).keys.map(({ name }) => name)
    expect(await names(A)).toEqual(['a1', 'a2', 'a3', 'é', '\uffff', '😀'])
    expect(await names(B)).toEqual([`${A}a1`, 'b1', 'b2'])
  })

  test.each(cursors)('are not joined by the cursor %j', async cursor => {
    for (const prefix of prefixes) {
      const answer = JSON.stringify(await call(A, 'list', { cursor, prefix }))
      expect(answer).not.toMatch(/b1|b2|0000001|0000002/)
    }
  })

  test('a cursor from another namespace is a place in one’s own', async () => {
    const { cursor } = (await call(B, 'list', { limit: 2 })).ok as KVList
    const page = (await call(A, 'list', { cursor })).ok as KVList
    expect(page.keys.map(({ name }) => name)).toEqual(['é', '\uffff', '😀'])
  })

  test.each([`${B}b1`, `../${B}b1`, `\0${B}b1`, `%00${B}b1`, `?x=${B}b1`, `#${B}b1`, `/${B}b1`, '\u202eb1'])(
    'the key %j is one’s own',
    async key => {
      expect(await call(A, 'get', key)).toEqual({ ok: null })
      expect(await call(A, 'get', [key])).toEqual({ ok: [[key, null]] })
      await call(A, 'put', key, 'mine')
      expect(await call(A, 'get', key)).toEqual({ ok: 'mine' })
      await call(A, 'delete', key)
      expect(await call(B, 'get', 'b1')).toEqual({ ok: `value of ${B}` })
    },
  )

  test.each([
    { method: 'get', args: ['k'.repeat(505)] },
    { method: 'get', args: [['k'.repeat(505)]] },
    { method: 'get', args: [['']] },
    { method: 'put', args: ['', 'v'] },
    { method: 'put', args: ['k', 'v', { expirationTtl: 1 }] },
    { method: 'list', args: [{ prefix: 'k'.repeat(505) }] },
    { method: 'list', args: [{ cursor: '!' }] },
    { method: 'list', args: [{ limit: 1001 }] },
  ])('no error of $method tells the prefix', async ({ method, args }) => {
    const { error } = await call(A, method, ...args)
    expect(error).toBeTruthy()
    expect(error).not.toContain('0000001')
  })

  test('an endless stream ends at the limit of values, and nothing is stored', async () => {
    const { error } = await call(A, 'put', 'endless', '<endless stream>')
    expect(error).toMatch(/^KV PUT failed: 413 Value length of \d{8} exceeds limit of 26214400\.$/)
    expect(await call(A, 'get', 'endless')).toEqual({ ok: null })
  })

  test('there is nothing to call but the five methods', async () => {
    for (const method of ['prefix', 'ctx', 'env', 'constructor', 'read', '__proto__', 'props']) {
      expect(await call(A, method)).toHaveProperty('error')
    }
  })
})

interface KVList {
  readonly keys: readonly { readonly name: string }[]
  readonly cursor?: string
}
