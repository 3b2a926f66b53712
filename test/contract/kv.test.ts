import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import type { BindingConfig } from '../../host/config.ts'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule, embeddedKv, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn } from './differences/kv.ts'

const dir = mkdtempSync(join(tmpdir(), 'kv-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const [driver, host] = await Promise.all([
  bundleModule('test/worker/kv-driver.ts'),
  bundleModule('test/worker/kv-host.ts'),
])

describe.each([{ date: '2022-01-01' }, { date: '2026-11-01' }])(
  'KvEntrypoint, compatibility date $date',
  async ({ date }) => {
    testCases('the native binding', await runNative(date), await runOurs(date), differencesOn(date))
  },
)

async function runNative(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    bindings: [bindKv('native'), { name: 'KEY_BYTES', json: '512' }],
    services: embeddedKv('kv', mkdtempSync(join(dir, 'native-'))),
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
    services: embeddedKv('kv', mkdtempSync(join(dir, 'ours-'))),
  })
  try {
    return comparable(await (await workerd.fetch(`/?date=${date}&prefix=0000001:`)).text(), 504)
  } finally {
    await workerd.stop()
  }
}

function bindKv(namespace: string): BindingConfig {
  return { name: 'KV', kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } } }
}
