import { CONTENT_TYPES, type QueueMessage } from '../../src/core/queue.ts'
import type { Heads } from './plan.ts'
import { rows } from './schema.ts'

/** A message as it comes to a queue: new, or from another one. */
export interface ArrivingMessage {
  readonly id: string
  /** The index of its content type. */
  readonly type: number
  readonly sentMs: number
  /** The queue it died in; `null` = it is new, or sent back to be tried anew. */
  readonly source: string | null
  readonly body: Uint8Array | ArrayBuffer
}

/** A message that is out with a consumer; this delivery counts in `attempts`. */
export interface LeasedMessage extends QueueMessage {
  readonly seq: number
}

/** A message as it is stored. */
export interface MessageRow {
  readonly seq: number
  readonly id: string
  readonly type: number
  readonly sent_ms: number
  readonly visible_ms: number
  readonly attempts: number
  readonly lease: number
  readonly source: string | null
  readonly body: ArrayBuffer
}

/** The messages of a queue, on disk, and how much there is of them. */
export class Messages {
  readonly #sql: SqlStorage
  #count = 0
  #bytes = 0
  #sweptMs = 0

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.measure()
  }

  /** All, those under way included. */
  get count(): number {
    return this.#count
  }

  /** Of all bodies. */
  get bytes(): number {
    return this.#bytes
  }

  /** Reads from the disk how much there is. */
  measure(): void {
    const all = 'SELECT count(*) AS count, coalesce(sum(length(body)), 0) AS bytes FROM messages'
    const { count, bytes } = this.#sql.exec<{ count: number; bytes: number }>(all).one()
    this.#count = count
    this.#bytes = bytes
  }

  insert({ id, type, sentMs, source, body }: ArrivingMessage, nowMs: number, visibleMs: number): void {
    this.#sql.exec(
      'INSERT INTO messages (id, type, sent_ms, arrived_ms, visible_ms, source, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
      ...[id, type, sentMs, nowMs, visibleMs, source, body],
    )
    this.#count++
    this.#bytes += body.byteLength
  }

  /** The first messages that can be delivered, at most `limit`. */
  heads(nowMs: number, limit: number): Heads {
    return rows(
      this.#sql.exec(
        'SELECT visible_ms AS at, attempts FROM messages WHERE visible_ms <= ? ORDER BY visible_ms, seq LIMIT ?',
        ...[nowMs, limit],
      ),
    )
  }

  /** When the next message becomes deliverable that isn't yet. */
  nextVisible(nowMs: number): number | undefined {
    const next = 'SELECT visible_ms AS at FROM messages WHERE visible_ms > ? ORDER BY visible_ms LIMIT 1'
    return rows<{ at: number }>(this.#sql.exec(next, nowMs))[0]?.at
  }

  /** When the oldest message came here, and when it was sent. */
  oldest(): { readonly arrivedMs: number; readonly sentMs: number } | undefined {
    const first = 'SELECT arrived_ms AS arrivedMs, sent_ms AS sentMs FROM messages ORDER BY seq LIMIT 1'
    return rows<{ arrivedMs: number; sentMs: number }>(this.#sql.exec(first))[0]
  }

  /** Takes the first messages out under a lease: nobody else gets them until then. Counts the attempt. */
  lease(lease: number, nowMs: number, untilMs: number, limit: number): LeasedMessage[] {
    const leased = rows<Omit<MessageRow, 'visible_ms' | 'lease' | 'source'>>(
      this.#sql.exec(
        `UPDATE messages SET lease = ?, visible_ms = ?, attempts = attempts + 1
         WHERE seq IN (SELECT seq FROM messages WHERE visible_ms <= ? ORDER BY visible_ms, seq LIMIT ?)
         RETURNING seq, id, type, sent_ms, attempts, body`,
        ...[lease, untilMs, nowMs, limit],
      ),
    )
    return leased
      .map(({ seq, id, type, sent_ms: timestampMs, attempts, body }) => ({
        ...{ seq, id, timestampMs, attempts, body: new Uint8Array(body) },
        type: CONTENT_TYPES[type] ?? 'bytes',
      }))
      .sort((a, b) => a.seq - b.seq)
  }

  hasLease(seq: number, lease: number): boolean {
    const found = this.#sql.exec('SELECT 1 FROM messages WHERE seq = ? AND lease = ?', seq, lease)
    return found.toArray().length > 0
  }

  /** Puts messages back that are still under a lease; `uncounted` takes the attempt back, and their old place. */
  putBack(seqs: readonly number[], lease: number, back: { readonly visibleMs: number } | 'uncounted'): void {
    const isUncounted = back === 'uncounted'
    const change = isUncounted ? 'visible_ms = arrived_ms, attempts = attempts - 1' : 'visible_ms = ?'
    this.#sql.exec(
      `UPDATE messages SET lease = 0, ${change} WHERE lease = ? AND seq IN (SELECT value FROM json_each(?))`,
      ...[...(isUncounted ? [] : [back.visibleMs]), lease, JSON.stringify(seqs)],
    )
  }

  /** Ends the leases of a process that is gone: its batches are delivered again, first of all. Pull leases stay. */
  endPushLeases(nowMs: number): void {
    this.#sql.exec(
      'UPDATE messages SET lease = 0, visible_ms = arrived_ms WHERE visible_ms > ? AND lease > 0',
      nowMs,
    )
  }

  /** Deletes messages; with a lease, those only that are still under it. @returns how many */
  delete(seqs: readonly number[], lease?: number): number {
    const under = lease === undefined ? '' : 'AND lease = ?'
    return this.#delete(
      `seq IN (SELECT value FROM json_each(?)) ${under}`,
      ...[JSON.stringify(seqs), ...(lease === undefined ? [] : [lease])],
    )
  }

  /** Deletes all. @returns how many */
  clear(): number {
    const cleared = this.#count
    this.#sql.exec('DELETE FROM messages')
    this.measure()
    return cleared
  }

  /** When the oldest is too old. */
  nextExpiry(retentionSeconds: number): number | undefined {
    const oldest = this.oldest()
    return oldest && oldest.arrivedMs + retentionSeconds * 1000 + 1
  }

  /** Deletes what is too old: looks once a second, and deletes at most 10,000 at once. */
  sweep(nowMs: number, retentionSeconds: number): void {
    if (nowMs - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = nowMs
    const beforeMs = nowMs - retentionSeconds * 1000
    const oldest = this.oldest()
    if (!oldest || oldest.arrivedMs > beforeMs) return
    const tooOld = 'seq IN (SELECT seq FROM messages ORDER BY seq LIMIT 10000) AND arrived_ms <= ?'
    if (this.#delete(tooOld, beforeMs) > 0) this.#sweptMs = 0
  }

  /** The oldest, those under way included. */
  peek(limit: number): MessageRow[] {
    return rows(
      this.#sql.exec(
        `SELECT seq, id, type, sent_ms, visible_ms, attempts, lease, source, body FROM messages
         ORDER BY seq LIMIT ?`,
        limit,
      ),
    )
  }

  /** The oldest that wait: those that died in another queue, or all. */
  waiting(nowMs: number, onlyLetters: boolean, limit: number): number[] {
    return rows<{ seq: number }>(
      this.#sql.exec(
        `SELECT seq FROM messages WHERE visible_ms <= ? ${onlyLetters ? 'AND source IS NOT NULL' : ''}
         ORDER BY seq LIMIT ?`,
        ...[nowMs, limit],
      ),
    ).map(({ seq }) => seq)
  }

  #delete(where: string, ...values: (string | number)[]): number {
    const deleted = rows<{ size: number }>(
      this.#sql.exec(`DELETE FROM messages WHERE ${where} RETURNING length(body) AS size`, ...values),
    )
    this.#count -= deleted.length
    this.#bytes -= deleted.reduce((sum, { size }) => sum + size, 0)
    return deleted.length
  }
}

const SWEEP_MS = 1000
