/** Single values of an object: its identity and counters. */
export const META_SCHEMA = 'CREATE TABLE meta (key TEXT PRIMARY KEY, value)'

type Key =
  | 'account_id'
  | 'workers_domain'
  | 'revision'
  | 'routes_revision'
  | 'gateway_revision'
  | 'namespaces_revision'

/** Reads and writes them. */
export class Meta {
  readonly #sql: SqlStorage

  constructor(sql: SqlStorage) {
    this.#sql = sql
  }

  /** Empty if it was never set. */
  text(key: Key): string {
    return String(this.#read(key) ?? '')
  }

  /** 0 if it was never set. */
  number(key: Key): number {
    return Number(this.#read(key) ?? 0)
  }

  set(key: Key, value: string | number): void {
    this.#sql.exec('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, value)
  }

  #read(key: Key): SqlStorageValue | undefined {
    return this.#sql.exec('SELECT value FROM meta WHERE key = ?', key).toArray()[0]?.value
  }
}
