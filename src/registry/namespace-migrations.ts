import { type ErrorCode, SkerryError } from '../core/errors.ts'
import type { Migrations } from '../core/object-changes.ts'
import { exportsClass, type NamespaceContext, NamespaceDraft, type NamespacePlan } from './namespace-draft.ts'
import type { NamespaceRecord } from './object-namespaces.ts'

/**
 * Applies migrations, one step after the other. The words and codes are Cloudflare's, as tools look for them.
 *
 * @throws ERR_OBJECT_MIGRATION_TAG, ERR_OBJECT_CLASS_STATE, ERR_OBJECT_CLASS_UNEXPORTED, ERR_OBJECT_CLASS_NOT_FOUND,
 * ERR_OBJECT_NAMESPACE_LIMIT
 */
export function applyMigrations(context: NamespaceContext, migrations: Migrations): NamespacePlan {
  const { oldTag, newTag, steps } = migrations
  if ((oldTag ?? null) !== context.tag) {
    throw new SkerryError(
      'ERR_OBJECT_MIGRATION_TAG',
      `Migration tag precondition failed; current tag is ${context.tag ?? "''"}`,
    )
  }
  const draft = new NamespaceDraft(context)
  /** By class: the directive that gave it its namespace. */
  const targets = new Map<string, string>()
  for (const step of steps) {
    for (const name of step.deleted) {
      const record = requireSource(draft, 'delete', name)
      if (context.boundBy(record.id).length > 0) throw stillBound(name, context.boundBy(record.id))
      draft.remove(record)
      targets.delete(name)
    }
    for (const { from, to } of step.renamed) {
      const record = requireSource(draft, 'rename', from)
      requireFree(draft, 'rename', to)
      draft.move(record, to)
      targets.delete(from)
      targets.set(to, 'rename')
    }
    for (const { from, fromScript, to } of step.transferred) {
      const record = requireSource(draft, 'transfer', from, fromScript)
      requireFree(draft, 'transfer', to)
      draft.move(record, to)
      targets.set(to, 'transfer')
    }
    for (const name of [...step.created, ...step.createdSqlite]) {
      const isSqlite = step.createdSqlite.includes(name)
      const directive = isSqlite ? 'new-sqlite' : 'new'
      requireFree(draft, directive, name)
      draft.create(name, isSqlite ? 'sqlite' : 'legacy-kv')
      targets.set(name, directive)
    }
  }
  const reset = steps
    .flatMap(step => step.deleted)
    .find(name => context.bound.includes(name) && !draft.find(name))
  if (reset !== undefined) throw stillBound(reset, [])
  // A class that a later step renames or deletes needn't be in the code any more.
  for (const [name, directive] of targets) {
    if (exportsClass(context.exports, name)) continue
    throw refusal('ERR_OBJECT_CLASS_UNEXPORTED', directive, name, 'that is not exported by script')
  }
  return { namespaces: draft.all, transfers: context.transfers, tag: newTag ?? context.tag }
}

function requireSource(
  draft: NamespaceDraft,
  directive: string,
  className: string,
  script?: string,
): NamespaceRecord {
  const record = draft.find(className, script)
  if (record) return record
  const where = script === undefined ? 'the previous version of the script' : `the script '${script}'`
  throw refusal('ERR_OBJECT_CLASS_STATE', directive, className, `which was not exported in ${where}`)
}

function requireFree(draft: NamespaceDraft, directive: string, className: string): void {
  if (!draft.find(className)) return
  const problem = 'that is already depended on by existing Durable Objects'
  throw refusal('ERR_OBJECT_CLASS_STATE', directive, className, problem)
}

/** What still is bound, by the new version or by another script, keeps its data. */
function stillBound(name: string, others: readonly string[]): SkerryError {
  const holders = others.length > 0 ? ` Other scripts that bind it: ${others.join(', ')}.` : ''
  return new SkerryError(
    'ERR_OBJECT_CLASS_NOT_FOUND',
    `Cannot apply --delete-class migration to class '${name}' without also removing the binding that references it.${holders}`,
  )
}

function refusal(code: ErrorCode, directive: string, className: string, problem: string): SkerryError {
  return new SkerryError(code, `Cannot apply ${directive}-class migration to class '${className}' ${problem}`)
}
