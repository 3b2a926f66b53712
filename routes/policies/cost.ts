import * as v from 'valibot'
import type { Exchange } from './exchange.ts'

const units = v.pipe(
  v.number(),
  v.integer('It must be a whole number.'),
  v.minValue(0),
  v.maxValue(1_000_000),
)

/** How many units a request counts: a number, or a table by method, route, or both (`"POST orders"`), with `*` for the rest. */
export const costSchema = v.union([units, v.record(v.pipe(v.string(), v.minLength(1)), units)])

export type CostOption = v.InferOutput<typeof costSchema>

/** How many units requests count. */
export class Cost {
  readonly #fixed: number | undefined
  readonly #table: ReadonlyMap<string, number>
  /** The most that a request may count. */
  readonly highest: number

  constructor(option: CostOption) {
    this.#fixed = typeof option === 'number' ? option : undefined
    const entries = typeof option === 'number' ? [] : Object.entries(option)
    this.#table = new Map(entries)
    this.highest = Math.max(this.#fixed ?? this.#table.get('*') ?? 1, ...entries.map(([, units]) => units))
  }

  /** The most exact entry counts: method and route, then the route, then the method, then `*`; without any, 1. */
  of({ request, route }: Exchange): number {
    if (this.#fixed !== undefined) return this.#fixed
    const table = this.#table
    return (
      table.get(`${request.method} ${route}`) ??
      table.get(route) ??
      table.get(request.method) ??
      table.get('*') ??
      1
    )
  }
}
