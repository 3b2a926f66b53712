import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundleWorker } from './bundle.ts'
import { ensurePrivateDir, readOrCreateSecrets, type Secrets, writeFileAtomic } from './data-dir.ts'
import { Fleet } from './fleet.ts'
import { deployHello } from './hello.ts'
import { listenAddresses, openListener } from './listener.ts'
import { lockDataDir } from './lock.ts'
import { createLog, type Log } from './log.ts'
import { canLook } from './look.ts'
import { readTotalMemory, resolveMemoryLimits, resolveObjectsMemory } from './memory-limits.ts'
import { type HostOptions, toLocalUrl } from './options.ts'
import { killOrphans } from './process-record.ts'
import { waitForStopSignal } from './signals.ts'
import { canRescue } from './system-calls.ts'
import { describeProcesses, STORAGE_DIRS } from './topology.ts'

/** What is part of the installation, not of the operator's choice. */
export interface Installation {
  /** The platform's Worker. */
  readonly workerEntry: string
  /** The main module of the example that a first start deploys. */
  readonly helloModule: string
}

/** The installation that this file is part of. */
export const INSTALLATION: Installation = {
  workerEntry: join(import.meta.dirname, '../src/worker.ts'),
  helloModule: join(import.meta.dirname, '../examples/hello/src/index.js'),
}

/**
 * Runs the platform until SIGINT, SIGTERM or SIGHUP; resolves when every process of it has ended.
 *
 * @throws Failure if it can't start
 */
export async function runUp(options: HostOptions, installation = INSTALLATION): Promise<void> {
  const stopSignal = waitForStopSignal()
  const log = createLog(options.log)
  const { dataDir } = options
  const runDir = join(dataDir, 'run')
  ensurePrivateDir(dataDir)
  using cleanup = new DisposableStack()

  const lock = lockDataDir(dataDir)
  cleanup.defer(() => lock.release())
  ensurePrivateDir(runDir)
  for (const pid of await killOrphans(runDir)) log(`ended process ${pid}, left over from a killed start`)
  for (const dir of STORAGE_DIRS) ensurePrivateDir(join(dataDir, dir))
  const secrets = readOrCreateSecrets(dataDir, options.adminToken)
  // Before anything that can fail: the token is shown at this start or never.
  if (secrets.isNewAdminToken) printNewToken(secrets.adminToken)

  const listener = await openListener(options.host, options.port)
  cleanup.defer(() => listener.close())
  const url = `http://${options.domain}:${listener.port}`
  const localUrl = toLocalUrl(options.host, listener.port)
  const bundle = () => bundleWorker(installation.workerEntry, join(runDir, 'worker.js'))
  await bundle()
  const socketDir = openSocketDir(runDir, cleanup)
  const edges = options.processes - 1
  const totalBytes = readTotalMemory()
  const memory = resolveMemoryLimits(totalBytes, edges + 1)
  const objectsMemory = resolveObjectsMemory(totalBytes, edges + 1)
  const processes = describeProcesses({
    ...options,
    socketDir,
    edges,
    maxIsolates: Math.min(options.isolates, memory.isolates),
    heapMib: { edge: memory.heapMib, objects: objectsMemory.heapMib },
    url: options.url ?? url,
    listensOn: listenAddresses(options.host, listener.port),
  })
  const fleet = new Fleet(processes, {
    runDir,
    socketDir,
    listenFd: listener.fd,
    port: listener.port,
    memory: role => (role === 'objects' ? objectsMemory : memory),
    bundle,
    env: ({ role }) => ({
      ...inheritedEnv(),
      ...((role === 'state' || role === 'all') && secretsEnv(secrets)),
    }),
    log,
  })
  // The CLI reads it: the only way to know a port that the system chose.
  writeFileAtomic(join(runDir, 'url'), `${localUrl}\n`)
  cleanup.defer(() => rmSync(join(runDir, 'url'), { force: true }))

  const first = await Promise.race([fleet.start().then(() => 'ready' as const), stopSignal.first]).catch(
    async error => {
      await fleet.stop()
      throw error
    },
  )
  if (first === 'ready') {
    warnOfGaps(log)
    console.log(`ready ${url}`)
    await greet(options, installation, secrets, url, localUrl, log)
    await stopSignal.first
  }
  stopSignal.onAgain(() => fleet.kill())
  await fleet.stop()
}

/** Says what this system doesn't let us do about functions that hang. */
function warnOfGaps(log: Log): void {
  const blind = canLook()
  if (blind) log(`warning: functions that hang can't be named here, and get no strikes: ${blind}`)
  const lossy = canRescue()
  if (lossy) log(`warning: connections of a process that hangs are lost with it: ${lossy}`)
}

/** The run directory itself, unless its path is too long for a Unix socket (108 bytes with its end). */
function openSocketDir(runDir: string, cleanup: DisposableStack): string {
  if (Buffer.byteLength(runDir) + LONGEST_SOCKET_NAME <= 107) return runDir
  const dir = mkdtempSync(join(tmpdir(), 'skerry-'))
  cleanup.defer(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const LONGEST_SOCKET_NAME = '/edge-99.health.new'.length

function secretsEnv({ masterKey, adminToken }: Secrets): Record<string, string> {
  return { MASTER_KEY: masterKey, ADMIN_TOKEN: adminToken }
}

/** What workerd may see of our environment: where the system keeps things, none of the operator's secrets. */
function inheritedEnv(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'LANG', 'SSL_CERT_FILE', 'SSL_CERT_DIR']
  const entries = names.map(name => [name, process.env[name]] as const)
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function printNewToken(token: string): void {
  console.log(`admin token ${token}`)
  console.log('  (shown this once; `npx skerry env` reads it from the data directory)')
}

async function greet(
  options: HostOptions,
  installation: Installation,
  { adminToken }: Secrets,
  url: string,
  localUrl: string,
  log: Log,
): Promise<void> {
  const { dataDir } = options
  const hello = await deployHello({ localUrl, adminToken, dataDir, modulePath: installation.helloModule })
  if (hello.state === 'failed') log(`warning: the hello example was not deployed: ${hello.reason}`)
  console.log(`  platform        ${url}  (${localUrl})`)
  console.log(`  data directory  ${dataDir}`)
  console.log(
    '  deploy          eval "$(npx skerry env)", then `npx wrangler deploy` in a Worker\'s directory',
  )
  if (hello.state === 'deployed') console.log(`  first function  ${url.replace('://', '://hello.')}`)
}
