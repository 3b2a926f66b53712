/** The types of JSON Schema in words. */
export const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'null',
}

/** What a value is, in a word. */
export function wordOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'boolean') return String(value)
  return TYPE_WORDS[typeof value] ?? typeof value
}

/** `a, b or c`. */
export function either(words: readonly string[]): string {
  const unique = [...new Set(words)]
  if (unique.length > MAX_WORDS)
    return `${unique.slice(0, MAX_WORDS).join(', ')}, … (${unique.length} in all)`
  const last = unique.pop() ?? ''
  return unique.length === 0 ? last : `${unique.join(', ')} or ${last}`
}

/** A value of a schema, as it is written in JSON, cut if it is long. */
export function shown(value: unknown): string {
  return cut(JSON.stringify(value), MAX_SHOWN_CHARS)
}

/** A text of at most so many characters. */
export function cut(text: string, maxChars: number): string {
  return text.length > maxChars ? `${text.slice(0, maxChars).toWellFormed()}…` : text
}

/** `1 entry`, `2 entries`. */
export function count(amount: number, one: string, many = `${one}s`): string {
  return `${amount} ${amount === 1 ? one : many}`
}

const MAX_WORDS = 10
const MAX_SHOWN_CHARS = 60
