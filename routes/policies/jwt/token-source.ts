import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import { readParameter, withoutParameter } from '../credential-reader.ts'
import type { Exchange } from '../exchange.ts'

const headerName = v.pipe(
  v.string(),
  v.regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, 'It must be the name of a header, or false.'),
)
const name = v.pipe(
  v.string(),
  v.regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/, 'It must be a name of 1 to 64 letters, digits and -_.'),
)

/** Options of policies that take a bearer token: where it may be. */
export const tokenSourceOptions = {
  header: v.pipe(
    v.optional(v.union([headerName, v.literal(false)]), 'authorization'),
    v.description('The header that has the token, or false for none.'),
  ),
  scheme: v.pipe(
    v.optional(v.union([name, v.literal('')])),
    v.description(
      'The word in front of the token in `header`. Default: "Bearer" in `Authorization`, elsewhere none.',
    ),
  ),
  cookie: v.pipe(v.optional(name), v.description('A cookie that may have the token too.')),
  query: v.pipe(
    v.optional(name),
    v.description('A query parameter that may have the token too; the function never sees it.'),
  ),
  hide: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      'Takes the token out of header and cookie, so that the function or upstream does not see it.',
    ),
  ),
}

/** Where a token may be. */
export interface TokenPlaces {
  readonly header: string | false
  readonly scheme?: string | undefined
  readonly cookie?: string | undefined
  readonly query?: string | undefined
  readonly hide: boolean
}

/** Finds the token of a request: in the header, else in the cookie, else in the query. */
export class TokenSource {
  readonly #header: string | undefined
  readonly #scheme: string
  readonly #cookie: string | undefined
  readonly #query: string | undefined
  readonly #hides: boolean
  /** The places in words: `"Authorization: Bearer <token>"` … */
  readonly places: string

  constructor({ header, scheme, cookie, query, hide }: TokenPlaces) {
    this.#header = header === false ? undefined : header.toLowerCase()
    this.#scheme = (scheme ?? (this.#header === 'authorization' ? 'Bearer' : '')).toLowerCase()
    this.#cookie = cookie
    this.#query = query
    this.#hides = hide
    const word = scheme ?? (this.#header === 'authorization' ? 'Bearer' : '')
    const places = [
      this.#header &&
        `"${header === 'authorization' ? 'Authorization' : header}: ${word && `${word} `}<token>"`,
      cookie && `the cookie "${cookie}"`,
      query && `"?${query}=<token>"`,
    ]
    this.places = places.filter(Boolean).join(' or ')
    if (this.places !== '') return
    throw new SkerryError(
      'ERR_GATEWAY_FILE',
      'Without "header" there must be a "cookie" or a "query" with the token.',
    )
  }

  /** The token as it was sent; `undefined` if there is none in any of the places. */
  find(exchange: Exchange): string | undefined {
    const { headers, url } = exchange.request
    if (this.#header !== undefined) {
      const token = this.#afterScheme(headers.get(this.#header))
      if (token !== undefined) return token
    }
    if (this.#cookie !== undefined) {
      const token = readCookie(headers.get('cookie'), this.#cookie)
      if (token) return token
    }
    return this.#query === undefined ? undefined : readParameter(url, this.#query) || undefined
  }

  /** Takes the token out of what the target sees, as far as the options say so; out of the query in any case. */
  hide(exchange: Exchange): void {
    if (this.#query !== undefined) this.#hideParameter(exchange, this.#query)
    if (!this.#hides) return
    const { headers } = exchange.request
    if (this.#header !== undefined && this.#afterScheme(headers.get(this.#header)) !== undefined) {
      exchange.requestHeaders.delete(this.#header)
    }
    const cookies = this.#cookie === undefined ? null : headers.get('cookie')
    if (cookies === null || this.#cookie === undefined) return
    const others = withoutCookie(cookies, this.#cookie)
    if (others === '') exchange.requestHeaders.delete('cookie')
    else if (others !== cookies) exchange.requestHeaders.set('cookie', others)
  }

  #hideParameter(exchange: Exchange, query: string): void {
    if (readParameter(exchange.request.url, query) === undefined) return
    exchange.request = new Request(withoutParameter(exchange.request.url, query), exchange.request)
    // The URL has a credential in it, so no shared cache may keep what it gave (RFC 6750 §2.3).
    exchange.responseHeaders.addToList('cache-control', 'private')
  }

  #afterScheme(value: string | null): string | undefined {
    if (value === null) return undefined
    const { length } = this.#scheme
    if (length === 0) return value || undefined
    if (value.charCodeAt(length) !== 32 || value.slice(0, length).toLowerCase() !== this.#scheme)
      return undefined
    return value.slice(length + 1).trim() || undefined
  }
}

/** A cookie's value by its name: of the first one of that name. */
export function readCookie(header: string | null, name: string): string | undefined {
  if (header === null) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue
    const value = pair.slice(equals + 1).trim()
    return value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
  }
  return undefined
}

function withoutCookie(header: string, name: string): string {
  const pairs = header.split(';')
  const kept = pairs.filter(pair => pair.split('=', 1)[0]?.trim() !== name)
  return kept.length === pairs.length ? header : kept.join(';').trim()
}
