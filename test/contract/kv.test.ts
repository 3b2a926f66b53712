import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { BindingConfig } from '../../host/config.ts'
import { bundleModule, embeddedKv, startWorkerd } from '../support/workerd.ts'

type Result = [name: string, outcome: unknown]

/** Where ours differs from the native binding: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, { ours: unknown; why: string }>> = {
  ...same(
    ['get() of an object as key', 'get() of a batch: an object as key'],
    {
      error: expect.stringContaining("'get' on 'KvNamespace': parameter 1 is not of type 'string or Array'"),
    },
    'the text of an object comes from its methods, which are calls into the function here',
  ),
  ...same(
    ['getWithMetadata() of a batch: an object as key'],
    { error: expect.stringContaining("parameter 1 is not of type 'string or Array'") },
    'as above',
  ),
  ...same(
    ['put() of an object as key', 'delete() of an object as key'],
    { error: expect.stringContaining("parameter 1 is not of type 'string'") },
    'as above',
  ),
  ...same(
    ['list() with an object as prefix'],
    { error: expect.stringContaining("parameter 1 is not of type 'ListOptions'") },
    'as above',
  ),
  ...same(
    ['put() of a stream of numbers', 'put() of a stream that fails'],
    { put: { error: 'Error: ReadableStream received over RPC disconnected prematurely.' }, stored: null },
    "RPC does not carry a stream's own error",
  ),
  ...same(
    ['put() of a FormData', 'put() of an object of a class'],
    { put: { error: expect.stringMatching(/^DataCloneError: Could not serialize/) }, stored: null },
    'RPC refuses what cannot be cloned before we see it',
  ),
  ...same(
    ['put() with metadata: a function', 'put() with metadata: an object with a function'],
    {
      put: { error: 'DataCloneError: #<RpcStub> could not be cloned.' },
      stored: { value: null, metadata: null, cacheStatus: 'MISS' },
    },
    'a function arrives as a stub; natively, metadata that is one makes the key unreadable',
  ),
  ...same(
    ['get() as text of 17 Mi characters, one beyond Latin-1'],
    { error: expect.stringContaining('limited to 32MiB') },
    'RPC carries 32 MiB, and such a text has two bytes a character; as arrayBuffer or stream it is read',
  ),
  ...same(
    ['a key with a lone surrogate'],
    { keys: [{ name: 'lone\ufffd' }], list_complete: true, cacheStatus: null },
    'natively the connection to the store is lost',
  ),
  ...same(
    ['get() of a batch: keys that look like numbers'],
    {
      map: [
        ['10', 'value of 10'],
        ['gone', null],
        ['9', 'value of 9'],
      ],
    },
    'natively they are missing from the result',
  ),
  ...same(
    ['getWithMetadata() of a batch: keys that look like numbers'],
    {
      map: [
        ['10', { value: 'value of 10', metadata: null }],
        ['gone', null],
        ['9', { value: 'value of 9', metadata: null }],
      ],
    },
    'as above',
  ),
  ...same(
    ['get() of a batch: the key __proto__', 'getWithMetadata() of a batch: the key __proto__'],
    {
      map: [
        ['__proto__', expect.anything()],
        ['b1', expect.anything()],
      ],
    },
    'as above',
  ),
  ...same(['a call is a Promise'], false, 'it is an RpcPromise, which can be awaited and pipelined'),
  ...same(['a method apart from its binding'], null, 'methods of a stub are bound to it'),
}

/** Streams can't be constructed in such old Workers, natively neither. */
const ONLY_NEW_DATES = ['put() of a stream of numbers', 'put() of a stream that fails']

const dirs: string[] = []
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

const [driver, host] = await Promise.all([
  bundleModule('test/worker/kv-driver.ts'),
  bundleModule('test/worker/kv-host.ts'),
])

describe.each([{ date: '2022-01-01' }, { date: '2026-11-01' }])(
  'KvEntrypoint, compatibility date $date',
  async ({ date }) => {
    const native = await runNative(date)
    const ours = new Map(await runOurs(date))
    const declared = (name: string) =>
      Object.hasOwn(DIFFERENCES, name) && (date > '2026' || !ONLY_NEW_DATES.includes(name))

    test('runs every case', () => {
      expect([...ours.keys()]).toEqual(native.map(([name]) => name))
      expect(Object.keys(DIFFERENCES).filter(name => !ours.has(name))).toEqual([])
    })

    test.each(native.filter(([name]) => !declared(name)))(
      'does as the native binding: %s',
      (name, expected) => {
        expect(ours.get(name)).toEqual(expected)
      },
    )

    test.each(native.filter(([name]) => declared(name)))('differs as declared: %s', (name, native) => {
      expect(ours.get(name)).toEqual(DIFFERENCES[name]?.ours)
      expect(ours.get(name)).not.toEqual(native)
    })
  },
)

async function runNative(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    bindings: [bindKv('native'), { name: 'KEY_BYTES', json: '512' }],
    services: embeddedKv('kv', createDir()),
  })
  try {
    return comparable(await (await workerd.fetch('/')).text(), 512)
  } finally {
    await workerd.stop()
  }
}

async function runOurs(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      bindKv('kv'),
      { name: 'DRIVER', text: driver },
    ],
    services: embeddedKv('kv', createDir()),
  })
  try {
    return comparable(await (await workerd.fetch(`/?date=${date}&prefix=0000001:`)).text(), 504)
  } finally {
    await workerd.stop()
  }
}

/** Our keys are 8 bytes shorter, and the messages say so. */
function comparable(results: string, keyBytes: number): Result[] {
  const text = results
    .replaceAll(`limit of ${keyBytes}`, 'limit of <limit>')
    .replaceAll(`length of ${keyBytes + 1}`, 'length of <limit + 1>')
    .replaceAll('k'.repeat(keyBytes), '<a key at the limit>')
  return JSON.parse(text) as Result[]
}

function bindKv(namespace: string): BindingConfig {
  return { name: 'KV', kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } } }
}

function createDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'kv-contract-'))
  dirs.push(dir)
  return dir
}

function same(names: readonly string[], ours: unknown, why: string) {
  return Object.fromEntries(names.map(name => [name, { ours, why }]))
}
