import { createHexId } from '../core/ids.ts'
import { scriptNotFound } from './failures.ts'
import { timestamp } from './schema.ts'

/** A script: a name with settings, to which versions and deployments belong. */
export interface ScriptRecord {
  readonly name: string
  /** Cloudflare's `tag`: an id that survives neither deletion nor renaming. */
  readonly tag: string
  readonly created_on: string
  readonly modified_on: string
  readonly workers_dev: number
  readonly previews: number
  readonly tailing_until_ms: number
  /** Service and environment tags, as JSON. */
  readonly tags: string
  /** What `script-settings` keeps and gives back: observability, logpush, tail_consumers; JSON. */
  readonly settings: string
  /** The account's revision at its last change. */
  readonly revision: number
  /** The last migration of its Durable Object classes. */
  readonly migration_tag: string | null
}

export const SCRIPTS_SCHEMA = `
  CREATE TABLE scripts (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL,
    workers_dev INTEGER NOT NULL DEFAULT 1, previews INTEGER NOT NULL DEFAULT 1,
    tailing_until_ms INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]',
    settings TEXT NOT NULL DEFAULT '{}', revision INTEGER NOT NULL
  );
  CREATE INDEX scripts_revision ON scripts (revision);
  CREATE TABLE removed_scripts (name TEXT PRIMARY KEY, revision INTEGER NOT NULL)`

/** Makes the script if there is none, and notes that it changed. */
export function touchScript(sql: SqlStorage, name: string, revision: number, nowMs: number): void {
  const now = timestamp(nowMs)
  sql.exec(
    `INSERT INTO scripts (name, tag, created_on, modified_on, revision) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET modified_on = excluded.modified_on, revision = excluded.revision`,
    name,
    createHexId(),
    now,
    now,
    revision,
  )
  sql.exec('DELETE FROM removed_scripts WHERE name = ?', name)
}

/** Lets edges read the script again, though nobody has modified it. */
export function reviseScript(sql: SqlStorage, name: string, revision: number): void {
  sql.exec('UPDATE scripts SET revision = ? WHERE name = ?', revision, name)
}

export function findScript(sql: SqlStorage, name: string): ScriptRecord | undefined {
  return sql.exec('SELECT * FROM scripts WHERE name = ?', name).toArray()[0] as unknown as
    | ScriptRecord
    | undefined
}

/** @throws ERR_SCRIPT_NOT_FOUND */
export function requireScript(sql: SqlStorage, name: string): ScriptRecord {
  const script = findScript(sql, name)
  if (!script) throw scriptNotFound()
  return script
}

/** By name. */
export function listScripts(sql: SqlStorage): ScriptRecord[] {
  return sql.exec('SELECT * FROM scripts ORDER BY name').toArray() as unknown as ScriptRecord[]
}

export function listScriptsSince(sql: SqlStorage, revision: number): ScriptRecord[] {
  return sql.exec('SELECT * FROM scripts WHERE revision > ?', revision).toArray() as unknown as ScriptRecord[]
}

export function listRemovedSince(sql: SqlStorage, revision: number): string[] {
  const rows = sql.exec<{ name: string }>('SELECT name FROM removed_scripts WHERE revision > ?', revision)
  return rows.toArray().map(({ name }) => name)
}

/** Settings that a change may carry; absent ones stay. */
export interface ScriptSettings {
  readonly workersDev?: boolean
  readonly previews?: boolean
  readonly tailingUntilMs?: number
  readonly tags?: readonly string[]
  readonly settings?: Readonly<Record<string, unknown>>
}

export function updateScript(sql: SqlStorage, name: string, change: ScriptSettings): void {
  const set = (column: string, value: string | number | undefined) => {
    if (value !== undefined) sql.exec(`UPDATE scripts SET ${column} = ? WHERE name = ?`, value, name)
  }
  set('workers_dev', change.workersDev === undefined ? undefined : Number(change.workersDev))
  set('previews', change.previews === undefined ? undefined : Number(change.previews))
  set('tailing_until_ms', change.tailingUntilMs)
  set('tags', change.tags && JSON.stringify(change.tags))
  if (change.settings) {
    const before = JSON.parse(findScript(sql, name)?.settings ?? '{}') as Record<string, unknown>
    set('settings', JSON.stringify({ ...before, ...change.settings }))
  }
}

/** Notes the last migration of a script's classes. */
export function setMigrationTag(sql: SqlStorage, name: string, tag: string | null): void {
  sql.exec('UPDATE scripts SET migration_tag = ? WHERE name = ?', tag, name)
}

/** Removes the script, leaving a tombstone for edges that follow by revision. */
export function deleteScript(sql: SqlStorage, name: string, revision: number): void {
  sql.exec('DELETE FROM scripts WHERE name = ?', name)
  sql.exec('INSERT OR REPLACE INTO removed_scripts VALUES (?, ?)', name, revision)
}
