/**
 * What was granted to one key within the last window.
 *
 * It never lets more than the limit into any window, wherever one begins, because each grant counts until it has left
 * every window in which one of its permits may be spent. To bound the memory, grants are counted together in slices
 * of a hundredth of the window once there are more than a few: a slice ends with its last grant, so up to 1 % of the
 * window passes before a permit is free again that could have been. A key with few grants is exact.
 */
export class SlidingWindow {
  /** Pairs: until when a slice counts, and how much, in order; the first `#head` numbers are gone. */
  readonly #slices: number[] = []
  #head = 0
  #total = 0

  /** How many permits count now. */
  used(nowMs: number): number {
    this.#forget(nowMs)
    return this.#total
  }

  /**
   * Counts a grant whose permits are spent between now and `spentByMs`.
   *
   * @param windowMs the same for all grants of a key
   */
  add(count: number, nowMs: number, spentByMs: number, windowMs: number): void {
    this.#forget(nowMs)
    const slices = this.#slices
    const last = slices.length - 2
    const lastUntil = last >= this.#head ? (slices[last] as number) : 0
    const until = Math.max(spentByMs + windowMs, lastUntil)
    const sliceMs = windowMs / SLICES
    this.#total += count
    if (
      slices.length - this.#head >= 2 * EXACT_GRANTS &&
      Math.floor(until / sliceMs) === Math.floor(lastUntil / sliceMs)
    ) {
      slices[last] = until
      slices[last + 1] = (slices[last + 1] as number) + count
    } else {
      slices.push(until, count)
    }
  }

  /**
   * Takes back permits that will never be spent. They are taken off what leaves first, which at worst counts some
   * that are spent for longer than need be.
   */
  remove(count: number, nowMs: number): void {
    this.#forget(nowMs)
    let left = Math.min(count, this.#total)
    this.#total -= left
    for (let i = this.#head + 1; left > 0; i += 2) {
      const taken = Math.min(left, this.#slices[i] as number)
      this.#slices[i] = (this.#slices[i] as number) - taken
      left -= taken
    }
  }

  /** Milliseconds until no more than this counts; 0 = already. */
  msUntil(used: number, nowMs: number): number {
    let excess = this.used(nowMs) - used
    for (let i = this.#head; excess > 0 && i < this.#slices.length; i += 2) {
      excess -= this.#slices[i + 1] as number
      if (excess <= 0) return (this.#slices[i] as number) - nowMs
    }
    return 0
  }

  /** Counts nothing beyond this moment: after the clock was set back, or the window was made shorter. */
  endBy(untilMs: number): void {
    const slices = this.#slices
    if (slices.length === this.#head || (slices.at(-2) as number) <= untilMs) return
    slices.length = 0
    this.#head = 0
    slices.push(untilMs, this.#total)
  }

  #forget(nowMs: number): void {
    const slices = this.#slices
    while (this.#head < slices.length && (slices[this.#head] as number) <= nowMs) {
      this.#total -= slices[this.#head + 1] as number
      this.#head += 2
    }
    if (this.#head === slices.length) {
      slices.length = 0
      this.#head = 0
    } else if (this.#head > 2 * SLICES) {
      slices.splice(0, this.#head)
      this.#head = 0
    }
  }
}

/** Slices a window has. */
const SLICES = 100
/** So many grants are kept apart, each with its own time. */
const EXACT_GRANTS = 16
