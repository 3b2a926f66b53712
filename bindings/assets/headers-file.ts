import type { HeaderRule } from './document.ts'
import { MAX_PLACEHOLDERS, parsePattern } from './pattern.ts'
import { parseRuleUrl } from './rule-url.ts'

/** Something wrong in a line of `_headers` or `_redirects`, counted from 1. */
export interface LineProblem {
  readonly line: number
  readonly message: string
}

/** A file of rules, read: its rules, and the lines that are none. */
export interface ParsedFile<Rules> {
  readonly rules: Rules
  readonly problems: readonly LineProblem[]
}

/** Cloudflare's bounds. */
const MAX_HEADER_RULES = 100
export const MAX_LINE_CHARS = 2000

/**
 * Reads `_headers`: a path or URL, and below it lines `Name: value`, or `! Name` to take a header out.
 *
 * A path that comes twice counts as its second block. Paths without a header are left out.
 *
 * @see https://developers.cloudflare.com/workers/static-assets/headers/
 */
export function parseHeadersFile(text: string): ParsedFile<readonly HeaderRule[]> {
  const problems: LineProblem[] = []
  const blocks = new Map<string, { set: Map<string, string>; unset: string[] }>()
  let block: { set: Map<string, string>; unset: string[] } | undefined
  let isSkipping = false
  for (const [index, raw] of text.split('\n').entries()) {
    const fail = (message: string) => problems.push({ line: index + 1, message })
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    if (line.length > MAX_LINE_CHARS) {
      fail(`Exceeds the maximum allowed length of ${MAX_LINE_CHARS} characters`)
    } else if (/^(\S+:\/\/|\/)/.test(line)) {
      const parsed = parseRuleUrl(line, { noPorts: true })
      const problem = 'problem' in parsed ? parsed.problem : findProblem(parsed.url)
      isSkipping = problem !== undefined
      if (problem !== undefined) fail(problem)
      block = { set: new Map(), unset: [] }
      if ('url' in parsed && !isSkipping) blocks.set(parsed.url, block)
    } else if (!block) {
      fail('Expected a path before headers')
    } else if (!isSkipping && !readHeader(line, block)) {
      fail('Invalid header format')
    }
  }
  const filled = [...blocks].filter(([, { set, unset }]) => set.size > 0 || unset.length > 0)
  if (filled.length > MAX_HEADER_RULES) {
    problems.push({
      line: 1,
      message: `Maximum number of _headers rules limit of ${MAX_HEADER_RULES} exceeded`,
    })
  }
  const rules = filled.map(([pattern, { set, unset }]) => ({ pattern, set: [...set], unset }))
  return { rules, problems }
}

function findProblem(url: string): string | undefined {
  const stars = url.split('*').length - 1
  if (stars > 1) {
    return `Only one wildcard is allowed per rule. Use a named placeholder (e.g. :project) instead. Skipping ${url}.`
  }
  if (stars > 0 && /:splat(?!\w)/.test(url)) {
    return `Cannot combine a wildcard * with a :splat placeholder because wildcards are converted to :splat at runtime. Skipping ${url}.`
  }
  return checkPlaceholders(url)
}

/** What is wrong with a pattern's placeholders, if anything. */
export function checkPlaceholders(url: string): string | undefined {
  const placeholders = parsePattern(url)?.tokens.filter(({ kind }) => kind !== 'text').length ?? 0
  if (placeholders <= MAX_PLACEHOLDERS) return undefined
  return `Only ${MAX_PLACEHOLDERS} placeholders are allowed per rule; it has ${placeholders}`
}

function readHeader(line: string, { set, unset }: { set: Map<string, string>; unset: string[] }): boolean {
  const colon = line.indexOf(':')
  if (colon < 0) {
    const name = line.startsWith('! ') ? line.slice(2).trim() : ''
    if (!isHeader(name, '')) return false
    unset.push(name)
    return true
  }
  const name = line.slice(0, colon).trim().toLowerCase()
  const value = line.slice(colon + 1).trim()
  if (value === '' || !isHeader(name, value)) return false
  const before = set.get(name)
  set.set(name, before === undefined ? value : `${before}, ${value}`)
  return true
}

/** One that the runtime refuses would fail every answer. */
function isHeader(name: string, value: string): boolean {
  try {
    new Headers().set(name, value)
    return true
  } catch {
    return false
  }
}
