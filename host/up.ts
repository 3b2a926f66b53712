import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { bundleWorker } from './bundle.ts'
import { toCapnpText } from './config.ts'
import { ensurePrivateDir, readOrCreateSecrets, type Secrets, writeFileAtomic } from './data-dir.ts'
import { waitUntilHealthy } from './health.ts'
import { deployHello } from './hello.ts'
import { type Listener, listenAddresses, openListener } from './listener.ts'
import { lockDataDir } from './lock.ts'
import { type HostOptions, toLocalUrl } from './options.ts'
import { killOrphans } from './process-record.ts'
import { waitForStopSignal } from './signals.ts'
import { type SupervisedProcess, Supervisor } from './supervisor.ts'
import { describeProcesses, type ProcessDescription, STORAGE_DIRS } from './topology.ts'
import { findWorkerd } from './workerd.ts'

const START_DEADLINE_MS = 30_000

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
  await bundleWorker(installation.workerEntry, join(runDir, 'worker.js'))
  const processes = describeProcesses({
    ...options,
    url: options.url ?? url,
    listensOn: listenAddresses(options.host, listener.port),
  })
  const supervisors = processes.map(
    description =>
      new Supervisor(prepareProcess(description, options, secrets, listener, runDir), { runDir, log }),
  )
  // The CLI reads it: the only way to know a port that the system chose.
  writeFileAtomic(join(runDir, 'url'), `${localUrl}\n`)
  cleanup.defer(() => rmSync(join(runDir, 'url'), { force: true }))

  const everyone = Promise.all(supervisors.map(supervisor => supervisor.start()))
  const first = await Promise.race([everyone.then(() => 'ready' as const), stopSignal.first]).catch(
    async error => {
      await Promise.all(supervisors.map(supervisor => supervisor.stop()))
      throw error
    },
  )
  if (first === 'ready') {
    console.log(`ready ${url}`)
    await greet(options, installation, secrets, url, localUrl)
    await stopSignal.first
  }
  stopSignal.onAgain(() => {
    for (const supervisor of supervisors) supervisor.kill()
  })
  await Promise.all(supervisors.map(supervisor => supervisor.stop()))
}

/** Writes a process's configuration and says how to start it. */
function prepareProcess(
  description: ProcessDescription,
  options: HostOptions,
  secrets: Secrets,
  listener: Listener,
  runDir: string,
): SupervisedProcess {
  const configPath = join(runDir, `${description.name}.capnp`)
  writeFileAtomic(configPath, toCapnpText(description.config))
  const { host, domain } = options
  return {
    name: description.name,
    command: findWorkerd(),
    args: ['serve', '--experimental', '--socket-fd', `${description.publicSocket}=3`, configPath],
    env: { ...inheritedEnv(), MASTER_KEY: secrets.masterKey, ADMIN_TOKEN: secrets.adminToken },
    fds: [listener.fd],
    waitUntilHealthy: signal =>
      waitUntilHealthy({ host, port: listener.port, domain }, START_DEADLINE_MS, signal),
  }
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

function log(line: string): void {
  console.error(`${new Date().toISOString()} ${line}`)
}
