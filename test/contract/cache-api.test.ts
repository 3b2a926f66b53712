import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Miniflare } from 'miniflare'
import { afterAll, describe } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'
import { comparable, differencesOn } from './differences/cache-api.ts'
import type { Result } from './differences/difference.ts'

const dir = mkdtempSync(join(tmpdir(), 'cache-api-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const [driver, host] = await Promise.all([
  bundleModule('test/worker/cache-api-driver.ts'),
  bundleModule('test/worker/cache-api-host.ts'),
])

describe.each(['2022-01-01', '2026-11-01'])('caches, compatibility date %s', async date => {
  const [native, ours] = await Promise.all([runNative(date), runOurs(date)])
  testCases("Miniflare's", native, ours, differencesOn(date))
})

async function runNative(date: string): Promise<Result[]> {
  const miniflare = new Miniflare({
    cf: false,
    workers: [
      {
        config: {
          name: 'driver',
          compatibilityDate: date,
          manifest: {
            mainModule: 'driver.js',
            modulesRoot: '/',
            modules: { 'driver.js': { type: 'esm', contents: driver } },
          },
        },
      },
    ],
  })
  try {
    return comparable(await (await miniflare.dispatchFetch('http://localhost/')).text(), date)
  } finally {
    await miniflare.dispose()
  }
}

async function runOurs(date: string): Promise<Result[]> {
  const workerd = await startHost()
  try {
    return comparable(await (await workerd.fetch(`/?date=${date}`)).text(), date)
  } finally {
    await workerd.stop()
  }
}

function startHost(): Promise<Workerd> {
  return startWorkerd({
    modules: { 'host.js': host },
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'KV', kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace: 'kv' }) } } },
      { name: 'DRIVER', text: driver },
    ],
    services: embeddedKv('kv', mkdtempSync(join(dir, 'ours-'))),
  })
}
