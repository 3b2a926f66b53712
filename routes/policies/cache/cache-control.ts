/** What a `Cache-Control` field says, of a request or a response. Seconds are whole, at most `MAX_SECONDS`. */
export interface CacheControl {
  readonly maxAge?: number
  readonly sMaxage?: number
  readonly staleWhileRevalidate?: number
  readonly staleIfError?: number
  readonly minFresh?: number
  /** `Infinity` without a value: any staleness will do. */
  readonly maxStale?: number
  readonly noStore?: boolean
  /** For the whole response; with names of fields it is in `noCacheFields`. */
  readonly noCache?: boolean
  readonly noCacheFields?: readonly string[]
  /** For the whole response; with names of fields it is in `privateFields`. */
  readonly private?: boolean
  readonly privateFields?: readonly string[]
  readonly public?: boolean
  readonly mustRevalidate?: boolean
  readonly proxyRevalidate?: boolean
  readonly mustUnderstand?: boolean
  readonly onlyIfCached?: boolean
}

/** What stands for "for ever": more seconds count as so many (RFC 9111 §1.3). */
export const MAX_SECONDS = 2_147_483_648

/**
 * Reads a `Cache-Control` field, its lines joined by commas.
 *
 * Lenient where that is harmless, strict where it isn't: a lifetime that can't be read is 0, as RFC 9111 §4.2.1
 * advises; of several the first counts; a `no-cache` or `private` whose fields can't be read is for the whole response.
 */
export function parseCacheControl(text: string | null): CacheControl {
  if (!text) return NOTHING
  const control: Writable = {}
  for (const part of splitQuoted(text)) readDirective(part, control)
  return control
}

/** The parts of a comma-separated list, trimmed, without empty ones; commas within double quotes don't separate. */
export function splitQuoted(text: string): string[] {
  const parts: string[] = []
  let start = 0
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === QUOTE) isQuoted = !isQuoted
    else if (code === BACKSLASH && isQuoted) i++
    else if (code === COMMA && !isQuoted) {
      push(parts, text.slice(start, i))
      start = i + 1
    }
  }
  push(parts, text.slice(start))
  return parts
}

/** Seconds as RFC 9111 §1.2.2 writes them: digits only. `undefined` for anything else. */
export function parseDeltaSeconds(text: string): number | undefined {
  if (text.length === 0) return undefined
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 48 || code > 57) return undefined
  }
  return Math.min(Number(text), MAX_SECONDS)
}

type Writable = { -readonly [Key in keyof CacheControl]: CacheControl[Key] }

function readDirective(part: string, control: Writable): void {
  const equals = part.indexOf('=')
  const raw = equals < 0 ? part : part.slice(0, equals)
  const name = raw.trim().toLowerCase()
  // No space may stand beside the "=": such a lifetime is unreadable, but a prohibition is still meant.
  const value = equals < 0 ? undefined : raw.endsWith(' ') ? ' ' : part.slice(equals + 1)
  const lifetime = LIFETIMES[name]
  if (lifetime) control[lifetime] ??= parseDeltaSeconds(unquote(value ?? '')) ?? 0
  else if (name === 'max-stale') {
    control.maxStale ??=
      value === undefined ? Number.POSITIVE_INFINITY : (parseDeltaSeconds(unquote(value)) ?? 0)
  } else if (name === 'no-cache' || name === 'private') {
    const isPrivate = name === 'private'
    const fields = value === undefined ? undefined : parseFieldNames(value)
    if (!fields) control[isPrivate ? 'private' : 'noCache'] = true
    else {
      const key = isPrivate ? 'privateFields' : 'noCacheFields'
      control[key] = [...(control[key] ?? []), ...fields]
    }
  } else {
    const flag = FLAGS[name]
    if (flag) control[flag] = true
  }
}

/** The names in a quoted list; `undefined` unless it is one. */
function parseFieldNames(value: string): string[] | undefined {
  if (value.length < 2 || !value.startsWith('"') || !value.endsWith('"')) return undefined
  const names = value
    .slice(1, -1)
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => name !== '')
  return names.length > 0 && names.every(name => /^[!#$%&'*+.^_`|~\w-]{1,100}$/.test(name))
    ? names
    : undefined
}

/** Recipients take a value in either form, token or quoted-string (RFC 9111 §5.2). */
function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

function push(parts: string[], part: string): void {
  const trimmed = part.trim()
  if (trimmed !== '') parts.push(trimmed)
}

const NOTHING: CacheControl = Object.freeze({})

type Lifetime = 'maxAge' | 'sMaxage' | 'staleWhileRevalidate' | 'staleIfError' | 'minFresh'
type Flag = 'noStore' | 'public' | 'mustRevalidate' | 'proxyRevalidate' | 'mustUnderstand' | 'onlyIfCached'

const LIFETIMES: Readonly<Record<string, Lifetime | undefined>> = Object.assign(Object.create(null), {
  'max-age': 'maxAge',
  's-maxage': 'sMaxage',
  'stale-while-revalidate': 'staleWhileRevalidate',
  'stale-if-error': 'staleIfError',
  'min-fresh': 'minFresh',
})

const FLAGS: Readonly<Record<string, Flag | undefined>> = Object.assign(Object.create(null), {
  'no-store': 'noStore',
  public: 'public',
  'must-revalidate': 'mustRevalidate',
  'proxy-revalidate': 'proxyRevalidate',
  'must-understand': 'mustUnderstand',
  'only-if-cached': 'onlyIfCached',
})

const QUOTE = 34
const COMMA = 44
const BACKSLASH = 92
