import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn, withStorageClass } from './differences/r2.ts'

const dirs: string[] = []
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})

const [driver, host] = await Promise.all([
  bundleModule('test/worker/r2-driver.ts'),
  bundleModule('test/worker/r2-host.ts'),
])

describe.each(['2022-01-01', '2026-11-01'])('R2Bucket, compatibility date %s', async date => {
  const differences = differencesOn(date)
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
    return comparable(withStorageClass(await (await miniflare.dispatchFetch('http://driver/')).text()), date)
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
    return comparable(await (await workerd.fetch(`/?date=${date}`)).text(), date)
  } finally {
    await workerd.stop()
  }
}
