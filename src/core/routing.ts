import type { ScriptGate } from './admission.ts'
import type { EdgeApiKey, GatewaySnapshot, Purge } from './gateway.ts'
import type { Reads } from './manifest.ts'
import type { Quarantine } from './strikes.ts'

/** A version that gets traffic, as edges know it. */
export interface EdgeVersion {
  readonly id: string
  /** The loader's id: a digest of everything that can change the isolate. */
  readonly isolate: string
  /** Share of the script's requests, 0–100. */
  readonly percentage: number
  readonly reads: Reads
  /** The digest of the document of its static files; absent for what has none. */
  readonly assets?: string
  /** The default export answers `fetch`. */
  readonly hasFetch: boolean
  /** The longest synchronous turn, in milliseconds, before the supervisor ends its process. */
  readonly turnMs: number
}

/** A script with its current deployment, as edges know it. */
export interface ScriptEntry {
  readonly name: string
  /** Percentages sum to 100; empty = uploaded, never deployed. */
  readonly versions: readonly EdgeVersion[]
  /** It answers on `<script>.<domain>`. */
  readonly workersDev: boolean
  /** Its versions answer on `<8 hex>-<script>.<domain>`. */
  readonly previews: boolean
  /** Logs are read live until then: milliseconds since the epoch, 0 = no. */
  readonly tailingUntilMs: number
  /** Scripts whose `tail()` gets its traces; absent for those that have none. */
  readonly tailConsumers?: readonly string[]
  /** It isn't called until then; absent for almost every script, so that a request costs one property read. */
  readonly quarantine?: Quarantine
  /** Code that isn't called on preview hosts, by `EdgeVersion.isolate`. */
  readonly quarantinedIsolates?: Readonly<Record<string, Quarantine>>
}

/** Whether a script's isolates report what they do: to live readers, or to tail consumers. */
export function isTailed(entry: ScriptEntry, nowMs: number): boolean {
  return entry.tailingUntilMs > nowMs || entry.tailConsumers !== undefined
}

/** A script as the gateway meets it; the same object as long as the script exists, so counters can live on it. */
export interface ScriptTarget {
  readonly accountId: string
  readonly name: string
  /** Of both, as the board has it (src/core/board.ts). */
  readonly hash: number
  entry: ScriptEntry
  /** The only version, or `undefined` when traffic is split or nothing is deployed. */
  sole: EdgeVersion | undefined
  /** Counts the invocations that wait for their response head. */
  readonly gate: ScriptGate
}

/** A route pattern (`host/path*`) or custom domain (`host/*`) and the script it leads to; `null` = to none. */
export interface HostRoute {
  readonly pattern: string
  readonly script: string | null
  readonly customDomain: boolean
}

/** A namespace of users' Durable Objects, with the script and the class that its objects have now. */
export interface NamespaceEntry {
  readonly id: string
  readonly script: string
  readonly className: string
}

/** What changed in an account between two revisions; `from` 0 = everything. */
export interface AccountChanges {
  readonly accountId: string
  /** Scripts answer on `<script>.<workersDomain>`. */
  readonly workersDomain: string
  readonly from: number
  readonly to: number
  readonly scripts: readonly ScriptEntry[]
  readonly removed: readonly string[]
  /** All routes and custom domains, when any changed. */
  readonly routes?: readonly HostRoute[]
  /** All namespaces of Durable Objects, when any changed. */
  readonly namespaces?: readonly NamespaceEntry[]
  /** The gateway file and the secrets it refers to, when either changed. */
  readonly gateway?: GatewaySnapshot
  /** API keys that were made or changed; all of them when `from` is 0. */
  readonly apiKeys?: readonly EdgeApiKey[]
  /** Hashes of API keys that were deleted. */
  readonly removedApiKeys?: readonly string[]
  /** Purges of caches that were asked for. */
  readonly purges?: readonly Purge[]
}
