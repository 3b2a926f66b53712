import { SkerryError } from '../core/errors.ts'
import { createHexId } from '../core/ids.ts'
import type { DurableObjectBinding, ExportRef, Manifest, StoredBinding } from '../core/manifest.ts'
import type { ObjectChanges } from '../core/object-changes.ts'
import { exportKey, isBound, resourceKey } from '../core/resources.ts'
import { currentDeployment } from './deployments.ts'
import { exportsClass, type NamespaceContext, type NamespacePlan } from './namespace-draft.ts'
import { reconcileExports } from './namespace-exports.ts'
import { applyMigrations } from './namespace-migrations.ts'
import { listNamespaces, listPendingTransfers, type NamespaceRecord } from './object-namespaces.ts'
import { timestamp } from './schema.ts'
import { findScript, listScripts } from './scripts.ts'
import { findVersion } from './versions.ts'

/**
 * What an upload makes of the account's Durable Object namespaces. Nothing is written.
 *
 * @param deploy only what is deployed at once may change namespaces
 * @throws ERR_OBJECT_MIGRATION_UPLOAD, ERR_OBJECT_CLASS_UNEXPORTED, and what `applyMigrations` and `reconcileExports` throw
 */
export function planNamespaces(
  sql: SqlStorage,
  script: string,
  manifest: Pick<Manifest, 'exports' | 'bindings'>,
  changes: ObjectChanges | undefined,
  deploy: boolean,
): NamespacePlan {
  if (changes?.kind === 'migrations' && !deploy) throw mustDeploy()
  const context = readContext(sql, script, manifest)
  const plan = changes ? apply(context, changes) : context
  if (!deploy && isChange(context, plan)) throw mustDeploy()
  requireClasses(plan.namespaces, script, manifest.exports)
  return plan
}

/**
 * The namespace of each class that bindings name, by `resourceKey`, and of each of the script's own, by
 * `exportKey`. A class that expects a transfer is the other script's until then.
 *
 * @throws ERR_OBJECT_CLASS_NOT_FOUND
 */
export function resolveNamespaces(
  plan: NamespacePlan,
  script: string,
  bindings: readonly StoredBinding[],
): Record<string, string> {
  const resources: Record<string, string> = {}
  const findClass = (owner: string, className: string) => {
    const find = (of: string | undefined) =>
      plan.namespaces.find(record => record.script === of && record.class === className)
    const pending = plan.transfers.find(t => t.script === owner && t.class === className)
    return find(owner) ?? find(pending?.from_script)
  }
  const own = [...plan.namespaces, ...plan.transfers].filter(record => record.script === script)
  for (const { class: className } of own) {
    const found = findClass(script, className)
    if (found) resources[exportKey(className)] = found.id
  }
  for (const binding of bindings) {
    if (binding.type !== 'durable_object_namespace') continue
    const found = findClass(binding.script_name ?? script, binding.class_name)
    if (!found) throw noNamespace(binding)
    const key = resourceKey(binding, script)
    if (key) resources[key] = found.id
  }
  return resources
}

/**
 * A version that gets calls must have the code of every object of its script.
 *
 * @throws ERR_OBJECT_CLASS_MISSING
 */
export function requireClasses(
  namespaces: readonly NamespaceRecord[],
  script: string,
  exports: readonly ExportRef[],
): void {
  const missing = namespaces.find(record => record.script === script && !exportsClass(exports, record.class))
  if (!missing) return
  throw new SkerryError(
    'ERR_OBJECT_CLASS_MISSING',
    `New version of script does not export class '${missing.class}' which is depended on by existing Durable Objects. Did you forget to include it? If you renamed it, try a rename-class migration. If you want to delete all the Durable Objects implemented by the class, you can use a delete-class migration`,
  )
}

/** Scripts but `except` whose deployed versions bind a namespace. */
export function scriptsThatBind(sql: SqlStorage, namespaceId: string, except: string): string[] {
  return listScripts(sql)
    .map(({ name }) => name)
    .filter(name => name !== except && deployedResources(sql, name).includes(namespaceId))
}

function deployedResources(sql: SqlStorage, script: string): string[] {
  const shares = currentDeployment(sql, script)?.versions ?? []
  return shares.flatMap(({ version_id }) =>
    Object.entries(findVersion(sql, script, version_id)?.resources ?? {}).flatMap(([key, id]) =>
      isBound(key) ? [id] : [],
    ),
  )
}

function readContext(
  sql: SqlStorage,
  script: string,
  { exports, bindings }: Pick<Manifest, 'exports' | 'bindings'>,
): NamespaceContext {
  const own = bindings.flatMap(binding =>
    binding.type === 'durable_object_namespace' && (binding.script_name ?? script) === script
      ? [binding.class_name]
      : [],
  )
  return {
    script,
    exports,
    namespaces: listNamespaces(sql),
    transfers: listPendingTransfers(sql),
    tag: findScript(sql, script)?.migration_tag ?? null,
    bound: own,
    hasScript: name => findScript(sql, name) !== undefined,
    boundBy: id => scriptsThatBind(sql, id, script),
    createId: () => createHexId(),
    now: timestamp(Date.now()),
  }
}

function apply(context: NamespaceContext, changes: ObjectChanges): NamespacePlan {
  return changes.kind === 'migrations'
    ? applyMigrations(context, changes.migrations)
    : reconcileExports(context, changes.exports)
}

function isChange(before: NamespacePlan, after: NamespacePlan): boolean {
  const text = ({ namespaces, transfers }: NamespacePlan) =>
    JSON.stringify([namespaces.map(({ id, script, class: name }) => [id, script, name]).sort(), transfers])
  return text(before) !== text(after)
}

function mustDeploy(): SkerryError {
  return new SkerryError(
    'ERR_OBJECT_MIGRATION_UPLOAD',
    'Version upload failed. You attempted to upload a version of a Worker that includes a Durable Object migration, but migrations must be fully applied by running "wrangler deploy".',
  )
}

function noNamespace({ class_name, script_name }: DurableObjectBinding): SkerryError {
  const where = script_name === undefined ? '' : ` of the script '${script_name}'`
  return new SkerryError(
    'ERR_OBJECT_CLASS_NOT_FOUND',
    `Cannot create binding for class '${class_name}'${where} because it is not currently configured to implement Durable Objects. Ensure a --new-class migration has been applied to it.`,
  )
}
