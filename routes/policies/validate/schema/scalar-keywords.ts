import { ValueSet } from './canonical.ts'
import type { Check } from './check.ts'
import {
  type Compiler,
  compilePattern,
  isBoolean,
  isList,
  isNumber,
  isText,
  isTextList,
  read,
  readCount,
  type SchemaAt,
} from './compiler.ts'
import { SchemaFault } from './fault.ts'
import { FORMATS } from './formats.ts'
import { below } from './resources.ts'
import { count, cut, either, shown, TYPE_WORDS, wordOf } from './words.ts'

/** `type`; nothing else is worth saying of a value of another type. */
export function compileType(at: SchemaAt, { dialect }: Compiler): Check | undefined {
  const written = read(at, 'type', isTypes, 'a text or a list of texts')
  if (written === undefined) return undefined
  const types = typeof written === 'string' ? [written] : [...written]
  const unknown = types.find(type => !Object.hasOwn(TYPE_WORDS, type))
  if (unknown !== undefined || types.length === 0) {
    const known = Object.keys(TYPE_WORDS).join(', ')
    throw new SchemaFault(below(at, 'type').pointer, `"${unknown ?? ''}" is no type; there are ${known}.`)
  }
  if (dialect.hasNullable && at.schema.nullable === true) types.push('null')
  const wanted = types.map(type => TYPE_WORDS[type] ?? type)
  const words = either(wanted)
  const isOne = types.length === 1 ? IS_TYPE[types[0] ?? ''] : undefined
  const tests = types.flatMap(type => IS_TYPE[type] ?? [])
  const isWhole = types.includes('integer')
  return (value, run) => {
    if (isOne ? isOne(value) : tests.some(isType => isType(value))) return true
    if (!run.errors) return false
    const found = isWhole && typeof value === 'number' ? value : wordOf(value)
    return run.fail(`must be ${words}, is ${found}`, { kind: 'type', wanted })
  }
}

/** `const` and `enum`. */
export function compileValues(at: SchemaAt): Check[] {
  const values = read(at, 'enum', isList, 'a list')
  const lists = values ? [values] : []
  if (Object.hasOwn(at.schema, 'const')) lists.push([at.schema.const])
  return lists.map(list => {
    const set = new ValueSet(list)
    const wanted = list.map(shown)
    const detail = list.length > 0 ? `must be ${either(wanted)}` : 'can have no value here'
    return (value, run) => set.has(value, run) || run.fail(detail, { kind: 'value', wanted })
  })
}

/** Bounds of numbers. */
export function compileNumbers(at: SchemaAt, { dialect }: Compiler): Check[] {
  const bounds = dialect.hasBooleanBounds ? readOldBounds(at) : readBounds(at)
  const checks: ((value: number) => string | undefined)[] = []
  const { minimum, maximum, above, under } = bounds
  if (minimum !== undefined) checks.push(value => (value < minimum ? `at least ${minimum}` : undefined))
  if (maximum !== undefined) checks.push(value => (value > maximum ? `at most ${maximum}` : undefined))
  if (above !== undefined) checks.push(value => (value <= above ? `more than ${above}` : undefined))
  if (under !== undefined) checks.push(value => (value >= under ? `less than ${under}` : undefined))
  const step = read(at, 'multipleOf', isPositive, 'a number above 0')
  if (step !== undefined) {
    checks.push(value => (isMultiple(value, step) ? undefined : `a multiple of ${step}`))
  }
  return checks.map(problemOf => (value, run) => {
    const problem = typeof value === 'number' ? problemOf(value) : undefined
    return problem === undefined || run.fail(`must be ${problem}, is ${value}`)
  })
}

/** Lengths, patterns and formats of texts. */
export function compileTexts(at: SchemaAt, compiler: Compiler): Check[] {
  const checks: Check[] = []
  const min = readCount(at, 'minLength')
  if (min !== undefined && min > 0) {
    checks.push((value, run) => {
      // A character takes one or two units; only texts in between have to be counted.
      if (typeof value !== 'string' || value.length >= 2 * min) return true
      const length = lengthOf(value)
      return length >= min || run.fail(`must have at least ${count(min, 'character')}, has ${length}`)
    })
  }
  const max = readCount(at, 'maxLength')
  if (max !== undefined) {
    checks.push((value, run) => {
      if (typeof value !== 'string' || value.length <= max) return true
      const length = lengthOf(value)
      return length <= max || run.fail(`must have at most ${count(max, 'character')}, has ${length}`)
    })
  }
  const pattern = read(at, 'pattern', isText, 'a regular expression')
  if (pattern !== undefined) {
    const expression = compilePattern(pattern, below(at, 'pattern').pointer)
    const detail = `must match the pattern ${cut(pattern, MAX_PATTERN_CHARS)}`
    checks.push((value, run) => {
      if (typeof value !== 'string') return true
      // What is too long already isn't put through an expression that may take its time.
      if (max !== undefined && value.length > 2 * max) return false
      return expression.test(value) || run.fail(detail)
    })
  }
  return [...checks, ...compileFormat(at, compiler)]
}

function compileFormat(at: SchemaAt, { checksFormats }: Compiler): Check[] {
  const name = read(at, 'format', isText, 'a text')
  const format = name !== undefined && Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined
  if (!checksFormats || !format) return []
  const detail = `must be ${format.words}`
  return [(value, run) => format.isRight(value) || run.fail(detail)]
}

interface Bounds {
  readonly minimum: number | undefined
  readonly maximum: number | undefined
  readonly above: number | undefined
  readonly under: number | undefined
}

function readBounds(at: SchemaAt): Bounds {
  const bound = (keyword: string) => read(at, keyword, isNumber, 'a number')
  return {
    minimum: bound('minimum'),
    maximum: bound('maximum'),
    above: bound('exclusiveMinimum'),
    under: bound('exclusiveMaximum'),
  }
}

function readOldBounds(at: SchemaAt): Bounds {
  const bound = (keyword: string) => read(at, keyword, isNumber, 'a number')
  const isExclusive = (keyword: string) => read(at, keyword, isBoolean, 'true or false') === true
  const [minimum, maximum] = [bound('minimum'), bound('maximum')]
  const [isAbove, isUnder] = [isExclusive('exclusiveMinimum'), isExclusive('exclusiveMaximum')]
  return {
    minimum: isAbove ? undefined : minimum,
    maximum: isUnder ? undefined : maximum,
    above: isAbove ? minimum : undefined,
    under: isUnder ? maximum : undefined,
  }
}

/** Whether a number is a multiple of another, as decimal numbers: 0.3 is one of 0.1. */
export function isMultiple(value: number, step: number): boolean {
  const quotient = value / step
  if (!Number.isFinite(quotient)) return value % step === 0
  return Number.isInteger(quotient) || Number.isInteger(Number(quotient.toPrecision(15)))
}

/** Characters, as people count them: a pair of surrogates is one. */
function lengthOf(text: string): number {
  let length = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    const isPair = unit >= 0xd800 && unit <= 0xdbff && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00
    if (isPair) i++
    length++
  }
  return length
}

const isTypes = (value: unknown): value is string | readonly string[] => isText(value) || isTextList(value)
const isPositive = (value: unknown): value is number => isNumber(value) && value > 0

const IS_TYPE: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: value => typeof value === 'string',
  number: value => typeof value === 'number',
  integer: value => Number.isInteger(value),
  boolean: value => typeof value === 'boolean',
  array: value => Array.isArray(value),
  object: value => typeof value === 'object' && value !== null && !Array.isArray(value),
  null: value => value === null,
}

const MAX_PATTERN_CHARS = 100
