import type { CacheControl } from './cache-control.ts'

/** What decides whether a response may be stored, beside its lifetime. */
export interface StorableFacts {
  readonly status: number
  readonly headers: Headers
  readonly control: CacheControl
  /** The request had `Authorization`, or a policy found out who calls, and the key doesn't tell callers apart. */
  readonly isPersonal: boolean
  readonly setCookie: 'refuse' | 'strip' | 'store'
  /** The only statuses to store, if the operator named any. */
  readonly statuses?: ReadonlySet<number> | undefined
}

/**
 * Why a shared cache must not store the final response to a GET, as RFC 9111 §3 and §3.5 have it; `undefined` if it
 * may, provided that it has a lifetime.
 */
export function whyNotStorable(facts: StorableFacts): string | undefined {
  const { status, headers, control, isPersonal, setCookie, statuses } = facts
  if (status < 200 || status > 599) return 'its status is none that can be stored'
  if (status === 304) return 'it is the answer to a condition'
  if (status === 206 && !headers.has('content-range')) return 'it is a part of unknown place'
  if (statuses && !statuses.has(status)) return 'its status is not among "statuses"'
  if (control.mustUnderstand && !UNDERSTOOD.has(status)) return 'its status is not understood'
  if (control.noStore && !control.mustUnderstand) return 'it says no-store'
  if (control.private) return 'it says private'
  if (isPersonal && !isShareable(control)) return 'it was made for one caller, and does not say public'
  if (setCookie === 'refuse' && headers.has('set-cookie') && !isFieldOmitted(control, 'set-cookie'))
    return 'it sets a cookie'
  if (headers.get('content-type')?.startsWith('text/event-stream')) return 'it is a stream of events'
  return undefined
}

/** Whether a response to a caller may be given to others (§3.5). */
export function isShareable(control: CacheControl): boolean {
  return Boolean(control.public || control.mustRevalidate) || control.sMaxage !== undefined
}

/** Whether a field must not be stored with its response: `private="…"`, and, as each use would need consent, `no-cache="…"`. */
export function isFieldOmitted({ privateFields, noCacheFields }: CacheControl, name: string): boolean {
  return Boolean(privateFields?.includes(name) || noCacheFields?.includes(name))
}

/** The statuses whose caching rules are implemented here, for `must-understand` (§5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([
  200, 201, 202, 203, 204, 205, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 407, 408,
  409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 426, 428, 429, 431, 451, 500, 501, 502, 503, 504,
  505, 511,
])
