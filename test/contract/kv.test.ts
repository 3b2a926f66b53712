import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { BindingConfig } from '../../host/config.ts'
import { bundleModule, embeddedKv, startWorkerd } from '../support/workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn } from './differences/kv.ts'

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
    const differences = differencesOn(date)
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

    test.each(native.filter(([name]) => declared(name)))('differs as declared: %s', (name, native) => {
      expect(ours.get(name)).toEqual(differences[name]?.ours)
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

function bindKv(namespace: string): BindingConfig {
  return { name: 'KV', kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } } }
}

function createDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'kv-contract-'))
  dirs.push(dir)
  return dir
}
