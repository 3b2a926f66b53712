/** Where ours does something else than a native binding, and why. */
export interface Difference {
  /** What ours does: a value to compare with, or a matcher. */
  readonly ours: unknown
  readonly why: string
}

/** Differences by the name of the case. All other cases must have equal outcomes. */
export type Differences = Readonly<Record<string, Difference>>

/** What came of a case, by its name. */
export type Result = readonly [name: string, outcome: unknown]

/** One difference for several cases. */
export function same(names: readonly string[], ours: unknown, why: string): Differences {
  return Object.fromEntries(names.map(name => [name, { ours, why }]))
}
