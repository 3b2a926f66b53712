import { SkerryError } from '../core/errors.ts'
import type { StoredBinding } from '../core/manifest.ts'

/** The account's KV namespaces. */
export const KV_NAMESPACES_SCHEMA = `CREATE TABLE IF NOT EXISTS kv_namespaces (
  id TEXT PRIMARY KEY,
  title TEXT NOT NULL UNIQUE,
  prefix TEXT NOT NULL UNIQUE,
  created_on TEXT NOT NULL
)`

/** A KV namespace. */
export interface KvNamespaceRecord {
  /** 32 hex digits, or what an adopted project called it: 1 to 64 printable characters. */
  readonly id: string
  /** Unique in the account. */
  readonly title: string
  /** 8 ASCII bytes before each of its keys in the store; unique on the platform and never used again. */
  readonly prefix: string
  /** ISO 8601, UTC. */
  readonly created_on: string
}

/** A namespace to be made; its prefix comes from the Directory. */
export interface NewKvNamespace {
  readonly id: string
  readonly title: string
  readonly prefix: string
  readonly createdOn: string
}

/** Makes a namespace. @throws ERR_KV_TITLE_TAKEN, ERR_KV_REQUEST if the id is taken */
export function createKvNamespace(
  sql: SqlStorage,
  { id, title, prefix, createdOn }: NewKvNamespace,
): KvNamespaceRecord {
  requireFreeTitle(sql, title)
  if (getKvNamespace(sql, id)) {
    throw new SkerryError('ERR_KV_REQUEST', `A namespace with the id "${id}" already exists.`)
  }
  sql.exec('INSERT INTO kv_namespaces VALUES (?, ?, ?, ?)', id, title, prefix, createdOn)
  return { id, title, prefix, created_on: createdOn }
}

/** All namespaces, by id. */
export function listKvNamespaces(sql: SqlStorage): KvNamespaceRecord[] {
  return sql.exec<Row>('SELECT * FROM kv_namespaces ORDER BY id').toArray()
}

/** The namespace of an id, if the account has it. */
export function getKvNamespace(sql: SqlStorage, id: string): KvNamespaceRecord | undefined {
  return sql.exec<Row>('SELECT * FROM kv_namespaces WHERE id = ?', id).toArray()[0]
}

/**
 * The key prefix of each namespace that bindings name, by id.
 *
 * @throws ERR_KV_NAMESPACE_MISSING
 */
export function resolveKvPrefixes(
  sql: SqlStorage,
  bindings: readonly StoredBinding[],
): Record<string, string> {
  const prefixes: Record<string, string> = {}
  for (const binding of bindings) {
    if (binding.type !== 'kv_namespace') continue
    const id = binding.namespace_id
    const prefix = getKvNamespace(sql, id)?.prefix
    if (!prefix) {
      throw new SkerryError(
        'ERR_KV_NAMESPACE_MISSING',
        `KV namespace '${id}' not found. Please verify the namespace_id of the binding '${binding.name}'.`,
      )
    }
    prefixes[id] = prefix
  }
  return prefixes
}

/** Gives a namespace another title. @throws ERR_KV_NAMESPACE_NOT_FOUND, ERR_KV_TITLE_TAKEN */
export function renameKvNamespace(sql: SqlStorage, id: string, title: string): KvNamespaceRecord {
  const namespace = requireNamespace(sql, id)
  if (namespace.title !== title) requireFreeTitle(sql, title)
  sql.exec('UPDATE kv_namespaces SET title = ? WHERE id = ?', title, id)
  return { ...namespace, title }
}

/** Forgets a namespace; its values are the caller's to delete. @throws ERR_KV_NAMESPACE_NOT_FOUND */
export function deleteKvNamespace(sql: SqlStorage, id: string): KvNamespaceRecord {
  const namespace = requireNamespace(sql, id)
  sql.exec('DELETE FROM kv_namespaces WHERE id = ?', id)
  return namespace
}

type Row = { id: string; title: string; prefix: string; created_on: string }

function requireNamespace(sql: SqlStorage, id: string): KvNamespaceRecord {
  const namespace = getKvNamespace(sql, id)
  if (!namespace) throw new SkerryError('ERR_KV_NAMESPACE_NOT_FOUND', 'namespace not found')
  return namespace
}

/** The words are Cloudflare's: clients compare them. */
function requireFreeTitle(sql: SqlStorage, title: string): void {
  if (sql.exec('SELECT id FROM kv_namespaces WHERE title = ?', title).toArray().length === 0) return
  throw new SkerryError('ERR_KV_TITLE_TAKEN', 'a namespace with this account ID and title already exists')
}
