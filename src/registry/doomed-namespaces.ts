import type { Ledger } from './ledger.ts'
import { forgetDoomedNamespace, listDoomedNamespaces } from './object-namespaces.ts'

/**
 * Notes, in the change itself, that namespaces changed. The objects of those that are gone are deleted at the
 * account's alarm, which is on disk with what it is for.
 */
export function noteNamespaces({ storage, sql, meta }: Ledger, revision: number): void {
  meta.set('namespaces_revision', revision)
  if (listDoomedNamespaces(sql).length > 0) void storage.setAlarm(Date.now() + DELETE_AFTER_MS)
}

/** Deletes the objects of namespaces that are gone; where that fails, the alarm rings again. */
export async function deleteDoomedNamespaces(
  { storage, sql }: Ledger,
  deleteObjects: (namespaceId: string) => Promise<void>,
): Promise<void> {
  for (const id of listDoomedNamespaces(sql)) {
    try {
      await deleteObjects(id)
      forgetDoomedNamespace(sql, id)
    } catch {
      await storage.setAlarm(Date.now() + DELETE_AGAIN_MS)
    }
  }
}

/** Until then, edges and objects have heard that the namespace is gone. */
const DELETE_AFTER_MS = 500
const DELETE_AGAIN_MS = 2000
