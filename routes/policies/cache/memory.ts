import type { Purge } from '../../../src/core/gateway.ts'
import { RecentMap } from '../../../src/core/recent-map.ts'
import type { CacheService } from '../services.ts'
import { Flights } from './flights.ts'
import { isPurged } from './purge.ts'
import { MemoryStore } from './store.ts'

const PASSES = 20_000

/** What the caches of an edge hold in common: one budget of memory for all accounts and policies. */
export class CacheMemory {
  readonly store: MemoryStore
  readonly flights = new Flights()
  /** What turned out not to be reusable lately: nobody waits for another's answer to it. */
  readonly passes = new RecentMap<string, true>(PASSES)
  /** The last purge of each scope that what is stored has been held against. */
  readonly #heeded = new Map<string, number>()

  constructor(maxBytes = 0) {
    this.store = new MemoryStore(maxBytes)
  }

  /** Drops what was purged since the last look. @returns the last purge's number: what is asked for from now on is newer */
  heed(service: CacheService): number {
    const { scope } = service
    const heeded = this.#heeded.get(scope) ?? 0
    const purges = service.purgesSince(heeded)
    return purges.length === 0 ? heeded : this.#apply(scope, purges, heeded)
  }

  /** Drops what is stored under these keys (scope and URL), and what is just being fetched for them. */
  forget(keys: readonly string[]): void {
    for (const key of keys) {
      this.store.forget(key)
      this.flights.taint(key)
    }
  }

  #apply(scope: string, purges: readonly Purge[], heeded: number): number {
    this.store.forgetWhere(`${scope} `, entry => purges.some(purge => isPurged(entry, purge)))
    const last = purges.reduce((highest, { sequence }) => Math.max(highest, sequence), heeded)
    this.#heeded.set(scope, last)
    return last
  }
}

/** This edge's. */
export const cacheMemory = new CacheMemory()

/** To be told when another edge forgot stored responses because their URLs were written to (RFC 9111 §4.4). */
export function forgetCached(keys: readonly string[]): void {
  cacheMemory.forget(keys)
}
