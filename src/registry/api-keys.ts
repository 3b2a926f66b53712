import type { ApiKeySecret } from '../core/api-key-text.ts'
import { SkerryError } from '../core/errors.ts'
import type { ApiKey, EdgeApiKey } from '../core/gateway.ts'
import { createHexId } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import { timestamp } from './schema.ts'

/** An API key as its operator sees it: never its text or hash. */
export interface ApiKeyRecord extends ApiKey {
  readonly createdOn: string
  /** The id of the key that was made in its place; `null` = none was. */
  readonly replacedBy: string | null
}

/** A key that was just made, with its text: this once. */
export interface CreatedApiKey {
  readonly key: ApiKeyRecord
  readonly text: string
}

/** What a key is made with; checked by `routes/api/skerry/api-key-body.ts`. */
export type NewApiKey = Pick<ApiKey, 'name' | 'owner' | 'scopes' | 'metadata' | 'expiresAtMs'>

/** What of a key may be changed; what isn't there stays. */
export type ApiKeyChange = Partial<Pick<ApiKey, 'name' | 'scopes' | 'metadata' | 'expiresAtMs'>>

/** How a key is replaced. */
export interface Rotation {
  /** How long the old text stays valid. */
  readonly overlapMs: number
  /** Of the new key; absent: it lives as long as the old one did from its creation. */
  readonly expiresAtMs?: number
}

/** Which keys to list. */
export interface ApiKeyPage {
  readonly owner?: string
  readonly limit: number
  /** Go on after the page whose `next` this was. */
  readonly before?: number
}

export const API_KEYS_SCHEMA = `
  CREATE TABLE api_keys (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, owner TEXT NOT NULL, scopes TEXT NOT NULL,
    metadata TEXT NOT NULL, created_on TEXT NOT NULL, expires_at_ms INTEGER NOT NULL,
    revoked_at_ms INTEGER NOT NULL, replaced_by TEXT, revision INTEGER NOT NULL
  );
  CREATE INDEX api_keys_revision ON api_keys (revision);
  CREATE INDEX api_keys_owner ON api_keys (owner, number);
  CREATE TABLE removed_api_keys (hash TEXT PRIMARY KEY, revision INTEGER NOT NULL)`

/** @throws ERR_API_KEY_LIMIT */
export function insertApiKey(
  sql: SqlStorage,
  fields: NewApiKey,
  { text, prefix, hash }: ApiKeySecret,
  revision: number,
  nowMs: number,
): CreatedApiKey {
  const { count } = sql.exec<{ count: number }>('SELECT count(*) AS count FROM api_keys').one()
  if (count >= LIMITS.apiKeys) {
    throw new SkerryError(
      'ERR_API_KEY_LIMIT',
      `The account has ${count} API keys, and may have ${LIMITS.apiKeys}: delete keys that are revoked or have expired.`,
    )
  }
  const id = createHexId()
  sql.exec(
    `INSERT INTO api_keys (id, prefix, hash, name, owner, scopes, metadata, created_on, expires_at_ms, revoked_at_ms, revision)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)`,
    ...[id, prefix, hash, fields.name, fields.owner],
    ...[JSON.stringify(fields.scopes), JSON.stringify(fields.metadata)],
    ...[timestamp(nowMs), fields.expiresAtMs, revision],
  )
  return { key: requireApiKey(sql, id), text }
}

/** Newest first; `next` is the `before` of the page that follows. */
export function listApiKeys(
  sql: SqlStorage,
  { owner, limit, before }: ApiKeyPage,
): { keys: ApiKeyRecord[]; next: number | undefined } {
  const rows = sql
    .exec<Row>(
      `SELECT * FROM api_keys WHERE number < ? ${owner === undefined ? '' : 'AND owner = ?'} ORDER BY number DESC LIMIT ?`,
      ...[before ?? Number.MAX_SAFE_INTEGER, ...(owner === undefined ? [] : [owner]), limit + 1],
    )
    .toArray()
  const page = rows.slice(0, limit)
  return { keys: page.map(toRecord), next: rows.length > limit ? page.at(-1)?.number : undefined }
}

/** @throws ERR_API_KEY_NOT_FOUND */
export function requireApiKey(sql: SqlStorage, id: string): ApiKeyRecord {
  return toRecord(requireRow(sql, id))
}

/** @throws ERR_API_KEY_NOT_FOUND */
export function updateApiKey(
  sql: SqlStorage,
  id: string,
  change: ApiKeyChange,
  revision: number,
): ApiKeyRecord {
  const { name, scopes, metadata, expiresAtMs } = { ...requireApiKey(sql, id), ...change }
  sql.exec(
    'UPDATE api_keys SET name = ?, scopes = ?, metadata = ?, expires_at_ms = ?, revision = ? WHERE id = ?',
    ...[name, JSON.stringify(scopes), JSON.stringify(metadata), expiresAtMs, revision, id],
  )
  return requireApiKey(sql, id)
}

/** Makes a key worthless; one that was revoked before stays as it is. @throws ERR_API_KEY_NOT_FOUND */
export function revokeApiKey(sql: SqlStorage, id: string, revision: number, nowMs: number): ApiKeyRecord {
  requireRow(sql, id)
  sql.exec(
    'UPDATE api_keys SET revoked_at_ms = ?, revision = ? WHERE id = ? AND revoked_at_ms = 0',
    ...[nowMs, revision, id],
  )
  return requireApiKey(sql, id)
}

/**
 * Makes a key of the same name, owner, scopes and metadata; the old one expires after the overlap, or when it would
 * have.
 *
 * @throws ERR_API_KEY_NOT_FOUND; ERR_API_KEY_STATE for a key that is revoked, has expired or was replaced before
 */
export function rotateApiKey(
  sql: SqlStorage,
  id: string,
  { overlapMs, expiresAtMs }: Rotation,
  secret: ApiKeySecret,
  revision: number,
  nowMs: number,
): CreatedApiKey {
  const old = requireApiKey(sql, id)
  const problem = whyNotToRotate(old, nowMs)
  if (problem) throw new SkerryError('ERR_API_KEY_STATE', `The API key ${id} ${problem}.`)
  const lifetimeMs = old.expiresAtMs === 0 ? 0 : old.expiresAtMs - Date.parse(old.createdOn)
  const ownExpiry = lifetimeMs === 0 ? 0 : nowMs + lifetimeMs
  const created = insertApiKey(
    sql,
    { ...old, expiresAtMs: expiresAtMs ?? ownExpiry },
    secret,
    revision,
    nowMs,
  )
  const endMs = nowMs + overlapMs
  sql.exec(
    'UPDATE api_keys SET replaced_by = ?, expires_at_ms = ?, revision = ? WHERE id = ?',
    ...[created.key.id, old.expiresAtMs === 0 ? endMs : Math.min(old.expiresAtMs, endMs), revision, id],
  )
  return created
}

/** Forgets a key; edges refuse it as one that never was. @throws ERR_API_KEY_NOT_FOUND */
export function deleteApiKey(sql: SqlStorage, id: string, revision: number): void {
  const { hash } = requireRow(sql, id)
  sql.exec('DELETE FROM api_keys WHERE id = ?', id)
  sql.exec('INSERT OR REPLACE INTO removed_api_keys VALUES (?, ?)', hash, revision)
}

/** Keys that were made or changed after a revision, as edges hold them; 0 = all. */
export function listApiKeysSince(sql: SqlStorage, from: number): EdgeApiKey[] {
  const rows = sql.exec<Row>('SELECT * FROM api_keys WHERE revision > ? ORDER BY number', from)
  return rows.toArray().map(row => ({ ...toKey(row), hash: row.hash }))
}

/** Hashes of keys that were deleted after a revision. */
export function listRemovedApiKeysSince(sql: SqlStorage, from: number): string[] {
  const rows = sql.exec<{ hash: string }>('SELECT hash FROM removed_api_keys WHERE revision > ?', from)
  return rows.toArray().map(({ hash }) => hash)
}

type Row = {
  readonly number: number
  readonly id: string
  readonly prefix: string
  readonly hash: string
  readonly name: string
  readonly owner: string
  readonly scopes: string
  readonly metadata: string
  readonly created_on: string
  readonly expires_at_ms: number
  readonly revoked_at_ms: number
  readonly replaced_by: string | null
}

function requireRow(sql: SqlStorage, id: string): Row {
  const [row] = sql.exec<Row>('SELECT * FROM api_keys WHERE id = ?', id).toArray()
  if (row) return row
  throw new SkerryError('ERR_API_KEY_NOT_FOUND', `The account has no API key "${id}".`)
}

function toKey(row: Row): ApiKey {
  const { id, prefix, name, owner, expires_at_ms: expiresAtMs, revoked_at_ms: revokedAtMs } = row
  const [scopes, metadata] = [JSON.parse(row.scopes), JSON.parse(row.metadata)]
  return { id, prefix, name, owner, scopes, metadata, expiresAtMs, revokedAtMs }
}

function toRecord(row: Row): ApiKeyRecord {
  return { ...toKey(row), createdOn: row.created_on, replacedBy: row.replaced_by }
}

function whyNotToRotate(key: ApiKeyRecord, nowMs: number): string | undefined {
  if (key.revokedAtMs !== 0) return 'is revoked, so it is of no use to replace it'
  if (key.replacedBy !== null) return `was replaced by ${key.replacedBy} before: rotate that one`
  if (key.expiresAtMs !== 0 && key.expiresAtMs <= nowMs)
    return 'has expired, so it is of no use to replace it'
  return undefined
}
