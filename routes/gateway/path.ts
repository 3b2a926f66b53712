import type { GatewayDocument } from './document.ts'
import { isPlain, toSegmentKey } from './path-key.ts'

/** How an account wants paths to be read: `paths` of its gateway file. */
export type PathOptions = GatewayDocument['paths']

/** What holds where a gateway file says nothing. */
export const DEFAULT_PATHS: PathOptions = Object.freeze({
  case: 'sensitive',
  trailing_slash: 'ignore',
  encoded_slashes: 'refuse',
})

/** A path that everybody reads the same way, or why there is none. */
export type NormalisedPath =
  | {
      /** Both what routes are matched with and what the target is to see. ASCII; begins with `/`. */
      readonly path: string
      /** It differs from what came in, so the target's URL must be replaced. */
      readonly isChanged: boolean
      readonly refused?: undefined
    }
  | {
      /** What is wrong, to be put after "The path has ". */
      readonly refused: string
    }

/**
 * Decides, once for routing and for the target, what a request's path is.
 *
 * Slashes in a row become one, `.` and `..` are resolved, escapes of unreserved characters are decoded, all others
 * get upper-case digits, and characters that URLs can't have are escaped; nothing else changes. Whatever servers
 * behind it may read in different ways is refused: encoded slashes (unless `encoded_slashes` is `keep`), backslashes,
 * control characters, escapes that are broken or not UTF-8, double encoding, `//..`, dots with path parameters (`..;`),
 * and characters that some servers take for a slash or dot (`%EF%BC%8F`).
 *
 * A path without any of that costs one look at each character. workerd hands paths over just as they arrive.
 *
 * @param path without query
 * @see RFC 3986 section 6.2.2
 */
export function normalisePath(path: string, options: PathOptions = DEFAULT_PATHS): NormalisedPath {
  if (isClean(path)) return { path, isChanged: false }
  if (path.charCodeAt(0) !== SLASH) return { refused: 'no "/" at its beginning' }
  try {
    const keepsSlashes = options.encoded_slashes === 'keep'
    const decoded = decodeEscapes(path, keepsSlashes)
    if (!keepsSlashes) checkDoubleEncoding(decoded)
    const resolved = decoded.includes('//') || decoded.includes('/.') ? resolveDots(decoded) : decoded
    if (!isPlain(resolved)) {
      for (const segment of resolved.split('/')) checkSegment(segment, keepsSlashes)
    }
    return { path: resolved, isChanged: resolved !== path }
  } catch (error) {
    if (error instanceof Ambiguity) return { refused: error.message }
    if (error instanceof URIError) return { refused: 'escapes that are not UTF-8' }
    throw error
  }
}

/** Whether nothing is to be done: the usual case. Dot files take the long way round. */
function isClean(path: string): boolean {
  if (path.charCodeAt(0) !== SLASH) return false
  let previous = 0
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code >= 128 || CLASS[code] !== PLAIN) return false
    if (previous === SLASH && (code === SLASH || code === DOT)) return false
    previous = code
  }
  return true
}

/** @throws Ambiguity */
function decodeEscapes(path: string, keepsSlashes: boolean): string {
  let decoded = ''
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code === PERCENT) {
      const byte = hexByteAt(path, i + 1)
      if (byte < 0) throw new Ambiguity('a "%" that two hexadecimal digits don\'t follow')
      if (byte === SLASH && !keepsSlashes) throw new Ambiguity('an encoded slash (%2F)')
      if (byte === BACKSLASH) throw new Ambiguity('an encoded backslash (%5C)')
      if (byte < 0x20 || byte === DELETE) throw new Ambiguity('an encoded control character')
      decoded += isUnreserved(byte) ? String.fromCharCode(byte) : path.slice(i, i + 3).toUpperCase()
      i += 2
    } else if (code < 128 && CLASS[code] === PLAIN) decoded += path[i]
    else if (code === BACKSLASH) throw new Ambiguity('a backslash')
    else if (code < 128 && CLASS[code] === FORBIDDEN) throw new Ambiguity('a character that URLs can’t have')
    else if (code === SEMICOLON) decoded += ';'
    else {
      // As every URL parser does it, so that the target's own doesn't find another path. Half a pair: URIError.
      const character = String.fromCodePoint(path.codePointAt(i) ?? code)
      decoded += encodeURIComponent(character)
      i += character.length - 1
    }
  }
  return decoded
}

/**
 * Looks for escapes that, decoded again and again, would end as a character that matters for routing.
 *
 * @throws Ambiguity
 */
function checkDoubleEncoding(decoded: string): void {
  for (let at = decoded.indexOf('%25'); at >= 0; at = decoded.indexOf('%25', at + 3)) {
    let next = at + 3
    let byte = hexByteAt(decoded, next)
    for (; byte === PERCENT; byte = hexByteAt(decoded, next)) next += 2
    if (byte < 0) continue
    const isDelimiter = byte === SLASH || byte === BACKSLASH || byte === SEMICOLON
    if (isDelimiter || byte < 0x20 || byte === DELETE || isUnreserved(byte)) {
      throw new Ambiguity(`a double encoding (${decoded.slice(at, next + 2)})`)
    }
  }
}

/**
 * Removes dot segments and empty ones.
 *
 * @throws Ambiguity where it matters which of both is removed first: standards and servers disagree
 */
function resolveDots(path: string): string {
  const segments = path.split('/').slice(1)
  const kept = removeDots(segments)
  const merged = removeDots(segments.filter((segment, i) => segment !== '' || i === segments.length - 1))
  const resolved = join(kept)
  if (resolved !== join(merged)) throw new Ambiguity('".." after an empty segment ("//..")')
  return resolved
}

function removeDots(segments: readonly string[]): string[] {
  const kept: string[] = []
  segments.forEach((segment, i) => {
    const isLast = i === segments.length - 1
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
    if (isLast && (segment === '..' || segment === '.')) kept.push('')
  })
  return kept
}

function join(segments: readonly string[]): string {
  const full = segments.filter(segment => segment !== '')
  return `/${full.join('/')}${segments.at(-1) === '' && full.length > 0 ? '/' : ''}`
}

/** @throws Ambiguity, URIError */
function checkSegment(segment: string, keepsSlashes: boolean): void {
  if (isPlain(segment)) return
  const decoded = decodeURIComponent(segment)
  if (HIGH_CONTROLS.test(decoded)) throw new Ambiguity('an encoded control character')
  for (const run of keepsSlashes ? [] : (decoded.match(NON_ASCII) ?? [])) {
    if (!/[/\\]/.test(run.normalize('NFKC'))) continue
    throw new Ambiguity(`a character that may be read as a slash (${encodeURIComponent(run)})`)
  }
  const key = toSegmentKey(segment, DEFAULT_PATHS)
  if (key === '') throw new Ambiguity('a path parameter without a name before it ("/;")')
  if (key.split('%2F').some(piece => piece === '.' || piece === '..')) {
    throw new Ambiguity(`dots in disguise (${segment})`)
  }
}

/** RFC 3986 section 2.3. */
function isUnreserved(byte: number): boolean {
  const lower = byte | 0x20
  return (
    (lower >= 0x61 && lower <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === DOT ||
    byte === 0x2d ||
    byte === 0x5f ||
    byte === 0x7e
  )
}

/** The byte of two hexadecimal digits, or −1. */
function hexByteAt(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at))
  const low = hexDigit(text.charCodeAt(at + 1))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1
}

/** Why a path is refused; never leaves this file. */
class Ambiguity extends Error {}

const SLASH = 0x2f
const DOT = 0x2e
const PERCENT = 0x25
const SEMICOLON = 0x3b
const BACKSLASH = 0x5c
const DELETE = 0x7f

const PLAIN = 1
const FORBIDDEN = 2

// biome-ignore lint/suspicious/noControlCharactersInRegex: all but ASCII is meant
const NON_ASCII = /[^\x00-\x7f]+/g
const HIGH_CONTROLS = /[\u0080-\u009f]/

/** What may stay as it is, what is refused, and (0) what needs a closer look. `|` and brackets stay: URL parsers leave them. */
const CLASS = new Uint8Array(128)
for (const character of "!$&'()*+,-./0123456789:=@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]_abcdefghijklmnopqrstuvwxyz|~") {
  CLASS[character.charCodeAt(0)] = PLAIN
}
CLASS.fill(FORBIDDEN, 0, 0x21)
for (const code of [0x23, 0x3f, DELETE]) CLASS[code] = FORBIDDEN
