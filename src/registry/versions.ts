import { SkerryError } from '../core/errors.ts'
import { sha256Hex } from '../core/ids.ts'
import type { Manifest, Program, StoredBinding } from '../core/manifest.ts'
import { timestamp } from './schema.ts'

/** Who made a change, as Cloudflare's API shows it. */
export interface Author {
  readonly id: string
  readonly email: string
}

/** An immutable version, as stored. */
export interface VersionRecord {
  readonly id: string
  readonly script: string
  /** From 1, per script. */
  readonly number: number
  readonly created_on: string
  /** What made it: `wrangler`, `api`, … */
  readonly source: string
  readonly author: Author
  readonly annotations: Readonly<Record<string, string>>
  readonly manifest: Manifest
  /** Digest of everything that can change the isolate. */
  readonly isolate: string
  /** The 8-byte key prefix of each KV namespace it binds, by namespace id. */
  readonly kvPrefixes: Readonly<Record<string, string>>
  /** The id of the object behind each resource it binds, by `resourceKey`. */
  readonly resources: Readonly<Record<string, string>>
}

export const VERSIONS_SCHEMA = `
  CREATE TABLE versions (
    id TEXT PRIMARY KEY, script TEXT NOT NULL, number INTEGER NOT NULL, created_on TEXT NOT NULL,
    source TEXT NOT NULL, author TEXT NOT NULL, annotations TEXT NOT NULL, manifest TEXT NOT NULL,
    isolate TEXT NOT NULL, kv_prefixes TEXT NOT NULL, UNIQUE (script, number)
  );
  CREATE TABLE modules (digest TEXT PRIMARY KEY, size INTEGER NOT NULL)`

/** A binding that takes its value from the script's previous version. */
export interface InheritBinding {
  readonly type: 'inherit'
  readonly name: string
}

/**
 * The bindings of a new version: what the upload names, what it inherits by name, and what it keeps by type.
 *
 * @param keepTypes binding types that stay unless the upload names them (`keep_bindings`)
 * @throws ERR_BINDING_INHERIT if there is nothing to inherit
 */
export function mergeBindings(
  previous: readonly StoredBinding[],
  uploaded: readonly (StoredBinding | InheritBinding)[],
  keepTypes: readonly string[],
): StoredBinding[] {
  const before = new Map(previous.map(binding => [binding.name, binding]))
  const named = uploaded.map(binding => {
    if (binding.type !== 'inherit') return binding
    const inherited = before.get(binding.name)
    if (inherited) return inherited
    throw new SkerryError(
      'ERR_BINDING_INHERIT',
      `inherit binding '${binding.name}' is invalid: the previous version has no binding of that name`,
    )
  })
  const names = new Set(named.map(({ name }) => name))
  const kept = previous.filter(({ name, type }) => !names.has(name) && keepTypes.includes(type))
  return [...named, ...kept]
}

/** The loader id's digest: equal for versions that behave alike, different whenever anything could differ. */
export function isolateDigest(
  owner: { accountId: string; script: string },
  version: {
    id: string
    manifest: Manifest
    annotations: VersionRecord['annotations']
    kvPrefixes: VersionRecord['kvPrefixes']
    resources: VersionRecord['resources']
  },
): Promise<string> {
  const { manifest } = version
  const program: Program = {
    format: manifest.format,
    mainModule: manifest.mainModule,
    modules: manifest.modules.filter(({ type }) => type !== 'source-map'),
    compatibilityDate: manifest.compatibilityDate,
    compatibilityFlags: manifest.compatibilityFlags,
  }
  const showsVersion = manifest.bindings.some(({ type }) => type === 'version_metadata')
  return sha256Hex(
    JSON.stringify([
      owner.accountId,
      owner.script,
      program,
      manifest.bindings,
      version.kvPrefixes,
      showsVersion && [version.id, version.annotations],
      ...(manifest.turnMs === undefined ? [] : [manifest.turnMs]),
      // Left out where there is none, so that what was deployed before there were any keeps its digest.
      ...(Object.keys(version.resources).length > 0 ? [version.resources] : []),
      // Without a binding, the isolate knows nothing of its files.
      ...(manifest.assets && manifest.bindings.some(({ type }) => type === 'assets')
        ? [manifest.assets.digest]
        : []),
    ]),
  )
}

export function insertVersion(
  sql: SqlStorage,
  version: Omit<VersionRecord, 'number' | 'created_on'>,
  nowMs: number,
): void {
  const { next } = sql
    .exec<{ next: number }>(
      'SELECT coalesce(max(number), 0) + 1 AS next FROM versions WHERE script = ?',
      version.script,
    )
    .one()
  sql.exec(
    'INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    version.id,
    version.script,
    next,
    timestamp(nowMs),
    version.source,
    JSON.stringify(version.author),
    JSON.stringify(version.annotations),
    JSON.stringify(version.manifest),
    version.isolate,
    JSON.stringify(version.kvPrefixes),
    JSON.stringify(version.resources),
  )
  for (const { digest, sizeBytes } of version.manifest.modules) {
    sql.exec('INSERT OR IGNORE INTO modules VALUES (?, ?)', digest, sizeBytes)
  }
}

export function findVersion(sql: SqlStorage, script: string, id: string): VersionRecord | undefined {
  return select(sql, 'script = ? AND id = ?', script, id)[0]
}

/** The newest version, deployed or not. */
export function latestVersion(sql: SqlStorage, script: string): VersionRecord | undefined {
  return select(sql, 'script = ? ORDER BY number DESC LIMIT 1', script)[0]
}

/** Newest first. */
export function listVersions(
  sql: SqlStorage,
  script: string,
  limit: number,
  offset: number,
): VersionRecord[] {
  return select(sql, 'script = ? ORDER BY number DESC LIMIT ? OFFSET ?', script, limit, offset)
}

export function countVersions(sql: SqlStorage, script: string): number {
  return sql.exec<{ n: number }>('SELECT count(*) AS n FROM versions WHERE script = ?', script).one().n
}

/** A version by its id, the first 8 digits of it, or its tag; ids come first, then the newest. */
export function findVersionByName(
  sql: SqlStorage,
  script: string,
  wanted: string,
): VersionRecord | undefined {
  return select(
    sql,
    `script = ?
     AND (id = ? OR substr(id, 1, 8) = ? OR annotations ->> '$."workers/tag"' = ?)
     ORDER BY substr(id, 1, 8) = substr(?, 1, 8) DESC, number DESC LIMIT 1`,
    script,
    wanted,
    wanted,
    wanted,
    wanted,
  )[0]
}

/** Which of these module digests the code store already has. */
export function knownModules(sql: SqlStorage, digests: readonly string[]): string[] {
  return digests.filter(
    digest => sql.exec('SELECT 1 FROM modules WHERE digest = ?', digest).toArray().length > 0,
  )
}

export function deleteVersions(sql: SqlStorage, script: string): void {
  sql.exec('DELETE FROM versions WHERE script = ?', script)
}

function select(sql: SqlStorage, where: string, ...values: (string | number)[]): VersionRecord[] {
  return sql
    .exec<Record<string, string | number>>(`SELECT * FROM versions WHERE ${where}`, ...values)
    .toArray()
    .map(
      row =>
        ({
          ...row,
          author: JSON.parse(String(row.author)),
          annotations: JSON.parse(String(row.annotations)),
          manifest: JSON.parse(String(row.manifest)),
          kvPrefixes: JSON.parse(String(row.kv_prefixes)),
          resources: JSON.parse(String(row.resources)),
        }) as unknown as VersionRecord,
    )
}
