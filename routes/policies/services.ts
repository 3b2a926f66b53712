import type { ApiKey, Purge } from '../../src/core/gateway.ts'

/**
 * What policies need beside the request: a way out, and what all edges share. The platform gives its own; a
 * stand-alone Worker gets `createLocalServices()`, which keeps everything in the isolate's memory.
 */
export interface Services {
  /** The way to identity providers, key sets and upstreams that the operator named. */
  fetch(input: Request | string, init?: RequestInit): Promise<Response>
  /** Keeps work going after the answer. What other exchanges may wait for must be given here. */
  waitUntil(promise: Promise<unknown>): void
  readonly limiter: LimiterService
  readonly records: RecordService
  readonly apiKeys: ApiKeyService
  readonly cache: CacheService
}

/** Exact counters that all edges share. */
export interface LimiterService {
  /**
   * Asks for permits of one key. Never grants more in any window than the limit allows, also not what earlier
   * grants left unused; what is granted must be spent before `expiresAtMs`.
   *
   * @throws when the state role can't be reached: the policy decides what then
   */
  take(request: PermitRequest): Promise<PermitGrant>
  /** Counts against a durable quota, or only reads it with `cost` 0. */
  spend(request: QuotaRequest): Promise<QuotaState>
}

export interface PermitRequest {
  /** Unique on the platform within the account: policy, route and caller. */
  readonly key: string
  readonly algorithm: 'sliding-window' | 'token-bucket'
  readonly limit: number
  readonly windowMs: number
  /** Of a token bucket: how many may come at once. */
  readonly burst: number
  /** How many permits are wanted; fewer may be granted. */
  readonly wanted: number
  /** How many are needed at least: if there are fewer, none is granted. */
  readonly needed: number
}

export interface PermitGrant {
  readonly granted: number
  /** Milliseconds since the epoch; 0 when nothing was granted. */
  readonly expiresAtMs: number
  /** What is left for others after this grant. */
  readonly remaining: number
  /** Milliseconds until `needed` would be granted; 0 when it was. */
  readonly retryAfterMs: number
  /** Milliseconds until everything is available again. */
  readonly resetMs: number
}

export interface QuotaRequest {
  readonly key: string
  readonly limit: number
  /** The quota's period in UTC. */
  readonly period: 'day' | 'month'
  readonly cost: number
}

export interface QuotaState {
  /** Whether `cost` was within the quota, and was counted. */
  readonly isAllowed: boolean
  readonly used: number
  readonly resetAtMs: number
}

/** Small durable records by key, which all edges share. Keys are unique on the platform within the account. */
export interface RecordService {
  /** Writes the record if there is none: exactly one of several callers gets `true`; the others get what is there. */
  claim(key: string, value: string, ttlSeconds: number): Promise<{ claimed: boolean; value: string }>
  /** Writes the record in any case. */
  put(key: string, value: string, ttlSeconds: number): Promise<void>
  get(key: string): Promise<string | undefined>
  delete(key: string): Promise<void>
}

/** The account's API keys, in the edge's memory. */
export interface ApiKeyService {
  /** The key of this SHA-256 (64 hex digits), revoked and expired ones too. */
  find(hash: string): ApiKey | undefined | Promise<ApiKey | undefined>
}

/** What caches of different edges share: bodies beyond one's memory, one fetch at a time, and purges. */
export interface CacheService {
  /** Names the account's cache: keys begin with it. */
  readonly scope: string
  /**
   * Who fetches what is missing: one of all callers that ask at the same time, on all edges, is to fetch. Others
   * wait until it is done, and look again. It must call `done` with the handle it got.
   */
  begin(key: string): Promise<{ isFetcher: boolean; handle: string }>
  done(key: string, handle: string): Promise<void>
  /** A stored response by key, from the store that all edges share. */
  read(key: string): Promise<StoredBytes | undefined>
  write(key: string, stored: StoredBytes, ttlSeconds: number): Promise<void>
  /** Purges of this account, in order, as they were pushed to this edge; later ones have higher numbers. */
  purgesSince(sequence: number): readonly Purge[]
}

export interface StoredBytes {
  /** JSON. */
  readonly meta: string
  readonly body: Uint8Array
}
