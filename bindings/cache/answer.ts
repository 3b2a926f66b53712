import { discard, type Entry, type EntryHead, readAll, stream } from './entry.ts'
import { type ByteRange, joinParts, parseRanges } from './ranges.ts'

/**
 * What `match()` gives for a stored response: all of it, parts of it (206, 416), or that the asker has it (304).
 *
 * Conditions go before ranges, and `If-None-Match` before `If-Modified-Since` (RFC 9110 §13.2.2).
 *
 * @param request the fields of the request that matter: conditions and ranges
 */
export async function answer({ head, body }: Entry, request: Headers, nowMs: number): Promise<Response> {
  const headers = toHeaders(head, nowMs)
  if (isNotModified(request, headers)) {
    await discard(body)
    return new Response(null, { status: 304, headers })
  }
  const wanted = ifRangeHolds(request.get('if-range'), headers) ? request.get('range') : null
  if (!wanted) return toWhole({ head, body }, headers)

  // What has no length yet gets one.
  const known: Entry = head.bodyBytes === undefined ? await measure({ head, body }) : { head, body }
  const size = known.head.bodyBytes ?? 0
  const ranges = parseRanges(wanted, size)
  if (!ranges) {
    await discard(known.body)
    const refusal = { 'cf-cache-status': 'HIT', 'content-range': `bytes */${size}` }
    return new Response(null, { status: 416, headers: refusal })
  }
  const [range] = ranges
  if (!range) return toWhole(known, headers)
  if (ranges.length > 1) {
    const { type, bytes } = joinParts(await readAll(known.body), ranges, headers.get('content-type'))
    headers.set('content-type', type)
    headers.delete('content-length')
    return new Response(bytes, { status: 206, headers, ...encodingOf(head) })
  }
  return toPart(known, range, size, headers)
}

/** Whether the asker has what is stored. */
export function isNotModified(request: Headers, stored: Headers): boolean {
  const ifNoneMatch = request.get('if-none-match')
  const etag = stored.get('etag')
  // As Miniflare has it: a star asks for any tag.
  if (ifNoneMatch !== null && etag !== null) {
    return ifNoneMatch.trim() === '*' ? isTag(etag) : tagsOf(ifNoneMatch).includes(opaque(etag))
  }
  const sinceMs = Date.parse(request.get('if-modified-since') ?? '')
  return ifNoneMatch === null && Date.parse(stored.get('last-modified') ?? '') <= sinceMs
}

/** Whether a part is of the very response that the asker has a part of (RFC 9110 §13.1.5). */
function ifRangeHolds(ifRange: string | null, stored: Headers): boolean {
  return ifRange === null || ifRange === stored.get('etag') || ifRange === stored.get('last-modified')
}

function toHeaders(head: EntryHead, nowMs: number): Headers {
  const headers = new Headers()
  for (const [name, value] of head.headers) headers.append(name, value)
  headers.set('cf-cache-status', 'HIT')
  // Between isolates nobody else says it.
  if (head.hasLength && head.bodyBytes !== undefined) headers.set('content-length', String(head.bodyBytes))
  headers.set('age', String(head.ageSeconds + Math.max(0, Math.floor((nowMs - head.storedAtMs) / 1000))))
  return headers
}

async function measure({ head, body }: Entry): Promise<Entry> {
  const first = await readAll(body)
  return { head: { ...head, bodyBytes: first.byteLength }, body: { first, rest: undefined } }
}

function toWhole({ head, body }: Entry, headers: Headers): Response {
  const init = { status: head.status, headers, ...encodingOf(head) }
  if (!body.rest) return new Response(body.first, init)
  const length = head.bodyBytes
  const bytes = stream(body, 0, length ?? Number.POSITIVE_INFINITY)
  if (!head.hasLength || length === undefined) return new Response(bytes, init)
  return new Response(bytes.pipeThrough(new FixedLengthStream(length)), init)
}

function toPart({ head, body }: Entry, { start, end }: ByteRange, size: number, headers: Headers): Response {
  const length = end - start + 1
  headers.set('content-range', `bytes ${start}-${end}/${size}`)
  headers.set('content-length', String(length))
  const init = { status: 206, headers, ...encodingOf(head) }
  if (!body.rest) return new Response(body.first.subarray(start, end + 1), init)
  return new Response(stream(body, start, length).pipeThrough(new FixedLengthStream(length)), init)
}

function encodingOf({ isEncoded }: EntryHead): { encodeBody?: 'manual' } {
  return isEncoded ? { encodeBody: 'manual' } : {}
}

const TAG = /(?:W\/)?"[^"]*"/g
const isTag = (text: string): boolean => /^(?:W\/)?"[^"]*"$/.test(text.trim())
/** Tags are compared weakly (RFC 9110 §8.8.3.2). */
const opaque = (tag: string): string => tag.trim().replace(/^W\//, '')
const tagsOf = (list: string): string[] => (list.match(TAG) ?? []).map(opaque)
