import { splitQuoted } from './cache-control.ts'
import { parseHttpDate } from './http-date.ts'

/** What tells one representation from another. */
export interface Validators {
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

/**
 * Whether a client that asks on a condition has what is stored already, and gets a 304 (RFC 9111 §4.3.2).
 *
 * `If-None-Match` goes before `If-Modified-Since`, and compares weakly. Of a response without `Last-Modified`, its
 * `Date` counts.
 */
export function isNotModified(request: Headers, stored: Validators & { readonly dateMs: number }): boolean {
  const ifNoneMatch = request.get('if-none-match')
  if (ifNoneMatch !== null) return ifNoneMatch.trim() === '*' || matchesEtag(ifNoneMatch, stored.etag)
  const ifModifiedSince = request.get('if-modified-since')
  if (ifModifiedSince === null) return false
  const sinceMs = parseHttpDate(ifModifiedSince, stored.dateMs)
  if (sinceMs === undefined) return false
  const modifiedMs = parseHttpDate(stored.lastModified, stored.dateMs) ?? stored.dateMs
  return modifiedMs <= sinceMs
}

/** Makes a request ask whether what is stored is still good, in place of the client's own conditions (§4.3.1). */
export function addConditions(request: Headers, { etag, lastModified }: Validators): void {
  for (const name of CONDITIONS) request.delete(name)
  if (etag !== undefined) request.set('if-none-match', etag)
  if (lastModified !== undefined) request.set('if-modified-since', lastModified)
}

/** The fields that make a request depend on a condition, or ask for a part. */
export const CONDITIONS = ['if-none-match', 'if-modified-since', 'if-range', 'range'] as const

/** Whether a 304 (or a HEAD's 200) is about the stored response: strong tags must be the same, weak ones alike (§4.3.4). */
export function isAboutStored(answer: Headers, stored: Validators): boolean {
  const etag = answer.get('etag')
  const lastModified = answer.get('last-modified')
  const isOfSameTime = lastModified !== null && lastModified === stored.lastModified
  if (etag === null) return lastModified === null || isOfSameTime
  if (stored.etag === undefined) return isWeak(etag) && isOfSameTime
  return etag === stored.etag || (isWeak(etag) && isWeak(stored.etag) && sameWeakly(etag, stored.etag))
}

function matchesEtag(list: string, etag: string | undefined): boolean {
  if (etag === undefined) return false
  return list === etag || splitQuoted(list).some(tag => sameWeakly(tag, etag))
}

const isWeak = (etag: string): boolean => etag.startsWith('W/')
const opaque = (etag: string): string => (isWeak(etag) ? etag.slice(2) : etag)
const sameWeakly = (a: string, b: string): boolean => opaque(a) === opaque(b)
