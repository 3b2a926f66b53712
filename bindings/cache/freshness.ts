/** How long a response may be found in a function's cache. */
export interface Lifetime {
  /** Whole seconds from now, at least 1, at most a year. */
  readonly ttlSeconds: number
  /** How old it is already, by its `Age`. */
  readonly ageSeconds: number
}

/**
 * How long a response may be kept; `undefined` if it must not be.
 *
 * As Miniflare decides (a shared cache of RFC 9111), with Cloudflare's lifetimes for responses that name none.
 *
 * @param isPersonal its request had `Authorization`
 */
export function lifetimeOf(
  status: number,
  headers: Headers,
  isPersonal: boolean,
  nowMs: number,
): Lifetime | undefined {
  if (!STORABLE.has(status)) return undefined
  const control = parseControl(headers)
  if (FORBIDDING.some(name => control.has(name))) return undefined
  if (headers.has('set-cookie') && !keepsCookieOut(headers)) return undefined
  if (isPersonal && !['must-revalidate', 'public', 's-maxage'].some(name => control.has(name)))
    return undefined
  const ageSeconds = wholeSeconds(headers.get('age') ?? '')
  const ttlSeconds = Math.floor(secondsOf(status, headers, control, nowMs)) - ageSeconds
  if (ttlSeconds < 1) return undefined
  return { ttlSeconds: Math.min(ttlSeconds, MAX_SECONDS), ageSeconds }
}

/** Whether `Set-Cookie` is to be left out and the rest stored, by Cloudflare's `private=Set-Cookie`. */
export function keepsCookieOut(headers: Headers): boolean {
  return PRIVATE_COOKIE.test(headers.get('cache-control') ?? '')
}

function secondsOf(
  status: number,
  headers: Headers,
  control: ReadonlyMap<string, string>,
  nowMs: number,
): number {
  const said = control.get('s-maxage') ?? control.get('max-age')
  if (said !== undefined) return wholeSeconds(said)
  const expires = headers.get('expires')
  if (expires === null) return UNSAID_SECONDS[status] ?? 0
  const date = Date.parse(headers.get('date') ?? '')
  const lifetimeMs = Date.parse(expires) - (Number.isNaN(date) ? nowMs : date)
  return Number.isNaN(lifetimeMs) ? 0 : lifetimeMs / 1000
}

/** Directives by name, in lower case. Of two lifetimes the shorter counts. */
function parseControl(headers: Headers): ReadonlyMap<string, string> {
  const text = headers.get('cache-control')
  const control = new Map<string, string>()
  // Of a HTTP/1.0 server, which has no Cache-Control.
  if (text === null && /no-cache/i.test(headers.get('pragma') ?? '')) control.set('no-cache', '')
  for (const [, name = '', value = ''] of (text ?? '').replace(PRIVATE_COOKIE, '').matchAll(DIRECTIVE)) {
    const key = name.toLowerCase()
    const known = control.get(key)
    if (known === undefined || wholeSeconds(value) < wholeSeconds(known)) control.set(key, value)
  }
  return control
}

/** The digits that a value begins with; 0 for anything else, as a lifetime that can't be read is none. */
function wholeSeconds(value: string): number {
  return Number(/^"?(\d{1,15})/.exec(value.trim())?.[1] ?? 0)
}

/** A name, and what follows it up to the next comma that isn't quoted. */
const DIRECTIVE = /([\w-]+)(?:\s*=\s*("[^"]*"|[^,]*))?[^,]*/g
const PRIVATE_COOKIE = /private\s*=\s*"?set-cookie"?(?=\s*(?:[,;]|$))[,;]?/i

/** Also with names of fields: what may be left out of a response is not left out, but the response. */
const FORBIDDING = ['no-store', 'private', 'no-cache']

/** Whose caching rules are those of any cache. */
const STORABLE: ReadonlySet<number> = new Set([
  200, 203, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501,
])

/** Cloudflare's lifetimes of responses that name none, by status ("Edge TTL" in its documentation of the cache). */
const UNSAID_SECONDS: Readonly<Record<number, number>> = {
  200: 7200,
  301: 7200,
  302: 1200,
  303: 1200,
  404: 180,
  410: 180,
}

/** A year, as Cloudflare's longest. */
const MAX_SECONDS = 31_536_000
