/**
 * Deploys public Workers as their repositories have them, with the real wrangler, and tries them: the table of
 * docs/compatibility.md. Not part of the tests, as it needs the repositories and a package registry.
 *
 *   node test/e2e/public-workers.ts <directory with repositories> [<list of Workers>…] [--only=<pattern>] [--dev]
 *
 * The directory has a git directory `<owner>+<name>` (or that with `/repo`) for each. A list is JSON,
 * `{ "workers": [{ id, repo, commit, path, bindings, checks }] }`; default: public-workers.json.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type Check, runChecks, type Verdict } from './public-workers-check.ts'
import { applyGateway } from './support/gateway.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'

interface PublicWorker {
  readonly id: string
  /** `owner/name` */
  readonly repo: string
  readonly commit: string
  /** The project's folder, or its only file. */
  readonly path: string
  readonly bindings: readonly string[]
  readonly checks: readonly Check[]
  /** What `wrangler deploy` is told beside. */
  readonly wrangler_args?: readonly string[]
  /** The repository names no compatibility date. */
  readonly compat_date_added?: string
  /** What a user supplies: secrets, or a configuration where the repository has none. */
  readonly added_files?: Readonly<Record<string, string>>
  readonly secrets?: readonly string[]
}

/** What the instructions of a Worker have its user do, or its checks take for granted. */
interface Supplied {
  /** It answers at a route of its own only. */
  readonly host?: string
  /** What `wrangler deploy` is told beside. */
  readonly args?: readonly string[]
  /** Texts of its configuration that a user fills in. */
  readonly replaced?: Readonly<Record<string, string>>
  /** Files that are uploaded. */
  readonly seeds?: Readonly<Record<string, string>>
  /**
   * Its checks say the client's address in `CF-Connecting-IP`, which `wrangler dev` takes from anybody. Here, as on
   * Cloudflare, nobody may: a trusted proxy says it in `X-Forwarded-For`, and the Worker has it in its header.
   */
  readonly behindProxy?: boolean
  /** Commands of wrangler, once it is deployed. */
  readonly after?: readonly (readonly string[])[]
}

const args = process.argv.slice(2)
const flag = (name: string) => args.find(arg => arg.startsWith(`--${name}`))
const [repositories, ...lists] = args.filter(arg => !arg.startsWith('--'))
if (!repositories) {
  console.error(
    'usage: node test/e2e/public-workers.ts <directory with repositories> [<list>…] [--only=<pattern>] [--dev]',
  )
  process.exit(2)
}
const only = new RegExp(flag('only')?.split('=')[1] ?? '')
const OWN_LIST = join(import.meta.dirname, 'public-workers.json')
const { supplied } = JSON.parse(readFileSync(OWN_LIST, 'utf8')) as { supplied: Record<string, Supplied> }
const workers = (lists.length > 0 ? lists : [OWN_LIST])
  .flatMap(file => (JSON.parse(readFileSync(file, 'utf8')) as { workers: PublicWorker[] }).workers)
  .filter(({ id }) => only.test(id))

/** What isn't part of a Worker: wrangler is this repository's. */
const TOOLS =
  /^(@cloudflare\/|@types\/|@typescript-eslint\/|wrangler$|vitest$|vite$|typescript$|prettier|eslint|jest|miniflare|serverless|tsx$|ts-)/

const platform = await startPlatform(flag('dev') ? 'dev' : 'start')
const work = mkdtempSync(join(tmpdir(), 'public-workers-'))
let failed = 0
try {
  console.log('| Worker | repository | commit | bindings | result |\n| --- | --- | --- | --- | --- |')
  for (const worker of workers) {
    const { passed, of, failures } = await tryWorker(worker, repositories, platform)
    if (failures.length > 0) failed += 1
    const result = of === 0 ? 'not deployed' : `${passed}/${of}`
    const bindings = worker.bindings.join(', ') || '–'
    console.log(`| ${worker.id} | ${worker.repo} | ${worker.commit.slice(0, 8)} | ${bindings} | ${result} |`)
    for (const failure of failures) console.log(`  ${failure}`)
  }
  console.log(`${workers.length - failed} of ${workers.length} Workers passed all checks.`)
} finally {
  await platform.stop()
  rmSync(work, { recursive: true, force: true })
}
process.exit(failed === 0 ? 0 : 1)

async function tryWorker(
  worker: PublicWorker,
  repositories: string,
  platform: RunningPlatform,
): Promise<Verdict> {
  const dir = join(work, worker.id)
  const {
    host = `${worker.id}.${platform.domain}`,
    replaced = {},
    seeds = {},
    args = [],
    behindProxy = false,
    after = [],
  } = supplied[worker.id] ?? {}
  try {
    checkOut(worker, repositories, dir, replaced)
    installDependencies(dir)
    const date = worker.compat_date_added ? ['--compatibility-date', worker.compat_date_added] : []
    await run(platform, dir, [
      'deploy',
      ...(worker.wrangler_args ?? []),
      ...args,
      '--name',
      worker.id,
      ...date,
    ])
    if (worker.secrets) {
      const environment = worker.wrangler_args?.filter(
        (arg, at, all) => arg === '--env' || all[at - 1] === '--env',
      )
      const secrets = Object.fromEntries(
        (worker.added_files?.['.dev.vars'] ?? '').split('\n').flatMap(line => {
          const [name = '', value] = line.split('=')
          return value === undefined ? [] : [[name, value]]
        }),
      )
      writeFileSync(join(dir, 'secrets.json'), JSON.stringify(secrets))
      await run(platform, dir, [
        'secret',
        'bulk',
        'secrets.json',
        '--name',
        worker.id,
        ...(environment ?? []),
      ])
    }
    for (const [name, text] of Object.entries(seeds)) writeFileSync(join(dir, name), text)
    for (const command of after) await run(platform, dir, command)
    if (behindProxy) {
      const routes = [{ match: `${host}/*`, script: worker.id }]
      await applyGateway(platform, { trusted_proxies: ['127.0.0.1/32'], routes })
    }
  } catch (error) {
    return { passed: 0, of: 0, failures: [error instanceof Error ? error.message : String(error)] }
  }
  const checks = behindProxy ? worker.checks.map(toldByProxy) : worker.checks
  return runChecks(checks, host, platform.port)
}

function toldByProxy(check: Check): Check {
  const { 'cf-connecting-ip': address, ...headers } = check.headers ?? {}
  return address === undefined ? check : { ...check, headers: { ...headers, 'x-forwarded-for': address } }
}

async function run(platform: RunningPlatform, cwd: string, args: readonly string[]): Promise<void> {
  const { code, all } = await platform.wrangler(args, { cwd })
  if (code !== 0) throw new Error(`wrangler ${args.join(' ')}: ${all.trim().slice(-1500)}`)
}

/** A copy of the project at its commit, with what a user adds. */
function checkOut(
  { id, repo, commit, path, added_files }: PublicWorker,
  repositories: string,
  dir: string,
  replaced: Readonly<Record<string, string>>,
): void {
  const folder = join(repositories, repo.replace('/', '+'))
  const gitDir = existsSync(join(folder, 'repo')) ? join(folder, 'repo') : folder
  const whole = join(work, `${id}-repository`)
  mkdirSync(whole, { recursive: true })
  const archive = join(work, `${id}.tar`)
  execFileSync('git', ['-C', gitDir, 'archive', '-o', archive, commit, ...(path === '.' ? [] : [path])])
  execFileSync('tar', ['-xf', archive, '-C', whole])
  const isFile = /\.[jt]s$/.test(path)
  const project = isFile ? join(whole, dirname(path)) : join(whole, path)
  if (isFile) {
    mkdirSync(dir)
    execFileSync('cp', [join(project, basename(path)), dir])
  } else {
    execFileSync('mv', [project, dir])
  }
  for (const [name, text] of Object.entries(added_files ?? {})) writeFileSync(join(dir, name), text)
  // What create-cloudflare and create-hono write into their templates, and what a user does.
  const filled = { '<WORKER_NAME>': id, '<COMPATIBILITY_DATE>': '2026-06-01', ...replaced }
  for (const name of ['package.json', 'wrangler.jsonc', 'wrangler.json', 'wrangler.toml']) {
    const file = join(dir, name)
    if (!existsSync(file)) continue
    let text = readFileSync(file, 'utf8')
    for (const [placeholder, value] of Object.entries(filled)) text = text.replaceAll(placeholder, value)
    writeFileSync(file, text)
  }
}

/** What the Worker imports; development tools are those of this repository. */
function installDependencies(dir: string): void {
  const file = join(dir, 'package.json')
  if (!existsSync(file)) return
  const manifest = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string>>
  const wanted = Object.entries({ ...manifest.devDependencies, ...manifest.dependencies }).filter(
    ([name, version]) => !TOOLS.test(name) && !/^(workspace|catalog):/.test(version),
  )
  if (wanted.length === 0) return
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--legacy-peer-deps']
  // The registry is asked for these alone.
  writeFileSync(
    file,
    JSON.stringify({ name: 'project', type: manifest.type, dependencies: Object.fromEntries(wanted) }),
  )
  rmSync(join(dir, 'package-lock.json'), { force: true })
  execFileSync('npm', ['install', ...options], { cwd: dir, stdio: 'pipe' })
}
