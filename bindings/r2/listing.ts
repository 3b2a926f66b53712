import { fromCursor, later, type Position, successor, toCursor } from './cursor.ts'
import type { Refused } from './failures.ts'
import { MAX_LIST_KEYS, MAX_LIST_KEYS_WITH_METADATA } from './limits.ts'
import { type ObjectRow, toInfo } from './schema.ts'
import type { ListOptions, ObjectInfo, ObjectList } from './types.ts'

/**
 * One page of a bucket's objects.
 *
 * Keys that go on after the delimiter are one entry, which ends with it; however many they are, they are skipped
 * by one look into the index.
 */
export function listObjects(sql: SqlStorage, options: ListOptions): ObjectList | Refused {
  const { prefix = '', delimiter, include = [], limit: wanted = MAX_LIST_KEYS } = options
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > MAX_LIST_KEYS) return { refused: 'max-keys' }
  const cursor = options.cursor === undefined ? undefined : fromCursor(options.cursor)
  if (options.cursor !== undefined && !cursor) return { refused: 'argument' }
  const limit = include.length > 0 ? Math.min(wanted, MAX_LIST_KEYS_WITH_METADATA) : wanted
  const startAfter =
    options.startAfter === undefined ? undefined : { text: options.startAfter, isAfter: true }

  const objects: ObjectInfo[] = []
  const delimitedPrefixes: string[] = []
  const end = successor(prefix)
  let position: Position | undefined = later({ text: prefix, isAfter: false }, later(cursor, startAfter))
  while (position) {
    const batch: number = delimiter ? FOLDER_BATCH : limit + 1 - objects.length
    const rows = selectFrom(sql, position, end, batch)
    for (const row of rows) {
      const last = delimitedPrefixes.at(-1)
      if (delimiter && last !== undefined && row.key.startsWith(last)) continue
      if (objects.length + delimitedPrefixes.length === limit) {
        return {
          objects,
          delimitedPrefixes,
          truncated: true,
          ...(position && { cursor: toCursor(position) }),
        }
      }
      const cut = delimiter ? row.key.indexOf(delimiter, prefix.length) : -1
      if (delimiter && cut >= 0) {
        const folder = row.key.slice(0, cut + delimiter.length)
        delimitedPrefixes.push(folder)
        const next = successor(folder)
        position = next === undefined ? undefined : { text: next, isAfter: false }
      } else {
        objects.push(select(toInfo(row), include))
        position = { text: row.key, isAfter: true }
      }
    }
    if (rows.length < batch) break
  }
  return { objects, delimitedPrefixes, truncated: false }
}

/** Rows read at once where most may belong to one folder. */
const FOLDER_BATCH = 50

function selectFrom(
  sql: SqlStorage,
  { text, isAfter }: Position,
  end: string | undefined,
  limit: number,
): ObjectRow[] {
  const from = `key ${isAfter ? '>' : '>='} ?`
  const order = 'ORDER BY key LIMIT ?'
  return end === undefined
    ? sql.exec<ObjectRow>(`SELECT * FROM objects WHERE ${from} ${order}`, text, limit).toArray()
    : sql
        .exec<ObjectRow>(`SELECT * FROM objects WHERE ${from} AND key < ? ${order}`, text, end, limit)
        .toArray()
}

function select(object: ObjectInfo, include: NonNullable<ListOptions['include']>): ObjectInfo {
  return {
    ...object,
    httpMetadata: include.includes('httpMetadata') ? object.httpMetadata : {},
    customMetadata: include.includes('customMetadata') ? object.customMetadata : {},
  }
}
