import { splitStatements } from './statements.ts'

/** The header by which a session's bookmark goes both ways: the name is the client class's. */
export const BOOKMARK_HEADER = 'x-cf-d1-session-commit-token'

/** A statement and what is bound to it. Blobs are arrays of bytes, as JSON has no other form for them. */
export interface Query {
  readonly sql: string
  readonly params?: readonly unknown[] | null
}

/** What is told of a statement that ran. Names are Cloudflare's. */
export interface QueryMeta {
  readonly served_by: string
  readonly served_by_primary: true
  readonly total_attempts: 1
  readonly timings: { readonly sql_duration_ms: number }
  /** Milliseconds. */
  readonly duration: number
  /** Rows inserted, updated and deleted, by triggers and cascades too. */
  readonly changes: number
  readonly last_row_id: number
  readonly changed_db: boolean
  /** Bytes. */
  readonly size_after: number
  readonly rows_read: number
  readonly rows_written: number
}

/** What a statement gave. */
export interface QueryAnswer {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
  readonly meta: QueryMeta
}

/** How rows are sent: `arrays` as columns and rows, `objects` as one object a row. */
export type RowFormat = 'arrays' | 'objects'

/** An answer in the form of Cloudflare's API and client class. */
export function toResult({ columns, rows, meta }: QueryAnswer, format: RowFormat) {
  const results =
    format === 'arrays'
      ? { columns, rows }
      : rows.map(row => Object.fromEntries(columns.map((column, i) => [column, row[i]])))
  return { results, success: true, meta }
}

/**
 * The queries in a body: one, or an array of them.
 *
 * @throws Error with what is wrong, for clients
 */
export function parseQueries(body: unknown): Query[] {
  return (Array.isArray(body) ? body : [body]).map(item => {
    const { sql, params } = (item ?? {}) as Record<string, unknown>
    if (typeof sql !== 'string') throw new Error('A statement must be a string.')
    if (params !== undefined && params !== null && !Array.isArray(params)) {
      throw new Error('The parameters of a statement must be an array.')
    }
    return { sql, params: (params as unknown[] | null | undefined) ?? null }
  })
}

/**
 * The queries in a body of Cloudflare's API: `{ sql, params }` or `{ batch: [{ sql, params }, …] }`. Unlike a
 * function's, a text may hold several statements; then it has no parameters.
 *
 * @throws Error with what is wrong, for clients
 */
export function parseApiQueries(body: unknown): Query[] {
  const { batch } = (body ?? {}) as Record<string, unknown>
  return parseQueries(Array.isArray(batch) ? batch : [body]).flatMap(({ sql, params }) => {
    const statements = splitStatements(sql)
    if (statements.length > 1 && params && params.length > 0) {
      throw new Error(
        `Parameters go with one statement; the text has ${statements.length}. Send them as a batch, each with its own.`,
      )
    }
    return statements.map(statement => ({ sql: statement, params: params ?? null }))
  })
}

/** What a call that never got an answer failed of, without the runtime's words around it. */
export function causeOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  // A constraint that was deferred shows when the transaction is to be committed; workerd ends the object then.
  return /^Durable Object was reset .* constraints were violated: (.*)/s.exec(message)?.[1] ?? message
}
