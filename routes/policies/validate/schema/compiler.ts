import type { Check } from './check.ts'
import type { Dialect } from './dialect.ts'
import { SchemaFault } from './fault.ts'
import { below, type Located, type Resources } from './resources.ts'

/** What the keywords need to make their checks. */
export interface Compiler {
  readonly dialect: Dialect
  readonly resources: Resources
  /** Whether `format` counts. */
  readonly checksFormats: boolean
  /** The check of a schema for a member or entry of the value. */
  forPart(at: Located): Check
  /** The check of a schema for the value itself. */
  forSame(at: Located): Check
}

/** A schema's keywords, and where it stands. */
export interface SchemaAt extends Located {
  readonly schema: Readonly<Record<string, unknown>>
}

/** A keyword whose value must be of some kind; `undefined` if it isn't there. @throws SchemaFault */
export function read<T>(
  at: SchemaAt,
  keyword: string,
  isRight: (value: unknown) => value is T,
  words: string,
): T | undefined {
  const value = at.schema[keyword]
  if (value === undefined || !Object.hasOwn(at.schema, keyword)) return undefined
  if (isRight(value)) return value
  throw new SchemaFault(below(at, keyword).pointer, `"${keyword}" must be ${words}.`)
}

/** A count, such as that of `minLength`. */
export function readCount(at: SchemaAt, keyword: string): number | undefined {
  return read(at, keyword, isCount, 'a whole number, 0 or more')
}

/** A regular expression. @throws SchemaFault */
export function compilePattern(pattern: string, pointer: string): RegExp {
  // Many are written for the older syntax, and use needless escapes.
  for (const flags of ['u', '']) {
    try {
      return new RegExp(pattern, flags)
    } catch {}
  }
  throw new SchemaFault(pointer, `"${pattern}" is not a regular expression.`)
}

export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)
export const isText = (value: unknown): value is string => typeof value === 'string'
export const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value)
export const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'
export const isTextList = (value: unknown): value is readonly string[] => isList(value) && value.every(isText)
const isCount = (value: unknown): value is number => isNumber(value) && Number.isInteger(value) && value >= 0
