import {
  grantOfQuota,
  periodEndMs,
  type QuotaPeriod,
  type QuotaRecord,
  type QuotaRequest,
  type QuotaState,
} from '../core/permits.ts'
import type { Migration } from './schema.ts'

/** A row is what one caller has used of a quota in the period that ends at `reset_ms`. */
export const QUOTA_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE quotas (
    policy TEXT NOT NULL,
    key TEXT NOT NULL,
    period TEXT NOT NULL,
    quota INTEGER NOT NULL,
    used INTEGER NOT NULL,
    reset_ms INTEGER NOT NULL,
    PRIMARY KEY (policy, key, period)
  ) WITHOUT ROWID;
  CREATE INDEX quotas_by_end ON quotas (reset_ms)`,
]

interface QuotaRow extends Record<string, SqlStorageValue> {
  policy: string
  key: string
  period: QuotaPeriod
  quota: number
  used: number
  reset_ms: number
}

/** Counts what is granted, never beyond the limit. */
export function spendQuota(sql: SqlStorage, request: QuotaRequest, nowMs: number): QuotaState {
  const { policy, key, limit, period } = request
  const resetAtMs = periodEndMs(period, nowMs)
  const used = usedUnits(sql, request, resetAtMs)
  const granted = grantOfQuota(request, limit - used)
  if (granted === 0) return { granted, used, resetAtMs }
  sql.exec(
    'INSERT OR REPLACE INTO quotas (policy, key, period, quota, used, reset_ms) VALUES (?, ?, ?, ?, ?, ?)',
    policy,
    key,
    period,
    limit,
    used + granted,
    resetAtMs,
  )
  return { granted, used: used + granted, resetAtMs }
}

/** Quotas that have been used in a period that isn't over, by policy and key. */
export function listQuotas(
  sql: SqlStorage,
  { policy, after, limit }: { policy?: string | undefined; after?: string | undefined; limit: number },
  nowMs: number,
): QuotaRecord[] {
  const rows = sql.exec<QuotaRow>(
    `SELECT * FROM quotas WHERE reset_ms > ?1 AND (?2 IS NULL OR policy = ?2) AND (?3 IS NULL OR key > ?3)
     ORDER BY policy, key, period LIMIT ?4`,
    nowMs,
    policy ?? null,
    after ?? null,
    limit,
  )
  return rows.toArray().map(row => ({
    policy: row.policy,
    key: row.key,
    period: row.period,
    limit: row.quota,
    used: row.used,
    resetAtMs: row.reset_ms,
  }))
}

/** Begins a caller's count anew, or that of all callers of a policy. @returns how many had one */
export function resetQuotas(sql: SqlStorage, policy: string, key?: string): number {
  const where = 'policy = ?1 AND (?2 IS NULL OR key = ?2)'
  return sql.exec(`DELETE FROM quotas WHERE ${where} RETURNING key`, policy, key ?? null).toArray().length
}

/** Forgets periods that are over, some at a time. @returns when the next one ends; `undefined` = there is none */
export function sweepQuotas(sql: SqlStorage, nowMs: number): number | undefined {
  sql.exec(
    `DELETE FROM quotas WHERE (policy, key, period) IN
     (SELECT policy, key, period FROM quotas WHERE reset_ms <= ? LIMIT ?)`,
    nowMs,
    SWEEP_ROWS,
  )
  return sql.exec<{ next: number | null }>('SELECT min(reset_ms) AS next FROM quotas').one().next ?? undefined
}

function usedUnits(sql: SqlStorage, { policy, key, period }: QuotaRequest, resetAtMs: number): number {
  const [row] = sql
    .exec<{ used: number }>(
      'SELECT used FROM quotas WHERE policy = ? AND key = ? AND period = ? AND reset_ms = ?',
      policy,
      key,
      period,
      resetAtMs,
    )
    .toArray()
  return row?.used ?? 0
}

/** One sweep removes no more: it holds up those who ask. */
const SWEEP_ROWS = 5000
