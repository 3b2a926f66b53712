import { parse, TomlDate, TomlError } from 'smol-toml'
import type { FoundIssue } from '../policies/issues.ts'
import { findJsonPlaces, MAX_DEPTH } from './json-places.ts'
import type { Path, Places, Position } from './places.ts'
import { findTomlPlaces } from './toml-places.ts'

/** How a gateway file is written. */
export type SourceFormat = 'toml' | 'json'

/** What is wrong with a gateway file, and where in its text. */
export interface SourceIssue extends Position {
  /** As in `routes[1].use[0]`; empty for the file as a whole. */
  readonly path: string
  readonly message: string
}

/**
 * The value that a gateway file's text stands for, or where it stops being TOML or JSON.
 *
 * Dates become ISO 8601 texts, as a gateway file has no use for them.
 */
export function parseSource(
  text: string,
  format: SourceFormat,
): { value: unknown } | { issues: readonly SourceIssue[] } {
  const bare = withoutMark(text)
  return format === 'toml' ? parseToml(bare) : parseJson(bare)
}

/** Puts issues' places in the text beside them, in the order of the text. */
export function locateIssues(
  text: string,
  format: SourceFormat,
  issues: readonly FoundIssue[],
): SourceIssue[] {
  if (issues.length === 0) return []
  const bare = withoutMark(text)
  const places = format === 'toml' ? findTomlPlaces(bare) : findJsonPlaces(bare).places
  return issues.map(issue => locate(places, issue)).sort((a, b) => a.line - b.line || a.column - b.column)
}

/** A path as people write it: `policies.fair.limit`, `routes[1].use[0]`, `headers["x-a"]`. */
export function describePath(path: Path): string {
  let text = ''
  for (const key of path) {
    if (typeof key === 'number') text += `[${key}]`
    else if (!/^[A-Za-z_][\w-]*$/.test(key)) text += `[${JSON.stringify(key)}]`
    else text += text === '' ? key : `.${key}`
  }
  return text
}

function locate(places: Places, { path, message, at }: FoundIssue): SourceIssue {
  return { ...places.find(path, at), path: describePath(path), message }
}

function parseToml(text: string): ReturnType<typeof parseSource> {
  try {
    return { value: toPlain(parse(text, { maxDepth: MAX_DEPTH })) }
  } catch (error) {
    if (!(error instanceof TomlError)) throw error
    const [first = ''] = error.message.replace(/^Invalid TOML document: /, '').split('\n')
    const message = `This is not TOML: ${first}.`
    return { issues: [{ line: error.line, column: error.column, path: '', message }] }
  }
}

function parseJson(text: string): ReturnType<typeof parseSource> {
  const { places, fault } = findJsonPlaces(text)
  if (!fault) return { value: JSON.parse(text) }
  const message = `This is not JSON: ${fault.message}`
  return { issues: [{ ...places.positionOf(fault.offset), path: '', message }] }
}

/** Ordinary objects in place of the parser's own, and texts in place of dates. */
function toPlain(value: unknown): unknown {
  if (value instanceof TomlDate) return value.toISOString()
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toPlain(item)]))
}

/** Some editors begin a file with a byte order mark, and count no column for it. */
function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}
