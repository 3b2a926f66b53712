/**
 * Bytes by key, within a budget, by two generations: when the young one has taken half of the budget it
 * becomes the old one, and what was old and not asked for again is dropped. No reordering on a hit.
 */
export class ByteCache {
  readonly #generationBytes: number
  #young = new Map<string, Uint8Array>()
  #old = new Map<string, Uint8Array>()
  #youngBytes = 0

  constructor(budgetBytes: number) {
    this.#generationBytes = budgetBytes / 2
  }

  get(key: string): Uint8Array | undefined {
    const young = this.#young.get(key)
    if (young) return young
    const old = this.#old.get(key)
    if (old) this.set(key, old)
    return old
  }

  /** Values larger than half the budget are not kept. */
  set(key: string, value: Uint8Array): void {
    if (value.byteLength > this.#generationBytes) return
    if (this.#youngBytes + value.byteLength > this.#generationBytes) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    if (!this.#young.has(key)) this.#youngBytes += value.byteLength
    this.#young.set(key, value)
  }
}
