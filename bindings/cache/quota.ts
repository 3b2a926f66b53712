import { LIMITS } from '../../src/core/limits.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { type Store, storeOf } from '../kv/store.ts'
import { accountPrefix, type EntryMetadata } from './store.ts'

/** What this process wrote for an account since it last counted, and whether it counts now. */
interface Tally {
  bytes: number
  entries: number
  isCounting: boolean
}

const tallies = new Map<string, Tally>()

/**
 * Whether an account's entries are to be counted, now that one more is written: after each sixteenth of what it may
 * have, and at first. A count reads the list of all; so the bound is exceeded by that much at most, for each process.
 */
export function isCountDue(accountId: string, bytes: number): boolean {
  const tally = tallies.get(accountId) ?? { bytes: LIMITS.cacheBytes, entries: 0, isCounting: false }
  tallies.set(accountId, tally)
  tally.bytes += bytes
  tally.entries += 1
  const isDue = tally.bytes * PARTS >= LIMITS.cacheBytes || tally.entries * PARTS >= LIMITS.cacheEntries
  return isDue && !tally.isCounting
}

/** Counts an account's entries, and deletes the oldest until nine tenths of what it may have are left. */
export async function makeRoom(accountId: string, env: EdgeEnv): Promise<void> {
  const tally = { bytes: 0, entries: 0, isCounting: true }
  tallies.set(accountId, tally)
  try {
    const store = storeOf(env)
    const victims = chooseVictims(await listEntries(accountId, store))
    for (let at = 0; at < victims.length; at += PARALLEL_DELETES) {
      const chunk = victims.slice(at, at + PARALLEL_DELETES)
      await Promise.all(chunk.map(({ key }) => store.delete(key)))
    }
  } finally {
    tally.isCounting = false
  }
}

/** An entry as it counts. */
export interface Counted extends EntryMetadata {
  readonly key: string
}

/** The entries that must go, oldest first: none while what is stored is within the bounds. */
export function chooseVictims(
  stored: readonly Counted[],
  maxBytes: number = LIMITS.cacheBytes,
  maxEntries: number = LIMITS.cacheEntries,
): readonly Counted[] {
  let bytes = stored.reduce((total, entry) => total + entry.bytes, 0)
  let left = stored.length
  if (bytes <= maxBytes && left <= maxEntries) return []
  const oldestFirst = [...stored].sort((a, b) => a.storedAtMs - b.storedAtMs)
  const end = oldestFirst.findIndex(entry => {
    if (bytes <= maxBytes * KEPT && left <= maxEntries * KEPT) return true
    bytes -= entry.bytes
    left -= 1
    return false
  })
  return end < 0 ? oldestFirst : oldestFirst.slice(0, end)
}

async function listEntries(accountId: string, store: Store): Promise<Counted[]> {
  const found: Counted[] = []
  let cursor: string | undefined
  do {
    const page = await store.list({ prefix: accountPrefix(accountId), ...(cursor && { cursor }) })
    for (const { name, metadata } of page.keys) {
      const { bytes = 0, storedAtMs = 0 } = (metadata ?? {}) as Partial<EntryMetadata>
      found.push({ key: name, bytes, storedAtMs })
    }
    cursor = page.list_complete ? undefined : page.cursor
  } while (cursor !== undefined)
  return found
}

const PARTS = 16
const KEPT = 0.9
const PARALLEL_DELETES = 50
