/** Medians and quantiles: means say little where other programs share the machine. */

/** The middle and the quarters of a set of numbers. */
export interface Spread {
  readonly q1: number
  readonly median: number
  readonly q3: number
}

/**
 * The value below which a share of the numbers lies, between neighbours by proportion.
 *
 * @param share 0–1
 * @throws RangeError if there are no numbers
 */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * share
  const low = sorted[Math.floor(position)]
  const high = sorted[Math.ceil(position)]
  if (low === undefined || high === undefined) throw new RangeError('no numbers to take a quantile of')
  return low + (high - low) * (position - Math.floor(position))
}

/** Median and quartiles. */
export function spreadOf(numbers: readonly number[]): Spread {
  return { q1: quantile(numbers, 0.25), median: quantile(numbers, 0.5), q3: quantile(numbers, 0.75) }
}
