import { type ErrorCode, SkerryError } from '../core/errors.ts'
import type { StoredBinding } from '../core/manifest.ts'
import { type ResourceKind, resourceKey, resourceOf } from '../core/resources.ts'

/** A database, bucket, queue or workflow of the account. */
export interface ResourceRecord {
  readonly kind: ResourceKind
  /** As Cloudflare's API names it: a UUID for a database or workflow, a bucket's name, 32 hex digits for a queue. */
  readonly id: string
  /** As people name it; unique among the kind. A bucket's is its id. */
  readonly name: string
  /** 32 hex digits: of the object that has the content. Never given twice. */
  readonly object: string
  /** ISO 8601, UTC, microseconds. */
  readonly created_on: string
}

export const RESOURCES_SCHEMA = `
  CREATE TABLE resources (
    kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, object TEXT NOT NULL UNIQUE,
    created_on TEXT NOT NULL, PRIMARY KEY (kind, id), UNIQUE (kind, name)
  );
  ALTER TABLE versions ADD COLUMN resources TEXT NOT NULL DEFAULT '{}'`

/** Adds a resource. @throws ERR_RESOURCE_TAKEN if its id or name is in use */
export function insertResource(sql: SqlStorage, resource: ResourceRecord): ResourceRecord {
  const { kind, id, name, object, created_on } = resource
  requireFree(sql, kind, id)
  requireFree(sql, kind, name)
  sql.exec('INSERT INTO resources VALUES (?, ?, ?, ?, ?)', kind, id, name, object, created_on)
  return resource
}

/** All of a kind, oldest first. */
export function listResources(sql: SqlStorage, kind: ResourceKind): ResourceRecord[] {
  return sql.exec<Row>('SELECT * FROM resources WHERE kind = ? ORDER BY created_on, id', kind).toArray()
}

/** A resource by its id or its name; an id comes first. */
export function findResource(
  sql: SqlStorage,
  kind: ResourceKind,
  idOrName: string,
): ResourceRecord | undefined {
  return sql
    .exec<Row>(
      'SELECT * FROM resources WHERE kind = ? AND (id = ? OR name = ?) ORDER BY id = ? DESC LIMIT 1',
      kind,
      idOrName,
      idOrName,
      idOrName,
    )
    .toArray()[0]
}

/** Gives a resource another name. @throws as `requireResource`, ERR_RESOURCE_TAKEN */
export function renameResource(
  sql: SqlStorage,
  kind: ResourceKind,
  id: string,
  name: string,
): ResourceRecord {
  const resource = requireResource(sql, kind, id)
  if (resource.name === name) return resource
  requireFree(sql, kind, name)
  sql.exec('UPDATE resources SET name = ? WHERE kind = ? AND id = ?', name, kind, resource.id)
  return { ...resource, name }
}

/** Forgets a resource; its content is the caller's to delete. @throws as `requireResource` */
export function deleteResource(sql: SqlStorage, kind: ResourceKind, idOrName: string): ResourceRecord {
  const resource = requireResource(sql, kind, idOrName)
  sql.exec('DELETE FROM resources WHERE kind = ? AND id = ?', kind, resource.id)
  return resource
}

/**
 * The object behind each database, bucket, queue and workflow that bindings name, by `resourceKey`.
 *
 * @throws ERR_D1_MISSING, ERR_R2_BUCKET_MISSING, ERR_QUEUE_NOT_FOUND, ERR_WORKFLOW_NOT_FOUND
 */
export function resolveResources(
  sql: SqlStorage,
  script: string,
  bindings: readonly StoredBinding[],
): Record<string, string> {
  const resources: Record<string, string> = {}
  for (const binding of bindings) {
    const wanted = resourceOf(binding)
    const key = resourceKey(binding, script)
    if (!wanted || !key) continue
    const found = findResource(sql, wanted.kind, wanted.ref)
    if (!found) throw missing(wanted.kind, wanted.ref, binding.name)
    resources[key] = found.object
  }
  return resources
}

/** Which scripts, as they are deployed, bind what; objects are ids of resources of a kind. */
export function listBinders(sql: SqlStorage, kind: ResourceKind): { script: string; object: string }[] {
  return sql
    .exec<{ script: string; object: string }>(
      `SELECT DISTINCT versions.script, bound.value AS object FROM deployments
       JOIN json_each(deployments.versions) AS share
       JOIN versions ON versions.id = json_extract(share.value, '$.version_id')
       JOIN json_each(versions.resources) AS bound ON bound.key LIKE ? || '/%'
       WHERE deployments.number IN (SELECT max(number) FROM deployments GROUP BY script)
       ORDER BY versions.script`,
      kind,
    )
    .toArray()
}

type Row = {
  kind: ResourceKind
  id: string
  name: string
  object: string
  created_on: string
}

const WORDS: Readonly<Record<ResourceKind, { word: string; code: ErrorCode }>> = {
  d1: { word: 'D1 database', code: 'ERR_D1_NOT_FOUND' },
  r2_bucket: { word: 'R2 bucket', code: 'ERR_R2_BUCKET_NOT_FOUND' },
  queue: { word: 'Queue', code: 'ERR_QUEUE_NOT_FOUND' },
  workflow: { word: 'Workflow', code: 'ERR_WORKFLOW_NOT_FOUND' },
}

/** In Cloudflare's words, as wrangler prints them. */
function missing(kind: ResourceKind, ref: string, binding: string): SkerryError {
  switch (kind) {
    case 'd1':
      return new SkerryError(
        'ERR_D1_MISSING',
        `D1 binding '${binding}' references database '${ref}' which was not found. Verify the database exists in your account and that the database_id in your configuration is correct.`,
      )
    case 'r2_bucket':
      return new SkerryError(
        'ERR_R2_BUCKET_MISSING',
        `R2 bucket '${ref}' not found. Please use a different name and try again.`,
      )
    case 'queue':
      return new SkerryError(
        'ERR_QUEUE_NOT_FOUND',
        `Queue '${ref}' of the binding '${binding}' was not found in this account.`,
      )
    case 'workflow':
      return new SkerryError(
        'ERR_WORKFLOW_NOT_FOUND',
        `Workflow '${ref}' of the binding '${binding}' was not found in this account. Deploy the Worker that exports its class first.`,
      )
  }
}

/** A resource by its id or name. @throws ERR_D1_NOT_FOUND, ERR_R2_BUCKET_NOT_FOUND, ERR_QUEUE_NOT_FOUND, ERR_WORKFLOW_NOT_FOUND */
export function requireResource(sql: SqlStorage, kind: ResourceKind, idOrName: string): ResourceRecord {
  const found = findResource(sql, kind, idOrName)
  if (found) return found
  const { word, code } = WORDS[kind]
  throw new SkerryError(code, `${word} '${idOrName}' was not found in this account.`)
}

function requireFree(sql: SqlStorage, kind: ResourceKind, idOrName: string): void {
  if (!findResource(sql, kind, idOrName)) return
  throw new SkerryError('ERR_RESOURCE_TAKEN', `The account has a ${WORDS[kind].word} '${idOrName}' already.`)
}
