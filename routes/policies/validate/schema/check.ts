import type { Resource } from './resources.ts'

/** Whether a value is as a schema wants it. If `run` collects errors, it is told each. */
export type Check = (value: unknown, run: Run) => boolean

/** What is wrong with a part of a value. */
export interface ValueError {
  /** Keys and indexes from the top. */
  readonly path: readonly (string | number)[]
  /** To be put after the place: `must be a number, is a text`. Never a text of the value. */
  readonly detail: string
  /** It is of another kind, or another value, than those that are `wanted`. */
  readonly kind?: 'type' | 'value'
  readonly wanted?: readonly string[]
}

/** Which parts of a value some keyword has looked at, for `unevaluatedProperties` and `unevaluatedItems`. */
export class Evaluated {
  hasAllProperties = false
  readonly properties = new Set<string>()
  /** The first so many items. */
  items = 0
  readonly moreItems = new Set<number>()

  merge(other: Evaluated): void {
    this.hasAllProperties ||= other.hasAllProperties
    for (const name of other.properties) this.properties.add(name)
    this.items = Math.max(this.items, other.items)
    for (const index of other.moreItems) this.moreItems.add(index)
  }
}

/** Thrown when a check takes more steps than it may. */
export class TooComplex extends Error {}

/**
 * One look at a value. Without `errors` it ends at the first that is wrong, and no places are kept: that is how valid
 * values are looked at, which most are.
 */
export class Run {
  /** `undefined`: only whether it is valid matters. */
  errors: ValueError[] | undefined
  /** Where the part is that is looked at; kept only while errors are collected. */
  readonly path: (string | number)[] = []
  /** Present while somebody wants to know. */
  evaluated: Evaluated | undefined
  /** The resources that led here, outermost first, where references depend on it. */
  readonly scope: Resource[] = []
  #steps: number

  /** @param steps so many parts of schemas may be applied: some schemas take exponential time otherwise */
  constructor(steps: number, errors?: ValueError[]) {
    this.#steps = steps
    this.errors = errors
  }

  step(count = 1): void {
    this.#steps -= count
    if (this.#steps < 0) throw new TooComplex()
  }

  /** Notes an error of the part that is looked at, or of one of its members. Always `false`. */
  fail(detail: string, more: { key?: string | number } & Pick<ValueError, 'kind' | 'wanted'> = {}): false {
    const { errors } = this
    if (!errors || errors.length >= MAX_ERRORS) return false
    const { key, ...kind } = more
    errors.push({ path: key === undefined ? [...this.path] : [...this.path, key], detail, ...kind })
    return false
  }

  /** Looks at a member or an entry. */
  within(key: string | number, value: unknown, check: Check): boolean {
    const outer = this.evaluated
    this.evaluated = undefined
    if (this.errors) this.path.push(key)
    const isValid = check(value, this)
    if (this.errors) this.path.pop()
    this.evaluated = outer
    return isValid
  }

  /** Tries a check on the same value, without noting errors; what it has evaluated counts if it holds. */
  attempt(check: Check, value: unknown): boolean {
    const { errors, evaluated } = this
    this.errors = undefined
    this.evaluated = evaluated && new Evaluated()
    const isValid = check(value, this)
    if (isValid && evaluated && this.evaluated) evaluated.merge(this.evaluated)
    this.errors = errors
    this.evaluated = evaluated
    return isValid
  }

  /** The errors of a check on the same value, for who chooses among several. */
  collect(check: Check, value: unknown): ValueError[] {
    const { errors, evaluated } = this
    const found: ValueError[] = []
    this.errors = found
    this.evaluated = evaluated && new Evaluated()
    check(value, this)
    this.errors = errors
    this.evaluated = evaluated
    return found
  }
}

/** Of more errors nobody reads. */
export const MAX_ERRORS = 50
