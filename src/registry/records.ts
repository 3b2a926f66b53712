import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../core/errors.ts'
import { FetchLocks } from '../core/fetch-locks.ts'
import type { StateEnv } from '../env.ts'
import { type Migration, migrate } from './schema.ts'

/** A row is a small text that a policy wants to find again on any edge, until a time. */
const RECORD_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE records (key TEXT PRIMARY KEY, value TEXT NOT NULL, until_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE INDEX records_by_end ON records (until_ms)`,
]

/**
 * One account's small durable records, and who fetches what for the caches of its edges. Its name is the account's
 * id.
 *
 * What is written is on disk before the caller hears of it. Records that are over are as good as gone, and removed
 * by an alarm.
 */
export class Records extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #locks = new FetchLocks()
  #wakesAtMs = Number.POSITIVE_INFINITY

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    migrate(ctx.storage, RECORD_MIGRATIONS)
    void this.#sweep()
  }

  /**
   * Writes the record if there is none; otherwise gives the one that is there.
   *
   * @throws ERR_RECORD_LIMIT
   */
  claim(key: string, value: string, ttlSeconds: number): { claimed: boolean; value: string } {
    return this.ctx.storage.transactionSync(() => {
      const held = this.get(key)
      if (held !== undefined) return { claimed: false, value: held }
      this.put(key, value, ttlSeconds)
      return { claimed: true, value }
    })
  }

  /** Writes the record in any case. @throws ERR_RECORD_LIMIT */
  put(key: string, value: string, ttlSeconds: number): void {
    this.#checkSize(key, value)
    const untilMs = Date.now() + Math.ceil(ttlSeconds * 1000)
    this.#sql.exec('INSERT OR REPLACE INTO records VALUES (?, ?, ?)', key, value, untilMs)
    this.#wakeBy(untilMs)
  }

  get(key: string): string | undefined {
    const rows = this.#sql.exec<{ value: string }>(
      'SELECT value FROM records WHERE key = ? AND until_ms > ?',
      key,
      Date.now(),
    )
    return rows.toArray()[0]?.value
  }

  /** One that is gone already is no error. */
  delete(key: string): void {
    this.#sql.exec('DELETE FROM records WHERE key = ?', key)
  }

  /** Who is to fetch what is missing in a cache: waits while another does. */
  begin(key: string): Promise<{ isFetcher: boolean; handle: string }> {
    return this.#locks.begin(key)
  }

  /** Who fetches is still at it. */
  renew(key: string, handle: string): void {
    this.#locks.renew(key, handle)
  }

  /** The fetch is over, well or not. */
  done(key: string, handle: string): void {
    this.#locks.done(key, handle)
  }

  override async alarm(): Promise<void> {
    await this.#sweep()
  }

  /** Removes what is over, some at a time, and sets the alarm for what is next. */
  async #sweep(): Promise<void> {
    const nowMs = Date.now()
    this.#sql.exec(
      'DELETE FROM records WHERE key IN (SELECT key FROM records WHERE until_ms <= ? LIMIT ?)',
      nowMs,
      SWEEP_ROWS,
    )
    this.#wakesAtMs = Number.POSITIVE_INFINITY
    const { next } = this.#sql
      .exec<{ next: number | null }>('SELECT min(until_ms) AS next FROM records')
      .one()
    if (next !== null) this.#wakeBy(next)
  }

  /** A minute's records are removed at once. */
  #wakeBy(endMs: number): void {
    if (endMs >= this.#wakesAtMs) return
    this.#wakesAtMs = endMs
    void this.ctx.storage.setAlarm(Math.max(endMs, Date.now()) + SWEEP_DELAY_MS)
  }

  #checkSize(key: string, value: string): void {
    const chars = key.length + value.length
    if (chars > MAX_RECORD_CHARS) {
      const detail = `The record has ${chars} characters; the limit is ${MAX_RECORD_CHARS}.`
      throw new SkerryError('ERR_RECORD_LIMIT', `${detail} Keep less in it.`)
    }
    const { databaseSize } = this.#sql
    if (databaseSize > MAX_BYTES) {
      const detail = `The account's records take ${databaseSize} bytes; the limit is ${MAX_BYTES}.`
      throw new SkerryError(
        'ERR_RECORD_LIMIT',
        `${detail} Wait until some end, or let them live for less time.`,
      )
    }
  }
}

/** SQLite on Cloudflare keeps values up to 2 MB. */
const MAX_RECORD_CHARS = 1_000_000
/** A Durable Object on Cloudflare holds 10 GB; this much of the disk is enough for whoever sends new keys without end. */
const MAX_BYTES = 2 * 1024 ** 3
const SWEEP_ROWS = 5000
const SWEEP_DELAY_MS = 60_000
