import { RecentMap } from '../../../src/core/recent-map.ts'
import { SlidingWindow } from '../../../src/core/sliding-window.ts'
import { TokenBucket } from '../../../src/core/token-bucket.ts'

/** A limit's numbers. */
export interface LimitNumbers {
  readonly algorithm: 'sliding-window' | 'token-bucket'
  readonly limit: number
  readonly windowMs: number
  /** Of a token bucket. */
  readonly burst: number
}

/** What a caller may still do. */
export interface LimitState {
  readonly remaining: number
  /** Until so many units as were asked about are there; 0 = now. */
  readonly retryAfterMs: number
  readonly resetMs: number
}

/** Counters of one limit in this isolate's memory, by caller: at most 100,000, of which those used latest stay. */
export class LocalLimits {
  readonly #numbers: LimitNumbers
  readonly #rate: number
  readonly #windows = new RecentMap<string, SlidingWindow>(MAX_CALLERS)
  readonly #buckets = new RecentMap<string, TokenBucket>(MAX_CALLERS)

  constructor(numbers: LimitNumbers) {
    this.#numbers = numbers
    this.#rate = numbers.limit / numbers.windowMs
  }

  /** Counts a request if there are units enough. */
  take(key: string, cost: number, nowMs: number): boolean {
    const { algorithm, limit, windowMs, burst } = this.#numbers
    if (algorithm === 'token-bucket') return this.#bucket(key, nowMs).take(cost, burst, nowMs, this.#rate)
    const window = this.#window(key)
    if (window.used(nowMs) + cost > limit) {
      // A clock that was set back would let nobody in until it is where it was.
      window.endBy(nowMs + windowMs + CLOCK_STEP_MS)
      return false
    }
    window.add(cost, nowMs, nowMs, windowMs)
    return true
  }

  /** Looks, and counts nothing. */
  read(key: string, cost: number, nowMs: number): LimitState {
    const { algorithm, limit, burst } = this.#numbers
    if (algorithm === 'token-bucket') {
      const bucket = this.#buckets.get(key) ?? new TokenBucket(nowMs)
      return {
        remaining: Math.floor(burst - bucket.debt(nowMs, this.#rate) + 1e-9),
        retryAfterMs: bucket.msUntilDebt(burst - cost, nowMs, this.#rate),
        resetMs: bucket.msUntilDebt(0, nowMs, this.#rate),
      }
    }
    const window = this.#windows.get(key) ?? new SlidingWindow()
    return {
      remaining: limit - window.used(nowMs),
      retryAfterMs: window.msUntil(limit - cost, nowMs),
      resetMs: window.msUntil(0, nowMs),
    }
  }

  #window(key: string): SlidingWindow {
    const held = this.#windows.get(key)
    if (held) return held
    const window = new SlidingWindow()
    this.#windows.set(key, window)
    return window
  }

  #bucket(key: string, nowMs: number): TokenBucket {
    const held = this.#buckets.get(key)
    if (held) return held
    const bucket = new TokenBucket(nowMs)
    this.#buckets.set(key, bucket)
    return bucket
  }
}

const MAX_CALLERS = 100_000
const CLOCK_STEP_MS = 1000
