import { toMultipartEtag } from './checksums.ts'
import type { ProblemName } from './failures.ts'
import { discard } from './garbage.ts'
import { MAX_OBJECT_BYTES, MIN_PART_BYTES } from './limits.ts'
import type { PartRow } from './schema.ts'
import type { UploadedPart } from './types.ts'

/** An upload in parts. */
export type UploadRow = {
  id: string
  key: string
  http: string
  custom: string
  storage_class: string
  created_ms: number
  /** 1: completed or thrown away; kept for a while, to say so. */
  has_ended: number
}

export function findUpload(sql: SqlStorage, key: string, id: string): UploadRow | undefined {
  return sql.exec<UploadRow>('SELECT * FROM uploads WHERE id = ? AND key = ?', id, key).toArray()[0]
}

/** The parts that make an object, in their order, or why they can't: as R2 checks them. */
export function chooseParts(
  sql: SqlStorage,
  uploadId: string,
  wanted: readonly UploadedPart[],
): PartRow[] | ProblemName {
  const numbers = new Set(wanted.map(({ partNumber }) => partNumber))
  if (numbers.size < wanted.length) return 'internal'
  const uploaded = listParts(sql, uploadId)
  const parts: PartRow[] = []
  for (const { partNumber, etag } of wanted) {
    const part = uploaded.get(partNumber)
    if (!part || part.md5 !== etag) return 'invalid-part'
    parts.push(part)
  }
  if (parts.slice(0, -1).some(({ size }) => size < MIN_PART_BYTES)) return 'too-small'
  parts.sort((a, b) => a.number - b.number)
  const [first] = parts
  const last = parts.at(-1)
  // All but the last are of one size, and the last is no larger.
  if (parts.slice(0, -1).some(({ size }) => size !== first?.size)) return 'bad-upload'
  if (first && last && last.size > first.size) return 'bad-upload'
  return sizeOf(parts) > MAX_OBJECT_BYTES ? 'too-large' : parts
}

/** Bytes of parts together. */
export function sizeOf(parts: readonly PartRow[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}

export function etagOf(parts: readonly PartRow[]): Promise<string> {
  return toMultipartEtag(parts.map(({ md5 }) => md5))
}

/** Ends an upload: the chosen parts become the pieces of an object's version, the others garbage. */
export function endUpload(
  sql: SqlStorage,
  uploadId: string,
  chosen: readonly PartRow[],
  version: string,
  nowMs: number,
): void {
  const kept = new Set(chosen.map(({ number }) => number))
  let start = 0
  for (const { size, blob } of chosen) {
    if (blob === null) continue
    sql.exec('INSERT INTO pieces VALUES (?, ?, ?, ?)', version, start, size, blob)
    start += size
  }
  for (const { number, blob } of listParts(sql, uploadId).values()) {
    if (!kept.has(number) && blob !== null) discard(sql, blob, nowMs)
  }
  sql.exec('DELETE FROM parts WHERE upload = ?', uploadId)
  sql.exec('UPDATE uploads SET has_ended = 1 WHERE id = ?', uploadId)
}

function listParts(sql: SqlStorage, uploadId: string): Map<number, PartRow> {
  const rows = sql.exec<PartRow>('SELECT number, size, md5, blob FROM parts WHERE upload = ?', uploadId)
  return new Map(rows.toArray().map(row => [row.number, row]))
}
