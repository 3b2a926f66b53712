import type { NamespaceEntry } from '../core/routing.ts'

/** A namespace of Durable Objects: the objects of one class of one script. Names move, the id stays. */
export interface NamespaceRecord {
  /** 32 hex digits; never given twice, so what is deleted comes back under no name. */
  readonly id: string
  readonly script: string
  readonly class: string
  /** 0: made as a class with key-value storage. It is kept in SQLite all the same. */
  readonly sqlite: number
  /** ISO 8601, UTC, microseconds. */
  readonly created_on: string
}

/** A class that waits for the namespace of another script's class of the same name. */
export interface PendingTransfer {
  readonly script: string
  readonly class: string
  readonly from_script: string
}

export const OBJECT_NAMESPACES_SCHEMA = `
  CREATE TABLE object_namespaces (
    id TEXT PRIMARY KEY, script TEXT NOT NULL, class TEXT NOT NULL, sqlite INTEGER NOT NULL,
    created_on TEXT NOT NULL, UNIQUE (script, class)
  );
  CREATE TABLE object_transfers (
    script TEXT NOT NULL, class TEXT NOT NULL, from_script TEXT NOT NULL, PRIMARY KEY (script, class)
  );
  CREATE TABLE doomed_namespaces (id TEXT PRIMARY KEY);
  ALTER TABLE scripts ADD COLUMN migration_tag TEXT`

/** All of the account's, by script and class. */
export function listNamespaces(sql: SqlStorage): NamespaceRecord[] {
  return sql.exec<Row>('SELECT * FROM object_namespaces ORDER BY script, class').toArray()
}

export function findNamespace(sql: SqlStorage, id: string): NamespaceRecord | undefined {
  return sql.exec<Row>('SELECT * FROM object_namespaces WHERE id = ?', id).toArray()[0]
}

/** As edges and objects know them. */
export function listNamespaceEntries(sql: SqlStorage): NamespaceEntry[] {
  return listNamespaces(sql).map(({ id, script, class: className }) => ({ id, script, className }))
}

export function listPendingTransfers(sql: SqlStorage): PendingTransfer[] {
  return sql.exec<TransferRow>('SELECT * FROM object_transfers ORDER BY script, class').toArray()
}

/**
 * Puts namespaces in the place of those there are. What is left out is gone at once, and its objects are owed to
 * be deleted.
 *
 * @returns whether anything changed
 */
export function saveNamespaces(sql: SqlStorage, after: readonly NamespaceRecord[]): boolean {
  const before = new Map(listNamespaces(sql).map(record => [record.id, record]))
  const kept = new Set(after.map(({ id }) => id))
  const removed = [...before.keys()].filter(id => !kept.has(id))
  const changed = after.filter(record => !isSame(before.get(record.id), record))
  // Names are unique: those that are swapped must both be free first.
  for (const id of [...removed, ...changed.map(({ id }) => id)]) {
    sql.exec('DELETE FROM object_namespaces WHERE id = ?', id)
  }
  for (const { id, script, class: name, sqlite, created_on } of changed) {
    sql.exec('INSERT INTO object_namespaces VALUES (?, ?, ?, ?, ?)', id, script, name, sqlite, created_on)
  }
  for (const id of removed) sql.exec('INSERT OR IGNORE INTO doomed_namespaces VALUES (?)', id)
  return removed.length + changed.length > 0
}

/** Puts pending transfers in the place of those there are. */
export function savePendingTransfers(sql: SqlStorage, after: readonly PendingTransfer[]): void {
  sql.exec('DELETE FROM object_transfers')
  for (const { script, class: name, from_script } of after) {
    sql.exec('INSERT INTO object_transfers VALUES (?, ?, ?)', script, name, from_script)
  }
}

/** Removes a script's namespaces. @returns whether there were any */
export function deleteNamespacesOf(sql: SqlStorage, script: string): boolean {
  sql.exec('DELETE FROM object_transfers WHERE script = ?', script)
  return saveNamespaces(
    sql,
    listNamespaces(sql).filter(record => record.script !== script),
  )
}

/** Namespaces whose objects are still to be deleted. */
export function listDoomedNamespaces(sql: SqlStorage): string[] {
  return sql
    .exec<{ id: string }>('SELECT id FROM doomed_namespaces')
    .toArray()
    .map(({ id }) => id)
}

/** The objects of a doomed namespace are gone. */
export function forgetDoomedNamespace(sql: SqlStorage, id: string): void {
  sql.exec('DELETE FROM doomed_namespaces WHERE id = ?', id)
}

function isSame(a: NamespaceRecord | undefined, b: NamespaceRecord): boolean {
  return a !== undefined && a.script === b.script && a.class === b.class && a.sqlite === b.sqlite
}

type Row = { id: string; script: string; class: string; sqlite: number; created_on: string }
type TransferRow = { script: string; class: string; from_script: string }
