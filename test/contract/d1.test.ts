import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { startEmbedded, startMiniflare, startOurs } from '../support/d1-workerd.ts'
import { bundleModule } from '../support/workerd.ts'
import { comparable, DIFFERENCES, MINIFLARE_DIFFERENCES } from './differences/d1.ts'
import type { Result } from './differences/difference.ts'

const dir = mkdtempSync(join(tmpdir(), 'd1-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const driver = await bundleModule('test/worker/d1-driver.ts')
const [embedded, miniflare] = await Promise.all([runEmbedded(), runMiniflare()])
const { ours, older } = await runOurs()

describe('a D1 binding', () => {
  testCases("workerd's", embedded, ours, DIFFERENCES)
  testCases("Miniflare's", miniflare, ours, { ...DIFFERENCES, ...MINIFLARE_DIFFERENCES })

  test('is the same under the compatibility date 2022-01-01, but for the text of the object', () => {
    const withoutClass = (results: Result[]) => results.filter(([name]) => name !== 'its class')
    expect(withoutClass(older)).toEqual(withoutClass(ours))
  })
})

async function runEmbedded(): Promise<Result[]> {
  const workerd = await startEmbedded(driver, dir)
  try {
    return comparable(await (await workerd.fetch('/')).text())
  } finally {
    await workerd.stop()
  }
}

async function runMiniflare(): Promise<Result[]> {
  const miniflare = startMiniflare(driver)
  try {
    return comparable(await (await miniflare.dispatchFetch('http://localhost/')).text())
  } finally {
    await miniflare.dispose()
  }
}

async function runOurs(): Promise<{ ours: Result[]; older: Result[] }> {
  const workerd = await startOurs(driver)
  const run = async (query: string) => comparable(await (await workerd.fetch(query)).text())
  try {
    return { ours: await run('/'), older: await run('/?date=2022-01-01&database=b') }
  } finally {
    await workerd.stop()
  }
}
