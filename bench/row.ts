/** One line of the report. */
export interface Row {
  /** The group that `--only` takes: `throughput`, `cold-start`, … */
  readonly row: string
  readonly what: string
  readonly value: number
  readonly unit: 'req/s' | 'ns' | 'µs' | 'ms' | '×'
  /** Quartiles of what `value` is the median of, or other quantiles, said in words. */
  readonly spread?: string
  /** Against the baseline; 1 = equal. */
  readonly ratio?: number
  /** What DESIGN.md allows, for `ratio` if `of` is `ratio`, else for `value`. */
  readonly budget?: { readonly of: 'ratio' | 'value'; readonly atLeast?: number; readonly atMost?: number }
}

/** Whether a row keeps to its budget; `undefined` if it has none. */
export function keepsBudget({ value, ratio, budget }: Row): boolean | undefined {
  if (!budget) return undefined
  const measured = budget.of === 'ratio' ? (ratio ?? Number.NaN) : value
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = budget
  return measured >= atLeast && measured <= atMost
}
