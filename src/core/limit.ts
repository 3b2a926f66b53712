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
  r2: 'R2',
  cache: "Functions' caches",
  d1: 'D1',
  queues: 'Queues',
  workflows: 'Workflows',
  gateway: 'The gateway',
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

/** The same on every host. */
export const everywhere = (by: Enforcer): Limit['enforcedBy'] => ({
  'self-host': by,
  dev: by,
  cloudflare: by,
})
/** On self-host alone. */
export const onlySelfHost = (by: Enforcer): Limit['enforcedBy'] => ({
  'self-host': by,
  dev: null,
  cloudflare: null,
})
/** On Cloudflare alone. */
export const onlyCloudflare: Limit['enforcedBy'] = { 'self-host': null, dev: null, cloudflare: 'Cloudflare' }
