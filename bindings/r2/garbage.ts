import type { BlobStore } from './blobs.ts'
import { LARGE_BYTES } from './limits.ts'
import type { ObjectRow } from './schema.ts'

/** How long a writer isn't heard of until what it wrote is thrown away; it says so each minute. */
const PENDING_MS = 15 * 60_000
/** How long the bytes of an object that is gone stay if whoever reads it opens them one after the other. */
const GRACE_MS = 10 * 60_000
/** Blobs deleted at once. */
const PARALLEL_DELETES = 50

/** Notes a blob that is about to be written. @returns when it is thrown away if its writer isn't heard of */
export function addPending(sql: SqlStorage, blob: string, nowMs: number): number {
  sql.exec('INSERT INTO pending VALUES (?, ?)', blob, nowMs)
  return nowMs + PENDING_MS
}

/** A blob is still being written. */
export function touchPending(sql: SqlStorage, blob: string, nowMs: number): void {
  sql.exec('UPDATE pending SET touched_ms = ? WHERE blob = ?', nowMs, blob)
}

/** A blob isn't pending any more: it got an owner, or will have none. @returns whether it was */
export function takePending(sql: SqlStorage, blob: string): boolean {
  return sql.exec('DELETE FROM pending WHERE blob = ? RETURNING blob', blob).toArray().length > 0
}

/** Leaves what writers wrote that aren't heard of any more to be deleted. */
export function discardSilent(sql: SqlStorage, nowMs: number): void {
  const silent = 'DELETE FROM pending WHERE touched_ms <= ? RETURNING blob'
  const lost = sql.exec<{ blob: string }>(silent, nowMs - PENDING_MS).toArray()
  for (const { blob } of lost) discard(sql, blob, nowMs, true)
}

/** Leaves an object's bytes to be deleted. */
export function discardBytes(sql: SqlStorage, { version, blob, size }: ObjectRow, nowMs: number): void {
  if (blob !== null) discard(sql, blob, size > LARGE_BYTES ? nowMs + GRACE_MS : nowMs)
  const remove = 'DELETE FROM pieces WHERE version = ? RETURNING blob'
  for (const piece of sql.exec<{ blob: string }>(remove, version).toArray()) {
    discard(sql, piece.blob, nowMs + GRACE_MS)
  }
}

/** Leaves blobs to be deleted: at `dueMs` at the earliest. `wasCutOff`: its writer may have left half of it. */
export function discard(sql: SqlStorage, blob: string, dueMs: number, wasCutOff = false): void {
  sql.exec('INSERT OR IGNORE INTO garbage VALUES (?, ?, ?)', blob, dueMs, wasCutOff ? 1 : 0)
}

/** Deletes the blobs that are due. */
export async function collect(sql: SqlStorage, store: BlobStore): Promise<void> {
  for (;;) {
    const select = 'SELECT blob, was_cut_off FROM garbage WHERE due_ms <= ? LIMIT ?'
    const due = sql
      .exec<{ blob: string; was_cut_off: number }>(select, Date.now(), PARALLEL_DELETES)
      .toArray()
    if (due.length === 0) return
    await Promise.all(due.map(({ blob, was_cut_off }) => store.remove(blob, was_cut_off === 1)))
    for (const { blob } of due) sql.exec('DELETE FROM garbage WHERE blob = ?', blob)
  }
}

/** When a pending blob or one to be deleted is to be looked after; `undefined` = there is none. */
export function nextSweep(sql: SqlStorage): number | undefined {
  const touched = 'SELECT min(touched_ms) AS at FROM pending'
  const pending = sql.exec<{ at: number | null }>(touched).one().at
  const times = [pending === null ? undefined : pending + PENDING_MS, nextDue(sql)]
  const known = times.filter(time => time !== undefined)
  return known.length > 0 ? Math.min(...known) : undefined
}

/** When the next blob is to be deleted, if one is. */
export function nextDue(sql: SqlStorage): number | undefined {
  return sql.exec<{ at: number | null }>('SELECT min(due_ms) AS at FROM garbage').one().at ?? undefined
}
