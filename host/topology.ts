import { join } from 'node:path'
import { DENIED_NETWORKS } from '../src/core/addresses.ts'
import { RESERVED_HEADERS } from '../src/core/reserved-headers.ts'
import {
  type BindingConfig,
  Embedded,
  type HttpConfig,
  type ServiceConfig,
  type SocketConfig,
  type WorkerConfig,
  type WorkerdConfig,
} from './config.ts'

/** What a process does: `all` is every role in one process. */
export type ProcessRole = 'state' | 'objects' | 'edge' | 'all'

/** One workerd process: what the supervisor starts, watches and starts again. */
export interface ProcessDescription {
  /** Names its files and sockets in the run directory and its lines in the log. */
  readonly name: string
  readonly role: ProcessRole
  readonly config: WorkerdConfig
  /** The socket of `config` that gets the platform's listening descriptor; the state process has none. */
  readonly publicSocket?: string
}

/** What the processes are made from. */
export interface TopologyInput {
  /** Absolute. */
  readonly dataDir: string
  /** Where the private sockets are: absolute, of mode 0700. */
  readonly socketDir: string
  /** Edges that serve at a time; 0 = every role in one process. */
  readonly edges: number
  readonly domain: string
  /** Where clients reach the platform. */
  readonly url: string
  /** Where the platform listens, as `host:port`: functions may not connect there. */
  readonly listensOn: readonly string[]
  readonly adopt: boolean
  readonly allowPrivateEgress: boolean
  /** When strikes become a quarantine, as in `HostOptions`. */
  readonly strikes: number
  readonly strikeWindowSeconds: number
  readonly quarantineSeconds: number
  /** The longest turn by default, and at most, as in `HostOptions`. */
  readonly turnMs: number
  readonly turnMaxMs: number
  /** Users' isolates that a process may hold. */
  readonly maxIsolates: number
  /** V8's limit of each isolate's heap in MiB: in edges, and in the objects process. */
  readonly heapMib?: { readonly edge: number; readonly objects: number }
}

/** Directories below the data directory that the processes' disk services need. */
export const STORAGE_DIRS = ['objects', 'kv', 'kv-blobs', 'blobs'] as const

type StorageDir = (typeof STORAGE_DIRS)[number]

/**
 * V8 lets what is young grow to three times 16 MB in every process. Where throughput isn't bought with it, as in
 * those without clients, a quarter will do.
 */
const SMALL_YOUNG_SPACE = '--max-semi-space-size=4'

/** The process of the objects role. */
const OBJECTS_PROCESS = 'objects-0'

/** Private sockets, by process and purpose. */
export function socketPath(socketDir: string, process: string, purpose: SocketPurpose): string {
  return join(socketDir, `${process}.${purpose}`)
}

/**
 * The name under which a process opens a socket. It gets its real one when the process listens, in place of
 * that of its former life: so there always is a file. For a missing one, workerd (2026-11-17) speaks of an internal
 * error and logs a stack; where nobody listens, the connection is refused.
 */
export function openedAs(path: string): string {
  return `${path}.new`
}

/** `rpc`: between roles; `health`: heartbeats; `ops`: the supervisor's reports; `front`: requests handed over; `kv`, `code`: the stores. */
export type SocketPurpose = 'rpc' | 'health' | 'ops' | 'front' | 'kv' | 'code'

/** The state role's Durable Object classes and the bindings that name them. */
const STATE_OBJECTS = {
  DIRECTORY: 'Directory',
  ACCOUNT: 'Account',
  CRON: 'CronClock',
  TAILS: 'TailHub',
  LIMITER: 'Limiter',
  RECORDS: 'Records',
  QUEUE: 'Queue',
  WORKFLOW: 'Workflow',
  BUCKET: 'Bucket',
  ANALYTICS: 'Analytics',
} as const

/** The objects role's. */
const USER_OBJECTS = {
  OBJECT: 'UserObject',
  OBJECT_INDEX: 'ObjectIndex',
  DATABASE: 'Database',
} as const

// Clients' connections are noted there.
const BOARD: BindingConfig = { name: 'SKERRY_BOARD', fromEnvironment: 'SKERRY_BOARD' }

// Functions get its class over databases of their own: what is behind this one is never asked.
const D1_CLIENT: BindingConfig = {
  name: 'D1',
  wrapped: {
    moduleName: 'cloudflare-internal:d1-api',
    innerBindings: [{ name: 'fetcher', service: { name: 'main', entrypoint: 'D1Entrypoint' } }],
  },
}

/** The namespaces of the embedded KV service, and the bindings that name them. */
const STORES = { CODE: 'code', KV: 'kv' } as const

const RPC: HttpConfig = { capnpConnectHost: 'capnp.internal' }

// A header without value is removed, whatever the client says.
const PUBLIC: HttpConfig = { injectRequestHeaders: RESERVED_HEADERS.map(name => ({ name })) }

/**
 * The processes of a self-hosted platform: `state` first, then `objects-0`, then one edge more than run at a time,
 * for a replacement to start in. With no edges: one process that is everything.
 */
export function describeProcesses(
  input: TopologyInput,
): readonly [ProcessDescription, ...ProcessDescription[]] {
  if (input.edges === 0) return [describeAll(input)]
  const names = Array.from({ length: input.edges + 1 }, (_, i) => `edge-${i}`)
  return [
    describeState(input, names),
    describeObjects(input),
    ...names.map(name => describeEdge(input, name)),
  ]
}

function describeAll(input: TopologyInput): ProcessDescription {
  const name = 'skerry'
  const bindings = [
    BOARD,
    ...edgeBindings(input),
    ...objectsBindings(),
    ...stateBindings(input),
    ...commonBindings(input),
  ]
  const storage = storeObjects({ ...STATE_OBJECTS, ...USER_OBJECTS })
  const services = [
    { name: 'main', worker: { ...mainWorker(bindings), ...storage, globalOutbound: 'internet' } },
    describeKv(),
    ...describeDisks(input.dataDir, 'objects', 'kv', 'kv-blobs', 'blobs'),
    ...describeNetworks(input),
  ]
  const sockets = [
    ...edgeSockets(input, name),
    toSocket(input, name, 'ops', {}, { name: 'main', entrypoint: 'Ops' }),
  ]
  return describePublic(input, name, 'all', { services, sockets })
}

/** Control plane and everything that lasts. No users' code, so no loader; no way out. */
function describeState(input: TopologyInput, edges: readonly string[]): ProcessDescription {
  const name = 'state'
  const bindings: BindingConfig[] = [
    ...stateBindings(input),
    ...edges.map((edge, i) => ({ name: `EDGE_${i}`, service: edge })),
    { name: 'OBJECTS', service: 'objects' },
    ...commonBindings(input),
  ]
  const storage = storeObjects(STATE_OBJECTS)
  const services: ServiceConfig[] = [
    { name: 'main', worker: { ...mainWorker(bindings), ...storage, globalOutbound: 'nowhere' } },
    { name: 'nowhere', network: { allow: [] } },
    describeKv(),
    ...describeDisks(input.dataDir, 'objects', 'kv', 'kv-blobs', 'blobs'),
    describePeer(input, 'objects', OBJECTS_PROCESS, 'rpc', RPC),
    ...edges.map(edge => describePeer(input, edge, edge, 'rpc', RPC)),
  ]
  const sockets = [
    toSocket(input, name, 'rpc', RPC, { name: 'main', entrypoint: 'State' }),
    toSocket(input, name, 'ops', {}, { name: 'main', entrypoint: 'Ops' }),
    toSocket(input, name, 'health', {}, { name: 'main', entrypoint: 'Health' }),
    ...(['kv', 'code'] as const).map(namespace =>
      toSocket(input, name, namespace, {}, { name: 'kv', props: { json: JSON.stringify({ namespace }) } }),
    ),
  ]
  return { name, role: 'state', config: { services, sockets, v8Flags: [SMALL_YOUNG_SPACE] } }
}

/** Users' Durable Objects and D1 databases: functions that hold what must last. It has no clients of its own. */
function describeObjects(input: TopologyInput): ProcessDescription {
  const name = OBJECTS_PROCESS
  const bindings = [...functionBindings(input, name), ...objectsBindings()]
  const storage = storeObjects(USER_OBJECTS)
  const services: ServiceConfig[] = [
    { name: 'main', worker: { ...mainWorker(bindings), ...storage, globalOutbound: 'internet' } },
    ...describeDisks(input.dataDir, 'objects', 'blobs'),
    ...describeStatePeers(input),
    ...describeNetworks(input),
  ]
  const sockets = [
    toSocket(input, name, 'rpc', RPC, { name: 'main', entrypoint: 'Objects' }),
    toSocket(input, name, 'health', {}, { name: 'main', entrypoint: 'Health' }),
  ]
  const v8Flags = [...heapFlags(input.heapMib?.objects), SMALL_YOUNG_SPACE]
  return { name, role: 'objects', config: { services, sockets, v8Flags } }
}

/** Gateway and functions. Holds nothing that must last. */
function describeEdge(input: TopologyInput, name: string): ProcessDescription {
  const bindings = [BOARD, ...functionBindings(input, name), { name: 'OBJECTS', service: 'objects' }]
  const services: ServiceConfig[] = [
    { name: 'main', worker: { ...mainWorker(bindings), globalOutbound: 'internet' } },
    ...describeDisks(input.dataDir, 'blobs'),
    describePeer(input, 'objects', OBJECTS_PROCESS, 'rpc', RPC),
    ...describeStatePeers(input),
    ...describeNetworks(input),
  ]
  const sockets = [
    ...edgeSockets(input, name),
    toSocket(input, name, 'rpc', RPC, { name: 'main', entrypoint: 'Edge' }),
  ]
  return describePublic(input, name, 'edge', { services, sockets })
}

/** The way to the state process and its stores. */
function describeStatePeers(input: TopologyInput): ServiceConfig[] {
  return [
    describePeer(input, 'state', 'state', 'rpc', RPC),
    ...(['kv', 'code'] as const).map(namespace => describePeer(input, namespace, 'state', namespace, {})),
  ]
}

/** A process that has clients and runs functions. */
function describePublic(
  { heapMib }: TopologyInput,
  name: string,
  role: ProcessRole,
  config: WorkerdConfig,
): ProcessDescription {
  const v8Flags = heapFlags(heapMib?.edge)
  return { name, role, config: { ...config, ...(v8Flags.length > 0 && { v8Flags }) }, publicSocket: 'http' }
}

function heapFlags(heapMib: number | undefined): string[] {
  return heapMib === undefined ? [] : [`--max-old-space-size=${heapMib}`]
}

/** What a process that has clients listens on. */
function edgeSockets(input: TopologyInput, name: string): SocketConfig[] {
  return [
    { name: 'http', http: PUBLIC, service: 'main' },
    toSocket(input, name, 'front', PUBLIC, { name: 'main', entrypoint: 'Handover' }),
    toSocket(input, name, 'health', {}, { name: 'main', entrypoint: 'Health' }),
  ]
}

function toSocket(
  { socketDir }: TopologyInput,
  process: string,
  purpose: SocketPurpose,
  http: HttpConfig,
  service: SocketConfig['service'],
): SocketConfig {
  const path = openedAs(socketPath(socketDir, process, purpose))
  return { name: purpose, address: `unix:${path}`, http, service }
}

function describePeer(
  { socketDir }: TopologyInput,
  name: string,
  process: string,
  purpose: SocketPurpose,
  http: HttpConfig,
): ServiceConfig {
  return { name, external: { address: `unix:${socketPath(socketDir, process, purpose)}`, http } }
}

function mainWorker(bindings: readonly BindingConfig[]): WorkerConfig {
  return {
    modules: [{ name: 'worker.js', esModule: new Embedded('worker.js') }],
    compatibilityDate: '2026-11-01',
    // scheduled() of a function is called through its stub. The loader needs no flag, only --experimental.
    compatibilityFlags: ['service_binding_extra_handlers'],
    bindings,
  }
}

/** Where classes of Durable Objects keep theirs: each has a directory of its own in there, so processes may share it. */
function storeObjects(
  classes: Readonly<Record<string, string>>,
): Pick<WorkerConfig, 'durableObjectNamespaces' | 'durableObjectStorage'> {
  return {
    durableObjectNamespaces: Object.values(classes).map(className => ({
      className,
      uniqueKey: className.toLowerCase(),
      enableSql: true,
    })),
    durableObjectStorage: { localDisk: 'objects-disk' },
  }
}

/** What a process that runs functions and isn't the state process has, its own part aside. */
function functionBindings(input: TopologyInput, process: string): BindingConfig[] {
  return [
    ...edgeBindings(input),
    ...Object.entries(STORES).map(([binding, namespace]) => ({ name: binding, kvNamespace: namespace })),
    { name: 'STATE', service: 'state' },
    { name: 'BLOBS', service: 'blobs-disk' },
    { name: 'SKERRY_PROCESS', text: process },
    ...commonBindings(input),
  ]
}

function objectsBindings(): BindingConfig[] {
  return toNamespaces(USER_OBJECTS)
}

function toNamespaces(classes: Readonly<Record<string, string>>): BindingConfig[] {
  return Object.entries(classes).map(([name, className]) => ({ name, durableObjectNamespace: { className } }))
}

function edgeBindings(input: TopologyInput): BindingConfig[] {
  return [
    { name: 'LOADER', workerLoader: { id: 'functions' } },
    D1_CLIENT,
    { name: 'SKERRY_MAX_ISOLATES', text: String(input.maxIsolates) },
    { name: 'SKERRY_LISTENS_ON', text: input.listensOn.join(',') },
    { name: 'INTERNET', service: 'internet' },
    { name: 'UPSTREAM', service: 'upstream' },
    ...(input.allowPrivateEgress ? [{ name: 'INTRANET', service: 'intranet' }] : []),
  ]
}

function stateBindings(input: TopologyInput): BindingConfig[] {
  return [
    ...toNamespaces(STATE_OBJECTS),
    { name: 'BLOBS', service: 'blobs-disk' },
    ...Object.entries(STORES).map(([name, namespace]) => ({
      name,
      kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } },
    })),
    // By environment: the configuration is a file, and files get copied into bug reports.
    { name: 'MASTER_KEY', fromEnvironment: 'MASTER_KEY' },
    { name: 'ADMIN_TOKEN', fromEnvironment: 'ADMIN_TOKEN' },
    { name: 'SKERRY_ADOPT', text: input.adopt ? '1' : '0' },
    { name: 'SKERRY_STRIKES', text: String(input.strikes) },
    { name: 'SKERRY_STRIKE_WINDOW_SECONDS', text: String(input.strikeWindowSeconds) },
    { name: 'SKERRY_QUARANTINE_SECONDS', text: String(input.quarantineSeconds) },
    { name: 'SKERRY_TURN_MS', text: String(input.turnMs) },
    { name: 'SKERRY_TURN_MAX_MS', text: String(input.turnMaxMs) },
  ]
}

function commonBindings(input: TopologyInput): BindingConfig[] {
  return [
    { name: 'SKERRY_DOMAIN', text: input.domain },
    { name: 'SKERRY_URL', text: input.url },
    { name: 'SKERRY_HOST_KIND', text: 'self-host' },
  ]
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

function describeDisks(dataDir: string, ...dirs: readonly StorageDir[]): ServiceConfig[] {
  return dirs.map(dir => ({
    name: `${dir}-disk`,
    // What a killed writer leaves of a blob has a name with a dot before it: bindings/r2/blobs.ts deletes it.
    disk: { path: join(dataDir, dir), writable: true, ...(dir === 'blobs' && { allowDotfiles: true }) },
  }))
}

function describeNetworks({ allowPrivateEgress }: TopologyInput): ServiceConfig[] {
  const tlsOptions = { trustBrowserCas: true }
  const deny = DENIED_NETWORKS
  const internet = { name: 'internet', network: { allow: ['public'], deny, tlsOptions } }
  const intranet = { name: 'intranet', network: { allow: ['public', 'private'], deny, tlsOptions } }
  // Of the gateway alone: operators name upstreams and identity providers, wherever they are.
  const upstream = { name: 'upstream', network: { allow: ['public', 'private'], deny, tlsOptions } }
  return allowPrivateEgress ? [internet, upstream, intranet] : [internet, upstream]
}
