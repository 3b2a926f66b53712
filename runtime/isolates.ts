import { toIsolateId } from '../src/core/isolate-id.ts'
import { type EdgeVersion, isTailed, type ScriptTarget } from '../src/core/routing.ts'

/** One isolate of an edge, from its version's first use until it is given up. */
export interface Isolate {
  /** The loader's id; never used again once the isolate is given up. */
  readonly id: string
  /** The id without what makes it unique. */
  readonly key: string
  readonly target: ScriptTarget
  /** `isolate` and `turnMs` of its version. */
  readonly digest: string
  readonly turnMs: number
  /** It reports what it does to whoever reads the script's logs. */
  readonly isTailing: boolean
  /** When it was last asked for: milliseconds since the epoch. */
  usedAtMs: number
  /** When its code was last asked for again, though nobody had given it up: it had ended itself. 0 = never. */
  reloadedAtMs: number
  /** Given up: the next use of its version gets another. */
  isGone: boolean
}

/** A version that remembers the isolate it ran in last: a request needs no look-up. Never sent anywhere. */
interface UsedVersion extends EdgeVersion {
  isolateInUse?: Isolate
}

/** Which isolates to end: the least recently used of those beyond `keep`, and those that nothing leads to any more. */
export interface EvictOptions {
  /** How many may stay, however long nobody asks for them. */
  readonly keep: number
  /** Used within this time: stays in any case. */
  readonly olderThanMs: number
  /** How many to end at once. */
  readonly atMost: number
}

/**
 * What an edge knows of its isolates: which exist, and when each was last asked for. Pure: time is an argument,
 * and ending one is done elsewhere (runtime/evict.ts).
 */
export class Isolates {
  /** What a version's next use gets. */
  readonly #byKey = new Map<string, Isolate>()
  /** Those whose code workerd was given, and that weren't ended. */
  readonly #live = new Set<Isolate>()
  readonly #codeVersion: string
  #givenUp = 0
  /** How often code was handed to workerd. */
  everLoaded = 0

  /** @param codeVersion changes with the platform's own code in isolates */
  constructor(codeVersion: string) {
    this.#codeVersion = codeVersion
  }

  /** How many exist. */
  get size(): number {
    return this.#live.size
  }

  /** The isolate that a version runs in, now used. On the path of every request. */
  use(target: ScriptTarget, version: UsedVersion, isTailing: boolean, nowMs: number): Isolate {
    const held = version.isolateInUse
    if (held && !held.isGone && held.isTailing === isTailing) {
      held.usedAtMs = nowMs
      return held
    }
    const isolate = this.#find(target, version, isTailing)
    isolate.usedAtMs = nowMs
    version.isolateInUse = isolate
    return isolate
  }

  /** Whether workerd was given its code, and it wasn't ended. */
  has(isolate: Isolate): boolean {
    return this.#live.has(isolate)
  }

  /** The isolate that a version ran in last, if it wasn't given up since. */
  inUse({ isolateInUse }: UsedVersion): Isolate | undefined {
    return isolateInUse && this.#live.has(isolateInUse) ? isolateInUse : undefined
  }

  /** Its code is handed to workerd. */
  enter(isolate: Isolate): void {
    this.#live.add(isolate)
    this.everLoaded++
  }

  /** It is ended, or never began: whoever asks for its version from now on gets another. */
  giveUp(isolate: Isolate): void {
    this.#live.delete(isolate)
    if (!isolate.isGone) this.#forget(isolate)
  }

  /** Those to end now; none of them is given up yet. */
  idle({ keep, olderThanMs, atMost }: EvictOptions, nowMs: number): Isolate[] {
    const found: Isolate[] = []
    for (const isolate of this.#live) {
      if (found.length >= atMost) return found
      if (isSuperseded(isolate, nowMs)) found.push(isolate)
    }
    const surplus = Math.min(atMost - found.length, this.#live.size - found.length - keep)
    if (surplus <= 0) return found
    const unused = [...this.#live].filter(
      isolate => nowMs - isolate.usedAtMs >= olderThanMs && !found.includes(isolate),
    )
    unused.sort((a, b) => a.usedAtMs - b.usedAtMs)
    return [...found, ...unused.slice(0, surplus)]
  }

  /** The one that was not asked for the longest, of those that `isFit`. */
  oldest(isFit: (isolate: Isolate) => boolean): Isolate | undefined {
    let oldest: Isolate | undefined
    for (const isolate of this.#live) {
      if ((!oldest || isolate.usedAtMs < oldest.usedAtMs) && isFit(isolate)) oldest = isolate
    }
    return oldest
  }

  /** The same code of the same script is the same isolate, whichever object of its version leads here. */
  #find(target: ScriptTarget, version: EdgeVersion, isTailing: boolean): Isolate {
    const { isolate: digest, turnMs } = version
    const key = toIsolateId({
      accountId: target.accountId,
      script: target.name,
      turnMs,
      digest: `${digest}.${this.#codeVersion}${isTailing ? '+tail' : ''}`,
    })
    const known = this.#byKey.get(key)
    // A script that was deleted and made anew is another target.
    if (known?.target === target) return known
    if (known) this.#forget(known)
    // One id is given up before its key is used again: so the count tells them apart.
    const id = this.#givenUp > 0 ? `${key}~${this.#givenUp.toString(36)}` : key
    const isolate: Isolate = {
      ...{ id, key, target, digest, turnMs, isTailing },
      ...{ usedAtMs: 0, reloadedAtMs: 0, isGone: false },
    }
    this.#byKey.set(key, isolate)
    return isolate
  }

  #forget(isolate: Isolate): void {
    isolate.isGone = true
    this.#givenUp++
    this.#byKey.delete(isolate.key)
  }
}

/**
 * How long an isolate that requests don't lead to is kept: previews, and what is on its way to a version that was
 * just replaced.
 */
export const SUPERSEDED_MS = 10_000

/** Whether requests don't lead to it any more: another version was deployed, a reader of logs came or went. */
function isSuperseded(isolate: Isolate, nowMs: number): boolean {
  if (nowMs - isolate.usedAtMs < SUPERSEDED_MS) return false
  const { entry } = isolate.target
  return (
    isolate.isGone ||
    isolate.isTailing !== isTailed(entry, nowMs) ||
    !entry.versions.some(
      ({ isolate: digest, turnMs }) => digest === isolate.digest && turnMs === isolate.turnMs,
    )
  )
}
