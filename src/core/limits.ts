/** Where the platform runs, in the words of SKERRY_HOST_KIND; `dev` is `wrangler dev`. */
export const HOST_KINDS = ['self-host', 'dev', 'cloudflare'] as const
export type HostKind = (typeof HOST_KINDS)[number]

/** Who keeps a limit: a part of the platform, or what it runs on. */
export type Enforcer =
  | 'gateway'
  | 'egress'
  | 'binding'
  | 'control plane'
  | 'live logs'
  | 'supervisor'
  | 'workerd'
  | 'Cloudflare'
  | 'wrangler'

/** The sections of `docs/limits.md`, in its order. */
export const LIMIT_GROUPS = {
  requests: 'Requests',
  connections: 'Connections',
  functions: 'What a function may use',
  egress: 'What functions send',
  uploads: 'Uploads',
  kv: 'KV',
  logs: 'Logs',
} as const

/** One limit, and who keeps it where. */
export interface Limit {
  readonly group: keyof typeof LIMIT_GROUPS
  /** `null`: nothing sets one. At the limit passes, one past it fails. */
  readonly value: number | null
  /** Hosts where it is another, because the host and not the platform sets it. */
  readonly valueOn?: Readonly<Partial<Record<HostKind, number>>>
  readonly unit: 'ms' | 's' | 'bytes' | 'characters' | 'per second' | 'count'
  /** What is bounded, and what happens past it. One or two sentences of Markdown without links. */
  readonly what: string
  /** `null`: nobody keeps it there. Never claim one that nothing enforces. */
  readonly enforcedBy: Readonly<Record<HostKind, Enforcer | null>>
  /** The variable that sets it, and what it accepts. */
  readonly setBy?: { readonly variable: string; readonly min: number; readonly max: number }
  /** What a reader might wrongly assume. */
  readonly note?: string
}

const everywhere = (by: Enforcer): Limit['enforcedBy'] => ({ 'self-host': by, dev: by, cloudflare: by })
const onlySelfHost = (by: Enforcer): Limit['enforcedBy'] => ({
  'self-host': by,
  dev: null,
  cloudflare: null,
})
const onlyCloudflare: Limit['enforcedBy'] = { 'self-host': null, dev: null, cloudflare: 'Cloudflare' }

/**
 * Every limit: value, meaning, and per host who enforces it.
 *
 * The one source: {@link LIMITS} has the numbers for code, `GET /api/v1/limits` and `skerry limits` show it, and
 * `docs/limits.md` is written from it (`vitest run --project unit test/docs -u`).
 */
export const LIMIT_TABLE = {
  wallClockMs: {
    group: 'requests',
    value: 30_000,
    unit: 'ms',
    what: "From a request's arrival to the function's response head; then `504 ERR_FUNCTION_TIMEOUT`. Streaming may go on.",
    enforcedBy: everywhere('gateway'),
    note: 'Not while a function computes without a pause: see `turnMs`.',
  },
  concurrency: {
    group: 'requests',
    value: 100,
    unit: 'count',
    what: 'Invocations of one script that wait for their response head at once, per edge. More wait in its queue.',
    enforcedBy: everywhere('gateway'),
    note: 'An edge is a process; on Cloudflare, an isolate of the platform.',
  },
  accountConcurrency: {
    group: 'requests',
    value: 400,
    unit: 'count',
    what: 'The same for all scripts of one account, per edge. Its scripts get freed places in turn.',
    enforcedBy: everywhere('gateway'),
  },
  queueLength: {
    group: 'requests',
    value: 50,
    unit: 'count',
    what: 'Requests to one script that wait for a place, per edge; one more gets `503 ERR_CONCURRENCY_LIMIT` with `Retry-After: 1`.',
    enforcedBy: everywhere('gateway'),
  },
  queueMs: {
    group: 'requests',
    value: 250,
    unit: 'ms',
    what: 'How long a request waits for a place; then `503 ERR_CONCURRENCY_LIMIT` with `Retry-After: 1`.',
    enforcedBy: everywhere('gateway'),
  },
  requestBodyBytes: {
    group: 'requests',
    value: 100 * 1000 * 1000,
    unit: 'bytes',
    what: "A request's body, announced or counted; then `413 ERR_BODY_TOO_LARGE`.",
    enforcedBy: everywhere('gateway'),
    note: 'On Cloudflare, Cloudflare by its plan, then the gateway.',
  },
  urlBytes: {
    group: 'requests',
    value: 16 * 1024,
    unit: 'bytes',
    what: "A request's URL, as Cloudflare's; then `414 ERR_URL_TOO_LONG`.",
    enforcedBy: everywhere('gateway'),
    note: 'A path above 65,534 bytes gets a bare 414 from workerd, which says nothing more.',
  },
  internalHops: {
    group: 'requests',
    value: 16,
    unit: 'count',
    what: 'Times one request is passed on between functions by their host names; then `508 ERR_LOOP`.',
    enforcedBy: everywhere('gateway'),
  },

  headerBytes: {
    group: 'connections',
    value: 400_000,
    valueOn: { cloudflare: 128 * 1024 },
    unit: 'bytes',
    what: "A request's head, its URL included; then a bare 431, and the connection ends.",
    enforcedBy: { 'self-host': 'workerd', dev: 'workerd', cloudflare: 'Cloudflare' },
    note: 'So much passes for certain; up to 530,000 may, depending on the pieces in which it arrives.',
  },
  headerLines: {
    group: 'connections',
    value: 16_384,
    valueOn: { dev: 16_380 },
    unit: 'count',
    what: 'Header lines of a request; then a bare 431, and the connection ends.',
    enforcedBy: { 'self-host': 'workerd', dev: 'workerd', cloudflare: null },
    note: 'wrangler adds some of its own.',
  },
  headMs: {
    group: 'connections',
    value: 15_000,
    unit: 'ms',
    what: "From a connection's beginning, or the last answer on it, until a request's whole head is there; then the connection ends without an answer. So this is also how long an idle connection is kept.",
    enforcedBy: { 'self-host': 'workerd', dev: 'workerd', cloudflare: 'Cloudflare' },
    note: 'A proxy in front must let go of idle connections sooner. Cloudflare has its own, longer time.',
  },
  bodyMs: {
    group: 'connections',
    value: null,
    unit: 'ms',
    what: "How long a client may take over a request's body, and pause in it.",
    enforcedBy: onlyCloudflare,
    note: 'As long as the function waits for it before it answers, `wallClockMs` bounds it: 504, and the connection ends. An answer that has begun may wait for ever for the rest.',
  },
  responseMs: {
    group: 'connections',
    value: null,
    unit: 'ms',
    what: "How long a client may take to read an answer: one that doesn't read holds its connection, and what was buffered for it.",
    enforcedBy: onlyCloudflare,
  },
  connections: {
    group: 'connections',
    value: null,
    unit: 'count',
    what: 'Connections at once, in all or of one client.',
    enforcedBy: onlyCloudflare,
    note: "On self-host the system's bound on open files (`ulimit -n`) is all there is: put a proxy in front that counts.",
  },

  cpuMsPerInvocation: {
    group: 'functions',
    value: null,
    unit: 'ms',
    what: 'CPU time of one invocation. `limits.cpu_ms` of a project sets `turnMs` instead.',
    enforcedBy: onlyCloudflare,
    note: 'Cloudflare bounds that of the platform and the function together, by its plan. workerd measures no CPU time.',
  },
  turnMs: {
    group: 'functions',
    value: 500,
    unit: 'ms',
    what: 'How long a function may compute without a pause; then `503 ERR_FUNCTION_CPU` for its caller, and a strike. `limits.cpu_ms` of a project sets it.',
    enforcedBy: onlySelfHost('supervisor'),
    note: 'One synchronous turn: the time between two awaits that really wait, not the sum over an invocation. On Linux only, and noticed after 100 ms at the earliest.',
  },
  starveMs: {
    group: 'functions',
    value: 2000,
    unit: 'ms',
    what: 'How long a function may keep its process from everything else by many short turns, each caused by the one before; then as beyond `turnMs`.',
    enforcedBy: onlySelfHost('supervisor'),
    note: 'Calls, streams and sockets that never leave the process do that. Longer while many callers wait for the function: 50 ms for each. On Linux only.',
  },
  turnMinMs: {
    group: 'functions',
    value: 10,
    unit: 'ms',
    what: 'The least that `limits.cpu_ms` sets; less counts as this.',
    enforcedBy: onlySelfHost('control plane'),
  },
  turnMaxMs: {
    group: 'functions',
    value: 30_000,
    unit: 'ms',
    what: "The most that `limits.cpu_ms` sets; more, up to Cloudflare's 300,000, counts as this.",
    enforcedBy: onlySelfHost('control plane'),
  },
  strikes: {
    group: 'functions',
    value: 3,
    unit: 'count',
    what: 'How often a script may exceed its limit of CPU time or memory within `strikeWindowSeconds`; then its callers get `503 ERR_FUNCTION_QUARANTINED`. 0: as often as it likes.',
    enforcedBy: onlySelfHost('gateway'),
    setBy: { variable: 'SKERRY_STRIKES', min: 0, max: 20 },
  },
  strikeWindowSeconds: {
    group: 'functions',
    value: 600,
    unit: 's',
    what: 'The time within which `strikes` are counted.',
    enforcedBy: onlySelfHost('control plane'),
    setBy: { variable: 'SKERRY_STRIKE_WINDOW_SECONDS', min: 1, max: 86_400 },
  },
  quarantineSeconds: {
    group: 'functions',
    value: 3600,
    unit: 's',
    what: 'How long a first quarantine lasts. Each that follows within a day lasts twice as long.',
    enforcedBy: onlySelfHost('gateway'),
    setBy: { variable: 'SKERRY_QUARANTINE_SECONDS', min: 1, max: 86_400 },
  },
  quarantineMaxSeconds: {
    group: 'functions',
    value: 86_400,
    unit: 's',
    what: 'The longest quarantine, and how long after its end one is remembered.',
    enforcedBy: onlySelfHost('control plane'),
  },
  strikesKept: {
    group: 'functions',
    value: 20,
    unit: 'count',
    what: 'Strikes kept of a script: the latest.',
    enforcedBy: onlySelfHost('control plane'),
  },
  isolateBytes: {
    group: 'functions',
    value: null,
    unit: 'bytes',
    what: 'Memory of one isolate.',
    enforcedBy: onlyCloudflare,
    valueOn: { cloudflare: 128 * 1000 * 1000 },
    note: 'On self-host the process that it shares with others is bounded: `edgeSoftBytes`.',
  },
  edgeSoftBytes: {
    group: 'functions',
    value: 576 * 1024 * 1024,
    unit: 'bytes',
    what: 'Memory of one edge, from which the supervisor looks who takes it: `503 ERR_FUNCTION_MEMORY` for the callers of that function, and a strike; or idle isolates are evicted.',
    enforcedBy: onlySelfHost('supervisor'),
    note: 'Less where the machine or container has less: three quarters of it are for all edges. On Linux only.',
  },
  edgeHardBytes: {
    group: 'functions',
    value: 1600 * 1024 * 1024,
    unit: 'bytes',
    what: 'Memory of one edge, at which the system refuses more and the process ends, with everything in it; another starts.',
    enforcedBy: onlySelfHost('supervisor'),
    note: 'Less where the machine or container has less. On Linux only.',
  },

  outboundConcurrency: {
    group: 'egress',
    value: 600,
    unit: 'count',
    what: 'Subrequests of one script that wait for a response head, and its open sockets, at once, per edge.',
    enforcedBy: everywhere('egress'),
    note: 'Cloudflare also: 6 per invocation.',
  },
  outboundBurst: {
    group: 'egress',
    value: 10_000,
    unit: 'count',
    what: 'Subrequests of one script at once, after a quiet time, per edge.',
    enforcedBy: everywhere('egress'),
  },
  outboundPerSecond: {
    group: 'egress',
    value: 2000,
    unit: 'per second',
    what: 'Subrequests of one script after that, per edge.',
    enforcedBy: everywhere('egress'),
  },
  subrequestsPerInvocation: {
    group: 'egress',
    value: null,
    valueOn: { cloudflare: 1000 },
    unit: 'count',
    what: 'Subrequests of one invocation.',
    enforcedBy: onlyCloudflare,
    note: "workerd doesn't say which invocation a subrequest belongs to. Cloudflare counts those of the platform's invocation as a whole: 1,000, or 50 on its free plan.",
  },

  uploadBytes: {
    group: 'uploads',
    value: 64 * 1024 * 1024,
    unit: 'bytes',
    what: 'All modules of a version, source maps apart; one form has at most half as much again.',
    enforcedBy: everywhere('control plane'),
    note: 'workerd itself refuses 64 MiB.',
  },
  moduleBytes: {
    group: 'uploads',
    value: 25 * 1024 * 1024,
    unit: 'bytes',
    what: 'One module: the code store is a KV namespace.',
    enforcedBy: everywhere('control plane'),
  },
  modules: {
    group: 'uploads',
    value: 10_000,
    unit: 'count',
    what: 'Modules of a version.',
    enforcedBy: everywhere('control plane'),
  },
  startupMs: {
    group: 'uploads',
    value: 5000,
    unit: 'ms',
    what: 'The top level of a version, awaits included, when it is uploaded.',
    enforcedBy: everywhere('control plane'),
    note: 'Time that passes in awaits; a loop without end is a matter of `turnMs`.',
  },
  bindings: {
    group: 'uploads',
    value: 500,
    unit: 'count',
    what: 'Bindings of a version.',
    enforcedBy: everywhere('control plane'),
  },
  variableBytes: {
    group: 'uploads',
    value: 5 * 1024,
    unit: 'bytes',
    what: "One text or JSON variable or secret, in UTF-8; Cloudflare's bound.",
    enforcedBy: everywhere('control plane'),
  },
  scriptNameChars: {
    group: 'uploads',
    value: 63,
    unit: 'characters',
    what: "A script's name.",
    enforcedBy: everywhere('control plane'),
  },
  cronsPerScript: {
    group: 'uploads',
    value: 250,
    unit: 'count',
    what: 'Cron triggers of a script.',
    enforcedBy: everywhere('control plane'),
  },

  kvKeyBytes: {
    group: 'kv',
    value: 512 - 8,
    unit: 'bytes',
    what: "A key: Cloudflare's 512, less the namespace's prefix.",
    enforcedBy: everywhere('binding'),
  },
  kvValueBytes: {
    group: 'kv',
    value: 25 * 1024 * 1024,
    unit: 'bytes',
    what: 'A value.',
    enforcedBy: everywhere('binding'),
  },
  kvMetadataBytes: {
    group: 'kv',
    value: 1024,
    unit: 'bytes',
    what: "A key's metadata, as JSON.",
    enforcedBy: everywhere('binding'),
  },
  kvMinTtlSeconds: {
    group: 'kv',
    value: 60,
    unit: 's',
    what: 'The shortest expiry.',
    enforcedBy: everywhere('binding'),
  },
  kvBulkKeys: {
    group: 'kv',
    value: 10_000,
    unit: 'count',
    what: "Keys of one bulk write or delete through the API, as Cloudflare's; wrangler sends 1,000.",
    enforcedBy: everywhere('control plane'),
  },

  tailsPerScript: {
    group: 'logs',
    value: 10,
    unit: 'count',
    what: 'Live logs of one script at once, as on Cloudflare; then `429 ERR_TAIL_LIMIT`.',
    enforcedBy: everywhere('live logs'),
  },
  tailMs: {
    group: 'logs',
    value: 6 * 60 * 60 * 1000,
    unit: 'ms',
    what: 'How long a live log lasts.',
    enforcedBy: everywhere('live logs'),
  },
} as const satisfies Record<string, Limit>

type Table = typeof LIMIT_TABLE
type Numbered = { [Name in keyof Table]: Table[Name]['value'] extends number ? Name : never }[keyof Table]

/** The numbers of {@link LIMIT_TABLE} for code: `LIMITS.wallClockMs`. Units are in the names. */
export const LIMITS = Object.freeze(
  Object.fromEntries(
    Object.entries(LIMIT_TABLE).flatMap(([name, { value }]) => (value === null ? [] : [[name, value]])),
  ),
) as { readonly [Name in Numbered]: Table[Name]['value'] }
