import { type Entry, withoutBodyFields } from './entry.ts'
import { ifRangeHolds, parseRange } from './range.ts'
import { isNotModified } from './validation.ts'

/** How a stored response is given. */
export interface Giving {
  readonly method: string
  readonly request: Headers
  readonly nowMs: number
  /** Our member of `Cache-Status`; `undefined` for none, `hit` for a plain hit. */
  readonly status: string | undefined
}

/** The answer from a stored response: whole, a part, or a 304, as the client asks (RFC 9111 §4.3.2, RFC 9110 §14). */
export function respondStored(entry: Entry, giving: Giving): Response {
  const { request, method } = giving
  // What has no validator of its own can only be told by its Date.
  const { status } = entry.init
  if (status === 200 || status === 206) {
    const stored = { etag: entry.etag, lastModified: entry.lastModified, dateMs: entry.init.dateMs }
    if (isNotModified(request, stored)) return respondNotModified(entry, giving)
    const mayBeCut = method === 'GET' && status === 200 && !entry.init.isRuntimeCoded
    const range = mayBeCut ? request.get('range') : null
    if (range !== null && ifRangeHolds(request.get('if-range'), stored)) {
      const part = respondPart(entry, range, giving)
      if (part) return part
    }
  }
  return new Response(method === 'HEAD' ? null : entry.body, beginningOf(entry, giving))
}

function beginningOf(entry: Entry, giving: Giving): Response | ResponseInit {
  const { nowMs, status } = giving
  if (status === undefined || status === 'hit') return entry.templateAt(nowMs, status === 'hit')
  return entry.initWith(headersOf(entry, giving))
}

function headersOf(entry: Entry, { nowMs, status }: Giving): Headers {
  if (status === undefined || status === 'hit') return entry.headersAt(nowMs, status === 'hit')
  const headers = entry.copyHeaders(nowMs)
  headers.set('cache-status', entry.withInnerStatus(status))
  return headers
}

function respondNotModified(entry: Entry, giving: Giving): Response {
  const { status, nowMs } = giving
  if (status === undefined || status === 'hit') return entry.unchangedAt(nowMs, status === 'hit')
  return new Response(null, { status: 304, headers: withoutBodyFields(headersOf(entry, giving)) })
}

function respondPart(entry: Entry, text: string, giving: Giving): Response | undefined {
  const body = entry.body ?? EMPTY
  const range = parseRange(text, body.byteLength)
  if (!range) return undefined
  if (range === 'unsatisfiable') {
    const headers = withoutBodyFields(headersOf(entry, giving))
    headers.set('content-range', `bytes */${body.byteLength}`)
    return new Response(null, { status: 416, headers })
  }
  const headers = new Headers(headersOf(entry, giving))
  headers.set('content-range', `bytes ${range.start}-${range.end}/${body.byteLength}`)
  headers.set('content-length', String(range.end - range.start + 1))
  const part = body.subarray(range.start, range.end + 1)
  return new Response(part as Uint8Array<ArrayBuffer>, {
    ...entry.initWith(headers),
    status: 206,
    statusText: '',
  })
}

const EMPTY = new Uint8Array(0)
