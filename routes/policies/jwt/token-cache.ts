/** What a cache may hold at most. */
export interface CacheBounds {
  readonly maxBytes: number
  readonly maxEntries: number
}

/**
 * What is known about tokens, bounded by bytes. Two generations: when the young one holds half, it becomes the old
 * one, and what was old and has not been asked for since is gone. Asking costs no more than a map does.
 */
export class TokenCache<Value extends { readonly expiresAtMs: number }> {
  readonly #bounds: CacheBounds
  #young = new Map<string, Held<Value>>()
  #old = new Map<string, Held<Value>>()
  #youngBytes = 0

  constructor(bounds: CacheBounds) {
    this.#bounds = bounds
  }

  /** What is known, unless its time is over. */
  get(key: string, nowMs: number): Value | undefined {
    const young = this.#young.get(key)
    const held = young ?? this.#old.get(key)
    if (held === undefined) return undefined
    if (held.value.expiresAtMs <= nowMs) {
      this.delete(key)
      return undefined
    }
    if (young === undefined) this.#keep(key, held)
    return held.value
  }

  /** @param bytes about how much memory it takes, key included */
  set(key: string, value: Value, bytes: number): void {
    this.delete(key)
    if (bytes <= this.#bounds.maxBytes / 2) this.#keep(key, { value, bytes })
  }

  delete(key: string): void {
    const young = this.#young.get(key)
    if (young) this.#youngBytes -= young.bytes
    this.#young.delete(key)
    this.#old.delete(key)
  }

  /** How many entries are held, at most: one may be in both generations. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  #keep(key: string, held: Held<Value>): void {
    const { maxBytes, maxEntries } = this.#bounds
    if (this.#youngBytes + held.bytes > maxBytes / 2 || this.#young.size >= maxEntries / 2) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(key, held)
    this.#youngBytes += held.bytes
  }
}

interface Held<Value> {
  readonly value: Value
  readonly bytes: number
}
