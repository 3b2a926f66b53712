import { SkerryError } from '../core/errors.ts'

/**
 * Which account a host name belongs to, so that accounts can't take each other's traffic.
 *
 * A claim is an exact host (`api.example.com`) or a wildcard (`*.example.com`, which covers every name below).
 */
export const HOSTS_SCHEMA = `
  CREATE TABLE hosts (host TEXT PRIMARY KEY, account_id TEXT NOT NULL)`

/**
 * Claims hosts for an account; what it already has stays.
 *
 * @returns the claims of other accounts that stand in the way; then nothing was claimed.
 */
export function claimHosts(sql: SqlStorage, accountId: string, hosts: readonly string[]): HostClaim[] {
  const conflicts = hosts
    .flatMap(host => overlappingClaims(sql, host))
    .filter(claim => claim.account_id !== accountId)
  if (conflicts.length > 0) return conflicts
  for (const host of hosts) sql.exec('INSERT OR IGNORE INTO hosts VALUES (?, ?)', host, accountId)
  return []
}

/** Gives claims up; a claim of another account is left alone. */
export function releaseHosts(sql: SqlStorage, accountId: string, hosts: readonly string[]): void {
  for (const host of hosts) sql.exec('DELETE FROM hosts WHERE host = ? AND account_id = ?', host, accountId)
}

export interface HostClaim {
  readonly host: string
  readonly account_id: string
}

/** The refusal for a host of another account; it names the host, never the account. */
export function hostTaken(host: string): SkerryError {
  return new SkerryError(
    'ERR_HOST_TAKEN',
    `The host name "${host}" is used by another account of this platform.`,
  )
}

function overlappingClaims(sql: SqlStorage, host: string): HostClaim[] {
  const covering = wildcardsAbove(host)
  const rows = sql.exec(
    `SELECT host, account_id FROM hosts WHERE host IN (${[host, ...covering].map(() => '?').join(',')})`,
    host,
    ...covering,
  )
  const found = rows.toArray() as unknown as HostClaim[]
  if (!host.startsWith('*.')) return found
  const below = sql.exec(
    'SELECT host, account_id FROM hosts WHERE substr(host, -length(?)) = ?',
    host.slice(1),
    host.slice(1),
  )
  return [...found, ...(below.toArray() as unknown as HostClaim[])]
}

function wildcardsAbove(host: string): string[] {
  const labels = host.replace(/^\*\./, '').split('.')
  return labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join('.')}`)
}
