import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { findWorkerd } from '../host/workerd.ts'
import { pinServer } from './cpu.ts'

/** A server that runs in processes of its own. */
export interface Server {
  readonly port: number
  /** The processes that serve requests. */
  readonly pids: readonly number[]
  stop(): Promise<void>
}

/** The platform, with what its API's callers need. */
export interface Platform extends Server {
  readonly token: string
  /** From the start of the command to its `ready` line. */
  readonly readyMs: number
}

/** The date of every Worker that is measured. */
export const COMPATIBILITY_DATE = '2026-11-01'

const ROOT = join(import.meta.dirname, '..')
const FIXTURES = join(import.meta.dirname, 'fixtures')
const TOKEN = 'bench-token'

/** A new directory for a server's files, and its removal. */
export function makeTempDir(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'skerry-bench-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** The module that the measured functions consist of. */
export function readFunctionSource(): string {
  return readFileSync(join(FIXTURES, 'function.js'), 'utf8')
}

/** Starts one of `fixtures/` on stock workerd, with no more configuration than it needs. */
export async function startFixture(fixture: 'hello' | 'bare-loader' | 'bare-loader-cold'): Promise<Server> {
  const dir = makeTempDir()
  // `embed` takes no absolute paths.
  cpSync(FIXTURES, dir.path, { recursive: true })
  const config = join(dir.path, 'config.capnp')
  writeFileSync(config, toConfig(`${fixture}.js`))
  const child = spawn(findWorkerd(), ['serve', '--experimental', '--control-fd=3', config], {
    stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
  })
  const stop = () => end(child, dir)
  const control = child.stdio[3] as NodeJS.ReadableStream
  const port = await findLine(control, child, /"port":\s*(\d+)/)
  const pid = child.pid ?? 0
  pinServer(pid)
  return { port: Number(port), pids: [pid], stop }
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

/** Starts the platform as `npm start` does, on a free port. `dataDir` outlives it. */
export async function startPlatform(dataDir: string): Promise<Platform> {
  const startedAtMs = performance.now()
  const child = spawn(process.execPath, [join(ROOT, 'bin/skerry.mjs'), 'up'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      SKERRY_PORT: '0',
      SKERRY_DATA_DIR: dataDir,
      SKERRY_ADMIN_TOKEN: TOKEN,
    },
  })
  const port = await findLine(child.stdout, child, /^ready http:.*:(\d+)$/)
  const readyMs = performance.now() - startedAtMs
  const pids = readPids(join(dataDir, 'run'))
  for (const pid of pids) pinServer(pid)
  return { port: Number(port), pids, token: TOKEN, readyMs, stop: () => end(child) }
}

/** The platform's processes, as its supervisor notes them. */
function readPids(runDir: string): number[] {
  return readdirSync(runDir)
    .filter(file => file.endsWith('.pid.json'))
    .map(file => (JSON.parse(readFileSync(join(runDir, file), 'utf8')) as { pid: number }).pid)
}

/** The first group of a pattern in the lines that a starting process prints. The rest is read and dropped. */
async function findLine(
  stream: NodeJS.ReadableStream,
  child: ChildProcess,
  pattern: RegExp,
): Promise<string> {
  const found = new Promise<string>(resolve => {
    createInterface({ input: stream }).on('line', line => {
      const group = pattern.exec(line)?.[1]
      if (group) resolve(group)
    })
  })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with ${code} before it was ready`)
  })
  return Promise.race([found, ended])
}

async function end(child: ChildProcess, dir?: Disposable): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
    await ended
    clearTimeout(timer)
  }
  dir?.[Symbol.dispose]()
}
