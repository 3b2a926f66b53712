import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { BoundSocket, isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { ensurePrivateDir, readOrCreateSecrets, type Secrets } from './data-dir.ts'
import { Failure, systemCodeOf } from './failure.ts'
import { waitUntilHealthy } from './health.ts'
import { lockDataDir } from './lock.ts'
import type { HostOptions } from './options.ts'
import { toLocalUrl } from './options.ts'
import { forgetProcess, killOrphans, recordProcess } from './process-record.ts'
import { waitForStopSignal } from './signals.ts'
import { watchOver } from './watchdog.ts'

const KILL_AFTER_MS = 3000
const ROOT = join(import.meta.dirname, '..')

/**
 * Runs the platform under `wrangler dev`, with the repository's `wrangler.toml`, until wrangler ends or we are
 * told to stop. Resolves to the exit code.
 *
 * @throws Failure if it can't start
 */
export async function runDev(given: HostOptions, configPath = join(ROOT, 'wrangler.toml')): Promise<number> {
  const stopSignal = waitForStopSignal()
  const { dataDir } = given
  const runDir = join(dataDir, 'run')
  ensurePrivateDir(dataDir)
  using cleanup = new DisposableStack()
  const lock = lockDataDir(dataDir)
  cleanup.defer(() => lock.release())
  ensurePrivateDir(runDir)
  await killOrphans(runDir)
  const secrets = readOrCreateSecrets(dataDir, given.adminToken)
  const options = { ...given, port: choosePort(given) }
  writeFileSync(join(runDir, 'url'), `${toLocalUrl(options.host, options.port)}\n`, { mode: 0o600 })

  const child = startWrangler(options, secrets, configPath, runDir)
  const exit = once(child, 'exit')
  // A group of its own: wrangler's workerd outlives a wrangler that was killed, but not its group's end.
  const killGroup = () => child.pid && killQuietly(-child.pid)
  if (child.pid) {
    recordProcess(runDir, 'wrangler', child.pid)
    cleanup.defer(watchOver(-child.pid))
  }
  stopSignal.onAgain(killGroup)
  const life = new AbortController()
  void announce(options, secrets, life.signal)

  const first = await Promise.race([exit.then(() => 'exit' as const), stopSignal.first])
  life.abort()
  child.kill('SIGTERM')
  const timer = setTimeout(killGroup, KILL_AFTER_MS)
  const [code] = await exit
  clearTimeout(timer)
  killGroup()
  forgetProcess(runDir, 'wrangler')
  return first === 'stop' ? 0 : ((code as number | null) ?? 1)
}

function startWrangler(
  options: HostOptions,
  secrets: Secrets,
  configPath: string,
  runDir: string,
): ChildProcess {
  const { host, port, domain, dataDir } = options
  // wrangler would otherwise read the working directory's .env, which is not about the platform.
  const envFile = join(runDir, 'no-env')
  writeFileSync(envFile, '')
  const vars = {
    SKERRY_DOMAIN: domain,
    SKERRY_URL: options.url ?? `http://${domain}:${port}`,
    SKERRY_HOST_KIND: 'dev',
    SKERRY_ADOPT: options.adopt ? '1' : '0',
  }
  const args = [
    ...['dev', '--config', configPath, '--env-file', envFile],
    ...['--ip', host, '--port', String(port), '--inspector-port', '0'],
    ...['--persist-to', join(dataDir, 'state'), '--show-interactive-dev-session=false'],
    // Here and not in wrangler.toml: Cloudflare refuses to deploy it.
    ...['--compatibility-flags', 'service_binding_extra_handlers'],
    ...Object.entries(vars).flatMap(([name, value]) => ['--var', `${name}:${value}`]),
  ]
  return spawn(process.execPath, [findWrangler(), ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    cwd: dirname(configPath),
    detached: true,
    env: {
      ...process.env,
      // The secrets that wrangler.toml names are taken from the environment: not from the command line, where
      // every process could read them, nor from a dotenv file, where `$` has a meaning.
      MASTER_KEY: secrets.masterKey,
      ADMIN_TOKEN: secrets.adminToken,
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      WRANGLER_SEND_METRICS: 'false',
    },
  })
}

async function announce(options: HostOptions, secrets: Secrets, life: AbortSignal): Promise<void> {
  const { host, port, domain, dataDir } = options
  const answer = await waitUntilHealthy({ host, port, domain }, Number.POSITIVE_INFINITY, life)
  if (answer !== undefined) return
  if (secrets.isNewAdminToken) console.log(`admin token ${secrets.adminToken}`)
  console.log(`ready http://${domain}:${port}`)
  console.log(`  data directory  ${dataDir}  (SKERRY_DATA_DIR=${dataDir} npx skerry env)`)
}

/** wrangler can choose a free port too, but doesn't tell us which in a form to rely on. */
function choosePort({ host, port }: HostOptions): number {
  if (!isIP(host)) return port || 8787
  try {
    using socket = new BoundSocket({ host, port })
    const address = socket.address()
    return typeof address === 'string' ? port : address.port
  } catch (error) {
    if (systemCodeOf(error) !== 'EADDRINUSE') throw error
    throw new Failure(`Port ${port} of ${host} is in use. Stop that program, or set SKERRY_PORT (0 = any).`)
  }
}

function findWrangler(): string {
  try {
    const require = createRequire(import.meta.url)
    return join(dirname(require.resolve('wrangler/package.json')), 'bin', 'wrangler.js')
  } catch (error) {
    throw new Failure('wrangler is not installed. Run `npm install` (with development packages).', 1, {
      cause: error,
    })
  }
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Ended already.
  }
}
