/** Where an invocation was counted in; to be handed back when it is over. */
export interface Slot {
  count: number
}

/**
 * Counts what is under way, without trusting that every end is told.
 *
 * When the caller of a loopback entrypoint goes away, workerd drops our half of the call without running any
 * more of it, `finally` included. So counts are kept by windows of time and what is older than one to two
 * windows is forgotten. Choose a window that nothing outlasts.
 */
export class InFlight {
  readonly #windowMs: number
  #current: Slot = { count: 0 }
  #previous: Slot = { count: 0 }
  #windowStartMs = 0

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  /** Counts one in, unless `limit` are under way already: then `undefined`. */
  enter(limit: number, nowMs: number): Slot | undefined {
    const ageMs = nowMs - this.#windowStartMs
    if (ageMs >= this.#windowMs) {
      this.#previous = ageMs < 2 * this.#windowMs ? this.#current : { count: 0 }
      this.#current = { count: 0 }
      this.#windowStartMs = nowMs
    }
    if (this.#current.count + this.#previous.count >= limit) return undefined
    this.#current.count++
    return this.#current
  }

  /** Counts one out. */
  leave(slot: Slot): void {
    slot.count--
  }
}
