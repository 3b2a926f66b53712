import type { Turnstile } from './turnstile.ts'

/** What of a database goes into its dump. */
export interface DumpOptions {
  readonly noSchema: boolean
  readonly noData: boolean
  /** Only these; none = all. Names also pick indexes, triggers and views. */
  readonly tables: readonly string[]
}

/**
 * The options of a dump, as Cloudflare's API names them: `no_schema`, `no_data`, `tables`.
 *
 * @throws Error with what is wrong, for clients
 */
export function parseDumpOptions(body: unknown): DumpOptions {
  const { no_schema: noSchema, no_data: noData, tables = [] } = (body ?? {}) as Record<string, unknown>
  if (!Array.isArray(tables) || !tables.every(name => typeof name === 'string')) {
    throw new Error('"tables" must be an array of strings.')
  }
  return { noSchema: noSchema === true, noData: noData === true, tables }
}

/**
 * The dump as a response that is computed while it is read. The database is the reader's alone meanwhile; one who
 * doesn't read for 30 seconds has lost it.
 *
 * @param isCheck only whether it can be had
 */
export async function dumpStream(
  sql: SqlStorage,
  options: DumpOptions,
  turnstile: Turnstile,
  isCheck: boolean,
): Promise<Response> {
  const release = await turnstile.hold()
  try {
    const statements = dumpDatabase(sql, options)
    const first = statements.next().value as string
    if (isCheck) {
      release()
      return Response.json({ success: true })
    }
    return new Response(toStream(first, statements, release), {
      headers: { 'content-type': 'application/sql; charset=utf-8' },
    })
  } catch (error) {
    release()
    throw error
  }
}

function toStream(first: string, rest: Generator<string>, release: () => void): ReadableStream {
  const encoder = new TextEncoder()
  let unwatch = () => {}
  let text = `${first}\n`
  const stop = () => {
    unwatch()
    release()
  }
  const watch = (controller: ReadableByteStreamController) => {
    unwatch()
    const timer = setTimeout(() => {
      controller.error(new Error(`The export was not read for ${IDLE_MS} ms.`))
      release()
    }, IDLE_MS)
    unwatch = () => clearTimeout(timer)
  }
  return new ReadableStream({
    type: 'bytes',
    start: watch,
    pull: controller => {
      watch(controller)
      try {
        while (text.length < PIECE_CHARS) {
          const next = rest.next()
          if (next.done) break
          text += `${next.value}\n`
        }
        if (text) controller.enqueue(encoder.encode(text))
        else {
          controller.close()
          stop()
        }
        text = ''
      } catch (error) {
        controller.error(error)
        stop()
      }
    },
    cancel: stop,
  })
}

const IDLE_MS = 30_000
const PIECE_CHARS = 256 * 1024

/**
 * A database as SQL, one statement at a time, in the form of `sqlite3 .dump` as D1 gives it.
 *
 * @throws Error for virtual tables, which D1 doesn't export
 */
function* dumpDatabase(sql: SqlStorage, options: DumpOptions): Generator<string> {
  const wants = (name: string) => options.tables.length === 0 || options.tables.includes(name)
  const tables = sql.exec<Entry>(
    "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql IS NOT NULL ORDER BY tbl_name = 'sqlite_sequence', rowid",
  )
  const entries = [...tables]
  if (entries.some(entry => wants(entry.name) && /^CREATE VIRTUAL TABLE/i.test(entry.sql))) {
    throw new Error('D1 Export error: cannot export databases with Virtual Tables (fts5)')
  }
  const wanted = entries.filter(({ name }) => wants(name) && !isOfHost(name))
  const own = wanted.filter(({ name }) => !name.startsWith('sqlite_'))
  // Never empty: a file without statements can't be imported.
  yield 'PRAGMA defer_foreign_keys=TRUE;'
  if (!options.noSchema) {
    // All of them before any row: a row may refer to a table that was made later.
    for (const { sql: schema } of own) {
      yield `${schema.replace(/^CREATE TABLE (?=['"])/, 'CREATE TABLE IF NOT EXISTS ')};`
    }
  }
  if (!options.noData) for (const { name } of own) yield* dumpRows(sql, name)
  for (const { name } of wanted) {
    const isSequence = name === 'sqlite_sequence'
    if (!isSequence && !name.startsWith('sqlite_stat')) continue
    if (!options.noSchema) yield isSequence ? 'DELETE FROM sqlite_sequence;' : 'ANALYZE sqlite_schema;'
    if (!options.noData) yield* dumpRows(sql, name)
  }
  if (options.noSchema) return
  const others = sql.exec<Entry>(
    "SELECT name, sql FROM sqlite_schema WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL ORDER BY type COLLATE NOCASE",
  )
  for (const { name, sql: schema } of [...others]) if (wants(name)) yield `${schema};`
}

/** Whether a table is the host's own: workerd's, or the one in which `wrangler dev` notes an object's name. */
function isOfHost(name: string): boolean {
  return name.startsWith('_cf_') || name === '__miniflare_do_name'
}

/** How many tables of the user's there are. */
export function countTables(sql: SqlStorage): number {
  const tables = sql.exec<{ name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
  return [...tables].filter(({ name }) => !isOfHost(name) && !name.startsWith('sqlite_')).length
}

type Entry = { name: string; sql: string }

function* dumpRows(sql: SqlStorage, table: string): Generator<string> {
  const info = sql.exec<{ name: string }>(`PRAGMA table_info=${quoteName(table)}`)
  const columns = [...info].map(({ name }) => quoteName(name)).join(',')
  const insert = `INSERT INTO ${quoteName(table)} (${columns}) VALUES`
  for (const row of sql.exec(`SELECT ${columns} FROM ${quoteName(table)}`).raw()) {
    yield `${insert}(${row.map(toLiteral).join(',')});`
  }
}

function toLiteral(value: SqlStorageValue): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return String(value)
    return value > 0 ? '9e999' : '-9e999'
  }
  return typeof value === 'string' ? toText(value) : `X'${new Uint8Array(value).toHex()}'`
}

/** Line breaks as functions, so that every statement is one line. */
function toText(text: string): string {
  let literal = `'${text.replaceAll("'", "''").replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`
  if (text.includes('\r')) literal = `replace(${literal},'\\r',char(13))`
  if (text.includes('\n')) literal = `replace(${literal},'\\n',char(10))`
  return literal
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
