/** Keys a scope keeps per generation; more start a new one, which forgets the oldest counters early. */
export const MAX_KEYS = 50_000
/** No period is longer. */
const GENERATION_MS = 60_000

interface Window {
  startedAtMs: number
  count: number
}

/**
 * Counters of one rate-limit namespace, in memory: a window of fixed length per key, which starts with the
 * key's first call. So no burst straddles a boundary that the caller can't see.
 *
 * Two generations of keys bound the memory: a window lives in the current one, is carried over when it is used
 * again, and is dropped with the previous one, at least one whole period after it began.
 */
export class Counters {
  #current = new Map<string, Window>()
  #previous = new Map<string, Window>()
  #rotatedAtMs: number

  constructor(nowMs: number) {
    this.#rotatedAtMs = nowMs
  }

  /**
   * Whether the call is within the limit. It is while the count is below `limit`, even if `delta` takes it
   * past; a refused call isn't counted.
   */
  take(key: string, limit: number, periodMs: number, delta: number, nowMs: number): boolean {
    this.#rotate(nowMs)
    // Bindings of one namespace may have different periods: each counts for itself.
    const id = `${periodMs}:${key}`
    const window = this.#current.get(id) ?? this.#previous.get(id)
    if (!window || nowMs - window.startedAtMs >= periodMs || nowMs < window.startedAtMs) {
      this.#current.set(id, { startedAtMs: nowMs, count: delta })
      return true
    }
    this.#current.set(id, window)
    if (window.count >= limit) return false
    window.count += delta
    return true
  }

  /** No call for two generations: the whole object can be dropped. */
  isIdle(nowMs: number): boolean {
    return nowMs - this.#rotatedAtMs >= 2 * GENERATION_MS
  }

  /** How many windows are held. */
  get size(): number {
    return this.#current.size + this.#previous.size
  }

  #rotate(nowMs: number): void {
    const ageMs = nowMs - this.#rotatedAtMs
    if (ageMs < GENERATION_MS && ageMs >= 0 && this.#current.size < MAX_KEYS) return
    this.#previous = ageMs >= 2 * GENERATION_MS ? new Map() : this.#current
    this.#current = new Map()
    this.#rotatedAtMs = nowMs
  }
}
