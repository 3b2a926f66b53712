/** What an edge asks of a rate limit's counter: permits of one key. */
export interface PermitRequest {
  /** Unique on the platform within the account: policy, route and caller. */
  readonly key: string
  readonly algorithm: 'sliding-window' | 'token-bucket'
  readonly limit: number
  readonly windowMs: number
  /** Of a token bucket: how many may come at once. */
  readonly burst: number
  /** How many permits are waited for: of them, as many as there are get granted. 0 with `ahead` 0 only reads. */
  readonly wanted: number
  /** How many are needed at least: if there are fewer, none is granted. */
  readonly needed: number
  /** How many more are welcome, to be spent without asking before the grant's `expiresAtMs`. */
  readonly ahead: number
  /** Permits of an earlier grant that were not spent in time, and won't be: a sliding window takes them back. */
  readonly unspent: number
  /** When those ended. */
  readonly unspentUntilMs: number
}

/** A counter's answer. What is granted of `wanted` counts as spent at once; the rest must be by `expiresAtMs`. */
export interface PermitGrant {
  readonly granted: number
  /** Milliseconds since the epoch; 0 when nothing was granted ahead. */
  readonly expiresAtMs: number
  /** What is left for others after this grant. */
  readonly remaining: number
  /** Milliseconds until `needed` (more) would be granted; 0 when all that was wanted has been. */
  readonly retryAfterMs: number
  /** Milliseconds until everything is available again. */
  readonly resetMs: number
}

/** How often a quota's count begins anew: at midnight or on the first of the month, in UTC. */
export type QuotaPeriod = 'day' | 'month'

/** What an edge asks of a durable quota. */
export interface QuotaRequest {
  /** The policy's name in the gateway file. */
  readonly policy: string
  /** Whose quota: unique within the policy. Operators see it, so it holds no credentials. */
  readonly key: string
  readonly limit: number
  readonly period: QuotaPeriod
  /** How many units are waited for: of them, as many as there are get granted. 0 with `ahead` 0 only reads. */
  readonly wanted: number
  /** How many are needed at least: if there are fewer, none is granted. */
  readonly needed: number
  /** How many more are welcome, to be spent without asking until the period ends. They count as used from now on. */
  readonly ahead: number
}

/** A durable quota after a request. */
export interface QuotaState {
  readonly granted: number
  /** Units that are spent, or held by edges to be spent. */
  readonly used: number
  readonly resetAtMs: number
}

/** One caller's quota, as operators see it. */
export interface QuotaRecord {
  readonly policy: string
  readonly key: string
  readonly period: QuotaPeriod
  readonly limit: number
  readonly used: number
  readonly resetAtMs: number
}

/** When a quota's period that holds this moment ends: milliseconds since the epoch. */
export function periodEndMs(period: QuotaPeriod, nowMs: number): number {
  const now = new Date(nowMs)
  const year = now.getUTCFullYear()
  const month = now.getUTCMonth()
  return period === 'day' ? Date.UTC(year, month, now.getUTCDate() + 1) : Date.UTC(year, month + 1)
}

/** How many units a quota of which so many are free grants: all that are waited for, and of those ahead a quarter of the rest. */
export function grantOfQuota(
  { wanted, needed, ahead }: Pick<QuotaRequest, 'wanted' | 'needed' | 'ahead'>,
  free: number,
): number {
  if (free < Math.max(needed, 1)) return 0
  const at = Math.min(wanted, free)
  return at + Math.min(ahead, Math.floor((free - at) / 4))
}

/**
 * How long permits that are granted ahead may be spent: a hundredth of the window, at least 10 ms, at most 5 s. What
 * is granted counts for so much longer, so this is the share of a limit that is lost to leases.
 */
export function leaseMs(windowMs: number): number {
  return Math.min(Math.max(windowMs / 100, 10), 5000)
}
