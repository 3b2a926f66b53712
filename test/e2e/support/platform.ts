import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connect, type Platform } from './client.ts'

/** Which host: `npm start` on stock workerd, or `npm run dev` under wrangler. */
export type HostKind = 'start' | 'dev'

/** What a client must know of a running platform; plain data, to be handed to test workers. */
export interface Connection {
  readonly kind: HostKind
  readonly port: number
  /** The admin token. */
  readonly token: string
  /** The first account. */
  readonly accountId: string
  readonly dataDir: string
}

/** A platform that this process started. */
export interface RunningPlatform extends Platform {
  readonly connection: Connection
  readonly supervisorPid: number
  /** The pids of the workerd processes that run at the moment by their names, as the supervisor notes them. */
  processes(): Readonly<Record<string, number>>
  /** What it printed so far. */
  log(): string
  /** Ends it as Ctrl-C does. Resolves when it has ended. */
  stop(): Promise<void>
  /** SIGKILLs the supervisor. Resolves when it has ended; its processes follow by themselves. */
  kill9(): Promise<void>
}

/** Where the platform listens and keeps its data: fresh ones by default. */
export interface StartOptions {
  readonly port?: number
  readonly dataDir?: string
  readonly env?: Readonly<Record<string, string>>
  /** The installation that is started; default: this one. */
  readonly root?: string
}

const ROOT = join(import.meta.dirname, '../../..')
const READY_MS = 60_000

/** Starts a platform of its own; resolves when it is ready. It ends with this process, however that ends. */
export async function startPlatform(kind: HostKind, options: StartOptions = {}): Promise<RunningPlatform> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), `skerry-${kind}-`))
  const child = spawn(
    process.execPath,
    [join(options.root ?? ROOT, 'bin/skerry.mjs'), kind === 'start' ? 'up' : 'dev'],
    // The channel: when it breaks, the platform stops.
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], env: platformEnv(dataDir, options) },
  )
  const log = collect(child)
  const exited = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT')
    await exited
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    await waitForReady(child, log)
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
    const port = Number(new URL(readFileSync(join(dataDir, 'run/url'), 'utf8').trim()).port)
    const anonymous = connect({ kind, port, token, accountId: '', dataDir })
    const accounts = await anonymous.api<{ id: string }[]>('GET', '/accounts')
    const connection = { kind, port, token, accountId: accounts.result[0]?.id ?? '', dataDir }
    return {
      ...connect(connection),
      connection,
      supervisorPid: child.pid ?? 0,
      processes: () => readProcesses(dataDir),
      log,
      stop,
      kill9: async () => {
        child.kill('SIGKILL')
        await exited
      },
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

function platformEnv(dataDir: string, { port = 0, env }: StartOptions): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR } = process.env
  return {
    ...{ PATH, HOME, TMPDIR },
    ...{ SKERRY_PORT: String(port), SKERRY_DATA_DIR: dataDir, NO_COLOR: '1', CI: '1' },
    // wrangler dev is not to look whether there is a newer one.
    ...{ WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' },
    ...env,
  }
}

function collect(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  return () => text
}

async function waitForReady(child: ChildProcess, log: () => string): Promise<void> {
  const endMs = performance.now() + READY_MS
  while (!/^ready http:/m.test(log())) {
    const isOver = performance.now() > endMs || child.exitCode !== null || child.signalCode !== null
    if (isOver) throw new Error(`The platform did not become ready. It printed:\n${log().slice(-5000)}`)
    await delay(20)
  }
  // A first start also deploys its example; wait for the end of its greeting, so that no test meets that.
  while (!/^ {2}data directory/m.test(log()) && performance.now() < endMs) await delay(20)
}

/** The pids of the processes of a platform by their names: the supervisor's own records. */
export function readProcesses(dataDir: string): Record<string, number> {
  const runDir = join(dataDir, 'run')
  const files = readdirSync(runDir).filter(name => name.endsWith(RECORD))
  return Object.fromEntries(
    files.flatMap(file => {
      try {
        const { pid } = JSON.parse(readFileSync(join(runDir, file), 'utf8')) as { pid: number }
        return [[file.slice(0, -RECORD.length), pid]]
      } catch {
        // Being written or removed just now.
        return []
      }
    }),
  )
}

const RECORD = '.pid.json'
