import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { build } from 'esbuild'

/** A running workerd with one Worker of ours in it. */
export interface RunningWorkerd {
  readonly port: number
  readonly url: string
  /** Resolves with the first line of the log that matches, past or to come. */
  logged(pattern: RegExp): Promise<string>
  stop(): Promise<void>
}

/** What the Worker under test is, beside the port. */
export interface WorkerdSpec {
  /** Its TypeScript entry, below `test/worker`. */
  readonly entry: string
  /** Cap'n Proto text of `bindings`, without brackets. */
  readonly bindings: string
  /** Cap'n Proto text of further fields of the Worker, e.g. `durableObjectNamespaces = […]`. */
  readonly fields?: readonly string[]
  /** Cap'n Proto text of further services; a disk may name the directory `data`. */
  readonly services?: readonly string[]
}

/** Bundles and starts a Worker on stock workerd, on a free port of loopback. */
export async function startWorker({
  entry,
  bindings,
  fields = [],
  services = [],
}: WorkerdSpec): Promise<RunningWorkerd> {
  const directory = await mkdtemp(join(tmpdir(), 'skerry-workerd-'))
  await build({
    entryPoints: [join(import.meta.dirname, '../worker', entry)],
    bundle: true,
    format: 'esm',
    target: 'es2024',
    external: ['cloudflare:*'],
    conditions: ['workerd', 'worker'],
    outfile: join(directory, 'worker.js'),
    logLevel: 'error',
  })
  const worker = [
    'modules = [(name = "worker.js", esModule = embed "worker.js")]',
    'compatibilityDate = "2026-11-01"',
    'compatibilityFlags = ["service_binding_extra_handlers"]',
    `bindings = [${bindings}]`,
    ...fields,
  ]
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [${[`(name = "main", worker = (${worker.join(', ')}))`, ...services].join(', ')}],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);`
  await mkdir(join(directory, 'data'))
  await writeFile(join(directory, 'config.capnp'), config)
  return run(directory)
}

async function run(directory: string): Promise<RunningWorkerd> {
  const binary = createRequire(import.meta.url).resolve('workerd/bin/workerd')
  const child = spawn(binary, ['serve', '--experimental', '--control-fd=3', 'config.capnp'], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const log = collectLog(child)
  const control = createInterface(child.stdio[3] as Readable)
  const listening = once(control, 'line')
  const died = once(child, 'exit').then(() => {
    throw new Error(`workerd did not start:\n${log.lines.join('\n')}`)
  })
  died.catch(() => {})
  const [line] = (await Promise.race([listening, died])) as [string]
  const { port } = JSON.parse(line) as { port: number }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    logged: log.find,
    async stop() {
      if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function collectLog(child: ChildProcess): { lines: string[]; find(pattern: RegExp): Promise<string> } {
  const lines: string[] = []
  const waiting = new Set<(line: string) => void>()
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface(stream).on('line', line => {
      lines.push(line)
      for (const take of waiting) take(line)
    })
  }
  return {
    lines,
    find(pattern) {
      const past = lines.find(line => pattern.test(line))
      if (past !== undefined) return Promise.resolve(past)
      const { promise, resolve } = Promise.withResolvers<string>()
      const take = (line: string) => {
        if (!pattern.test(line)) return
        waiting.delete(take)
        resolve(line)
      }
      waiting.add(take)
      return promise
    },
  }
}
