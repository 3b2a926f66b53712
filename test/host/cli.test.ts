import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { COMMANDS } from '../../cli/main.ts'
import { createTempDir } from './platform.ts'

const A = 'a'.repeat(32)
const B = 'b'.repeat(32)
const TOKEN = { id: 't1', name: 'ci', role: 'deployer', account_id: B, created_on: '2026-11-01T00:00:00Z' }

/** What a platform would answer; the CLI is only its client. */
const ANSWERS: Record<string, unknown> = {
  [`GET /client/v4/accounts/${A}/workers/scripts`]: envelope([]),
  [`GET /client/v4/accounts/${B}/workers/scripts`]: envelope([{ id: 'orders', modified_on: '2026-11-01' }]),
  [`GET /client/v4/accounts/${B}/workers/scripts/orders/schedules`]: envelope({
    schedules: [{ cron: '0 * * * *' }],
  }),
  [`DELETE /client/v4/accounts/${B}/workers/services/orders?force=true`]: envelope(null),
  [`GET /api/v1/accounts/${B}/scripts/orders`]: { name: 'orders', versions: 2 },
  [`GET /api/v1/accounts/${B}/scripts/wild`]: {
    name: 'wild',
    strikes: [
      { at: '2026-11-21T10:02:11Z', kind: 'cpu', version_id: 'v2', detail: 'one turn took 612 ms' },
      { at: '2026-11-21T10:01:40Z', kind: 'memory', version_id: 'v1', detail: '' },
    ],
    quarantine: { until: '2026-11-21T11:02:11Z', reason: 'it did' },
  },
  [`POST /api/v1/accounts/${B}/scripts/orders/release`]: { name: 'orders', strikes: [], quarantine: null },
  [`POST /api/v1/accounts/${B}/scripts/orders/cron`]: { outcome: 'ok' },
  [`POST /api/v1/accounts/${B}/scripts/broken/cron`]: { outcome: 'exception', error: 'Error: no' },
  'GET /api/v1/tokens': [TOKEN],
  'POST /api/v1/tokens': { ...TOKEN, token: 'secret' },
  'DELETE /api/v1/tokens/t1': undefined,
  'GET /api/v1/accounts': [
    { id: A, name: 'first', workers_domain: 'first.localhost', default: false },
    { id: B, name: 'main', workers_domain: 'localhost', default: true },
  ],
  'POST /api/v1/accounts': { id: A, name: 'team', workers_domain: 'team.localhost', default: false },
}

function envelope(result: unknown) {
  return { success: true, errors: [], messages: [], result }
}

interface Call {
  readonly what: string
  readonly token: string | undefined
  readonly body: unknown
}

async function startApi() {
  const calls: Call[] = []
  const server = createServer(async (request, response) => {
    const what = `${request.method} ${request.url}`
    const body = await text(request)
    calls.push({ what, token: request.headers.authorization, body: body && JSON.parse(body) })
    if (Object.hasOwn(ANSWERS, what)) return response.end(JSON.stringify(ANSWERS[what]))
    const isOurs = what.includes('/api/v1/')
    response.statusCode = 404
    const problem = { title: 'Not found', detail: 'There is no such thing.', code: 'ERR_API_NOT_FOUND' }
    const refusal = { success: false, errors: [{ code: 10007, message: 'no such script' }], result: null }
    response.end(JSON.stringify(isOurs ? problem : refusal))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, calls }
}

async function skerry(args: string[], env: Record<string, string> = {}, cwd = createTempDir()) {
  const launcher = join(import.meta.dirname, '../../bin/skerry.mjs')
  const child = spawn(process.execPath, [launcher, ...args], { env: { PATH: process.env.PATH, ...env }, cwd })
  const ended = once(child, 'exit')
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: (await ended)[0] as number, stdout, stderr }
}

test.each<[string[], number, string]>([
  [['script', 'list'], 0, 'NAME    MODIFIED\norders  2026-11-01\n'],
  [['script', 'list', '--account', 'first'], 0, 'No scripts. Deploy one with `wrangler deploy`.\n'],
  [['script', 'show', 'orders'], 0, 'name      orders\nversions  2\n'],
  [
    ['script', 'show', 'wild'],
    0,
    `name        wild
strikes     2026-11-21T10:02:11Z  cpu  v2  one turn took 612 ms
            2026-11-21T10:01:40Z  memory  v1
quarantine  until 2026-11-21T11:02:11Z: it did\n`,
  ],
  [['script', 'release', 'orders'], 0, 'Released orders: it is called again.\n'],
  [['script', 'delete', 'orders'], 0, 'Deleted orders.\n'],
  [['cron', 'list'], 0, 'SCRIPT  CRON       MODIFIED\norders  0 * * * *\n'],
  [['cron', 'run', 'orders', '0 * * * *'], 0, 'ok\n'],
  [['cron', 'run', 'broken'], 1, 'exception: Error: no\n'],
  [['token', 'create', '--name', 'ci', '--role', 'deployer', '--account', 'main'], 0, 'secret\n'],
  [
    ['token', 'list'],
    0,
    `ID  NAME  ROLE      ACCOUNT                           CREATED\nt1  ci    deployer  ${B}  2026-11-01T00:00:00Z\n`,
  ],
  [['token', 'revoke', 't1'], 0, 'Revoked t1.\n'],
  [['account', 'create', 'team'], 0, `${A}  functions answer below team.localhost\n`],
  [
    ['account', 'list'],
    0,
    `ID                                NAME   DOMAIN\n${A}  first  first.localhost\n${B}  main   localhost        default\n`,
  ],
])('skerry %j exits with %i and prints its result, as JSON with --json', async (args, code, stdout) => {
  const api = await startApi()
  const env = { SKERRY_URL: api.url, SKERRY_TOKEN: 'mine' }
  expect(await skerry(args, env)).toEqual({ code, stdout, stderr: '' })
  expect(api.calls.every(({ token }) => token === 'Bearer mine')).toBe(true)

  const asJson = await skerry([...args, '--json'], env)
  expect(asJson.code).toBe(code)
  expect(() => JSON.parse(asJson.stdout)).not.toThrow()
})

test('skerry token create sends name, role and the account by id', async () => {
  const api = await startApi()
  const args = ['token', 'create', '--name', 'ci', '--role', 'deployer', '--account', 'main']
  await skerry(args, { SKERRY_URL: api.url, SKERRY_TOKEN: 'mine' })
  const body = { name: 'ci', role: 'deployer', account_id: B }
  expect(api.calls.at(-1)).toEqual({ what: 'POST /api/v1/tokens', token: 'Bearer mine', body })
})

test('skerry env prints what a shell evaluates, for the default account, whatever the token holds', async () => {
  const api = await startApi()
  const { stdout } = await skerry(['env'], { SKERRY_URL: api.url, SKERRY_ADMIN_TOKEN: `to'k$en` })
  expect(stdout.split('\n')).toEqual([
    `export CLOUDFLARE_API_BASE_URL=${api.url}/client/v4`,
    `export CLOUDFLARE_API_TOKEN='to'\\''k$en'`,
    `export CLOUDFLARE_ACCOUNT_ID=${B}`,
    '',
  ])
  const shell = spawn('/bin/sh', ['-c', `${stdout} printf %s "$CLOUDFLARE_API_TOKEN"`])
  expect(await text(shell.stdout)).toBe(`to'k$en`)
})

test('skerry finds the running platform and its token in the data directory', async () => {
  const api = await startApi()
  const cwd = createTempDir()
  mkdirSync(join(cwd, '.skerry', 'run'), { recursive: true })
  writeFileSync(join(cwd, '.skerry', 'run', 'url'), `${api.url}\n`)
  writeFileSync(join(cwd, '.skerry', 'admin-token'), 'from-disk\n')
  const { stdout } = await skerry(['env', '--json'], {}, cwd)
  expect(JSON.parse(stdout)).toEqual({
    CLOUDFLARE_API_BASE_URL: `${api.url}/client/v4`,
    CLOUDFLARE_API_TOKEN: 'from-disk',
    CLOUDFLARE_ACCOUNT_ID: B,
  })
})

test.each([
  [['nonsense'], 2, 'error: There is no command `nonsense`. See `skerry --help`.'],
  [['script'], 2, 'error: There is no command `script`.'],
  [['script', 'show'], 2, 'error: <name> is missing. Usage: skerry script show <name>'],
  [['script', 'show', 'a', 'b'], 2, 'error: "b" is too much.'],
  [['script', 'list', '--colour'], 2, "error: Unknown option '--colour'"],
  [['token', 'create', '--role', 'admin'], 2, 'error: --name is missing.'],
  [
    ['token', 'create', '--name', 'x', '--role', 'root'],
    2,
    'error: --role is "root" but must be one of admin, deployer, viewer',
  ],
  [
    ['script', 'list', '--account', 'nobody'],
    1,
    'error: There is no account "nobody"; there is: first, main.',
  ],
  [['script', 'show', 'none'], 1, 'error: There is no such thing. [ERR_API_NOT_FOUND]'],
  [['script', 'release', 'none'], 1, 'error: There is no such thing. [ERR_API_NOT_FOUND]'],
  [['script', 'delete', 'none'], 1, 'error: no such script [code: 10007]'],
])('skerry %j exits with %i: %s', async (args, code, message) => {
  const api = await startApi()
  const result = await skerry(args, { SKERRY_URL: api.url, SKERRY_TOKEN: 'mine' })
  expect(result).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) })
})

test('skerry says how to get a token, and how to start a platform that is not there', async () => {
  expect(await skerry(['script', 'list'])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Start the platform'),
  })
  const { url } = await startApi()
  const closed = { SKERRY_URL: url.replace(/:\d+$/, ':1'), SKERRY_TOKEN: 'mine' }
  const result = await skerry(['script', 'list'], closed)
  expect(result.code).toBe(1)
  expect(result.stderr).toMatch(
    /^error: Cannot reach the platform at http:\/\/127\.0\.0\.1:1: .+\. Start it with `skerry up`/,
  )
})

test('skerry --help names every command, and each command explains itself', async () => {
  const { code, stdout } = await skerry(['--help'])
  expect(code).toBe(0)
  for (const { name, summary } of COMMANDS)
    expect(stdout).toMatch(new RegExp(`skerry ${name}.*${summary.slice(0, 10)}`))
  expect((await skerry(['token', 'create', '--help'])).stdout).toContain(
    '--role     <role>  admin, deployer or viewer',
  )
})

test('skerry doctor finds a data directory that others can read, and says what to run', async () => {
  const cwd = createTempDir()
  mkdirSync(join(cwd, '.skerry'), { mode: 0o755 })
  writeFileSync(join(cwd, '.skerry', 'master-key'), 'key', { mode: 0o644 })
  const { code, stdout } = await skerry(['doctor', '--json'], { SKERRY_PORT: '0' }, cwd)
  expect(code).toBe(1)
  const { ok, checks } = JSON.parse(stdout) as {
    ok: boolean
    checks: { name: string; ok: boolean; fix?: string }[]
  }
  expect(ok).toBe(false)
  expect(checks.filter(check => !check.ok).map(({ name }) => name)).toEqual(['data directory'])
  expect(checks.find(({ name }) => name === 'data directory')?.fix).toContain(`chmod go-rwx ${cwd}/.skerry`)
})

test('skerry doctor is content with a fresh directory', async () => {
  const { code, stdout } = await skerry(['doctor'], { SKERRY_PORT: '0' })
  expect(stdout.match(/^ok /gm)).toHaveLength(7)
  expect(code).toBe(0)
})
