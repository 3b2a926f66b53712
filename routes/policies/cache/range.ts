import { parseHttpDate } from './http-date.ts'

/** The bytes that a `Range` field asks for, both included. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/**
 * The range of a body that a request wants; `undefined` where the field is to be ignored: another unit, several
 * ranges, or none that can be read (RFC 9110 §14.2).
 */
export function parseRange(text: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=[ \t]*(\d{0,15})-(\d{0,15})[ \t]*$/i.exec(text) ?? []
  if (first === '' && last === '') return undefined
  if (first === '') {
    const length = Number(last)
    if (length === 0 || size === 0) return 'unsatisfiable'
    return { start: Math.max(0, size - length), end: size - 1 }
  }
  const start = Number(first)
  if (last !== '' && Number(last) < start) return undefined
  if (start >= size) return 'unsatisfiable'
  return { start, end: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

/**
 * Whether a range may be taken from the stored response: without `If-Range` always, else only if it is the very one
 * that the client has a part of (RFC 9110 §13.1.5).
 */
export function ifRangeHolds(
  ifRange: string | null,
  stored: {
    readonly etag: string | undefined
    readonly lastModified: string | undefined
    readonly dateMs: number
  },
): boolean {
  if (ifRange === null) return true
  if (ifRange.startsWith('"')) return stored.etag === ifRange
  const wantedMs = parseHttpDate(ifRange, stored.dateMs)
  const modifiedMs = parseHttpDate(stored.lastModified, stored.dateMs)
  // A date is a strong validator only if the response was a minute old by then (RFC 9110 §8.8.2.2).
  return wantedMs !== undefined && wantedMs === modifiedMs && stored.dateMs - modifiedMs >= 60_000
}
