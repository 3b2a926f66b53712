import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'esbuild'
import { preludesAsText } from '../../host/bundle.ts'
import {
  type BindingConfig,
  Embedded,
  type ServiceConfig,
  toCapnpText,
  type WorkerConfig,
  type WorkerdConfig,
} from '../../host/config.ts'

/** A Worker to run. */
export interface TestWorker {
  /** ES modules by name; the first is the main module. */
  readonly modules: Readonly<Record<string, string>>
  readonly bindings?: readonly BindingConfig[]
  /** Default 2026-11-01. */
  readonly compatibilityDate?: string
  /** Default `experimental`, without which there is no loader. */
  readonly compatibilityFlags?: readonly string[]
  /** SQLite-backed Durable Object classes; each is bound under its own name. */
  readonly durableObjects?: readonly string[]
  /** The service its fetch() reaches; default: none that exists. */
  readonly globalOutbound?: string
  readonly workflowsEngine?: WorkerConfig['workflowsEngine']
}

/** A workerd process: the Worker that gets the requests, and what else runs beside it. */
export interface WorkerdOptions extends TestWorker {
  /** More Workers, by service name; the main one is `main`. */
  readonly workers?: Readonly<Record<string, TestWorker>>
  /** More services, such as those of `embeddedKv`. */
  readonly services?: readonly ServiceConfig[]
  /** Where objects and values are kept; default: a directory that is removed at the end. */
  readonly dataDir?: string
}

/** A running workerd. */
export interface Workerd {
  readonly pid: number
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** Requests the main Worker; headers are sent as given, so `transfer-encoding: chunked` means no length. */
  fetch(
    path: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array },
  ): Promise<Response>
  /** All that workerd wrote to its standard error. */
  log(): string
  /** Kills it at once and removes its files. */
  stop(): Promise<void>
}

/** Starts the workerd of node_modules on a free port and waits until it listens. */
export async function startWorkerd(options: WorkerdOptions): Promise<Workerd> {
  const runDir = mkdtempSync(join(tmpdir(), 'workerd-test-'))
  const dataDir = options.dataDir ?? join(runDir, 'data')
  const config = describe(options, runDir, dataDir)
  const configFile = join(runDir, 'config.capnp')
  writeFileSync(configFile, toCapnpText(config))

  const binary = new URL('../../node_modules/.bin/workerd', import.meta.url).pathname
  const flags = ['serve', configFile, '--experimental', '--socket-addr', 'http=127.0.0.1:0', '--control-fd=3']
  const child = spawn(binary, flags, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  const log: string[] = []
  child.stderr?.on('data', chunk => log.push(String(chunk)))
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
    rmSync(runDir, { recursive: true, force: true })
  }
  const port = await listening(child, exited, log).catch(async error => {
    await stop()
    throw error
  })
  return {
    pid: child.pid ?? 0,
    url: `http://127.0.0.1:${port}`,
    fetch: (path, init) => send(port, path, init),
    log: () => log.join(''),
    stop,
  }
}

/** workerd's own KV as service `name`, with its disks below `dataDir`; bind it as `kvNamespace`. */
export function embeddedKv(name: string, dataDir: string): ServiceConfig[] {
  const disk = (dir: string): ServiceConfig => {
    mkdirSync(join(dataDir, dir), { recursive: true })
    return { name: dir, disk: { path: join(dataDir, dir), writable: true } }
  }
  return [
    {
      name,
      worker: {
        modules: [{ name: 'kv.js', bundled: '/workerd/kv.js' }],
        compatibilityDate: '2026-01-01',
        bindings: [
          { name: 'SHARD', durableObjectNamespace: { className: 'KVNamespace' } },
          { name: 'BLOBS', service: `${name}-blobs` },
        ],
        durableObjectNamespaces: [{ className: 'KVNamespace', uniqueKey: 'KVNamespace', enableSql: true }],
        durableObjectStorage: { localDisk: `${name}-objects` },
      },
    },
    disk(`${name}-objects`),
    disk(`${name}-blobs`),
  ]
}

/** A TypeScript file and what it imports as one module for workerd; `path` is relative to the repository. */
export async function bundleModule(path: string): Promise<string> {
  const result = await build({
    entryPoints: [new URL(`../../${path}`, import.meta.url).pathname],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'import'],
    external: ['cloudflare:*', 'node:*'],
    plugins: [preludesAsText],
    keepNames: true,
    logLevel: 'silent',
  })
  const [file] = result.outputFiles
  if (!file) throw new Error(`${path} gave no output`)
  return file.text
}

function describe(options: WorkerdOptions, runDir: string, dataDir: string): WorkerdConfig {
  const workers = { main: options, ...options.workers }
  const services = Object.entries(workers).flatMap(([name, worker]) =>
    describeWorker(name, worker, runDir, dataDir),
  )
  return {
    services: [...services, ...(options.services ?? [])],
    sockets: [{ name: 'http', http: {}, service: 'main' }],
  }
}

function describeWorker(name: string, worker: TestWorker, runDir: string, dataDir: string): ServiceConfig[] {
  const classes = worker.durableObjects ?? []
  const modules = Object.entries(worker.modules).map(([module, code], index) => {
    const file = `${name}-${index}.js`
    writeFileSync(join(runDir, file), code)
    return { name: module, esModule: new Embedded(file) }
  })
  const disk = `${name}-objects-disk`
  if (classes.length > 0) mkdirSync(join(dataDir, name), { recursive: true })
  return [
    {
      name,
      worker: {
        modules,
        compatibilityDate: worker.compatibilityDate ?? '2026-11-01',
        compatibilityFlags: worker.compatibilityFlags ?? ['experimental'],
        bindings: [
          ...(worker.bindings ?? []),
          ...classes.map(className => ({ name: className, durableObjectNamespace: { className } })),
        ],
        ...(classes.length > 0 && {
          durableObjectNamespaces: classes.map(className => ({
            className,
            uniqueKey: className,
            enableSql: true,
          })),
          durableObjectStorage: { localDisk: disk },
        }),
        ...(worker.globalOutbound && { globalOutbound: worker.globalOutbound }),
        ...(worker.workflowsEngine && { workflowsEngine: worker.workflowsEngine }),
      },
    },
    ...(classes.length > 0 ? [{ name: disk, disk: { path: join(dataDir, name), writable: true } }] : []),
  ]
}

/** The port of the socket `http`, as workerd reports it on its control descriptor. */
async function listening(child: ChildProcess, exited: Promise<void>, log: string[]): Promise<number> {
  const control = child.stdio[3]
  if (!control || !('read' in control)) throw new Error('workerd has no control descriptor')
  const ports = (async () => {
    for await (const line of createInterface({ input: control })) {
      const report = JSON.parse(line) as { event: string; socket?: string; port?: number }
      if (report.event === 'listen' && report.socket === 'http' && report.port) return report.port
    }
    return undefined
  })()
  const port = await Promise.race([ports, exited.then(() => undefined)])
  if (!port) throw new Error(`workerd did not start:\n${log.join('')}`)
  return port
}

/** Node's own client: fetch() neither sets a Host header nor sends a path as it is written. */
function send(
  port: number,
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const hasLength = init.body !== undefined && !init.headers?.['transfer-encoding']
    const headers = {
      ...init.headers,
      ...(hasLength && { 'content-length': String(Buffer.byteLength(init.body ?? '')) }),
    }
    const outgoing: ClientRequest = request(
      { host: '127.0.0.1', port, path, method: init.method ?? 'GET', headers, agent: false },
      (incoming: IncomingMessage) => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const pairs = Object.entries(incoming.headersDistinct).flatMap(([name, values]) =>
            (values ?? []).map((value): [string, string] => [name, value]),
          )
          const status = incoming.statusCode ?? 0
          const bodiless = status === 204 || status === 304
          resolve(new Response(bodiless ? null : Buffer.concat(chunks), { status, headers: pairs }))
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end(init.body)
  })
}
