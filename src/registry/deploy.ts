import { currentDeployment, type DeploymentRecord, insertDeployment, type Share } from './deployments.ts'
import { versionNotFound } from './failures.ts'
import { requireClasses } from './namespace-plan.ts'
import { listNamespaces } from './object-namespaces.ts'
import { requireScript, touchScript } from './scripts.ts'
import { endQuarantines } from './strikes.ts'
import { findVersion } from './versions.ts'

/** Who deploys, and what they say of it. */
export type DeploymentNote = Pick<DeploymentRecord, 'source' | 'author' | 'annotations'>

/**
 * Gives versions of a script their shares of its traffic.
 *
 * @throws ERR_SCRIPT_NOT_FOUND, ERR_VERSION_NOT_FOUND, ERR_OBJECT_CLASS_MISSING
 */
export function deploy(
  sql: SqlStorage,
  script: string,
  shares: readonly Share[],
  note: DeploymentNote,
  revision: number,
): DeploymentRecord {
  requireScript(sql, script)
  for (const { version_id } of shares) {
    const version = findVersion(sql, script, version_id)
    if (!version) throw versionNotFound(version_id)
    requireClasses(listNamespaces(sql), script, version.manifest.exports)
  }
  return putInForce(sql, script, shares, note, revision)
}

/** The same for versions that are known to be there, and whole. */
export function putInForce(
  sql: SqlStorage,
  script: string,
  shares: readonly Share[],
  { source, author, annotations }: DeploymentNote,
  revision: number,
): DeploymentRecord {
  touchScript(sql, script, revision, Date.now())
  const deployment = { id: crypto.randomUUID(), script, source, author, annotations, versions: [...shares] }
  insertDeployment(sql, deployment, Date.now())
  endQuarantines(sql, script)
  return currentDeployment(sql, script) as DeploymentRecord
}
