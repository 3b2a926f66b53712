import type { ExportsReport } from '../core/object-changes.ts'
import { putInForce } from './deploy.ts'
import { noteNamespaces } from './doomed-namespaces.ts'
import type { Ledger } from './ledger.ts'
import type { NamespacePlan } from './namespace-draft.ts'
import type { NewVersion, VersionContent } from './new-version.ts'
import { saveNamespaces, savePendingTransfers } from './object-namespaces.ts'
import { setMigrationTag, touchScript, updateScript } from './scripts.ts'
import { findVersion, insertVersion, isolateDigest, latestVersion, type VersionRecord } from './versions.ts'

/** A version that was added. */
export type AddedVersion = VersionRecord & {
  /** What became of the classes, where the upload declares them. */
  readonly report?: ExportsReport
}

/** Who adds a version and how; `deploy` gives it all the traffic, `settings` become the script's. */
export type VersionNote = Pick<NewVersion, 'source' | 'author' | 'annotations' | 'deploy' | 'settings'>

/**
 * Adds a version, makes the script if there is none, and deploys where asked, in one change.
 *
 * The digest needs an await, in which another change may slip in: then all is done again on what is the latest
 * by now.
 *
 * @param plan what the version will hold, by what the latest one does
 */
export async function addVersion(
  ledger: Ledger,
  script: string,
  note: VersionNote,
  plan: (previous: VersionRecord | undefined) => VersionContent,
): Promise<AddedVersion> {
  const { sql, meta } = ledger
  const { source, author, annotations } = note
  const id = crypto.randomUUID()
  for (;;) {
    const before = ledger.revision
    const { namespaces, ...planned } = plan(latestVersion(sql, script))
    const content = { id, annotations, ...planned }
    const isolate = await isolateDigest({ accountId: meta.text('account_id'), script }, content)
    if (ledger.revision !== before) continue
    return ledger.commit(revision => {
      touchScript(sql, script, revision, Date.now())
      if (note.settings) updateScript(sql, script, note.settings)
      if (namespaces) changeNamespaces(ledger, script, namespaces, revision)
      insertVersion(sql, { ...content, script, isolate, source, author }, Date.now())
      if (note.deploy) putInForce(sql, script, [{ version_id: id, percentage: 100 }], note, revision)
      const version = findVersion(sql, script, id) as VersionRecord
      return { ...version, ...(namespaces?.report && { report: namespaces.report }) }
    })
  }
}

function changeNamespaces(ledger: Ledger, script: string, plan: NamespacePlan, revision: number): void {
  savePendingTransfers(ledger.sql, plan.transfers)
  setMigrationTag(ledger.sql, script, plan.tag)
  if (saveNamespaces(ledger.sql, plan.namespaces)) noteNamespaces(ledger, revision)
}
