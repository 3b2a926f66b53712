import { toBookmark } from './bookmark.ts'
import { StatementReader } from './statements.ts'
import type { Turnstile } from './turnstile.ts'

/** What came of an import; names are Cloudflare's. */
export interface ImportResult {
  readonly num_queries: number
  readonly final_bookmark: string
  readonly meta: {
    readonly duration: number
    readonly rows_read: number
    readonly rows_written: number
    readonly size_after: number
  }
}

/** How far an import is. `unknown`: none of that file since the object started. */
export type ImportState =
  | { readonly status: 'active' | 'unknown' }
  | { readonly status: 'complete'; readonly result: ImportResult }
  | { readonly status: 'error'; readonly error: string }

/** A file to import. */
interface StagedFile {
  readonly name: string
  open(): Promise<Response>
}

/**
 * The imports of a database. Each is one transaction, whatever its size: read from its file as a stream, with
 * pauses, so that the process answers meanwhile; other statements wait.
 */
export class Imports {
  readonly #ctx: DurableObjectState
  readonly #turnstile: Turnstile
  readonly #states = new Map<string, ImportState>()
  readonly #running = new Map<string, Promise<void>>()

  constructor(ctx: DurableObjectState, turnstile: Turnstile) {
    this.#ctx = ctx
    this.#turnstile = turnstile
  }

  /** Begins an import, unless that file is being imported; then as `wait`. */
  async begin(file: StagedFile): Promise<ImportState> {
    const { name } = file
    if (!this.#running.has(name)) {
      const running = this.#run(file).finally(() => this.#running.delete(name))
      this.#states.set(name, { status: 'active' })
      this.#running.set(name, running)
      this.#ctx.waitUntil(running)
    }
    return this.wait(name)
  }

  /** How far the import of a file is, when it ends or 20 seconds later: callers ask again without a pause. */
  async wait(name: string): Promise<ImportState> {
    const running = this.#running.get(name)
    if (running) await Promise.race([running, scheduler.wait(HOLD_MS)])
    return this.#states.get(name) ?? { status: 'unknown' }
  }

  async #run({ name, open }: StagedFile): Promise<void> {
    let state: ImportState
    try {
      const file = await open()
      if (!file.ok || !file.body) throw new Error(((await file.json()) as { error: string }).error)
      const { body } = file
      const result = await this.#turnstile.pass(() => ingest(this.#ctx.storage, body))
      state = { status: 'complete', result }
    } catch (error) {
      state = { status: 'error', error: error instanceof Error ? error.message : String(error) }
    }
    this.#states.delete(name)
    this.#states.set(name, state)
    const [oldest] = this.#states.keys()
    if (this.#states.size > MAX_STATES && oldest) this.#states.delete(oldest)
  }
}

const HOLD_MS = 20_000
const MAX_STATES = 20
/** How long statements may run one after the other before others get their turn. */
const TURN_MS = 50
/** SQLite takes no statement of more than 100,000 bytes: the rest is for comments. */
const MAX_PENDING_CHARS = 16 * 1024 * 1024

async function ingest(
  storage: DurableObjectStorage,
  file: ReadableStream<Uint8Array>,
): Promise<ImportResult> {
  const startedAt = performance.now()
  const counts = { num_queries: 0, rows_read: 0, rows_written: 0 }
  await storage.transaction(async () => {
    const reader = new StatementReader()
    let turnAt = performance.now()
    const run = async (statements: readonly string[]) => {
      for (const statement of statements) {
        const cursor = storage.sql.exec(statement)
        // Only the rows that are read are computed.
        for (const _ of cursor.raw());
        counts.num_queries++
        counts.rows_read += cursor.rowsRead
        counts.rows_written += cursor.rowsWritten
        if (performance.now() - turnAt < TURN_MS) continue
        await scheduler.wait(0)
        turnAt = performance.now()
      }
    }
    // The types don't know that a stream of bytes is one of views.
    const decoder = new TextDecoderStream('utf-8', { fatal: true }) as unknown as ReadableWritablePair<
      string,
      Uint8Array
    >
    for await (const text of file.pipeThrough(decoder)) {
      await run(reader.push(text))
      if (reader.pending > MAX_PENDING_CHARS) throw new Error('statement too long: SQLITE_TOOBIG')
    }
    await run(reader.finish())
    if (counts.num_queries === 0) throw new Error('No SQL statements detected.')
    // workerd would end the object if it found that at the commit, and with it what callers wait for.
    const [broken] = storage.sql.exec('PRAGMA foreign_key_check').raw()
    if (broken) throw new Error(`FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (table ${broken[0]})`)
  })
  const { num_queries, ...rows } = counts
  const duration = performance.now() - startedAt
  const final_bookmark = toBookmark(Date.now(), 0)
  return { num_queries, final_bookmark, meta: { duration, ...rows, size_after: storage.sql.databaseSize } }
}
