import type { Migration } from '../../src/registry/schema.ts'
import { NOTIFICATIONS_SCHEMA } from './notifications.ts'
import { SETTINGS_SCHEMA } from './settings.ts'
import type { Checksums, HttpMetadata, ObjectInfo, ReadRange } from './types.ts'

/** The rows of `Bucket`; times are milliseconds since the epoch. `README.md` lists the columns. */
export const BUCKET_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE objects (
     key TEXT PRIMARY KEY, version TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
     uploaded_ms INTEGER NOT NULL, checksums TEXT NOT NULL, http TEXT NOT NULL, custom TEXT NOT NULL,
     storage_class TEXT NOT NULL, blob TEXT
   );
   CREATE TABLE pieces (
     version TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL, blob TEXT NOT NULL,
     PRIMARY KEY (version, start)
   ) WITHOUT ROWID;
   CREATE TABLE uploads (
     id TEXT PRIMARY KEY, key TEXT NOT NULL, http TEXT NOT NULL, custom TEXT NOT NULL,
     storage_class TEXT NOT NULL, created_ms INTEGER NOT NULL, has_ended INTEGER NOT NULL DEFAULT 0
   );
   CREATE INDEX uploads_created ON uploads (created_ms);
   CREATE TABLE parts (
     upload TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, md5 TEXT NOT NULL, blob TEXT,
     PRIMARY KEY (upload, number)
   ) WITHOUT ROWID;
   CREATE TABLE pending (blob TEXT PRIMARY KEY, touched_ms INTEGER NOT NULL) WITHOUT ROWID;
   CREATE TABLE garbage (
     blob TEXT PRIMARY KEY, due_ms INTEGER NOT NULL, was_cut_off INTEGER NOT NULL
   ) WITHOUT ROWID;
   CREATE INDEX garbage_due ON garbage (due_ms);
   CREATE TABLE totals (objects INTEGER NOT NULL, bytes INTEGER NOT NULL, is_closed INTEGER NOT NULL);
   INSERT INTO totals VALUES (0, 0, 0);
   ${SETTINGS_SCHEMA};
   ${NOTIFICATIONS_SCHEMA}`,
]

/** An object's row. */
export type ObjectRow = {
  key: string
  version: string
  size: number
  etag: string
  uploaded_ms: number
  checksums: string
  http: string
  custom: string
  storage_class: string
  /** `null`: the bytes are pieces, or there are none. */
  blob: string | null
}

/** A part of an upload. */
export type PartRow = { number: number; size: number; md5: string; blob: string | null }

/** Bytes of one blob. */
export interface Piece {
  readonly blob: string
  readonly offset: number
  readonly length: number
  /** All of the blob is wanted. */
  readonly isWhole: boolean
}

export function toInfo(row: ObjectRow): ObjectInfo {
  return {
    key: row.key,
    version: row.version,
    size: row.size,
    etag: row.etag,
    uploaded: row.uploaded_ms,
    checksums: JSON.parse(row.checksums) as Checksums,
    httpMetadata: JSON.parse(row.http) as HttpMetadata,
    customMetadata: JSON.parse(row.custom) as Record<string, string>,
    storageClass: row.storage_class,
  }
}

export function findObject(sql: SqlStorage, key: string): ObjectRow | undefined {
  return sql.exec<ObjectRow>('SELECT * FROM objects WHERE key = ?', key).toArray()[0]
}

/** The blobs, and what of them, that hold a range of an object. */
export function findPieces(sql: SqlStorage, row: ObjectRow, { offset, length }: ReadRange): Piece[] {
  if (length === 0) return []
  if (row.blob !== null) return [{ blob: row.blob, offset, length, isWhole: length === row.size }]
  const end = offset + length
  return sql
    .exec<{ start: number; size: number; blob: string }>(
      // The piece before the range's first byte begins at most the largest part before it.
      'SELECT start, size, blob FROM pieces WHERE version = ? AND start < ? AND start + size > ? ORDER BY start',
      row.version,
      end,
      offset,
    )
    .toArray()
    .map(({ start, size, blob }) => {
      const from = Math.max(offset - start, 0)
      const to = Math.min(end - start, size)
      return { blob, offset: from, length: to - from, isWhole: to - from === size }
    })
}

/** Writes an object in the place of the one that is there, whose blobs are the caller's to throw away. */
export function putObject(sql: SqlStorage, row: ObjectRow, previous: ObjectRow | undefined): void {
  sql.exec(
    'INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    row.key,
    row.version,
    row.size,
    row.etag,
    row.uploaded_ms,
    row.checksums,
    row.http,
    row.custom,
    row.storage_class,
    row.blob,
  )
  addToTotals(sql, previous ? 0 : 1, row.size - (previous?.size ?? 0))
}

export function deleteObject(sql: SqlStorage, row: ObjectRow): void {
  sql.exec('DELETE FROM objects WHERE key = ?', row.key)
  addToTotals(sql, -1, -row.size)
}

function addToTotals(sql: SqlStorage, objects: number, bytes: number): void {
  sql.exec('UPDATE totals SET objects = objects + ?, bytes = bytes + ?', objects, bytes)
}

export function readTotals(sql: SqlStorage): { objects: number; bytes: number; is_closed: number } {
  return sql.exec<{ objects: number; bytes: number; is_closed: number }>('SELECT * FROM totals').one()
}
