import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundleModule, startWorkerd } from '../support/workerd.ts'

test('an account of the first schema is brought up to date, with what it holds, and a second start changes nothing', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'account-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const ask = async (module: string) => {
    const workerd = await startWorkerd({
      modules: { 'worker.js': await bundleModule(module) },
      bindings: [{ name: 'ACCOUNT', durableObjectNamespace: { className: 'Account' } }],
      durableObjects: ['Account'],
      dataDir,
    })
    try {
      return await (await workerd.fetch('/')).text()
    } finally {
      await workerd.stop()
    }
  }
  expect(await ask('test/worker/account-v1.ts')).toBe('made')
  const first = JSON.parse(await ask('test/worker/account.ts'))
  expect(first.before).toMatchObject({
    to: 7,
    scripts: [{ name: 'old', versions: [{ id: 'v', isolate: 'c0ffee', turnMs: 500, hasFetch: true }] }],
    apiKeys: [],
  })
  expect(first.before.scripts[0].quarantine).toBeUndefined()
  expect(first.after).toMatchObject({ to: 8, scripts: [{ name: 'old', quarantine: { kind: 'cpu' } }] })
  const second = JSON.parse(await ask('test/worker/account.ts'))
  expect(second.before).toMatchObject({ to: 8, scripts: first.after.scripts })
})
