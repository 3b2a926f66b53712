import { CONTENT_TYPES, type ContentType } from '../../src/core/queue.ts'
import type { LeasedMessage, MessageRow } from './messages.ts'
import { decodeV8 } from './v8-decode.ts'

/** A message as it is pulled, in the form of Cloudflare's API. */
export interface PulledMessage {
  readonly id: string
  /** Text as it is; base64 of everything else, JSON too. */
  readonly body: string
  readonly attempts: number
  readonly timestamp_ms: number
  readonly lease_id: string
  readonly metadata: { readonly 'CF-Content-Type': ContentType; readonly 'CF-sourceMessageSource': string }
}

/** A message as it is shown to people. */
export interface PeekedMessage {
  readonly id: string
  readonly content_type: ContentType
  /** JSON and text as they are, `v8` as far as JSON can show it, bytes as base64. */
  readonly body: unknown
  readonly bytes: number
  readonly attempts: number
  readonly timestamp_ms: number
  /** `waiting`, `delayed` until `visible_ms`, or `leased`. */
  readonly state: 'waiting' | 'delayed' | 'leased'
  readonly visible_ms: number
  /** The queue it died in. */
  readonly source: string | null
}

/** A lease, as its text says. */
export interface LeaseRef {
  readonly seq: number
  readonly lease: number
  readonly attempts: number
}

export function toPulled(message: LeasedMessage, lease: number): PulledMessage {
  const { seq, id, type, body, attempts, timestampMs } = message
  return {
    id,
    body: type === 'text' ? new TextDecoder().decode(body) : body.toBase64(),
    attempts,
    timestamp_ms: timestampMs,
    lease_id: btoa(JSON.stringify([seq, lease, attempts])),
    metadata: { 'CF-Content-Type': type, 'CF-sourceMessageSource': 'worker' },
  }
}

/** What a lease's text says; `undefined` if it is none. Whoever makes one up can delete the queue as well. */
export function readLeaseId(text: string): LeaseRef | undefined {
  try {
    const [seq, lease, attempts] = JSON.parse(atob(text)) as unknown[]
    if (Number.isInteger(seq) && Number.isInteger(lease) && Number.isInteger(attempts)) {
      return { seq, lease, attempts } as LeaseRef
    }
  } catch {
    // Not ours.
  }
  return undefined
}

export function toPeeked(row: MessageRow, nowMs: number): PeekedMessage {
  const type = CONTENT_TYPES[row.type] ?? 'bytes'
  const isOut = row.visible_ms > nowMs
  return {
    id: row.id,
    content_type: type,
    body: toShown(type, new Uint8Array(row.body)),
    bytes: row.body.byteLength,
    attempts: row.attempts,
    timestamp_ms: row.sent_ms,
    state: isOut ? (row.lease === 0 ? 'delayed' : 'leased') : 'waiting',
    visible_ms: row.visible_ms,
    source: row.source,
  }
}

function toShown(type: ContentType, body: Uint8Array): unknown {
  try {
    if (type === 'text') return new TextDecoder().decode(body)
    if (type === 'json') return JSON.parse(new TextDecoder().decode(body))
    if (type === 'v8') return JSON.parse(JSON.stringify(decodeV8(body)) ?? 'null')
  } catch {
    // Such as a BigInt, which JSON has no form for.
  }
  return body.toBase64()
}
