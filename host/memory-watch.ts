import type { IsolateOwner } from '../src/core/isolate-id.ts'
import { usedMemory } from './memory-limits.ts'
import type { Blame, Sight, WatchAction, WatchOptions } from './watch-options.ts'

interface MemoryLook {
  readonly atMs: number
  readonly owner: IsolateOwner | undefined
  readonly turnKey: string | undefined
}

/** What was added between looks, by whom the later one showed. */
interface Growth {
  bytes: number
  /** Of these, while one turn went on: they can be nobody else's. */
  withinTurnsBytes: number
}

/** From when memory went above the soft limit to when it is below again. */
interface Episode {
  /** The most that was used when a look was taken; at first, before the episode. */
  highBytes: number
  looks: number
  readonly grown: Map<string, Growth>
  /** Memory grew by half the space between the limits from one reading to the next. */
  isFast: boolean
  evictingSinceMs: number | undefined
  evictedMs: number
  evictions: number
}

/** A look older than this tells nothing about how a process ended. */
const LAST_LOOKS_MS = 500

/**
 * The part of the watch that is about memory. Above the soft limit looks show who runs. A
 * function that is seen in most of them, while memory grew by more than it may, is to blame. Otherwise memory is
 * full of what isn't running: idle isolates are evicted, and if that doesn't help the process is replaced.
 */
export class MemoryWatch {
  readonly #options: WatchOptions
  #usedBytes: number | undefined
  #rssBytes = 0
  #episode: Episode | undefined
  /** The last ones, whether memory is above the soft limit or not. */
  #looks: MemoryLook[] = []

  constructor(options: WatchOptions) {
    this.#options = options
  }

  /** As last read. */
  get rssBytes(): number {
    return this.#rssBytes
  }

  read(rssBytes: number, dataBytes: number | undefined, nowMs: number): void {
    const { softBytes, hardBytes } = this.#options
    const usedBytes = usedMemory(rssBytes, dataBytes)
    const beforeBytes = this.#usedBytes ?? usedBytes
    this.#usedBytes = usedBytes
    this.#rssBytes = rssBytes
    if (usedBytes < softBytes) {
      this.#episode = undefined
      return
    }
    this.#episode ??= {
      highBytes: beforeBytes,
      looks: 0,
      grown: new Map(),
      isFast: false,
      evictingSinceMs: this.#options.canLook ? undefined : nowMs,
      evictedMs: Number.NEGATIVE_INFINITY,
      evictions: 0,
    }
    this.#episode.isFast ||= usedBytes - beforeBytes > (hardBytes - softBytes) / 2
  }

  /** True while a look could show whose memory it is. */
  wantsLook(): boolean {
    return this.#episode !== undefined
  }

  /** Takes a look, for whichever reason it was taken. */
  look({ isolate, turnKey }: Sight, nowMs: number): void {
    const before = this.#looks.at(-1)
    this.#looks.push({ atMs: nowMs, owner: isolate, turnKey })
    if (this.#looks.length > this.#options.memoryLooks) this.#looks.shift()
    const episode = this.#episode
    if (!episode) return
    const usedBytes = this.#usedBytes ?? 0
    // Above all before: what is freed and taken again, as every heap does, is no growth.
    const grownBytes = Math.max(0, usedBytes - episode.highBytes)
    const isSameTurn = turnKey !== undefined && turnKey === before?.turnKey
    const key = toKey(isolate)
    const growth = episode.grown.get(key) ?? { bytes: 0, withinTurnsBytes: 0 }
    growth.bytes += grownBytes
    if (isSameTurn) growth.withinTurnsBytes += grownBytes
    episode.grown.set(key, growth)
    episode.highBytes = Math.max(usedBytes, episode.highBytes)
    episode.looks++
    if (episode.looks >= this.#options.memoryLooks) episode.evictingSinceMs ??= nowMs
  }

  /** Who has filled the memory, if the looks agree. */
  blame(): Blame | undefined {
    const episode = this.#episode
    const owner = this.#looks.at(-1)?.owner
    if (!episode || !owner) return undefined
    const growth = episode.grown.get(toKey(owner))
    if (!growth || growth.bytes < this.#options.blameBytes) return undefined
    const isCertain = growth.withinTurnsBytes >= this.#options.blameBytes
    if (!isCertain && !this.#isMostlySeen(owner, growth.bytes, episode)) return undefined
    const detail =
      `it took ${toMib(growth.bytes)} MiB in a process that then used ${toMib(this.#usedBytes ?? 0)} MiB, ` +
      `above the limit of ${toMib(this.#options.softBytes)} MiB`
    return { kind: 'memory', owner, detail }
  }

  /** Whether memory grew mostly while it was seen, in most of the last looks, and nobody else in any. */
  #isMostlySeen(owner: IsolateOwner, grownBytes: number, episode: Episode): boolean {
    const { memoryMajority, memoryMajorityFast } = this.#options
    const needed = episode.isFast || this.#isNearHardLimit() ? memoryMajorityFast : memoryMajority
    const named = this.#looks.slice(-episode.looks).flatMap(look => look.owner ?? [])
    // Functions that take turns can't be told apart by looks this far from one another.
    if (named.length < needed || named.some(other => toKey(other) !== toKey(owner))) return false
    let allBytes = 0
    for (const { bytes } of episode.grown.values()) allBytes += bytes
    return grownBytes * 2 >= allBytes
  }

  /** What brings memory down, when nobody is to blame; `nowMs` counts from the process's first event. */
  relieve(nowMs: number): Extract<WatchAction, { type: 'evict' | 'replace' }>[] {
    const episode = this.#episode
    if (episode?.evictingSinceMs === undefined) return []
    const { evictEveryMs, evictForMs, evictCount, replaceMinAgeMs } = this.#options
    const isInVain = nowMs - episode.evictingSinceMs >= evictForMs && nowMs > replaceMinAgeMs
    if (isInVain || this.#isNearHardLimit()) {
      return [{ type: 'replace', reason: 'memory', why: this.#describe() }]
    }
    if (nowMs - episode.evictedMs < evictEveryMs) return []
    episode.evictedMs = nowMs
    return [{ type: 'evict', count: evictCount * 2 ** Math.min(episode.evictions++, 3) }]
  }

  /** Whom the last looks agree on, at the end of a process that ran out of memory. */
  blameForEnd(nowMs: number): Blame | undefined {
    const recent = this.#looks.filter(({ atMs }) => nowMs - atMs <= LAST_LOOKS_MS)
    const named = recent.flatMap(({ owner }) => owner ?? [])
    const [owner] = named
    if (!owner || named.length < this.#options.memoryMajorityFast || named.length * 2 < recent.length) {
      return undefined
    }
    if (named.some(other => toKey(other) !== toKey(owner))) return undefined
    return { kind: 'memory', owner, detail: 'its process ran out of memory while it computed' }
  }

  /** In the last quarter of the space between the limits. */
  #isNearHardLimit(): boolean {
    const { softBytes, hardBytes } = this.#options
    return (this.#usedBytes ?? 0) >= softBytes + (hardBytes - softBytes) * 0.75
  }

  #describe(): string {
    const used = toMib(this.#usedBytes ?? 0)
    return `it uses ${used} MiB, more than ${toMib(this.#options.softBytes)}, and no one function is the reason`
  }
}

/** Of a script and version; empty for nobody. */
function toKey(owner: IsolateOwner | undefined): string {
  return owner ? `${owner.accountId}/${owner.script}/${owner.digest}` : ''
}

function toMib(bytes: number): number {
  return Math.round(bytes / (1024 * 1024))
}
