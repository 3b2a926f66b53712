import { SkerryError } from '../core/errors.ts'
import { timestamp } from './schema.ts'
import type { Author } from './versions.ts'

/** A version's share of a script's requests. */
export interface Share {
  readonly version_id: string
  /** 0–100, at most two decimals. */
  readonly percentage: number
}

/** Which versions got which share of the traffic from a moment on; the newest is in force. */
export interface DeploymentRecord {
  readonly id: string
  readonly script: string
  readonly created_on: string
  readonly source: string
  readonly author: Author
  readonly annotations: Readonly<Record<string, string>>
  readonly versions: readonly Share[]
}

export const DEPLOYMENTS_SCHEMA = `
  CREATE TABLE deployments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, script TEXT NOT NULL, created_on TEXT NOT NULL,
    source TEXT NOT NULL, author TEXT NOT NULL, annotations TEXT NOT NULL, versions TEXT NOT NULL
  );
  CREATE INDEX deployments_script ON deployments (script, number)`

/**
 * Checks a wanted split: one or two different versions, each above 0, 100 in all.
 *
 * @throws ERR_DEPLOYMENT_INVALID
 */
export function parseShares(input: unknown): Share[] {
  const invalid = (problem: string) =>
    new SkerryError('ERR_DEPLOYMENT_INVALID', `The deployment is invalid: ${problem}.`)
  if (!Array.isArray(input) || input.length < 1 || input.length > MAX_VERSIONS) {
    throw invalid(`"versions" must list 1 or ${MAX_VERSIONS} versions`)
  }
  const shares = input.map((item: unknown) => {
    const { version_id, percentage } = (item ?? {}) as Partial<Share>
    if (typeof version_id !== 'string') throw invalid('each version needs a "version_id"')
    if (typeof percentage !== 'number' || !(percentage >= 0 && percentage <= 100)) {
      throw invalid(
        `"percentage" of version ${version_id} must be a number from 0 to 100, not ${String(percentage)}`,
      )
    }
    return { version_id: version_id.toLowerCase(), percentage }
  })
  if (new Set(shares.map(({ version_id }) => version_id)).size < shares.length)
    throw invalid('a version is named twice')
  const total = shares.reduce((sum, { percentage }) => sum + percentage, 0)
  if (Math.abs(total - 100) > 0.001) throw invalid(`percentages must sum to 100, these sum to ${total}`)
  return shares
}

/** As on Cloudflare: at most two versions share a script's traffic. */
const MAX_VERSIONS = 2

export function insertDeployment(
  sql: SqlStorage,
  deployment: Omit<DeploymentRecord, 'created_on'>,
  nowMs: number,
): void {
  sql.exec(
    `INSERT INTO deployments (id, script, created_on, source, author, annotations, versions) VALUES (?, ?, ?, ?, ?, ?, ?)`,
    deployment.id,
    deployment.script,
    timestamp(nowMs),
    deployment.source,
    JSON.stringify(deployment.author),
    JSON.stringify(deployment.annotations),
    JSON.stringify(deployment.versions),
  )
}

/** Newest first; the first is in force. */
export function listDeployments(sql: SqlStorage, script: string, limit: number): DeploymentRecord[] {
  return sql
    .exec<Record<string, string>>(
      `SELECT id, script, created_on, source, author, annotations, versions FROM deployments
       WHERE script = ? ORDER BY number DESC LIMIT ?`,
      script,
      limit,
    )
    .toArray()
    .map(
      row =>
        ({
          ...row,
          author: JSON.parse(row.author ?? '{}'),
          annotations: JSON.parse(row.annotations ?? '{}'),
          versions: JSON.parse(row.versions ?? '[]'),
        }) as unknown as DeploymentRecord,
    )
}

/** The deployment in force. */
export function currentDeployment(sql: SqlStorage, script: string): DeploymentRecord | undefined {
  return listDeployments(sql, script, 1)[0]
}

export function deleteDeployments(sql: SqlStorage, script: string): void {
  sql.exec('DELETE FROM deployments WHERE script = ?', script)
}
