import type { Migration } from '../../src/registry/schema.ts'

/** The tables of `Queue`; times are milliseconds since the epoch. `README.md` lists the columns. */
export const QUEUE_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE messages (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, type INTEGER NOT NULL,
     sent_ms INTEGER NOT NULL, arrived_ms INTEGER NOT NULL, visible_ms INTEGER NOT NULL,
     attempts INTEGER NOT NULL DEFAULT 0, lease INTEGER NOT NULL DEFAULT 0, source TEXT, body BLOB NOT NULL
   );
   CREATE INDEX messages_visible ON messages (visible_ms);
   CREATE TABLE letters (
     number INTEGER PRIMARY KEY AUTOINCREMENT, target TEXT NOT NULL, id TEXT NOT NULL, type INTEGER NOT NULL,
     sent_ms INTEGER NOT NULL, dead_ms INTEGER NOT NULL, source TEXT, body BLOB NOT NULL
   );
   CREATE TABLE received (source TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;`,
]

/** What a query gave, as the rows that its columns say. */
export function rows<T>(cursor: SqlStorageCursor<Record<string, SqlStorageValue>>): T[] {
  return cursor.toArray() as T[]
}
