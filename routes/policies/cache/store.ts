import type { Entry } from './entry.ts'
import { matchesVary, type VaryPair } from './vary.ts'

/** The stored responses of one URL, by partition, the newest of each first. It is kept or dropped as a whole. */
export interface Group {
  readonly key: string
  readonly partitions: Map<string, Entry[]>
  bytes: number
  segment: 'probation' | 'protected'
}

/**
 * An edge's memory of responses, of all accounts and policies, within a number of bytes.
 *
 * What is stored goes on probation, and is protected once it is asked for again; so a crowd of URLs that nobody asks
 * for twice pushes out nothing but each other. The protected ones are two generations, since keeping a list in the
 * order of use costs more than all else on a hit: when the young one has its share of the memory it becomes the old
 * one, and what was old and hasn't been asked for since is gone.
 */
export class MemoryStore {
  #maxBytes: number
  #probation = new Map<string, Group>()
  #young = new Map<string, Group>()
  #old = new Map<string, Group>()
  #probationBytes = 0
  #youngBytes = 0
  #oldBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#probationBytes + this.#youngBytes + this.#oldBytes
  }

  /** How many URLs have something stored. */
  get size(): number {
    return this.#probation.size + this.#young.size + this.#old.size
  }

  /** Raises the budget; it is never lowered while entries may rely on it. */
  allow(maxBytes: number): void {
    this.#maxBytes = Math.max(this.#maxBytes, maxBytes)
  }

  /** What is stored under a key (scope and URL), if anything; this counts as a use. */
  use(key: string): Group | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const found = this.#old.get(key) ?? this.#probation.get(key)
    if (found !== undefined) this.#promote(found)
    return found
  }

  /** The same without counting. */
  peek(key: string): Group | undefined {
    return this.#young.get(key) ?? this.#old.get(key) ?? this.#probation.get(key)
  }

  /** Keeps an entry, in place of the one that answered the same requests. */
  put(key: string, entry: Entry): void {
    // One that takes much of the whole would push out nearly everything else.
    if (entry.bytes > this.#maxBytes / 4) {
      this.#discard(key, entry)
      return
    }
    const group = this.peek(key) ?? this.#open(key)
    const { partition, vary } = entry.init
    const before = group.partitions.get(partition) ?? []
    const kept = before.filter(each => !sameVary(each.init.vary, vary)).slice(0, MAX_VARIANTS - 1)
    // The partition that was written last is the last to go.
    group.partitions.delete(partition)
    group.partitions.set(partition, [entry, ...kept])
    this.#resize(group, bytesOf(group))
    this.#trim(group, partition)
    this.#fit()
  }

  /** Drops one entry, if it is still there. */
  remove(key: string, entry: Entry): void {
    this.#discard(key, entry)
  }

  /** Drops all that is stored under a key. @returns whether there was something */
  forget(key: string): boolean {
    const group = this.peek(key)
    if (group) this.#drop(group)
    return group !== undefined
  }

  /** Drops every entry of a scope that a test finds. @returns how many */
  forgetWhere(scope: string, test: (entry: Entry) => boolean): number {
    let count = 0
    for (const map of [this.#probation, this.#young, this.#old]) {
      for (const group of map.values()) {
        if (!group.key.startsWith(scope)) continue
        for (const [partition, entries] of group.partitions) {
          const kept = entries.filter(entry => !test(entry))
          count += entries.length - kept.length
          if (kept.length === 0) group.partitions.delete(partition)
          else if (kept.length < entries.length) group.partitions.set(partition, kept)
        }
        if (group.partitions.size === 0) this.#drop(group)
        else this.#resize(group, bytesOf(group))
      }
    }
    return count
  }

  clear(): void {
    this.#probation.clear()
    this.#young.clear()
    this.#old.clear()
    this.#probationBytes = this.#youngBytes = this.#oldBytes = 0
  }

  #discard(key: string, entry: Entry): void {
    const group = this.peek(key)
    const { partition, vary } = entry.init
    const entries = group?.partitions.get(partition)
    if (!group || !entries) return
    const kept = entries.filter(each => each !== entry && !sameVary(each.init.vary, vary))
    if (kept.length > 0) group.partitions.set(partition, kept)
    else group.partitions.delete(partition)
    if (group.partitions.size === 0) this.#drop(group)
    else this.#resize(group, bytesOf(group))
  }

  #open(key: string): Group {
    const group: Group = { key, partitions: new Map(), bytes: 0, segment: 'probation' }
    this.#probation.set(key, group)
    return group
  }

  #promote(group: Group): void {
    this.#drop(group)
    group.segment = 'protected'
    this.#young.set(group.key, group)
    this.#youngBytes += group.bytes
    if (this.#youngBytes > (this.#maxBytes * 3) / 8) this.#turn()
  }

  /** What was not asked for during a whole generation goes. */
  #turn(): void {
    this.#old = this.#young
    this.#oldBytes = this.#youngBytes
    this.#young = new Map()
    this.#youngBytes = 0
  }

  #drop(group: Group): void {
    if (this.#probation.delete(group.key)) this.#probationBytes -= group.bytes
    else if (this.#young.delete(group.key)) this.#youngBytes -= group.bytes
    else if (this.#old.delete(group.key)) this.#oldBytes -= group.bytes
  }

  #resize(group: Group, bytes: number): void {
    const grown = bytes - group.bytes
    group.bytes = bytes
    if (group.segment === 'probation') this.#probationBytes += grown
    else if (this.#young.get(group.key) === group) this.#youngBytes += grown
    else this.#oldBytes += grown
  }

  /** One URL, with its many variants, may not take more than a quarter. */
  #trim(group: Group, written: string): void {
    for (const partition of group.partitions.keys()) {
      if (group.bytes <= this.#maxBytes / 4) return
      const entries = group.partitions.get(partition) as Entry[]
      if (partition !== written) group.partitions.delete(partition)
      else while (entries.length > 1 && bytesOf(group) > this.#maxBytes / 4) entries.pop()
      this.#resize(group, bytesOf(group))
    }
  }

  #fit(): void {
    while (this.bytes > this.#maxBytes) {
      const [oldest] = this.#probation.values()
      const mayTakeProbation = this.#probationBytes > this.#maxBytes / 4 || this.#oldBytes === 0
      if (oldest && mayTakeProbation) this.#drop(oldest)
      else this.#turn()
    }
  }
}

/** The stored response for a request among those of a URL: of the partition, and with the fields that `Vary` named. */
export function selectEntry(
  group: Group | undefined,
  partition: string,
  request: Headers,
): Entry | undefined {
  const entries = group?.partitions.get(partition)
  if (!entries) return undefined
  for (const entry of entries) {
    const { vary } = entry.init
    if (vary.length === 0 || matchesVary(vary, request)) return entry
  }
  return undefined
}

function sameVary(a: readonly VaryPair[], b: readonly VaryPair[]): boolean {
  return a.length === b.length && a.every(([name, value], i) => b[i]?.[0] === name && b[i]?.[1] === value)
}

function bytesOf(group: Group): number {
  let bytes = 0
  for (const entries of group.partitions.values()) for (const entry of entries) bytes += entry.bytes
  return bytes
}

/** Of one URL and partition; the ones stored first go. */
const MAX_VARIANTS = 64
