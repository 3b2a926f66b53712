import { SkerryError } from '../core/errors.ts'
import type { GatewaySnapshot } from '../core/gateway.ts'
import { LIMITS } from '../core/limits.ts'
import type { SecretBinding } from '../core/manifest.ts'
import { timestamp } from './schema.ts'
import { openBindings } from './secrets.ts'

/** One state of an account's gateway file. */
export interface GatewayRevision {
  /** Counts up from 1. */
  readonly revision: number
  /** The checked document, as JSON text. */
  readonly document: string
  /** The file as it was written. */
  readonly source: string
  readonly format: 'toml' | 'json'
  /** The name of the token that brought it. */
  readonly author: string
  readonly message: string
  /** 1: an admin of the whole platform brought it, so its policies and upstreams may reach private addresses. */
  readonly allow_private: number
  readonly created_on: string
}

/** A revision in a list: without its texts. */
export type GatewayRevisionEntry = Omit<GatewayRevision, 'document' | 'source'>

/** A file to be applied, checked by routes/gateway/check.ts. */
export interface NewGateway {
  readonly document: string
  readonly source: string
  readonly format: 'toml' | 'json'
  readonly author: string
  readonly message: string
  /** Its policies and upstreams may reach private addresses. */
  readonly allowPrivate: boolean
  /** The secrets that the document refers to. */
  readonly secrets: readonly string[]
  /** The hosts of its routes; claimed in the Directory before. */
  readonly hosts: readonly string[]
  /** The revision it was made from; `undefined` = whatever there is. */
  readonly expected: number | undefined
}

/** A secret of the gateway, without its text. */
export interface GatewaySecretEntry {
  readonly name: string
  readonly created_on: string
  readonly modified_on: string
}

/** Document and source in tables of their own rows: a row has at most 2 MB. */
export const GATEWAY_SCHEMA = `
  CREATE TABLE gateway_revisions (
    revision INTEGER PRIMARY KEY, document TEXT NOT NULL, format TEXT NOT NULL, author TEXT NOT NULL,
    message TEXT NOT NULL, allow_private INTEGER NOT NULL, secrets TEXT NOT NULL, created_on TEXT NOT NULL
  );
  CREATE TABLE gateway_sources (revision INTEGER PRIMARY KEY, source TEXT NOT NULL);
  CREATE TABLE gateway_hosts (host TEXT PRIMARY KEY) WITHOUT ROWID;
  CREATE TABLE gateway_secrets (
    name TEXT PRIMARY KEY, sealed TEXT NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL
  )`

/** The number of the revision in force; 0 = there is no file. */
export function currentGatewayRevision(sql: SqlStorage): number {
  const { revision } = sql
    .exec<{ revision: number | null }>('SELECT max(revision) AS revision FROM gateway_revisions')
    .one()
  return revision ?? 0
}

/** A revision with its texts; the one in force if no number is given. */
export function findGatewayRevision(
  sql: SqlStorage,
  revision = currentGatewayRevision(sql),
): GatewayRevision | undefined {
  const rows = sql.exec(
    `SELECT ${ENTRY}, document, source FROM gateway_revisions JOIN gateway_sources USING (revision)
     WHERE revision = ?`,
    revision,
  )
  return rows.toArray()[0] as unknown as GatewayRevision | undefined
}

/** Newest first; the first is in force. */
export function listGatewayRevisions(sql: SqlStorage): GatewayRevisionEntry[] {
  const rows = sql.exec(`SELECT ${ENTRY} FROM gateway_revisions ORDER BY revision DESC`)
  return rows.toArray() as unknown as GatewayRevisionEntry[]
}

const ENTRY = 'revision, format, author, message, allow_private, created_on'

/**
 * Puts another revision in force.
 *
 * @throws ERR_GATEWAY_CONFLICT if another than the expected one is, ERR_GATEWAY_SECRET_NOT_FOUND
 */
export function insertGatewayRevision(
  sql: SqlStorage,
  gateway: NewGateway,
  nowMs: number,
): GatewayRevisionEntry {
  const current = currentGatewayRevision(sql)
  const { expected, document, source, format, author, message, secrets, hosts } = gateway
  if (expected !== undefined && expected !== current) throw conflict(expected, current)
  const known = new Set(listGatewaySecrets(sql).map(({ name }) => name))
  const missing = secrets.find(name => !known.has(name))
  if (missing !== undefined) throw secretNotFound(missing)
  const revision = current + 1
  const allow_private = Number(gateway.allowPrivate)
  const created_on = timestamp(nowMs)
  sql.exec(
    'INSERT INTO gateway_revisions VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    revision,
    document,
    format,
    author,
    message,
    allow_private,
    JSON.stringify(secrets),
    created_on,
  )
  sql.exec('INSERT INTO gateway_sources VALUES (?, ?)', revision, source)
  const oldest = revision - LIMITS.gatewayRevisions
  sql.exec('DELETE FROM gateway_revisions WHERE revision <= ?', oldest)
  sql.exec('DELETE FROM gateway_sources WHERE revision <= ?', oldest)
  sql.exec('DELETE FROM gateway_hosts')
  for (const host of hosts) sql.exec('INSERT OR IGNORE INTO gateway_hosts VALUES (?)', host)
  return { revision, format, author, message, allow_private, created_on }
}

/** Whether a route of the file in force is for this host: then its claim is in use. */
export function gatewayUsesHost(sql: SqlStorage, host: string): boolean {
  return sql.exec('SELECT 1 FROM gateway_hosts WHERE host = ?', host).toArray().length > 0
}

/** By name. */
export function listGatewaySecrets(sql: SqlStorage): GatewaySecretEntry[] {
  const rows = sql.exec('SELECT name, created_on, modified_on FROM gateway_secrets ORDER BY name')
  return rows.toArray() as unknown as GatewaySecretEntry[]
}

/** All secrets, sealed: for who has the master key. */
export function sealedGatewaySecrets(sql: SqlStorage): SecretBinding[] {
  return sql
    .exec<{ sealed: string }>('SELECT sealed FROM gateway_secrets ORDER BY name')
    .toArray()
    .map(({ sealed }) => JSON.parse(sealed) as SecretBinding)
}

/**
 * @returns whether the file in force refers to it, so that edges must be told
 * @throws ERR_API_BODY if there are too many
 */
export function putGatewaySecret(sql: SqlStorage, secret: SecretBinding, nowMs: number): boolean {
  const others = listGatewaySecrets(sql).filter(({ name }) => name !== secret.name)
  if (others.length >= LIMITS.gatewaySecrets) {
    throw new SkerryError(
      'ERR_API_BODY',
      `The gateway has ${others.length} secrets, the most there may be; delete one first.`,
    )
  }
  sql.exec(
    `INSERT INTO gateway_secrets VALUES (?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed, modified_on = excluded.modified_on`,
    secret.name,
    JSON.stringify(secret),
    timestamp(nowMs),
    timestamp(nowMs),
  )
  return referencesOf(sql).includes(secret.name)
}

/** @throws ERR_GATEWAY_SECRET_NOT_FOUND, ERR_GATEWAY_SECRET_USED while the file in force refers to it */
export function deleteGatewaySecret(sql: SqlStorage, name: string): void {
  if (referencesOf(sql).includes(name)) {
    throw new SkerryError(
      'ERR_GATEWAY_SECRET_USED',
      `The gateway file refers to "secret:${name}"; apply one that doesn't, then delete the secret.`,
    )
  }
  const deleted = sql.exec('DELETE FROM gateway_secrets WHERE name = ? RETURNING name', name).toArray()
  if (deleted.length === 0) throw secretNotFound(name)
}

/** What edges are sent of the file in force, its secrets still sealed; `undefined` = there is no file. */
export interface SealedSnapshot {
  readonly revision: number
  readonly document: string
  readonly allowPrivate: boolean
  readonly sealed: readonly SecretBinding[]
}

/** Reads it. */
export function readGatewaySnapshot(sql: SqlStorage): SealedSnapshot | undefined {
  const rows = sql.exec<{ revision: number; document: string; allow_private: number }>(
    'SELECT revision, document, allow_private FROM gateway_revisions ORDER BY revision DESC LIMIT 1',
  )
  const [current] = rows.toArray()
  if (!current) return undefined
  const { revision, document, allow_private } = current
  const referred = new Set(referencesOf(sql))
  return {
    revision,
    document,
    allowPrivate: allow_private === 1,
    sealed: sealedGatewaySecrets(sql).filter(({ name }) => referred.has(name)),
  }
}

/**
 * Opens its secrets, for the memory of edges.
 *
 * One that can't be opened, as it was sealed with another master key, is left out: the policies that need it refuse
 * every request, and everything else is served.
 */
export async function openGatewaySnapshot(
  { sealed, ...snapshot }: SealedSnapshot,
  masterKey: string,
): Promise<GatewaySnapshot> {
  return { ...snapshot, secrets: await openGatewaySecrets(sealed, masterKey) }
}

/** The texts of secrets by name; one that can't be opened is left out, and the log says so. */
export async function openGatewaySecrets(
  sealed: readonly SecretBinding[],
  masterKey: string,
): Promise<Record<string, string>> {
  const opened = await Promise.all(
    sealed.map(async secret => {
      try {
        const [binding] = await openBindings([secret], masterKey)
        return binding?.type === 'secret_text' ? [[binding.name, binding.text] as const] : []
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error)
        console.error(JSON.stringify({ level: 'error', gateway: `secret:${secret.name}`, error: message }))
        return []
      }
    }),
  )
  return Object.fromEntries(opened.flat())
}

/** The secrets that the file in force refers to. */
function referencesOf(sql: SqlStorage): string[] {
  const rows = sql.exec<{ secrets: string }>(
    'SELECT secrets FROM gateway_revisions ORDER BY revision DESC LIMIT 1',
  )
  const [current] = rows.toArray()
  return current ? (JSON.parse(current.secrets) as string[]) : []
}

function conflict(expected: number, current: number): SkerryError {
  return new SkerryError(
    'ERR_GATEWAY_CONFLICT',
    `The gateway is at revision ${current}, not ${expected}: somebody else applied a file meanwhile. See what it changed with \`skerry gateway diff\`, then apply again.`,
  )
}

function secretNotFound(name: string): SkerryError {
  return new SkerryError('ERR_GATEWAY_SECRET_NOT_FOUND', `The gateway has no secret "${name}".`)
}
