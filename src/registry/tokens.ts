import { createHexId, sha256Hex, toHex } from '../core/ids.ts'
import { timestamp } from './schema.ts'

/** What a token may do, weakest first. */
export const ROLES = ['viewer', 'deployer', 'admin'] as const
export type TokenRole = (typeof ROLES)[number]

/** A token as it is shown: never its text, of which only the hash is kept. */
export interface TokenRecord {
  readonly id: string
  readonly name: string
  readonly role: TokenRole
  /** The account it is for; `null` = all. */
  readonly account_id: string | null
  readonly created_on: string
}

export const TOKENS_SCHEMA = `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
    account_id TEXT, created_on TEXT NOT NULL
  )`

/** A new token's text: `skerry_` and 40 hex digits (160 random bits). */
export function createTokenText(): string {
  return `skerry_${toHex(crypto.getRandomValues(new Uint8Array(20)))}`
}

/** The form a token is kept and looked up in: SHA-256 is enough for 160 random bits. */
export function hashToken(text: string): Promise<string> {
  return sha256Hex(text)
}

export function insertToken(
  sql: SqlStorage,
  hash: string,
  fields: { name: string; role: TokenRole; accountId: string | null },
  nowMs: number,
): TokenRecord {
  const record: TokenRecord = {
    id: createHexId(),
    name: fields.name,
    role: fields.role,
    account_id: fields.accountId,
    created_on: timestamp(nowMs),
  }
  sql.exec(
    'INSERT INTO tokens (id, hash, name, role, account_id, created_on) VALUES (?, ?, ?, ?, ?, ?)',
    record.id,
    hash,
    record.name,
    record.role,
    record.account_id,
    record.created_on,
  )
  return record
}

export function listTokens(sql: SqlStorage): TokenRecord[] {
  return sql
    .exec(`SELECT ${COLUMNS} FROM tokens ORDER BY created_on, id`)
    .toArray() as unknown as TokenRecord[]
}

/** The token of this hash. Looked up by hash, so timing tells nothing about other tokens' texts. */
export function findToken(sql: SqlStorage, hash: string): TokenRecord | undefined {
  return sql.exec(`SELECT ${COLUMNS} FROM tokens WHERE hash = ?`, hash).toArray()[0] as unknown as
    | TokenRecord
    | undefined
}

/** Whether there was such a token. */
export function deleteToken(sql: SqlStorage, id: string): boolean {
  return sql.exec('DELETE FROM tokens WHERE id = ?', id).rowsWritten > 0
}

const COLUMNS = 'id, name, role, account_id, created_on'
