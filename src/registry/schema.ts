/** A table's definition and the statements that bring an older database up to date, in order. */
export type Migration = string

/**
 * Brings a Durable Object's SQLite database to the newest schema, in one transaction.
 *
 * `migrations` only ever grows at its end. Throws if the database was written by a newer platform.
 */
export function migrate(storage: DurableObjectStorage, migrations: readonly Migration[]): void {
  storage.transactionSync(() => {
    const { sql } = storage
    sql.exec('CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)')
    const version =
      sql.exec<{ version: number }>('SELECT version FROM schema_version').toArray()[0]?.version ?? 0
    if (version > migrations.length) {
      throw new Error(
        `the data was written by a newer Skerry (schema ${version}, this one knows ${migrations.length})`,
      )
    }
    if (version === migrations.length) return
    for (const migration of migrations.slice(version)) sql.exec(migration)
    sql.exec('DELETE FROM schema_version')
    sql.exec('INSERT INTO schema_version VALUES (?)', migrations.length)
  })
}

/** The present as Cloudflare's API writes it: ISO 8601, UTC, microseconds; sorts as a string. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs).toISOString().replace('Z', '000Z')
}
