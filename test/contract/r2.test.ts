import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { afterAll, describe } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn, withStorageClass } from './differences/r2.ts'

const dir = mkdtempSync(join(tmpdir(), 'r2-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const [driver, host] = await Promise.all([
  bundleModule('test/worker/r2-driver.ts'),
  bundleModule('test/worker/r2-host.ts'),
])

describe.each(['2022-01-01', '2026-11-01'])('R2Bucket, compatibility date %s', async date => {
  const [native, ours] = await Promise.all([runNative(date), runOurs(date)])
  testCases('the native binding', native, ours, differencesOn(date))
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
  const blobs = mkdtempSync(join(dir, 'blobs-'))
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'BLOBS', service: 'blobs' },
      { name: 'BUCKET', durableObjectNamespace: { className: 'Bucket' } },
      { name: 'DRIVER', text: driver },
    ],
    durableObjects: ['Bucket'],
    services: [{ name: 'blobs', disk: { path: blobs, writable: true, allowDotfiles: true } }],
  })
  try {
    return comparable(await (await workerd.fetch(`/?date=${date}`)).text(), date)
  } finally {
    await workerd.stop()
  }
}
