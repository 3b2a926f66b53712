import { join } from 'node:path'
import { DENIED_NETWORKS } from '../src/core/addresses.ts'
import { RESERVED_HEADERS } from '../src/core/reserved-headers.ts'
import { type BindingConfig, Embedded, type ServiceConfig, type WorkerdConfig } from './config.ts'

/** One workerd process: what the supervisor starts, watches and starts again. */
export interface ProcessDescription {
  /** Names its files in the run directory and its lines in the log. */
  readonly name: string
  readonly config: WorkerdConfig
  /** The socket of `config` that gets the platform's listening descriptor. */
  readonly publicSocket: string
}

/** What the processes are made from. */
export interface TopologyInput {
  /** Absolute. */
  readonly dataDir: string
  readonly domain: string
  /** Where clients reach the platform. */
  readonly url: string
  /** Where the platform listens, as `host:port`: functions may not connect there. */
  readonly listensOn: readonly string[]
  readonly adopt: boolean
  readonly allowPrivateEgress: boolean
}

/** Directories below the data directory that the processes' disk services need. */
export const STORAGE_DIRS = ['objects', 'kv', 'kv-blobs'] as const

/** The platform's Durable Object classes and the bindings that name them. */
const OBJECTS = {
  DIRECTORY: 'Directory',
  ACCOUNT: 'Account',
  CRON: 'CronClock',
  TAILS: 'TailHub',
} as const

/** The processes of a self-hosted platform. Every role is in one process; state and edges apart would be more entries. */
export function describeProcesses(input: TopologyInput): readonly ProcessDescription[] {
  const services = [
    describeMain(input),
    describeKv(),
    ...describeDisks(input.dataDir),
    ...describeNetworks(input),
  ]
  // A header without value is removed, whatever the client says.
  const http = { injectRequestHeaders: RESERVED_HEADERS.map(name => ({ name })) }
  const sockets = [{ name: 'http', http, service: 'main' }]
  return [{ name: 'skerry', config: { services, sockets }, publicSocket: 'http' }]
}

function describeMain(input: TopologyInput): ServiceConfig {
  const bindings: BindingConfig[] = [
    { name: 'LOADER', workerLoader: { id: 'functions' } },
    { name: 'CODE', kvNamespace: { name: 'kv', props: { json: '{"namespace":"code"}' } } },
    { name: 'KV', kvNamespace: { name: 'kv', props: { json: '{"namespace":"kv"}' } } },
    ...Object.entries(OBJECTS).map(([name, className]) => ({ name, durableObjectNamespace: { className } })),
    // By environment: the configuration is a file, and files get copied into bug reports.
    { name: 'MASTER_KEY', fromEnvironment: 'MASTER_KEY' },
    { name: 'ADMIN_TOKEN', fromEnvironment: 'ADMIN_TOKEN' },
    { name: 'SKERRY_DOMAIN', text: input.domain },
    { name: 'SKERRY_URL', text: input.url },
    { name: 'SKERRY_LISTENS_ON', text: input.listensOn.join(',') },
    { name: 'SKERRY_HOST_KIND', text: 'self-host' },
    { name: 'SKERRY_ADOPT', text: input.adopt ? '1' : '0' },
    { name: 'INTERNET', service: 'internet' },
    ...(input.allowPrivateEgress ? [{ name: 'INTRANET', service: 'intranet' }] : []),
  ]
  return {
    name: 'main',
    worker: {
      modules: [{ name: 'worker.js', esModule: new Embedded('worker.js') }],
      compatibilityDate: '2026-11-01',
      // scheduled() of a function is called through its stub. The loader needs no flag, only --experimental.
      compatibilityFlags: ['service_binding_extra_handlers'],
      bindings,
      durableObjectNamespaces: Object.values(OBJECTS).map(className => ({
        className,
        uniqueKey: className.toLowerCase(),
        enableSql: true,
      })),
      durableObjectStorage: { localDisk: 'objects-disk' },
      globalOutbound: 'internet',
    },
  }
}

/** Workers KV as it comes with the binary: durable, its small values in SQLite, its large ones on disk. */
function describeKv(): ServiceConfig {
  return {
    name: 'kv',
    worker: {
      modules: [{ name: 'kv.js', bundled: '/workerd/kv.js' }],
      compatibilityDate: '2026-01-01',
      bindings: [
        { name: 'SHARD', durableObjectNamespace: { className: 'KVNamespace' } },
        { name: 'BLOBS', service: 'kv-blobs-disk' },
      ],
      durableObjectNamespaces: [{ className: 'KVNamespace', uniqueKey: 'KVNamespace', enableSql: true }],
      durableObjectStorage: { localDisk: 'kv-disk' },
    },
  }
}

function describeDisks(dataDir: string): ServiceConfig[] {
  return STORAGE_DIRS.map(dir => ({
    name: `${dir}-disk`,
    disk: { path: join(dataDir, dir), writable: true },
  }))
}

function describeNetworks({ allowPrivateEgress }: TopologyInput): ServiceConfig[] {
  const tlsOptions = { trustBrowserCas: true }
  const deny = DENIED_NETWORKS
  const internet = { name: 'internet', network: { allow: ['public'], deny, tlsOptions } }
  const intranet = { name: 'intranet', network: { allow: ['public', 'private'], deny, tlsOptions } }
  return allowPrivateEgress ? [internet, intranet] : [internet]
}
