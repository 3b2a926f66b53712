import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd } from '../support/workerd.ts'

type Result = [name: string, outcome: unknown]

/** Where ours differs from Miniflare's R2 under workerd's own client: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, { ours: unknown; why: string }>> = {
  'put() with a storage class': {
    ours: {
      put: expect.objectContaining({ storageClass: 'InfrequentAccess' }),
      got: expect.objectContaining({ storageClass: 'InfrequentAccess' }),
      text: 'v',
    },
    why: 'Miniflare knows no storage classes; R2 does',
  },
  'put() of a stream that fails': {
    ours: ['Error: Network connection lost.', null],
    why: 'the body goes to the edge as a request, which does not carry its error',
  },
  'put() with a key of SSE-C': {
    ours: { put: expect.stringContaining('SSE-C is not supported'), got: null, text: null },
    why: 'Miniflare ignores it; objects are not encrypted here, and it must not look as if they were',
  },
  'get() with a key of SSE-C': {
    ours: { error: expect.stringContaining('SSE-C is not supported') },
    why: 'as above',
  },
}

const NO_TAGS = 'natively, classes had no Symbol.toStringTag'

/** The same under a date of 2022: objects and errors are as under today's. */
const OLD_DIFFERENCES: typeof DIFFERENCES = {
  ...DIFFERENCES,
  ...same(['the binding: its class'], ['R2Bucket', '[object R2Bucket]', []], NO_TAGS),
  ...same(
    ['an object: its class'],
    expect.arrayContaining([expect.arrayContaining(['[object HeadResult]'])]),
    NO_TAGS,
  ),
  ...same(
    ['a failing call returns a Promise'],
    [true, true],
    'natively, wrong arguments were thrown at once',
  ),
  ...same(
    ['a number', 'an object', 'an array', 'true', 'a Date', 'a function', 'FormData'].map(
      v => `put() of ${v}`,
    ),
    { put: expect.stringContaining("parameter 2 is not of type 'JsReadableStream"), got: null, text: null },
    'natively, a value of a wrong type was stored as no bytes',
  ),
}

const dirs: string[] = []
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

const [driver, host] = await Promise.all([
  bundleModule('test/worker/r2-driver.ts'),
  bundleModule('test/worker/r2-host.ts'),
])

describe.each([
  { date: '2022-01-01', differences: OLD_DIFFERENCES },
  { date: '2026-11-01', differences: DIFFERENCES },
])('R2Bucket, compatibility date $date', async ({ date, differences }) => {
  const [native, results] = await Promise.all([runNative(date), runOurs(date)])
  const ours = new Map(results)
  const declared = (name: string) => Object.hasOwn(differences, name)

  test('runs every case', () => {
    expect([...ours.keys()]).toEqual(native.map(([name]) => name))
    expect(Object.keys(differences).filter(name => !ours.has(name))).toEqual([])
  })

  test.each(native.filter(([name]) => !declared(name)))(
    'does as the native binding: %s',
    (name, expected) => {
      expect(ours.get(name)).toEqual(expected)
    },
  )

  test.each(native.filter(([name]) => declared(name)))('differs as declared: %s', (name, expected) => {
    expect(ours.get(name)).toEqual(differences[name]?.ours)
    expect(ours.get(name)).not.toEqual(expected)
  })
})

async function runNative(date: string): Promise<Result[]> {
  const options = {
    modules: true,
    script: driver,
    compatibilityDate: date,
    r2Buckets: ['R2'],
    cf: false,
  }
  const miniflare = new Miniflare(convertV4MiniflareOptions(options))
  try {
    // As R2 says it of objects that named no class, and ours does; Miniflare says nothing.
    const text = await (await miniflare.dispatchFetch('http://driver/')).text()
    return parse(text.replaceAll('"storageClass":""', '"storageClass":"Standard"'), date)
  } finally {
    await miniflare.dispose()
  }
}

async function runOurs(date: string): Promise<Result[]> {
  const dir = mkdtempSync(join(tmpdir(), 'r2-contract-'))
  dirs.push(dir)
  mkdirSync(join(dir, 'blobs'))
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'BLOBS', service: 'blobs' },
      { name: 'BUCKET', durableObjectNamespace: { className: 'Bucket' } },
      { name: 'DRIVER', text: driver },
    ],
    durableObjects: ['Bucket'],
    services: [{ name: 'blobs', disk: { path: join(dir, 'blobs'), writable: true, allowDotfiles: true } }],
  })
  try {
    return parse(await (await workerd.fetch(`/?date=${date}`)).text(), date)
  } finally {
    await workerd.stop()
  }
}

/** Under old dates, what is undefined is no property natively; ours has it always. */
function parse(results: string, date: string): Result[] {
  const isOld = date < '2023'
  const withoutUndefined = (_: string, value: unknown) => (value === '<undefined>' ? undefined : value)
  return JSON.parse(results, isOld ? withoutUndefined : undefined) as Result[]
}

function same(names: readonly string[], ours: unknown, why: string) {
  return Object.fromEntries(names.map(name => [name, { ours, why }]))
}
