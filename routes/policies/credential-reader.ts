import type { Exchange } from './exchange.ts'

/** A credential, and where it was. */
export interface FoundCredential {
  readonly text: string
  /** The header that had it, in lower case; `undefined`: the query. */
  readonly header: string | undefined
}

/** Where a credential may be. */
export interface CredentialPlaces {
  /** Default: `X-Api-Key`, or `Authorization` with the scheme `Bearer`. */
  readonly header?: string | undefined
  readonly scheme?: string | undefined
  readonly query?: string | undefined
}

/** Finds a key in one of the places where callers may put it, and takes it out. */
export class CredentialReader {
  readonly #headers: readonly { readonly name: string; readonly scheme: string }[]
  readonly #query: string | undefined
  /** For challenges: `Bearer`, or what stands in front of the key, or `ApiKey` if nothing does. */
  readonly scheme: string
  /** The places in words: `"Authorization: Bearer <key>"` … */
  readonly places: string

  constructor({ header, scheme, query }: CredentialPlaces) {
    const name = header?.toLowerCase()
    const word = scheme ?? (name === undefined || name === 'authorization' ? 'Bearer' : '')
    // First the header that is for nothing else: `Authorization` may have what another policy looks at.
    this.#headers = name
      ? [{ name, scheme: word.toLowerCase() }]
      : [
          { name: 'x-api-key', scheme: '' },
          { name: 'authorization', scheme: 'bearer' },
        ]
    this.#query = query
    this.scheme = word || 'ApiKey'
    const shown = header ? `"${header}: ${word && `${word} `}<key>"` : DEFAULT_PLACES
    this.places = query ? `${shown} or "?${query}=<key>"` : shown
  }

  /** The credential, or `undefined` if the request has none in any of the places. */
  find(exchange: Exchange): FoundCredential | undefined {
    const { headers, url } = exchange.request
    for (const { name, scheme } of this.#headers) {
      const value = headers.get(name)
      const text = value === null ? '' : afterScheme(value, scheme)
      if (text) return { text, header: name }
    }
    const text = this.#query === undefined ? undefined : readParameter(url, this.#query)
    return text ? { text, header: undefined } : undefined
  }

  /** Takes a credential out of what the target sees. */
  hide(exchange: Exchange, { header }: FoundCredential): void {
    if (header !== undefined) exchange.requestHeaders.delete(header)
    else if (this.#query !== undefined) {
      exchange.request = new Request(withoutParameter(exchange.request.url, this.#query), exchange.request)
    }
  }
}

/** What follows the scheme, which is in any case and has a space after it; empty if it is another. */
function afterScheme(value: string, scheme: string): string {
  if (scheme === '') return value
  const { length } = scheme
  if (value.charAt(length) !== ' ' || value.slice(0, length).toLowerCase() !== scheme) return ''
  return value.slice(length + 1).trim()
}

/** A query parameter, decoded: the first of that name. */
export function readParameter(url: string, name: string): string | undefined {
  for (let at = url.indexOf('?'); at >= 0; at = url.indexOf('&', at + 1)) {
    if (!isParameter(url, at + 1, name)) continue
    const end = url.indexOf('&', at + 1)
    const raw = url.slice(at + 2 + name.length, end < 0 ? undefined : end)
    try {
      return decodeURIComponent(raw.replaceAll('+', ' '))
    } catch {
      return raw
    }
  }
  return undefined
}

/** The URL without the parameters of a name; everything else stays as it is spelt. */
export function withoutParameter(url: string, name: string): string {
  const query = url.indexOf('?')
  if (query < 0) return url
  const kept = url
    .slice(query + 1)
    .split('&')
    .filter(each => !(each === name || isParameter(each, 0, name)))
  return url.slice(0, query) + (kept.length > 0 ? `?${kept.join('&')}` : '')
}

function isParameter(text: string, at: number, name: string): boolean {
  return text.startsWith(name, at) && text.charAt(at + name.length) === '='
}

const DEFAULT_PLACES = '"Authorization: Bearer <key>" or "X-Api-Key: <key>"'
