import type { ApiKey, Purge } from '../../src/core/gateway.ts'
import type { PermitGrant, PermitRequest, QuotaRequest, QuotaState } from '../../src/core/permits.ts'

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
   * Asks for permits of one key. Never lets more into any window than the limit allows, also not what earlier grants
   * left unspent; what is granted ahead must be spent before `expiresAtMs`.
   *
   * @throws when the state role can't be reached: the policy decides what then
   */
  take(request: PermitRequest): Promise<PermitGrant>
  /** Counts against a durable quota, or only reads it with `wanted` and `ahead` 0. @throws as `take` */
  spend(request: QuotaRequest): Promise<QuotaState>
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
   * wait until it is done, and look again. It must call `done` with the handle it got, and until then, at least
   * once a second, `renew`: who isn't heard of is taken for dead, and the others are told that it is over.
   */
  begin(key: string): Promise<{ isFetcher: boolean; handle: string }>
  renew?(key: string, handle: string): Promise<void>
  done(key: string, handle: string): Promise<void>
  /** A stored response by key, from the store that all edges share. */
  read(key: string): Promise<StoredBytes | undefined>
  write(key: string, stored: StoredBytes, ttlSeconds: number): Promise<void>
  /**
   * Has other edges forget what they stored under keys, because somebody wrote there; resolves when they have. Keys
   * begin with `scope`. Absent where there is no other edge.
   */
  forget?(keys: readonly string[]): Promise<void>
  /** Targets heed `exchange.rawBody`: a coded body that isn't said to be raw has been decoded. */
  readonly knowsRawBodies?: boolean
  /** Purges of this account, in order, as they were pushed to this edge; later ones have higher numbers. */
  purgesSince(sequence: number): readonly Purge[]
}

export interface StoredBytes {
  /** JSON. */
  readonly meta: string
  readonly body: Uint8Array
}
