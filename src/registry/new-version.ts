import { SkerryError } from '../core/errors.ts'
import type { Manifest, StoredBinding } from '../core/manifest.ts'
import type { ObjectChanges } from '../core/object-changes.ts'
import { currentDeployment } from './deployments.ts'
import { scriptNotFound } from './failures.ts'
import { resolveKvPrefixes } from './kv-namespaces.ts'
import type { NamespacePlan } from './namespace-draft.ts'
import { planNamespaces, resolveNamespaces } from './namespace-plan.ts'
import { resolveResources } from './resources.ts'
import type { ScriptSettings } from './scripts.ts'
import { applySecrets, type SecretEdits } from './secret-changes.ts'
import { checkServices } from './services.ts'
import { checkTailConsumers } from './tail-consumers.ts'
import { type Author, type InheritBinding, mergeBindings, type VersionRecord } from './versions.ts'

/** A new version, as the control plane brings it: probed, its modules stored, its secrets encrypted. */
export interface NewVersion {
  readonly manifest: Omit<Manifest, 'bindings'>
  readonly bindings: readonly (StoredBinding | InheritBinding)[]
  /** Binding types kept from the previous version. */
  readonly keepTypes: readonly string[]
  readonly annotations: Readonly<Record<string, string>>
  readonly source: string
  readonly author: Author
  /** Also send all traffic to it. */
  readonly deploy: boolean
  readonly settings?: ScriptSettings
  /** Changes of its Durable Object classes. */
  readonly objects?: ObjectChanges
}

/** A change of secrets. */
export interface SecretChange {
  readonly secrets: SecretEdits
  readonly annotations: Readonly<Record<string, string>>
  readonly author: Author
  /** Deploy the resulting version; then the latest version must be the deployed one. */
  readonly deploy: boolean
}

/** A change of the longest turn, and of what the script keeps with it. */
export interface TurnLimitChange {
  /** As `Manifest` has it; absent = the platform's default. */
  readonly turnMs?: number
  readonly settings: ScriptSettings
  readonly annotations: Readonly<Record<string, string>>
  readonly author: Author
}

/** What a version will hold, beside who made it and how. */
export type VersionContent = Pick<VersionRecord, 'manifest' | 'kvPrefixes' | 'resources'> & {
  /** What becomes of the account's namespaces of objects, where it can change. */
  readonly namespaces?: NamespacePlan
}

/**
 * The content of an uploaded version: its own bindings, and those it keeps of the previous version.
 *
 * @throws ERR_BINDING_INHERIT, ERR_SERVICE_TARGET, ERR_SERVICE_ENTRYPOINT, ERR_KV_NAMESPACE_NOT_FOUND,
 * ERR_TAIL_CONSUMER, ERR_OBJECT_*
 */
export function planUpload(
  sql: SqlStorage,
  script: string,
  upload: NewVersion,
  previous: VersionRecord | undefined,
): VersionContent {
  const before = previous?.manifest.bindings ?? []
  const bindings = mergeBindings(before, upload.bindings, upload.keepTypes)
  const manifest = { ...upload.manifest, bindings }
  checkServices(sql, script, manifest)
  checkTailConsumers(sql, script, upload.settings)
  const namespaces = planNamespaces(sql, script, manifest, upload.objects, upload.deploy)
  return {
    manifest,
    kvPrefixes: resolveKvPrefixes(sql, bindings),
    resources: {
      ...resolveResources(sql, script, bindings),
      ...resolveNamespaces(namespaces, script, bindings),
    },
    namespaces,
  }
}

/**
 * The content of the previous version with other secrets.
 *
 * @throws ERR_SCRIPT_NOT_FOUND, ERR_SECRET_UNDEPLOYED, ERR_SECRET_NOT_FOUND, ERR_BINDING_TAKEN
 */
export function planSecrets(
  sql: SqlStorage,
  script: string,
  change: SecretChange,
  previous: VersionRecord | undefined,
): VersionContent {
  if (!previous) throw scriptNotFound()
  const isDeployed = (currentDeployment(sql, script)?.versions ?? []).length > 0
  if (change.deploy && isDeployed && !isLive(sql, previous)) throw secretUndeployed()
  const bindings = applySecrets(previous.manifest.bindings, change.secrets)
  const { kvPrefixes, resources } = previous
  return { manifest: { ...previous.manifest, bindings }, kvPrefixes, resources }
}

/**
 * The content of the previous version with another limit. Only of what is deployed: the new version takes its place.
 *
 * @throws ERR_SCRIPT_NOT_FOUND, ERR_SETTINGS_UNDEPLOYED
 */
export function planTurnLimit(
  sql: SqlStorage,
  script: string,
  { turnMs }: TurnLimitChange,
  previous: VersionRecord | undefined,
): VersionContent {
  if (!previous) throw scriptNotFound()
  if (!isLive(sql, previous)) {
    throw new SkerryError(
      'ERR_SETTINGS_UNDEPLOYED',
      `The latest version of "${script}", ${previous.id}, does not have all of its traffic, so the limits of what has cannot be changed.`,
    )
  }
  const { manifest, kvPrefixes, resources } = previous
  const { turnMs: _, ...kept } = manifest
  return { manifest: { ...kept, ...(turnMs !== undefined && { turnMs }) }, kvPrefixes, resources }
}

function isLive(sql: SqlStorage, { script, id }: VersionRecord): boolean {
  const live = currentDeployment(sql, script)?.versions ?? []
  return live.some(share => share.version_id === id && share.percentage === 100)
}

/** wrangler knows it by its code, and explains. */
function secretUndeployed(): SkerryError {
  return new SkerryError(
    'ERR_SECRET_UNDEPLOYED',
    "Secret edit failed. You attempted to modify a secret, but the latest version of your Worker isn't currently deployed to all of its traffic. Deploy the latest version fully first, or edit secrets with the `wrangler versions secret` commands.",
  )
}
