/**
 * Values by key, within a budget of what they weigh, by two generations: when the young one has taken half of the
 * budget it becomes the old one, and what was old and not asked for again is dropped. No reordering on a hit.
 */
export class WeighedCache<Value> {
  readonly #half: number
  #young = new Map<string, { readonly value: Value; readonly weight: number }>()
  #old = new Map<string, { readonly value: Value; readonly weight: number }>()
  #youngWeight = 0

  constructor(budget: number) {
    this.#half = budget / 2
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key)
    if (young) return young.value
    const old = this.#old.get(key)
    if (old) this.set(key, old.value, old.weight)
    return old?.value
  }

  /** What weighs more than half the budget is not kept. */
  set(key: string, value: Value, weight: number): void {
    if (weight > this.#half) return
    const known = this.#young.get(key)
    if (known) {
      this.#youngWeight -= known.weight
    } else if (this.#youngWeight + weight > this.#half) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngWeight = 0
    }
    this.#youngWeight += weight
    this.#young.set(key, { value, weight })
  }
}
