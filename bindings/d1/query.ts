import { LIMITS } from '../../src/core/limits.ts'
import type { Query, QueryAnswer } from './protocol.ts'
import { trimSql } from './statements.ts'

/**
 * Runs statements in one transaction: all of them, or none. Those that are only comments are left out.
 *
 * @throws Error in SQLite's words, as D1 has them; without statements `No SQL statements detected.`
 */
export function runQueries(storage: DurableObjectStorage, queries: readonly Query[]): QueryAnswer[] {
  const wanted = queries.map(query => ({ ...query, sql: trimSql(query.sql) })).filter(({ sql }) => sql !== '')
  if (wanted.length === 0) throw new Error('No SQL statements detected.')
  return storage.transactionSync(() => {
    const budget = { bytes: 0 }
    let before = readCounters(storage.sql)
    return wanted.map(query => {
      const { answer, after } = runQuery(storage.sql, query, before, budget)
      before = after
      return answer
    })
  })
}

/** What SQLite counts on a connection. */
interface Counters {
  readonly changes: number
  readonly lastRowId: number
  readonly bytes: number
}

function runQuery(
  sql: SqlStorage,
  query: Query,
  before: Counters,
  budget: { bytes: number },
): { answer: QueryAnswer; after: Counters } {
  const startedAt = performance.now()
  const cursor = sql.exec(query.sql, ...(query.params ?? []).map(toSqlValue))
  const rows: unknown[][] = []
  for (const row of cursor.raw()) {
    budget.bytes += sizeOf(row)
    if (budget.bytes > LIMITS.d1ResultBytes) throw new Error(TOO_MUCH)
    rows.push(row.map(toJsonValue))
  }
  const duration = performance.now() - startedAt
  const after = readCounters(sql)
  const changes = after.changes - before.changes
  const meta = {
    served_by: 'skerry',
    served_by_primary: true,
    total_attempts: 1,
    timings: { sql_duration_ms: duration },
    duration,
    changes,
    last_row_id: after.lastRowId,
    changed_db: changes !== 0 || after.lastRowId !== before.lastRowId || after.bytes !== before.bytes,
    size_after: after.bytes,
    rows_read: cursor.rowsRead,
    rows_written: cursor.rowsWritten,
  } as const
  return { answer: { columns: cursor.columnNames, rows, meta }, after }
}

function readCounters(sql: SqlStorage): Counters {
  const [changes, lastRowId] = sql.exec('SELECT total_changes(), last_insert_rowid()').raw().next().value as [
    number,
    number,
  ]
  return { changes, lastRowId, bytes: sql.databaseSize }
}

function toSqlValue(value: unknown): SqlStorageValue {
  if (Array.isArray(value)) return new Uint8Array(value).buffer
  // The API takes them; the client class has made them numbers.
  return typeof value === 'boolean' ? Number(value) : (value as SqlStorageValue)
}

function toJsonValue(value: SqlStorageValue): unknown {
  return value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value
}

/** About what a row takes as JSON. */
function sizeOf(row: readonly SqlStorageValue[]): number {
  let bytes = 2
  for (const value of row) {
    if (typeof value === 'string') bytes += value.length + 3
    else bytes += value instanceof ArrayBuffer ? 4 * value.byteLength + 3 : 9
  }
  return bytes
}

const TOO_MUCH = `The result has more than ${LIMITS.d1ResultBytes} bytes. Ask for fewer rows at a time, with LIMIT.`
