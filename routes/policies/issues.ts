import { type BaseIssue, type GenericSchema, safeParse } from 'valibot'
import { didYouMean } from '../../src/core/nearest.ts'
import { entriesAt, isUnion, schemasAt } from './schema-walk.ts'

/** Where in a document something is wrong, and what. */
export interface FoundIssue {
  /** Keys and indexes from the top: `['policies', 'fair', 'limit']`. */
  readonly path: readonly (string | number)[]
  /** The problem and the way out, one sentence. */
  readonly message: string
  /** It is the key that is wrong, not its value. */
  readonly at?: 'key'
}

/**
 * Everything that a schema finds wrong with an input, in our words.
 *
 * Of a union, what is wrong with the alternative that the input is nearest to; of unknown keys, all, each with the
 * known one that was probably meant.
 */
export function findIssues(schema: GenericSchema, input: unknown): FoundIssue[] {
  const parsed = safeParse(schema, input)
  if (parsed.success) return []
  return parsed.issues.flatMap(issue => {
    const found = toFoundIssue(issue)
    if (issue.type === 'union' || issue.type === 'variant') return ofUnion(schema, issue, found)
    return isUnknownKey(issue) ? ofUnknownKeys(schema, issue, found) : [found]
  })
}

/** One of valibot's issues in our words: the field, what was found, what is allowed. */
export function toFoundIssue(issue: BaseIssue<unknown>): FoundIssue {
  const path = pathOf(issue)
  const inner = issue.type === 'union' ? innermost(issue) : undefined
  if (inner) {
    const found = toFoundIssue(inner)
    return { ...found, path: [...path, ...found.path] }
  }
  // A missing key has no place of its own: its table has.
  const isKey = issue.path?.at(-1)?.origin === 'key' && issue.received !== 'undefined'
  return { path, message: messageOf(issue, path.at(-1)), ...(isKey && { at: 'key' }) }
}

/** The same as one sentence that begins with the field. */
export function describeIssue(issue: BaseIssue<unknown>): string {
  const { path, message } = toFoundIssue(issue)
  return path.length > 0 ? `${path.join('.')}: ${message}` : message
}

/** Tries each alternative on its own: the one whose kind of value it is, and with the fewest issues, is meant. */
function ofUnion(schema: GenericSchema, issue: BaseIssue<unknown>, found: FoundIssue): FoundIssue[] {
  const path = pathOf(issue)
  const options = schemasAt(schema, path)
    .filter(isUnion)
    .flatMap(union => union.options)
  const attempts = options
    .map(option => findIssues(option, issue.input))
    .filter(issues => issues.length > 0 && issues.some(({ path, at }) => path.length > 0 || at === 'key'))
    .sort((a, b) => a.length - b.length)
  const [best] = attempts
  if (!best || isCustom(issue)) return [found]
  return best.map(inner => ({ ...inner, path: [...path, ...inner.path] }))
}

function ofUnknownKeys(schema: GenericSchema, issue: BaseIssue<unknown>, found: FoundIssue): FoundIssue[] {
  const parent = issue.path?.at(-1)?.input
  const path = found.path.slice(0, -1)
  const known = entriesAt(schema, path)
  if (known.size === 0 || typeof parent !== 'object' || parent === null) return [found]
  return Object.keys(parent)
    .filter(key => !known.has(key))
    .map(key => ({
      path: [...path, key],
      message: `"${key}" is not known here${didYouMean(key, known)}`,
      at: 'key',
    }))
}

const isUnknownKey = (issue: BaseIssue<unknown>): boolean =>
  issue.kind === 'schema' && issue.expected === 'never'

/** Of the issues of all alternatives, without the schema: one further inside says that its alternative was meant. */
function innermost(issue: BaseIssue<unknown>): BaseIssue<unknown> | undefined {
  if (isCustom(issue)) return undefined
  return (
    issue.issues?.find(({ path }) => path && path.length > 0) ??
    issue.issues?.find(({ kind }) => kind !== 'schema')
  )
}

function pathOf(issue: BaseIssue<unknown>): (string | number)[] {
  return (issue.path ?? []).map(item => (item as { key: unknown }).key as string | number)
}

function messageOf(issue: BaseIssue<unknown>, key: string | number | undefined): string {
  if (isCustom(issue)) return issue.message
  if (isUnknownKey(issue)) return `"${key}" is not known here.`
  if (issue.kind !== 'schema') return boundOf(issue) ?? `It must be ${issue.expected}, not ${foundOf(issue)}.`
  if (issue.received === 'undefined') return `"${key}" is missing.`
  const allowed = allowedOf(issue)
  const tail = suggestionOf(issue)
  return `It must be ${allowed}, not ${foundOf(issue)}${tail}`
}

/** The schema's author wrote a message; valibot's own ones have this form. */
function isCustom({ message }: BaseIssue<unknown>): boolean {
  return !/^Invalid [^:]*: .*[Rr]eceived /s.test(message)
}

/** What valibot's checks want, by their type. */
function boundOf(issue: BaseIssue<unknown>): string | undefined {
  const { type, requirement, input } = issue
  const wanted = requirement as number
  const things = typeof input === 'string' ? 'character' : Array.isArray(input) ? 'entry' : 'key'
  const counted = `${wanted} ${wanted === 1 ? things : things === 'entry' ? 'entries' : `${things}s`}`
  switch (type) {
    case 'min_value':
      return `It must be at least ${wanted}, not ${foundOf(issue)}.`
    case 'max_value':
      return `It must be at most ${wanted}, not ${foundOf(issue)}.`
    case 'gt_value':
      return `It must be more than ${wanted}, not ${foundOf(issue)}.`
    case 'lt_value':
      return `It must be less than ${wanted}, not ${foundOf(issue)}.`
    case 'integer':
    case 'safe_integer':
      return `It must be a whole number, not ${foundOf(issue)}.`
    case 'non_empty':
      return 'It must not be empty.'
    case 'min_length':
    case 'min_entries':
      return `It must have at least ${counted}, not ${issue.received}.`
    case 'max_length':
    case 'max_entries':
      return `It must have at most ${counted}, not ${issue.received}.`
    case 'length':
      return `It must have ${counted}, not ${issue.received}.`
    case 'starts_with':
      return `It must begin with ${issue.expected}.`
    case 'ends_with':
      return `It must end with ${issue.expected}.`
    case 'regex':
      return `It must match ${issue.expected ?? requirement}, unlike ${foundOf(issue)}.`
    case 'url':
      return `It must be a URL, not ${foundOf(issue)}.`
    default:
      return issue.expected === null ? 'It is not allowed here.' : undefined
  }
}

/** `("a" | "b" | number)` as a reader would say it. */
function allowedOf({ type, expected }: BaseIssue<unknown>): string {
  const words = (expected ?? 'something else')
    .replace(/^\((.*)\)$/s, '$1')
    .split(' | ')
    .map(word => TYPE_WORDS[word] ?? word)
  const unique = [...new Set(words)]
  if (unique.length === 1) return unique[0] ?? ''
  const isChoice = (type === 'picklist' || type === 'variant') && unique.length > 2
  const last = unique.pop()
  return `${isChoice ? 'one of ' : ''}${unique.join(', ')} or ${last}`
}

function suggestionOf({ type, expected, input }: BaseIssue<unknown>): string {
  if ((type !== 'picklist' && type !== 'variant') || typeof input !== 'string') return '.'
  const known = [...(expected ?? '').matchAll(/"([^"]*)"/g)].map(([, word = '']) => word)
  return didYouMean(input, known)
}

function foundOf({ input, received }: BaseIssue<unknown>): string {
  if (typeof input === 'string') {
    return JSON.stringify(input.length > MAX_SHOWN_CHARS ? `${input.slice(0, MAX_SHOWN_CHARS)}…` : input)
  }
  return TYPE_WORDS[received] ?? received
}

/** More of a wrong value helps nobody find it. */
const MAX_SHOWN_CHARS = 60

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  bigint: 'a number',
  boolean: 'true or false',
  Array: 'a list',
  Object: 'a table',
  Date: 'a date',
  null: 'nothing',
  undefined: 'nothing',
}
