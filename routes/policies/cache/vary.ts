import { RecentMap } from '../../../src/core/recent-map.ts'
import { splitQuoted } from './cache-control.ts'

/** A request field that a response was chosen by, and its normalised value; `null` = the request had none. */
export type VaryPair = readonly [name: string, value: string | null]

/**
 * The request fields that a response was chosen by, in lower case, sorted; `undefined` if no request can be told to
 * get the same: `*`, or what is no field name (RFC 9110 §12.5.5).
 */
export function parseVary(text: string | null, ignored: ReadonlySet<string> = NONE): string[] | undefined {
  if (!text) return []
  const names = new Set<string>()
  for (const part of text.split(',')) {
    const name = part.trim().toLowerCase()
    if (name === '' || ignored.has(name)) continue
    if (!/^[!#$%&'*+.^_`|~\w-]{1,200}$/.test(name) || name === '*') return undefined
    names.add(name)
  }
  return [...names].sort()
}

/** The normalised values of a request's fields. */
export function varyPairs(names: readonly string[], request: Headers): VaryPair[] {
  return names.map(name => [name, normaliseField(name, request.get(name))])
}

/** Whether a request would have got the response that these pairs are of. */
export function matchesVary(pairs: readonly VaryPair[], request: Headers): boolean {
  for (const [name, value] of pairs) {
    if (normaliseField(name, request.get(name)) !== value) return false
  }
  return true
}

/**
 * A field's value in a form in which what means the same is the same: several lines or one, spaces around commas;
 * of `Accept-Encoding` the set of codings that will do, of `Accept-Language` also the case of tags.
 */
export function normaliseField(name: string, value: string | null): string | null {
  if (value === null) return null
  if (name !== 'accept-encoding' && name !== 'accept-language') return normaliseAny(name, value)
  // Browsers send few different ones.
  const known = name === 'accept-encoding' ? knownEncodings : knownLanguages
  const held = known.get(value)
  if (held !== undefined) return held
  const normalised = normaliseAny(name, value)
  if (value.length <= MAX_KNOWN_CHARS) known.set(value, normalised)
  return normalised
}

const knownEncodings = new RecentMap<string, string>(1000)
const knownLanguages = new RecentMap<string, string>(1000)
const MAX_KNOWN_CHARS = 200

function normaliseAny(name: string, value: string): string {
  if (name === 'accept-encoding') return normaliseEncodings(value)
  // Spaces within quotes mean something.
  if (value.includes('"')) return value.trim()
  const joined = value
    .split(',')
    .map(part => part.trim())
    .join(',')
  return name === 'accept-language' ? normaliseLanguages(joined) : joined
}

/** By weight; the order of languages of the same weight can't be relied upon (RFC 9110 §12.5.4). */
function normaliseLanguages(value: string): string {
  const weighed = value
    .toLowerCase()
    .split(',')
    .filter(range => range !== '')
    .map(range => {
      const [tag = '', weight = ''] = range.split(';', 2).map(piece => piece.trim())
      const q = weight.startsWith('q=') ? Number(weight.slice(2)) : 1
      return { tag, q: Number.isNaN(q) ? 0 : q }
    })
  return weighed
    .sort((a, b) => b.q - a.q || (a.tag < b.tag ? -1 : 1))
    .map(({ tag, q }) => `${tag};q=${q}`)
    .join(',')
}

/** A client that takes gzip and br gets the same whichever it names first: the server has its own preference. */
function normaliseEncodings(value: string): string {
  const codings = new Set<string>()
  for (const part of splitQuoted(value.toLowerCase())) {
    const [coding = '', ...parameters] = part.split(';').map(piece => piece.trim())
    const weight = parameters.find(parameter => parameter.startsWith('q='))
    const isRefused = weight !== undefined && Number(weight.slice(2)) === 0
    if (coding === '') continue
    if (isRefused) codings.add(`${coding};q=0`)
    else if (coding !== 'identity') codings.add(coding === 'x-gzip' ? 'gzip' : coding)
  }
  return [...codings].sort().join(',')
}

const NONE: ReadonlySet<string> = new Set()
