import { DurableObject } from 'cloudflare:workers'
import { PermitBook } from '../core/permit-book.ts'
import type { PermitGrant, PermitRequest, QuotaRecord, QuotaRequest, QuotaState } from '../core/permits.ts'
import type { StateEnv } from '../env.ts'
import { listQuotas, QUOTA_MIGRATIONS, resetQuotas, spendQuota, sweepQuotas } from './quotas.ts'
import { migrate } from './schema.ts'

/**
 * One account's counters, which all edges share: rate limits in memory, quotas in SQLite. Its name is the account's
 * id.
 *
 * A process that starts again has forgotten its rate limits: then at most once more the limit is let in. What it
 * granted of a quota is on disk before the edge has it.
 */
export class Limiter extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  readonly #book: PermitBook
  #armedForMs = Number.POSITIVE_INFINITY

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    this.#book = bookOf(ctx.id.toString())
    migrate(ctx.storage, QUOTA_MIGRATIONS)
    void this.#arm(sweepQuotas(this.#sql, Date.now()))
  }

  /** Grants permits of a rate limit. */
  take(request: PermitRequest): PermitGrant {
    return this.#book.take(request, Date.now())
  }

  /** Counts against a quota. */
  spend(request: QuotaRequest): QuotaState {
    const state = this.ctx.storage.transactionSync(() => spendQuota(this.#sql, request, Date.now()))
    if (state.granted > 0) void this.#arm(state.resetAtMs)
    return state
  }

  /** What callers have used of quotas in this period, by policy and key; at most 1,000 at a time. */
  listQuotas(policy: string | undefined, after: string | undefined, limit: number): QuotaRecord[] {
    return listQuotas(this.#sql, { policy, after, limit: Math.min(limit, 1000) }, Date.now())
  }

  /** Begins a caller's count anew, or that of all callers of a policy. @returns how many had one */
  resetQuotas(policy: string, key: string | undefined): number {
    return resetQuotas(this.#sql, policy, key)
  }

  /** Removes what is over. */
  override async alarm(): Promise<void> {
    this.#armedForMs = Number.POSITIVE_INFINITY
    await this.#arm(sweepQuotas(this.#sql, Date.now()))
  }

  /** Wakes a minute after something ends; what is over already is counted as nothing meanwhile. */
  async #arm(endMs: number | undefined): Promise<void> {
    if (endMs === undefined || endMs >= this.#armedForMs) return
    this.#armedForMs = endMs
    await this.ctx.storage.setAlarm(Math.max(endMs, Date.now()) + SWEEP_DELAY_MS)
  }
}

/**
 * Beside the object and not in it: workerd ends an object that nobody has called for ten seconds, and what its
 * callers took of a longer window would be forgotten.
 */
function bookOf(id: string): PermitBook {
  const held = books.get(id)
  if (held) return held
  const book = new PermitBook(Date.now())
  books.set(id, book)
  return book
}

const books = new Map<string, PermitBook>()
const SWEEP_DELAY_MS = 60_000
