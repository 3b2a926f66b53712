import type { AccountChanges, NamespaceEntry } from './core/routing.ts'

/** Takes changes of namespaces in; to be called whenever the route table takes them. */
export function applyNamespaces({ accountId, namespaces }: AccountChanges): void {
  if (namespaces) accounts.set(accountId, new Map(namespaces.map(entry => [entry.id, entry])))
}

/** The script and class that a namespace of users' objects has now; `undefined` = it was deleted. */
export function findNamespace(accountId: string, id: string): NamespaceEntry | undefined {
  return accounts.get(accountId)?.get(id)
}

const accounts = new Map<string, ReadonlyMap<string, NamespaceEntry>>()
