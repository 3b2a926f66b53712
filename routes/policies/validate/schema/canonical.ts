import { type Run, TooComplex } from './check.ts'

/** A text that two JSON values share if and only if they are equal: members in order of their names. */
export function canonical(value: unknown, run?: Run, depth = 0): string {
  run?.step()
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  if (depth > MAX_DEPTH) throw new TooComplex()
  if (Array.isArray(value)) return `[${value.map(item => canonical(item, run, depth + 1)).join(',')}]`
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, item]) => `${JSON.stringify(name)}:${canonical(item, run, depth + 1)}`)
  return `{${members.join(',')}}`
}

/** Whether a value is one of some: equal numbers are equal however they are written. */
export class ValueSet {
  readonly #simple = new Set<unknown>()
  readonly #composed = new Set<string>()

  constructor(values: readonly unknown[] = []) {
    for (const value of values) this.add(value)
  }

  has(value: unknown, run?: Run): boolean {
    if (!isComposed(value)) return this.#simple.has(value)
    return this.#composed.size > 0 && this.#composed.has(canonical(value, run))
  }

  /** @returns whether it wasn't there yet */
  add(value: unknown, run?: Run): boolean {
    if (isComposed(value)) {
      const { size } = this.#composed
      return this.#composed.add(canonical(value, run)).size > size
    }
    const { size } = this.#simple
    return this.#simple.add(value).size > size
  }
}

const isComposed = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Deeper values aren't read at all by the policies; schemas' own are the operator's. */
const MAX_DEPTH = 512
