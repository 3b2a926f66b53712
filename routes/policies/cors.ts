import * as v from 'valibot'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'

const token = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'It must be a header name or method, or "*".'),
)
const origin = v.pipe(
  v.string(),
  v.regex(
    /^(\*|null|[a-z][a-z0-9+.-]*:\/\/(\*\.)?[a-z0-9._~:[\]-]+)$/,
    'It must be "*", "null", or an origin such as "https://app.example.com" or "https://*.example.com", in lower case and without a path.',
  ),
)

const options = v.pipe(
  v.strictObject({
    origins: v.pipe(
      v.array(origin),
      v.minLength(1, 'The list must not be empty.'),
      v.description('Origins whose pages may read answers; `https://*.example.com` is every name below it.'),
    ),
    methods: v.pipe(
      v.optional(v.array(v.pipe(token, v.toUpperCase())), ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']),
      v.description('Methods that pages may use; `*` = the one that they ask for.'),
    ),
    headers: v.pipe(
      v.optional(v.array(token), ['*']),
      v.description('Request headers that pages may send; `*` = those that they ask for.'),
    ),
    expose: v.pipe(
      v.optional(v.array(token), []),
      v.description('Response headers that pages may read, beside those that they always may.'),
    ),
    credentials: v.pipe(
      v.optional(v.boolean(), false),
      v.description('Pages may send cookies and read what they bring.'),
    ),
    max_age: v.pipe(
      v.optional(durationSecondsBetween(0, 86_400), 600),
      v.description('How long browsers remember the answer to a preflight.'),
    ),
  }),
  v.check(
    ({ origins, credentials }) => !(credentials && origins.some(each => each === '*' || each === 'null')),
    'With "credentials" the origins must be named: "*" would hand every site the data of its visitors, and so would "null", which every site can be in a sandboxed frame.',
  ),
)

type CorsOptions = v.InferOutput<typeof options>

/** Lets pages of other origins call a route, as the Fetch standard has it; preflights never reach the target. */
export const corsPolicy = definePolicy({
  type: 'cors',
  summary: 'Lets pages of other origins call, and answers their preflights (CORS).',
  options,
  create: options => new CorsPhase(options),
})

class CorsPhase implements Phase {
  readonly #options: CorsOptions
  readonly #exact: ReadonlySet<string>
  /** Ends of origins, with what stands before the name: `['https://', '.example.com']`. */
  readonly #below: readonly (readonly [scheme: string, suffix: string])[]
  readonly #isOpen: boolean

  constructor(options: CorsOptions) {
    this.#options = options
    this.#isOpen = options.origins.includes('*')
    this.#exact = new Set(options.origins.filter(origin => !origin.includes('*')))
    this.#below = options.origins.flatMap(origin => {
      const [scheme = '', name] = origin.split('*')
      return origin !== '*' && name !== undefined ? [[scheme, name] as const] : []
    })
  }

  request(exchange: Exchange): Verdict {
    const { request } = exchange
    const origin = request.headers.get('origin')
    const isAllowed = origin !== null && this.#allows(origin)
    if (
      request.method === 'OPTIONS' &&
      origin !== null &&
      request.headers.has('access-control-request-method')
    )
      return this.#preflight(exchange, origin, isAllowed)

    // The target's own words must not let in whom the file keeps out.
    for (const name of ANSWER_HEADERS) exchange.responseHeaders.delete(name)
    if (!this.#isOpen) exchange.responseHeaders.addToList('vary', 'Origin')
    if (!isAllowed) {
      if (origin !== null) exchange.trace?.note('The origin may not read the answer.', { origin })
      return undefined
    }
    exchange.trace?.note('The origin may read the answer.', { origin })
    exchange.responseHeaders.set('access-control-allow-origin', this.#isOpen ? '*' : origin)
    const { credentials, expose } = this.#options
    if (credentials) exchange.responseHeaders.set('access-control-allow-credentials', 'true')
    if (expose.length > 0) exchange.responseHeaders.set('access-control-expose-headers', expose.join(', '))
    return undefined
  }

  #preflight(exchange: Exchange, origin: string, isAllowed: boolean): Response {
    const { methods, headers, credentials, max_age } = this.#options
    const asked = exchange.request.headers
    exchange.trace?.note('A preflight is answered here.', { origin, isAllowed })
    if (!isAllowed) {
      return exchange.refuse('ERR_CORS_REFUSED', 'Pages of this origin may not call this.', { vary: VARY })
    }
    const wanted = asked.get('access-control-request-headers')
    const allowed = headers.includes('*') ? wanted : headers.join(', ')
    // With credentials, browsers take "*" for the name of a method.
    const method = methods.includes('*') ? asked.get('access-control-request-method') : methods.join(', ')
    return new Response(null, {
      status: 204,
      headers: {
        'access-control-allow-origin': this.#isOpen ? '*' : origin,
        ...(method && { 'access-control-allow-methods': method }),
        ...(allowed && { 'access-control-allow-headers': allowed }),
        ...(credentials && { 'access-control-allow-credentials': 'true' }),
        'access-control-max-age': String(max_age),
        vary: VARY,
      },
    })
  }

  #allows(origin: string): boolean {
    if (this.#isOpen || this.#exact.has(origin)) return true
    // A name of one label at least must stand in the place of the star.
    return this.#below.some(
      ([scheme, suffix]) =>
        origin.startsWith(scheme) && origin.endsWith(suffix) && isName(origin, scheme.length, suffix.length),
    )
  }
}

function isName(origin: string, from: number, suffixLength: number): boolean {
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(origin.slice(from, origin.length - suffixLength))
}

const VARY = 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers'
const ANSWER_HEADERS = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-expose-headers',
]
