/**
 * A map that forgets: it holds the entries that were used latest, at most `capacity` of them, at least half as many.
 *
 * Two generations: when the young one has half the capacity it becomes the old one, and what was old and has not been
 * asked for since is gone. That costs a tenth of an LRU list at capacity.
 */
export class RecentMap<Key, Value> {
  readonly #half: number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()

  constructor(capacity: number) {
    this.#half = Math.max(1, Math.floor(capacity / 2))
  }

  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.set(key, old)
    return old
  }

  set(key: Key, value: Value): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  delete(key: Key): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }

  /** How many entries are held, at most: one may be in both generations. */
  get size(): number {
    return this.#young.size + this.#old.size
  }
}
