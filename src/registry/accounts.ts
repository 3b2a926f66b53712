import { SkerryError } from '../core/errors.ts'
import { createHexId } from '../core/ids.ts'
import { timestamp } from './schema.ts'

/** A tenant. The first one's scripts answer on `<script>.<domain>`, the others' on `<script>.<name>.<domain>`. */
export interface AccountRecord {
  readonly id: string
  readonly name: string
  /** 1 for the first account, else 0. */
  readonly is_default: number
  readonly created_on: string
}

export const ACCOUNTS_SCHEMA = `
  CREATE TABLE accounts (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, is_default INTEGER NOT NULL, created_on TEXT NOT NULL
  )`

/** @throws ERR_ACCOUNT_NAME if the name is no host label of at most 32 characters, or taken */
export function insertAccount(sql: SqlStorage, name: string, nowMs: number): AccountRecord {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
    throw new SkerryError(
      'ERR_ACCOUNT_NAME',
      `"${name}" can't be an account's name: it must be 1 to 32 lower-case letters, digits and inner dashes.`,
    )
  }
  const accounts = listAccounts(sql)
  if (accounts.some(account => account.name === name)) {
    throw new SkerryError('ERR_ACCOUNT_NAME', `There is an account named "${name}" already.`)
  }
  const record: AccountRecord = {
    id: createHexId(),
    name,
    is_default: accounts.length === 0 ? 1 : 0,
    created_on: timestamp(nowMs),
  }
  sql.exec('INSERT INTO accounts VALUES (?, ?, ?, ?)', record.id, name, record.is_default, record.created_on)
  return record
}

/** Oldest first. */
export function listAccounts(sql: SqlStorage): AccountRecord[] {
  return sql.exec('SELECT * FROM accounts ORDER BY created_on, id').toArray() as unknown as AccountRecord[]
}

export function findAccount(sql: SqlStorage, id: string): AccountRecord | undefined {
  return sql.exec('SELECT * FROM accounts WHERE id = ?', id).toArray()[0] as unknown as
    | AccountRecord
    | undefined
}

/** Where an account's scripts answer: `<script>.<this>`. */
export function workersDomain(account: AccountRecord, domain: string): string {
  return account.is_default ? domain : `${account.name}.${domain}`
}
