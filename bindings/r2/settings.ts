/** What a bucket is told once; a row is there when something isn't the default. */
export const SETTINGS_SCHEMA = 'CREATE TABLE settings (storage_class TEXT NOT NULL)'

/** How objects are kept whose writer doesn't say. It changes nothing here but what is said. */
export const STORAGE_CLASSES = ['Standard', 'InfrequentAccess'] as const
export type StorageClass = (typeof STORAGE_CLASSES)[number]

/** The storage class of objects that name none; `Standard` unless it was set. */
export function readStorageClass(sql: SqlStorage): StorageClass {
  const [row] = sql.exec<{ storage_class: StorageClass }>('SELECT storage_class FROM settings').toArray()
  return row?.storage_class ?? 'Standard'
}

/** Sets it for objects written from now on. */
export function writeStorageClass(sql: SqlStorage, storageClass: StorageClass): void {
  sql.exec('DELETE FROM settings')
  sql.exec('INSERT INTO settings VALUES (?)', storageClass)
}
