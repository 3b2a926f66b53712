import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { startEmbedded, startMiniflare, startOurs } from '../support/d1-workerd.ts'
import { bundleModule } from '../support/workerd.ts'

type Result = [name: string, outcome: unknown]

/** Where ours differs from workerd's own database, what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, { ours: unknown; why: string }>> = {
  ...same(
    ['prepare() of a number', 'prepare() of nothing', 'batch() of texts'],
    { error: 'Error: D1_ERROR: A statement must be a string.' },
    'the others answer with an accident of their code',
  ),
  ...same(
    ['batch() with foreign keys that stay broken'],
    {
      error:
        'Error: D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)',
    },
    'workerd speaks of a Durable Object there, which is no matter of the function',
  ),
}

/** Where Miniflare differs from both. */
const MINIFLARE_DIFFERENCES = [
  // It looks for comments in one way of two, and leaves to SQLite what it doesn't find.
  'all() of spaces and semicolons',
  'all() of a comment in slashes',
  'all() of a comment after the semicolon',
]

const dir = mkdtempSync(join(tmpdir(), 'd1-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const driver = await bundleModule('test/worker/d1-driver.ts')
const [embedded, miniflare] = await Promise.all([runEmbedded(), runMiniflare()])
const { ours, older } = await runOurs()

describe('a D1 binding', () => {
  test('runs every case', () => {
    expect(ours.map(([name]) => name)).toEqual(embedded.map(([name]) => name))
    const names = new Set(ours.map(([name]) => name))
    expect([...Object.keys(DIFFERENCES), ...MINIFLARE_DIFFERENCES].filter(name => !names.has(name))).toEqual(
      [],
    )
  })

  const native = new Map(embedded)
  const mini = new Map(miniflare)

  test.each(ours.filter(([name]) => !Object.hasOwn(DIFFERENCES, name)))(
    "does as workerd's and Miniflare's: %s",
    (name, outcome) => {
      expect(outcome).toEqual(native.get(name))
      if (!MINIFLARE_DIFFERENCES.includes(name)) expect(outcome).toEqual(mini.get(name))
    },
  )

  test.each(ours.filter(([name]) => Object.hasOwn(DIFFERENCES, name)))(
    'differs as declared: %s',
    (name, outcome) => {
      expect(outcome).toEqual(DIFFERENCES[name]?.ours)
      expect(outcome).not.toEqual(native.get(name))
    },
  )

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

/** Results without what can't be the same: who served, and how long it took. */
function comparable(text: string): Result[] {
  return JSON.parse(text, (key, value) => {
    if (key === 'duration' || key === 'sql_duration_ms') return typeof value
    return key === 'served_by' ? '<who>' : value
  }) as Result[]
}

function same(names: readonly string[], ours: unknown, why: string) {
  return Object.fromEntries(names.map(name => [name, { ours, why }]))
}
