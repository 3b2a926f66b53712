/** A stored static file of the account, by the hash that clients make of it. */
export interface AssetRecord {
  /** 32 hex digits, made by the client of content and file name's ending; nobody checks how. */
  readonly hash: string
  /** SHA-256 of the bytes, 64 hex digits: where they are in the code store. */
  readonly digest: string
  readonly sizeBytes: number
  /** `null` = it is sent without. */
  readonly contentType: string | null
}

export const ASSETS_SCHEMA = `
  CREATE TABLE assets (
    hash TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL, content_type TEXT
  )`

/** Notes stored files. A hash that is known stays what it was: versions were made with it. */
export function insertAssets(sql: SqlStorage, assets: readonly AssetRecord[]): void {
  for (const { hash, digest, sizeBytes, contentType } of assets) {
    sql.exec('INSERT OR IGNORE INTO assets VALUES (?, ?, ?, ?)', hash, digest, sizeBytes, contentType)
  }
}

/** The stored files of those hashes that are known. */
export function findAssets(sql: SqlStorage, hashes: readonly string[]): AssetRecord[] {
  return sql
    .exec<{ hash: string; digest: string; size: number; content_type: string | null }>(
      'SELECT * FROM assets WHERE hash IN (SELECT value FROM json_each(?))',
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ hash, digest, size, content_type }) => ({
      ...{ hash, digest, sizeBytes: size, contentType: content_type },
    }))
}

/** Whether a file is stored for each of the hashes. */
export function hasAssets(sql: SqlStorage, hashes: readonly string[]): boolean {
  return (
    sql
      .exec(
        `SELECT 1 FROM json_each(?) AS wanted
         WHERE NOT EXISTS (SELECT 1 FROM assets WHERE hash = wanted.value) LIMIT 1`,
        JSON.stringify(hashes),
      )
      .toArray().length === 0
  )
}

/** Those of the hashes that no file is stored for, each once. */
export function missingAssets(sql: SqlStorage, hashes: readonly string[]): string[] {
  return sql
    .exec<{ value: string }>(
      `SELECT DISTINCT value FROM json_each(?) AS wanted
       WHERE NOT EXISTS (SELECT 1 FROM assets WHERE hash = wanted.value)`,
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ value }) => value)
}
