/** A small generator of numbers in [0, 1): the same ones for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The value below which a share of the numbers lies; `undefined` if there are none. */
export function quantile(numbers: readonly number[], share: number): number | undefined {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** In words, in milliseconds: `p50 1.2, p99 30.5, most 80.1 of 1000`. */
export function describeTimes(times: readonly number[]): string {
  const at = (share: number) => quantile(times, share)?.toFixed(1) ?? '–'
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} of ${times.length}`
}
