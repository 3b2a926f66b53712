import { LIMITS } from '../../src/core/limits.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { type EntryHead, packHead } from './entry.ts'
import { keepsCookieOut, type Lifetime, lifetimeOf } from './freshness.ts'
import { concat } from './ranges.ts'
import { writeEntry } from './store.ts'
import { type Fault, prepend, unmark } from './unmark.ts'

/** A response to be stored. */
export interface Candidate {
  readonly status: number
  readonly headers: Headers
  /** Its request had `Authorization`. */
  readonly isPersonal: boolean
  readonly body: ReadableStream<Uint8Array> | null
  /** The body is long, and ends with its length, by which it is known to be whole. */
  readonly isMarked: boolean
  /** As in `CacheProps`. */
  readonly readsBrotli: boolean
}

/** What became of it: the bytes that were stored, or why nothing was. */
export type Written = { readonly bytes: number } | 'refused' | 'broken'

/** Stores a response, whole or not at all; refuses what may not be stored, and what is too large. */
export async function writeResponse(
  env: EdgeEnv,
  key: string,
  response: Candidate,
  nowMs: number,
): Promise<Written> {
  const { status, headers, body, isMarked } = response
  const lifetime = lifetimeOf(status, headers, response.isPersonal, nowMs)
  if (!lifetime) {
    await body?.cancel()
    return 'refused'
  }
  const write = isMarked && body ? writeLong : writeShort
  return write(env, key, response, lifetime, nowMs)
}

async function writeShort(
  env: EdgeEnv,
  key: string,
  response: Candidate,
  lifetime: Lifetime,
  nowMs: number,
): Promise<Written> {
  const { bytes: plain, isWhole } = await readStart(response.body, SHORT_BYTES)
  if (!isWhole) return 'refused'
  const isPlain = encodingOf(response.headers) === 'gzip' && !isGzip(plain)
  const body = isPlain ? await compress(plain) : plain
  const length = { bodyBytes: body.byteLength, hasLength: !response.headers.has('content-encoding') }
  const packed = packHead(toHead(response, lifetime, nowMs, length))
  if (!packed) return 'refused'
  const value = concat([packed, body])
  await writeEntry(env, key, value, { bytes: value.byteLength, storedAtMs: nowMs }, lifetime.ttlSeconds)
  return { bytes: value.byteLength }
}

/** As it passes: how long it is, is known only if its headers say so. */
async function writeLong(
  env: EdgeEnv,
  key: string,
  response: Candidate,
  lifetime: Lifetime,
  nowMs: number,
): Promise<Written> {
  const { headers } = response
  const bodyBytes = announcedBytes(headers)
  const packed = packHead(
    toHead(response, lifetime, nowMs, {
      hasLength: bodyBytes !== undefined,
      ...(bodyBytes !== undefined && { bodyBytes }),
    }),
  )
  // Of a length that isn't known, the store's list has the most that it can be.
  const bytes = bodyBytes === undefined ? MAX_BYTES : (packed?.byteLength ?? 0) + bodyBytes
  if (!packed || bytes > MAX_BYTES) {
    await response.body?.cancel()
    return 'refused'
  }
  let fault: Fault | undefined
  const whole = unmark(
    response.body as ReadableStream<Uint8Array>,
    MAX_BYTES - packed.byteLength,
    bodyBytes,
    found => {
      fault = found
    },
  )
  try {
    const value = prepend(packed, encodingOf(headers) === 'gzip' ? await compressIfPlain(whole) : whole)
    await writeEntry(env, key, value, { bytes, storedAtMs: nowMs }, lifetime.ttlSeconds)
    return { bytes }
  } catch (error) {
    if (fault === 'too-large') return 'refused'
    if (fault === 'broken') return 'broken'
    throw error
  }
}

function toHead(
  { status, headers, readsBrotli }: Candidate,
  { ttlSeconds, ageSeconds }: Lifetime,
  nowMs: number,
  body: Pick<EntryHead, 'bodyBytes' | 'hasLength'>,
): EntryHead {
  const staleAtMs = nowMs + ttlSeconds * 1000
  const encoding = encodingOf(headers)
  const isEncoded = encoding === 'gzip' || (encoding === 'br' && !readsBrotli)
  return {
    status,
    headers: toStored(headers, nowMs),
    storedAtMs: nowMs,
    staleAtMs,
    ageSeconds,
    isEncoded,
    ...body,
  }
}

/** What a later answer has of it: what is of its connection, or is made anew, isn't. */
function toStored(headers: Headers, nowMs: number): [string, string][] {
  const kept = new Headers(headers)
  for (const name of LEFT_OUT) kept.delete(name)
  if (keepsCookieOut(headers)) kept.delete('set-cookie')
  kept.set('date', new Date(nowMs).toUTCString())
  return [...kept]
}

/** The length that a response's headers announce; of one that is sent encoded, it is of no use. */
function announcedBytes(headers: Headers): number | undefined {
  const text = headers.get('content-length') ?? ''
  return /^\d{1,15}$/.test(text) && !headers.has('content-encoding') ? Number(text) : undefined
}

/**
 * How a body is announced to be encoded. Functions read and write in plain what is announced as gzip, and it is sent
 * as announced. What they have compressed themselves begins as gzip does.
 */
function encodingOf(headers: Headers): string | undefined {
  return headers.get('content-encoding')?.trim().toLowerCase()
}

const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

async function compressIfPlain(body: ReadableStream<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const reader = body.getReader()
  const { value } = await reader.read()
  reader.releaseLock()
  const first = value ?? new Uint8Array()
  const whole = prepend(first, body)
  return isGzip(first) ? whole : whole.pipeThrough(new CompressionStream('gzip'))
}

async function compress(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const compressed = new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))
  return new Uint8Array(await new Response(compressed).arrayBuffer())
}

async function readStart(
  body: ReadableStream<Uint8Array> | null,
  maxBytes: number,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; isWhole: boolean }> {
  const chunks: Uint8Array[] = []
  let seen = 0
  for await (const chunk of body ?? []) {
    chunks.push(chunk)
    seen += chunk.byteLength
    if (seen > maxBytes) return { bytes: concat(chunks), isWhole: false }
  }
  return { bytes: concat(chunks), isWhole: true }
}

const LEFT_OUT = [
  'age',
  'cf-cache-status',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]
/** What the facade collects, and its last chunk. */
const SHORT_BYTES = 4 * 1024 * 1024
/** The longest value of the store. */
const MAX_BYTES = LIMITS.kvValueBytes
