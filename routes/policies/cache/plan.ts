import { RecentMap } from '../../../src/core/recent-map.ts'
import type { Exchange } from '../exchange.ts'
import type { CacheControl } from './cache-control.ts'
import type { Entry } from './entry.ts'
import { CacheKey } from './key.ts'
import type { StoringRules } from './make-entry.ts'
import type { CacheMemory } from './memory.ts'
import type { CacheOptions } from './options.ts'

/** What a phase of this policy goes by. */
export interface Settings {
  readonly options: CacheOptions
  readonly rules: StoringRules
  readonly key: CacheKey
  readonly memory: CacheMemory
  /** Milliseconds since the epoch, now: responses come later than their requests. */
  readonly clock: () => number
}

/** What is known of a request when the target must be asked. */
export interface Plan {
  /** Scope and URL: what is stored stands under it. */
  readonly id: string
  readonly uri: string
  readonly partition: string
  /** What is stored for it, and can't be given as it is. */
  readonly entry: Entry | undefined
  readonly isPersonal: boolean
  /** The last purge that was known: what is asked for now is newer. */
  readonly purgeSequence: number
  /** The client's own directives, if they count. */
  readonly said: CacheControl | undefined
  /** Why the target is asked, in the words of RFC 9211. */
  readonly why: 'uri-miss' | 'vary-miss' | 'miss' | 'stale' | 'request' | 'bypass' | 'method'
}

/** Makes what a phase goes by. @param prefix tells the policy from others */
export function makeSettings(
  options: CacheOptions,
  prefix: string,
  memory: CacheMemory,
  clock: () => number,
): Settings {
  memory.store.allow(options.max_bytes)
  return {
    options,
    memory,
    clock,
    key: new CacheKey(options.key, prefix),
    rules: {
      ttl: options.ttl,
      ttlByStatus: options.ttl_by_status,
      override: options.override,
      heuristic: options.heuristic,
      staleWhileRevalidate: options.stale_while_revalidate,
      staleIfError: options.stale_if_error,
      setCookie: options.set_cookie,
      statuses: options.statuses && new Set(options.statuses),
      ignoredVary: new Set(options.ignore_vary),
    },
  }
}

/** The partition of parts that were asked for in these words: there is no guessing of what is in them. */
export function partOf(partition: string, range: string): string {
  return `${partition} range ${range}`
}

/** Whether a request is of one caller, so that its response is for others only if it says so (RFC 9111 §3.5). */
export function isPersonal(exchange: Exchange, key: CacheKey): boolean {
  const { identity } = exchange
  const isIdentified = identity !== undefined && identity.type !== 'anonymous'
  if (isIdentified) return !key.tellsCallersApart
  return exchange.request.headers.has('authorization')
}

/** Names what several requests may wait for: the key, and the values that it varied by as far as that is known. */
export class FlightNames {
  readonly #vary = new RecentMap<string, readonly string[]>(VARY_NAMES)

  nameOf(plan: Plan, request: Headers): string {
    const base = `${plan.id} ${plan.partition}`
    const names = this.#vary.get(base)
    return names ? `${base} ${JSON.stringify(names.map(name => request.get(name)))}` : base
  }

  /** To be told by what a response varied. */
  learn(plan: Plan, entry: Entry): void {
    const names = entry.init.vary.map(([name]) => name)
    if (names.length > 0) this.#vary.set(`${plan.id} ${plan.partition}`, names)
  }
}

const VARY_NAMES = 10_000
