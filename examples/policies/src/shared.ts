import { DurableObject } from 'cloudflare:workers'
import {
  createLocalServices,
  grantOfQuota,
  type PermitGrant,
  type PermitRequest,
  periodEndMs,
  type QuotaRequest,
  type QuotaState,
} from 'skerry/policies'

/** What all isolates share: rate limits in memory, quotas and records in its storage. */
export class Shared extends DurableObject<Cloudflare.Env> {
  readonly #local = createLocalServices()
  readonly #sql = this.ctx.storage.sql

  constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
    super(ctx, env)
    this.#sql.exec(
      'CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, until_ms INTEGER NOT NULL)',
    )
  }

  /** Permits of a rate limit. Windows are short: when the object starts anew, they do too. */
  take(request: PermitRequest): Promise<PermitGrant> {
    return this.#local.limiter.take(request)
  }

  /** Units of a quota. */
  spend({ policy, key, period, limit, ...wanted }: QuotaRequest): QuotaState {
    const resetAtMs = periodEndMs(period, Date.now())
    const id = JSON.stringify(['quota', policy, key, period])
    const used = Number(this.get(id) ?? 0)
    const granted = grantOfQuota(wanted, limit - used)
    if (granted > 0) this.#write(id, `${used + granted}`, resetAtMs)
    return { granted, used: used + granted, resetAtMs }
  }

  /** Writes a record if there is none. An object does one thing at a time, so only one caller hears `true`. */
  claim(key: string, value: string, ttlSeconds: number): { claimed: boolean; value: string } {
    const held = this.get(key)
    if (held === undefined) this.put(key, value, ttlSeconds)
    return { claimed: held === undefined, value: held ?? value }
  }

  put(key: string, value: string, ttlSeconds: number): void {
    this.#write(key, value, Date.now() + ttlSeconds * 1000)
  }

  get(key: string): string | undefined {
    const [entry] = this.#sql.exec(
      'SELECT value FROM entries WHERE key = ? AND until_ms > ?',
      key,
      Date.now(),
    )
    return entry && String(entry.value)
  }

  delete(key: string): void {
    this.#sql.exec('DELETE FROM entries WHERE key = ?', key)
  }

  /** Each hour: what is over. */
  override async alarm(): Promise<void> {
    this.#sql.exec('DELETE FROM entries WHERE until_ms <= ?', Date.now())
    const [left] = this.#sql.exec('SELECT 1 FROM entries LIMIT 1')
    if (left) await this.ctx.storage.setAlarm(Date.now() + HOUR_MS)
  }

  #write(key: string, value: string, untilMs: number): void {
    this.#sql.exec('INSERT OR REPLACE INTO entries VALUES (?, ?, ?)', key, value, Math.floor(untilMs))
    this.ctx.waitUntil(this.#keepClean())
  }

  async #keepClean(): Promise<void> {
    const { storage } = this.ctx
    if ((await storage.getAlarm()) === null) await storage.setAlarm(Date.now() + HOUR_MS)
  }
}

const HOUR_MS = 3_600_000
