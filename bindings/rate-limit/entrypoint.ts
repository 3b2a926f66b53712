import { WorkerEntrypoint } from 'cloudflare:workers'
import { sha256Hex } from '../../src/core/ids.ts'
import { Counters } from './counters.ts'

/** What a rate-limit binding counts. Set by the platform only. */
export interface RateLimitProps {
  /** `<account id>:<namespace id>`: bindings with the same scope share counters. */
  readonly scope: string
  readonly limit: number
  readonly periodSeconds: 10 | 60
}

/** A longer key is counted by its hash, so that keys can't fill the memory. */
const MAX_KEY_CHARS = 256

const scopes = new Map<string, Counters>()
let sweptAtMs = 0

/**
 * The rate-limit binding. Counters are per edge process and in memory, as Cloudflare's are per location and
 * permissive: N edges together allow up to N times the limit, and a restart forgets.
 */
export class RateLimitEntrypoint extends WorkerEntrypoint<unknown, RateLimitProps> {
  /**
   * Counts a call for `key`. `delta`, default 1, is how much it counts.
   *
   * @throws TypeError, RangeError with the runtime's words, for options that aren't of their types
   */
  async limit(options: unknown): Promise<RateLimitOutcome> {
    const { scope, limit, periodSeconds } = this.ctx.props
    const { key, delta } = parseOptions(options)
    const shortKey = key.length > MAX_KEY_CHARS ? `#${await sha256Hex(key)}` : `=${key}`
    const nowMs = Date.now()
    return { success: countersOf(scope, nowMs).take(shortKey, limit, periodSeconds * 1000, delta, nowMs) }
  }
}

function parseOptions(options: unknown): { key: string; delta: number } {
  if (options === null || typeof options !== 'object') {
    throw new TypeError(
      "Failed to execute 'limit' on 'RateLimit': parameter 1 is not of type 'RateLimitOptions'.",
    )
  }
  const { key, delta = 1 } = options as Record<string, unknown>
  if (typeof key !== 'string') {
    throw new TypeError(
      "Incorrect type for the 'key' field on 'RateLimitOptions': the provided value is not of type 'string'.",
    )
  }
  return { key, delta: parseDelta(delta) }
}

function parseDelta(raw: unknown): number {
  const value = Number(raw)
  if (!Number.isFinite(value)) {
    throw new TypeError('The value cannot be converted because it is not an integer.')
  }
  if (value < 0) {
    throw new TypeError(
      'The value cannot be converted because it is negative and this API expects a positive number.',
    )
  }
  if (value > 0xffffffff) throw new TypeError('Value out of range. Must be less than or equal to 4294967295.')
  if (Math.trunc(value) === 0) throw new RangeError('delta must be non-zero')
  return Math.trunc(value)
}

function countersOf(scope: string, nowMs: number): Counters {
  if (nowMs - sweptAtMs > 60_000) {
    sweptAtMs = nowMs
    for (const [name, counters] of scopes) if (counters.isIdle(nowMs)) scopes.delete(name)
  }
  let counters = scopes.get(scope)
  if (!counters) {
    counters = new Counters(nowMs)
    scopes.set(scope, counters)
  }
  return counters
}
