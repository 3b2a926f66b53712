import type { CacheControl } from './cache-control.ts'
import { parseHttpDate } from './http-date.ts'

/** What the operator decided about lifetimes; seconds. */
export interface FreshnessRules {
  /** How long a response is fresh that says nothing about it. */
  readonly ttl?: number | undefined
  /** The same by status (`404`) or class of statuses (`5xx`); goes before `ttl`. */
  readonly ttlByStatus?: Readonly<Record<string, number>> | undefined
  /** The lifetimes above count in place of what responses say, too. */
  readonly override?: boolean | undefined
  /** The part of the time since `Last-Modified` for which a response without lifetime is fresh; 0 = none is. */
  readonly heuristic?: number | undefined
  readonly staleWhileRevalidate?: number | undefined
  /** `undefined`: only a target that can't be reached is bridged, for `UNREACHABLE_SECONDS`. */
  readonly staleIfError?: number | undefined
}

/** How long a response may be used, in milliseconds. */
export interface Freshness {
  /** From its making; 0 = it is stale at once. */
  readonly lifetimeMs: number
  /** Each use needs the target's consent. */
  readonly mustValidate: boolean
  /** How long beyond its lifetime it may be used while it is asked for again, … */
  readonly staleWhileRevalidateMs: number
  /** … if the target answers with an error, … */
  readonly staleIfErrorMs: number
  /** … and if it can't be reached. */
  readonly staleIfUnreachableMs: number
  /** A client's `max-stale` may be heeded. */
  readonly allowsMaxStale: boolean
}

/** What of a response decides. */
export interface ResponseFacts {
  readonly status: number
  readonly headers: Headers
  readonly control: CacheControl
  /** `control` is of a targeted field, so `Expires` doesn't count (RFC 9213 §2.2). */
  readonly isTargeted: boolean
  /** Its `Date`, else when it came. */
  readonly dateMs: number
  readonly responseMs: number
}

/** How long a response may be used; `undefined` if neither it nor the operator says (RFC 9111 §4.2, RFC 5861). */
export function freshnessOf(facts: ResponseFacts, rules: FreshnessRules): Freshness | undefined {
  const { control } = facts
  const lifetimeMs = lifetimeOf(facts, rules)
  if (lifetimeMs === undefined && !control.noCache) return undefined
  const isForbidden = Boolean(control.mustRevalidate || control.proxyRevalidate || control.noCache)
  // s-maxage forbids it too (§5.2.2.10), but not what the same response expressly allows.
  const isForbiddenUnsaid = isForbidden || control.sMaxage !== undefined
  const allowed = (said: number | undefined, rule: number | undefined): number =>
    isForbidden ? 0 : (said ?? (isForbiddenUnsaid ? 0 : (rule ?? 0))) * 1000
  return {
    lifetimeMs: lifetimeMs ?? 0,
    mustValidate: control.noCache ?? false,
    staleWhileRevalidateMs: allowed(control.staleWhileRevalidate, rules.staleWhileRevalidate),
    staleIfErrorMs: allowed(control.staleIfError, rules.staleIfError),
    staleIfUnreachableMs: allowed(control.staleIfError, rules.staleIfError ?? UNREACHABLE_SECONDS),
    allowsMaxStale: !isForbiddenUnsaid,
  }
}

/** RFC 9111 §4.2.1 for a shared cache; what can't be read is a lifetime of 0. */
function lifetimeOf(facts: ResponseFacts, rules: FreshnessRules): number | undefined {
  const { status, headers, control, isTargeted, dateMs } = facts
  const ruled = ruledSeconds(status, rules)
  if (rules.override && ruled !== undefined) return ruled * 1000
  if (control.sMaxage !== undefined) return control.sMaxage * 1000
  if (control.maxAge !== undefined) return control.maxAge * 1000
  const expires = isTargeted ? null : headers.get('expires')
  if (expires !== null) return Math.max(0, (parseHttpDate(expires, facts.responseMs) ?? 0) - dateMs)
  if (ruled !== undefined) return ruled * 1000
  return heuristicMs(facts, rules.heuristic ?? 0)
}

function ruledSeconds(status: number, { ttl, ttlByStatus }: FreshnessRules): number | undefined {
  const own = ttlByStatus?.[String(status)] ?? ttlByStatus?.[`${Math.floor(status / 100)}xx`]
  return own ?? (HEURISTIC_STATUSES.has(status) ? ttl : undefined)
}

/** §4.2.2: what hasn't changed for long will probably not change soon. At most a day. */
function heuristicMs({ status, headers, control, dateMs, responseMs }: ResponseFacts, part: number) {
  if (part === 0 || !(HEURISTIC_STATUSES.has(status) || control.public)) return undefined
  const modifiedMs = parseHttpDate(headers.get('last-modified'), responseMs)
  if (modifiedMs === undefined || modifiedMs > dateMs) return undefined
  return Math.min((dateMs - modifiedMs) * part, MAX_HEURISTIC_MS)
}

/** Those that may be stored without a lifetime (RFC 9110 §15.1); 206 is not stored here at all. */
const HEURISTIC_STATUSES: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501,
])

/** How long a target that can't be reached is bridged, where nothing else is said and nothing forbids it (§4.2.4). */
const UNREACHABLE_SECONDS = 60
const MAX_HEURISTIC_MS = 86_400_000
