import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const code = await bundleModule('test/worker/doomed-namespaces.ts')

test("a deleted script's objects are deleted, though the objects' process is away and the account's is killed", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'doomed-'))
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }))
  const start = (away: string) =>
    startWorkerd({
      modules: { 'main.js': code },
      durableObjects: ['Account'],
      bindings: [
        { name: 'ACCOUNT', durableObjectNamespace: { className: 'Account' } },
        { name: 'AWAY', text: away },
      ],
      dataDir,
    })
  const json = async <T>(workerd: Workerd, path: string) => (await (await workerd.fetch(path)).json()) as T
  const asked = (workerd: Workerd) => json<[account: string, namespace: string][]>(workerd, '/asked')

  const first = await start('1')
  const [namespace] = await json<{ id: string }[]>(first, '/add')
  expect(await json(first, '/delete')).toEqual([])
  await expect.poll(() => asked(first), { timeout: 5000 }).toEqual([['a', namespace?.id]])
  await first.stop()

  const second = await start('0')
  onTestFinished(() => second.stop())
  const [anew] = await json<{ id: string }[]>(second, '/add')
  expect(anew?.id).not.toBe(namespace?.id)
  await expect.poll(() => asked(second), { timeout: 10_000 }).toEqual([['a', namespace?.id]])
})
