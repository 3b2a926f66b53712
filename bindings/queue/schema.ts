import { CONTENT_TYPES, type QueueMessage } from '../../src/core/queue.ts'
import type { Migration } from '../../src/registry/schema.ts'
import type { NewMessage } from './producer.ts'

/** The rows of `Queue`; times are milliseconds since the epoch. `README.md` lists the columns. */
export const QUEUE_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE messages (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, type INTEGER NOT NULL,
     sent_ms INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, visible_ms INTEGER NOT NULL,
     attempts INTEGER NOT NULL DEFAULT 0, lease INTEGER NOT NULL DEFAULT 0, source TEXT, body BLOB NOT NULL
   );
   CREATE INDEX messages_visible ON messages (visible_ms);
   CREATE TABLE letters (
     number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, id TEXT NOT NULL, type INTEGER NOT NULL,
     sent_ms INTEGER NOT NULL, dead_ms INTEGER NOT NULL, source TEXT, body BLOB NOT NULL
   );
   CREATE TABLE received (source TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;`,
]

/** A message that is out with a consumer. */
export interface LeasedRow extends Omit<QueueMessage, 'attempts'> {
  readonly seq: number
  /** This delivery counted. */
  readonly attempts: number
}

/** A message on its way to another queue. */
export interface Letter {
  readonly number: number
  /** The other queue's name. */
  readonly target: string
  readonly id: string
  readonly type: number
  readonly sentMs: number
  /** The queue it died in; `null` for one that is sent back to it. */
  readonly source: string | null
  readonly body: ArrayBuffer
}

export function insertMessage(
  sql: SqlStorage,
  { type, body }: NewMessage,
  id: string,
  nowMs: number,
  visibleMs: number,
): void {
  sql.exec(
    'INSERT INTO messages (id, type, sent_ms, arrived_ms, visible_ms, body) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    CONTENT_TYPES.indexOf(type),
    nowMs,
    nowMs,
    visibleMs,
    body,
  )
}

/** When the first messages that can be delivered became so, and how often they were; at most `limit`. */
export function readHeads(sql: SqlStorage, nowMs: number, limit: number): { at: number; attempts: number }[] {
  return rows(
    sql.exec(
      'SELECT visible_ms AS at, attempts FROM messages WHERE visible_ms <= ? ORDER BY visible_ms, seq LIMIT ?',
      nowMs,
      limit,
    ),
  )
}

/** When the next message becomes deliverable that isn't yet. */
export function nextVisible(sql: SqlStorage, nowMs: number): number | undefined {
  const [row] = rows<{ at: number }>(
    sql.exec('SELECT visible_ms AS at FROM messages WHERE visible_ms > ? ORDER BY visible_ms LIMIT 1', nowMs),
  )
  return row?.at
}

/** Takes the first messages out under a lease: nobody else gets them until then. Counts the attempt. */
export function leaseMessages(
  sql: SqlStorage,
  lease: number,
  nowMs: number,
  untilMs: number,
  limit: number,
): LeasedRow[] {
  const leased = rows<Record<string, number | string | ArrayBuffer>>(
    sql.exec(
      `UPDATE messages SET lease = ?, visible_ms = ?, attempts = attempts + 1
       WHERE seq IN (SELECT seq FROM messages WHERE visible_ms <= ? ORDER BY visible_ms, seq LIMIT ?)
       RETURNING seq, id, type, sent_ms, attempts, body`,
      lease,
      untilMs,
      nowMs,
      limit,
    ),
  )
  return leased
    .map(row => ({
      seq: row.seq as number,
      id: row.id as string,
      timestampMs: row.sent_ms as number,
      attempts: row.attempts as number,
      type: CONTENT_TYPES[row.type as number] ?? 'bytes',
      body: new Uint8Array(row.body as ArrayBuffer),
    }))
    .sort((a, b) => a.seq - b.seq)
}

/** Deletes messages; with a lease, those only that are still under it. */
export function deleteMessages(sql: SqlStorage, seqs: readonly number[], lease?: number): number[] {
  const under = lease === undefined ? '' : 'AND lease = ?'
  const bindings = lease === undefined ? [] : [lease]
  return rows<{ size: number }>(
    sql.exec(
      `DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?)) ${under} RETURNING length(body) AS size`,
      JSON.stringify(seqs),
      ...bindings,
    ),
  ).map(({ size }) => size)
}

/** Puts messages back that are still under a lease; `uncounted` takes the attempt back, and their old place. */
export function returnMessages(
  sql: SqlStorage,
  seqs: readonly number[],
  lease: number,
  back: { readonly visibleMs: number } | 'uncounted',
): number {
  const change = back === 'uncounted' ? 'visible_ms = arrived_ms, attempts = attempts - 1' : 'visible_ms = ?'
  const bindings = back === 'uncounted' ? [] : [back.visibleMs]
  return rows(
    sql.exec(
      `UPDATE messages SET lease = 0, ${change}
       WHERE lease = ? AND seq IN (SELECT value FROM json_each(?)) RETURNING seq`,
      ...bindings,
      lease,
      JSON.stringify(seqs),
    ),
  ).length
}

/** Ends the leases of a process that is gone: its batches are delivered again, first of all. Pull leases stay. */
export function endPushLeases(sql: SqlStorage, nowMs: number): void {
  sql.exec('UPDATE messages SET lease = 0, visible_ms = arrived_ms WHERE visible_ms > ? AND lease > 0', nowMs)
}

/** Messages become letters to another queue. @returns their sizes */
export function writeLetters(
  sql: SqlStorage,
  seqs: readonly number[],
  target: string | null,
  source: string | null,
  nowMs: number,
): number[] {
  sql.exec(
    `INSERT INTO letters (target, id, type, sent_ms, dead_ms, source, body)
     SELECT coalesce(?, source), id, type, sent_ms, ?, ?, body FROM messages
     WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`,
    target,
    nowMs,
    source,
    JSON.stringify(seqs),
  )
  return deleteMessages(sql, seqs)
}

/** The oldest letters, all to one queue; none to those left out. */
export function readLetters(sql: SqlStorage, limit: number, leftOut: readonly string[]): Letter[] {
  return rows(
    sql.exec(
      `SELECT number, target, id, type, sent_ms AS sentMs, source, body FROM letters WHERE target =
         (SELECT target FROM letters WHERE target NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT 1)
       ORDER BY number LIMIT ?`,
      JSON.stringify(leftOut),
      limit,
    ),
  )
}

export function hasLetters(sql: SqlStorage): boolean {
  return sql.exec('SELECT 1 FROM letters LIMIT 1').toArray().length > 0
}

export function countLetters(sql: SqlStorage): number {
  return sql.exec<{ n: number }>('SELECT count(*) AS n FROM letters').one().n
}

/** The other queue has them. */
export function deleteLetters(sql: SqlStorage, letters: readonly Letter[]): void {
  const numbers = JSON.stringify(letters.map(({ number }) => number))
  sql.exec('DELETE FROM letters WHERE number IN (SELECT value FROM json_each(?))', numbers)
}

/** Takes letters in that haven't come yet: a sender that doesn't know whether they did sends them again. */
export function receiveLetters(
  sql: SqlStorage,
  from: string,
  letters: readonly Letter[],
  nowMs: number,
): number[] {
  const [last] = rows<{ number: number }>(sql.exec('SELECT number FROM received WHERE source = ?', from))
  const fresh = letters.filter(({ number }) => number > (last?.number ?? 0))
  for (const { id, type, sentMs, source, body } of fresh) {
    sql.exec(
      'INSERT INTO messages (id, type, sent_ms, arrived_ms, visible_ms, source, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
      id,
      type,
      sentMs,
      nowMs,
      nowMs,
      source,
      body,
    )
  }
  const newest = fresh.at(-1)
  if (newest) sql.exec('INSERT OR REPLACE INTO received VALUES (?, ?)', from, newest.number)
  return fresh.map(({ body }) => body.byteLength)
}

/** When the oldest message came here, and when it was sent. */
export function readOldest(sql: SqlStorage): { arrivedMs: number; sentMs: number } | undefined {
  return rows<{ arrivedMs: number; sentMs: number }>(
    sql.exec('SELECT arrived_ms AS arrivedMs, sent_ms AS sentMs FROM messages ORDER BY seq LIMIT 1'),
  )[0]
}

/** Deletes messages that came before then, at most 10,000 of them. @returns their sizes */
export function expireMessages(sql: SqlStorage, beforeMs: number): number[] {
  return rows<{ size: number }>(
    sql.exec(
      `DELETE FROM messages WHERE seq IN (SELECT seq FROM messages ORDER BY seq LIMIT 10000)
       AND arrived_ms <= ? RETURNING length(body) AS size`,
      beforeMs,
    ),
  ).map(({ size }) => size)
}

/** A message as it waits, for people. */
export interface PeekedRow {
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

/** The oldest messages, those under way included. */
export function peekMessages(sql: SqlStorage, limit: number): PeekedRow[] {
  return rows(
    sql.exec(
      `SELECT seq, id, type, sent_ms, visible_ms, attempts, lease, source, body FROM messages
       ORDER BY seq LIMIT ?`,
      limit,
    ),
  )
}

/** Messages that wait and that came from another queue, or all that wait. */
export function waitingSeqs(sql: SqlStorage, nowMs: number, onlyLetters: boolean, limit: number): number[] {
  return rows<{ seq: number }>(
    sql.exec(
      `SELECT seq FROM messages WHERE visible_ms <= ? ${onlyLetters ? 'AND source IS NOT NULL' : ''}
       ORDER BY seq LIMIT ?`,
      nowMs,
      limit,
    ),
  ).map(({ seq }) => seq)
}

/** How much there is: read once, at the start. */
export function measure(sql: SqlStorage): { count: number; bytes: number } {
  return sql
    .exec<{ count: number; bytes: number }>(
      'SELECT count(*) AS count, coalesce(sum(length(body)), 0) AS bytes FROM messages',
    )
    .one()
}

export function rows<T>(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): T[] {
  return cursor.toArray() as T[]
}
