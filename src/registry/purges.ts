import type { Purge, PurgeTarget } from '../core/gateway.ts'

/** What caches were asked to forget; its sequence never goes back, as stored responses are compared with it. */
export const PURGES_SCHEMA = `
  CREATE TABLE purges (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, value TEXT NOT NULL,
    at_ms INTEGER NOT NULL, revision INTEGER NOT NULL
  );
  CREATE INDEX purges_revision ON purges (revision)`

/**
 * Writes purges down, and drops those that nothing can be about any more: the shared store keeps no response for longer
 * than a day. Too many of them, and a purge of everything takes their place.
 */
export function insertPurges(
  sql: SqlStorage,
  targets: readonly PurgeTarget[],
  revision: number,
  nowMs: number,
): void {
  sql.exec('DELETE FROM purges WHERE at_ms < ?', nowMs - KEPT_MS)
  const { count } = sql.exec<{ count: number }>('SELECT count(*) AS count FROM purges').one()
  const isTooMuch = count + targets.length > MAX_PURGES
  if (isTooMuch || targets.some(({ kind }) => kind === 'everything')) {
    // It is about all that the ones before it were about.
    sql.exec('DELETE FROM purges')
    insert(sql, { kind: 'everything' }, revision, nowMs)
    return
  }
  for (const target of targets) insert(sql, target, revision, nowMs)
}

/** Purges that came after a revision, in order. */
export function listPurgesSince(sql: SqlStorage, revision: number): Purge[] {
  return sql
    .exec<Row>('SELECT * FROM purges WHERE revision > ? ORDER BY sequence', revision)
    .toArray()
    .map(({ sequence, kind, value, at_ms: atMs }) =>
      kind === 'everything' ? { sequence, atMs, kind } : { sequence, atMs, kind, value },
    )
}

function insert(sql: SqlStorage, target: PurgeTarget, revision: number, nowMs: number): void {
  const value = target.kind === 'everything' ? '' : target.value
  sql.exec(
    'INSERT INTO purges (kind, value, at_ms, revision) VALUES (?, ?, ?, ?)',
    target.kind,
    value,
    nowMs,
    revision,
  )
}

type Row = { sequence: number; kind: PurgeTarget['kind']; value: string; at_ms: number; revision: number }

/** A day, and an hour for those whose clocks differ. */
const KEPT_MS = 25 * 3_600_000
const MAX_PURGES = 10_000
