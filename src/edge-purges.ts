import type { Purge } from './core/gateway.ts'
import type { AccountChanges } from './core/routing.ts'

/** Takes the purges of changes in; to be called whenever the route table takes them. */
export function applyPurges({ accountId, from, purges }: AccountChanges): void {
  if (!purges && from !== 0) return
  const held = byAccount.get(accountId) ?? []
  const last = held.at(-1)?.sequence ?? 0
  const added = (purges ?? []).filter(({ sequence }) => sequence > last)
  if (added.length === 0) return
  const oldestMs = (added.at(-1)?.atMs ?? 0) - KEPT_MS
  byAccount.set(accountId, [...held.filter(({ atMs }) => atMs > oldestMs), ...added])
}

/** The purges of an account of the last day, in order. */
export function purgesOf(accountId: string): readonly Purge[] {
  return byAccount.get(accountId) ?? NONE
}

/** Those after one of them; costs next to nothing where there is none. */
export function purgesAfter(accountId: string, sequence: number): readonly Purge[] {
  const all = byAccount.get(accountId)
  if (!all || (all.at(-1)?.sequence ?? 0) <= sequence) return NONE
  return all.filter(purge => purge.sequence > sequence)
}

const byAccount = new Map<string, readonly Purge[]>()
const NONE: readonly Purge[] = Object.freeze([])

/** As the account keeps them. */
const KEPT_MS = 25 * 3_600_000
