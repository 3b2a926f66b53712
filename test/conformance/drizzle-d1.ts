import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startMiniflare, startOurs } from '../support/d1-workerd.ts'

/**
 * Runs what drizzle-orm (https://github.com/drizzle-team/drizzle-orm) tests its D1 driver with, against our binding
 * and against Miniflare's.
 *
 *     node test/conformance/drizzle-d1.ts <checkout, or git directory> [<commit, default main>] [<version, default 0.45.4>]
 *
 * Their tests run in Node as they are; what they import as a database is a client that asks a Worker, which asks its
 * binding. Fails where ours fails a test that Miniflare's passes.
 */
const [checkout, commit = 'main', version = '0.45.4'] = process.argv.slice(2)
if (!checkout) {
  console.error('Usage: node test/conformance/drizzle-d1.ts <checkout> [<commit>] [<version of drizzle-orm>]')
  process.exit(2)
}

const FILES = [
  'tests/sqlite/d1.test.ts',
  'tests/sqlite/d1-batch.test.ts',
  'tests/sqlite/sqlite-common.ts',
  'tests/sqlite/sqlite-common-cache.ts',
  'tests/common.ts',
  'tests/utils.ts',
  'drizzle2/sqlite',
]

/** Does what it is told by the client below. */
const WORKER = `
const decode = value => (value?.bytes ? new Uint8Array(value.bytes) : value)
export default {
  async fetch(request, { DB }) {
    const { call, statements = [], argument } = await request.json()
    const [first, ...rest] = statements.map(({ sql, values }) => DB.prepare(sql).bind(...values.map(decode)))
    try {
      if (call === 'reset') return Response.json({ result: await reset(DB) })
      if (call === 'exec') return Response.json({ result: await DB.exec(argument) })
      const result = call === 'batch' ? await DB.batch([first, ...rest]) : await first[call](argument)
      return Response.json({ result })
    } catch ({ message, cause }) {
      return Response.json({ error: { message, cause: cause?.message } })
    }
  },
}
async function reset(DB) {
  // Some can only go after those that refer to them.
  for (let pass = 0; pass < 5; pass++) {
    const { results } = await DB.prepare("SELECT type, name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE '!_cf!_%' ESCAPE '!'").all()
    for (const { type, name } of results) await DB.prepare('DROP ' + type + ' "' + name + '"').run().catch(() => {})
  }
}`

/** In the place of the Miniflare of old that they import. */
const CLIENT = `
async function ask(call, statements, argument) {
  const body = JSON.stringify({ call, statements, argument })
  const response = await fetch(process.env.D1_URL, { method: 'POST', body })
  const { result, error } = await response.json()
  if (error) throw Object.assign(new Error(error.message), error.cause && { cause: new Error(error.cause) })
  return result
}
const encode = value =>
  value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? { bytes: [...new Uint8Array(value)] } : value
class Statement {
  constructor(sql, values = []) { Object.assign(this, { sql, values }) }
  bind(...values) { return new Statement(this.sql, values.map(encode)) }
  all() { return ask('all', [this]) }
  run() { return ask('run', [this]) }
  raw(options) { return ask('raw', [this], options) }
  first(column) { return ask('first', [this], column) }
}
export class D1Database {
  prepare(sql) { return new Statement(sql) }
  batch(statements) { return ask('batch', statements) }
  exec(sql) { return ask('exec', [], sql) }
}
export class D1DatabaseAPI {}
export const createSQLiteDB = () => ask('reset')
export default {}`

/** The store of their tests of caches, in memory. */
const KEYV = `
export default class {
  #entries = new Map()
  async get(key) { return this.#entries.get(key) }
  async set(key, value) { this.#entries.set(key, value) }
  async delete(key) { return this.#entries.delete(key) }
  async clear() { this.#entries.clear() }
}`

interface Report {
  readonly numPassedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[]
  }[]
}

const dir = mkdtempSync(join(tmpdir(), 'drizzle-d1-'))
try {
  prepare(resolve(checkout))
  const ours = await startOurs(WORKER)
  const failed = await run('ours', `${ours.url}/`)
  await ours.stop()
  const miniflare = startMiniflare(WORKER)
  const failedThere = await run('Miniflare', String(await miniflare.ready))
  await miniflare.dispose()
  const alone = failed.filter(name => !failedThere.includes(name))
  for (const name of failed) console.log(`fails: ${name}${alone.includes(name) ? ' (ours alone)' : ''}`)
  process.exitCode = alone.length === 0 ? 0 : 1
} finally {
  rmSync(dir, { recursive: true, force: true })
}

function prepare(repository: string): void {
  const archive = join(dir, 'tests.tar')
  const paths = FILES.map(file => `integration-tests/${file}`)
  execFileSync('git', ['-C', repository, 'archive', '-o', archive, commit, ...paths])
  execFileSync('tar', ['-xf', archive, '-C', dir, '--strip-components=1'])
  const write = (name: string, text: string) => writeFileSync(join(dir, name), text)
  write('client.js', CLIENT)
  write('keyv.js', KEYV)
  write('empty.js', 'export default {}')
  write('package.json', JSON.stringify({ type: 'module', dependencies: { 'drizzle-orm': version } }))
  const at = (name: string) => join(dir, name)
  const alias = [
    { find: '@miniflare/d1', replacement: at('client.js') },
    { find: '@miniflare/shared', replacement: at('client.js') },
    { find: 'dotenv/config', replacement: at('empty.js') },
    { find: 'keyv', replacement: at('keyv.js') },
    { find: '~', replacement: at('tests') },
  ]
  const test = { include: ['tests/**/*.test.ts'], fileParallelism: false, testTimeout: 30_000 }
  write('vitest.config.mjs', `export default ${JSON.stringify({ root: dir, test, resolve: { alias } })}`)
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--legacy-peer-deps', '--ignore-scripts'], {
    cwd: dir,
    stdio: 'pipe',
  })
}

/** The names of the tests that failed. */
async function run(name: string, url: string): Promise<string[]> {
  const file = join(dir, 'report.json')
  const vitest = join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--config', 'vitest.config.mjs', '--reporter=json', `--outputFile=${file}`]
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { ...process.env, D1_URL: url },
    stdio: 'ignore',
  })
  await once(child, 'exit')
  const { testResults, numPassedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8')) as Report
  const failed = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .flatMap(({ fullName, status }) => (status === 'failed' ? [fullName.trim()] : []))
  console.log(`${name}: ${numPassedTests} passed, ${failed.length} failed, ${numPendingTests} skipped`)
  return failed
}
