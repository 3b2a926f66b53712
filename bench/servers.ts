import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findWorkerd } from '../host/workerd.ts'
import { pinServer } from './cpu.ts'
import { endProcess, makeTempDir, startProcess, waitForLine } from './processes.ts'

/** A server that runs in processes of its own. */
export interface Server {
  readonly port: number
  /** The processes that answer clients; of the platform its edges. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** The platform, with what its API's callers need. */
export interface Platform extends Server {
  readonly token: string
  /** From the start of the command to its `ready` line. */
  readonly readyMs: number
  /** Private sockets, one an edge, that take requests for this edge alone. */
  readonly fronts: readonly string[]
}

/** The date of every Worker that is measured, as that of the platform's own. */
export const COMPATIBILITY_DATE = '2026-11-01'

const FIXTURES = join(import.meta.dirname, 'fixtures')
const LAUNCHER = join(import.meta.dirname, '../bin/skerry.mjs')
const TOKEN = 'bench-token'

/** The module that a measured function consists of: `function` answers at once, `busy` computes first. */
export function readFunctionSource(which: 'function' | 'busy' = 'function'): string {
  return readFileSync(join(FIXTURES, `${which}.js`), 'utf8')
}

/** Starts one of `fixtures/` on stock workerd, with no more configuration than it needs. */
export async function startFixture(fixture: 'hello' | 'bare-loader' | 'bare-loader-cold'): Promise<Server> {
  const dir = makeTempDir()
  // `embed` takes no absolute paths.
  cpSync(FIXTURES, dir.path, { recursive: true })
  const config = join(dir.path, 'config.capnp')
  writeFileSync(config, toConfig(`${fixture}.js`))
  const args = ['serve', '--experimental', '--control-fd=3', config]
  const child = startProcess(findWorkerd(), args, { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] })
  const port = Number(await waitForLine(child, 3, /"port":\s*(\d+)/))
  const pid = child.pid ?? 0
  pinServer(pid)
  const stop = async () => {
    await endProcess(child)
    dir[Symbol.dispose]()
  }
  return { port, pids: [pid], stop }
}

/**
 * Starts the platform as `npm start` does, on a free port. `dataDir` outlives it.
 *
 * @param processes one for state, the others edges; by default as many as it starts by itself
 */
export async function startPlatform(dataDir: string, processes?: number): Promise<Platform> {
  const startedAtMs = performance.now()
  const child = startProcess(process.execPath, [LAUNCHER, 'up'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SKERRY_PORT: '0',
      SKERRY_DATA_DIR: dataDir,
      SKERRY_ADMIN_TOKEN: TOKEN,
      ...(processes !== undefined && { SKERRY_PROCESSES: String(processes) }),
    },
  })
  const port = Number(await waitForLine(child, 1, /^ready http:.*:(\d+)$/))
  const readyMs = performance.now() - startedAtMs
  const runDir = join(dataDir, 'run')
  const running = readPids(runDir)
  // All that belongs to it: what state and supervisor take is part of what it costs.
  for (const pid of [child.pid ?? 0, ...Object.values(running)]) pinServer(pid)
  const edges = Object.entries(running).filter(([name]) => name.startsWith('edge'))
  return {
    port,
    pids: edges.map(([, pid]) => pid),
    fronts: edges.map(([name]) => join(runDir, `${name}.front`)),
    token: TOKEN,
    readyMs,
    stop: () => endProcess(child),
  }
}

function toConfig(mainModule: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [
      (name = "worker.js", esModule = embed "${mainModule}"),
      (name = "function.txt", text = embed "function.js")
    ],
    compatibilityDate = "${COMPATIBILITY_DATE}",
    bindings = [(name = "LOADER", workerLoader = (id = "functions"))]
  ))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
`
}

/** The platform's processes by name, as its supervisor notes them. */
function readPids(runDir: string): Record<string, number> {
  const files = readdirSync(runDir).filter(file => file.endsWith(RECORD))
  return Object.fromEntries(
    files.map(file => {
      const { pid } = JSON.parse(readFileSync(join(runDir, file), 'utf8')) as { pid: number }
      return [file.slice(0, -RECORD.length), pid]
    }),
  )
}

const RECORD = '.pid.json'
