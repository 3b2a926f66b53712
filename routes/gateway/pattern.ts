import { SkerryError } from '../../src/core/errors.ts'
import type { Fail } from './fail.ts'
import { type HostPattern, parseHostPattern } from './host-pattern.ts'
import { DEFAULT_PATHS, type PathOptions } from './path.ts'
import { parseSegment, type Segment } from './segment.ts'

/** A `match` of the gateway file, taken apart; its texts are keys (routes/gateway/path-key.ts). */
export interface GatewayPattern {
  /** As written; where parameters were optional, what was made of it. */
  readonly text: string
  /** `undefined`: every host of the account. */
  readonly host: HostPattern | undefined
  /** Of the path, in order. A trailing slash is an empty literal where it matters, else left out. */
  readonly segments: readonly Segment[]
}

/**
 * Parses `[host]/path`.
 *
 * The host is exact or `*.example.com` (every name below, at any depth, not `example.com` itself). In the path,
 * `:name` stands for one segment that is not empty, or for what is left of one (`/file-:id.json`); `*` at the end for
 * all the rest, nothing included (`/files/*`, `/files*`), and as a segment before the end for one segment that is not
 * empty. `:name?` may be absent with its slash: such a pattern is two, the longer first. A backslash takes the next
 * character's meaning away.
 *
 * @param paths the file's `paths`; patterns read in another way can't be compared with these
 * @throws SkerryError ERR_GATEWAY_FILE, naming the problem and the way out
 */
export function parsePatterns(text: string, paths: PathOptions = DEFAULT_PATHS): readonly GatewayPattern[] {
  const fail: Fail = problem => {
    throw new SkerryError('ERR_GATEWAY_FILE', `The match "${shorten(text)}" is invalid: ${problem}.`)
  }
  if (text.length > MAX_CHARS) fail(`it has ${text.length} characters, of at most ${MAX_CHARS}`)
  const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)
  if (scheme) fail(`leave "${scheme[0]}" out; http and https come in alike`)
  const slash = text.indexOf('/')
  if (slash < 0) fail(`it has no path; write "${text === '*' ? '' : text}/*" for all of them`)
  const host = slash === 0 ? undefined : parseHostPattern(text.slice(0, slash), fail)
  const written = text.slice(slash + 1).split('/')
  if (written.length > MAX_SEGMENTS) fail(`it has ${written.length} segments, of at most ${MAX_SEGMENTS}`)

  const segments = written.map((piece, i): Part => {
    const isLast = i === written.length - 1
    if (piece === '' && !isLast)
      fail('it has an empty segment ("//"), and paths never do; leave one slash out')
    return { ...parseSegment(piece, isLast, paths, fail), written: piece }
  })
  const names = segments.flatMap(({ segment }) => (segment.kind === 'param' ? (segment.name ?? []) : []))
  const twice = names.find((name, i) => names.indexOf(name) < i)
  if (twice !== undefined) fail(`":${twice}" stands in it twice; give each its own name`)
  const optional = segments.filter(({ isOptional }) => isOptional).length
  if (optional > MAX_OPTIONAL) {
    fail(`it has ${optional} optional parameters, of at most ${MAX_OPTIONAL}; write several matches`)
  }
  const expanded = optional === 0 ? [segments] : expand(segments)
  return expanded.map(parts => toPattern(text.slice(0, slash), host, parts, paths))
}

/** All segments of a match that is read from a text. */
interface Part {
  readonly segment: Segment
  readonly isOptional: boolean
  readonly written: string
}

/** With and without each optional segment; with comes first, and earlier ones stay longest. */
function expand(parts: readonly Part[]): Part[][] {
  const [first, ...rest] = parts
  if (!first) return [[]]
  const tails = expand(rest)
  const taken = tails.map(tail => [first, ...tail])
  return first.isOptional ? [...taken, ...tails] : taken
}

function toPattern(
  hostText: string,
  host: HostPattern | undefined,
  parts: readonly Part[],
  { trailing_slash }: PathOptions,
): GatewayPattern {
  const path = parts.map(({ isOptional, written }) => (isOptional ? written.slice(0, -1) : written)).join('/')
  const segments = parts.map(({ segment }) => segment)
  const last = segments.at(-1)
  if (trailing_slash === 'ignore' && last?.kind === 'literal' && last.text === '') segments.pop()
  // Nothing but optional parameters, and none of them: the path "/".
  if (trailing_slash === 'strict' && !last) segments.push({ kind: 'literal', text: '' })
  return { text: `${hostText}/${path}`, host, segments }
}

function shorten(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text
}

const MAX_CHARS = 1024
const MAX_SEGMENTS = 64
/** Each doubles the patterns. */
const MAX_OPTIONAL = 4
