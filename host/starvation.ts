import type { IsolateOwner } from '../src/core/isolate-id.ts'
import type { Callers } from './callers.ts'
import type { Blame, Sight, WatchOptions } from './watch-options.ts'

/** A time in which the process never looked for I/O, as far as looks have shown it. */
interface Drought {
  /** When it looked last, by the clock of looks. */
  readonly polledMs: number
  /** The first look that showed it: time before that isn't counted. */
  readonly fromMs: number
  readonly fromThreadMs: number | undefined
  looks: number
  /** Looks that named a function. */
  named: number
  readonly functions: Map<string, Seen>
}

/** A function in these looks. */
interface Seen {
  readonly owner: IsolateOwner
  looks: number
  lastTurns: number | undefined
  /** Turns since it was first seen. */
  turns: number
  callers: Callers | undefined
}

/** What to do about a process that starves: end it, whoever is to blame. */
export interface Verdict {
  readonly blame: Blame | undefined
  readonly why: string
}

/**
 * The part of the watch that is about many short turns. workerd looks for I/O only when nothing is left to do
 * inside the process, so turns that cause each other keep it from that for good: calls between functions, a
 * socket whose both ends are here. Each turn is within its limit; all of them together hang the process.
 *
 * A busy process looks for I/O as seldom: it first serves all requests that came with one look. But those bring
 * turns in proportion, one to three each by experiment, and are bounded in number. So a function is blamed for
 * more turns in more time than its callers explain.
 */
export class Starvation {
  readonly #options: WatchOptions
  #drought: Drought | undefined

  constructor(options: WatchOptions) {
    this.#options = options
  }

  /** The process answered: it looks for I/O. */
  end(): void {
    this.#drought = undefined
  }

  /**
   * Takes a look.
   *
   * @param atMs when it was taken, by a clock that looks share with nothing else
   * @param nowMs the watch's own time
   */
  look({ isolate, turns, sincePollMs, threadMs, callers }: Sight, atMs: number, nowMs: number): void {
    if (sincePollMs === undefined) {
      this.#drought = undefined
      return
    }
    const polledMs = atMs - sincePollMs
    if (!this.#drought || polledMs > this.#drought.polledMs + SAME_POLL_MS) {
      const fresh = { looks: 0, named: 0, functions: new Map<string, Seen>() }
      this.#drought = { polledMs, fromMs: nowMs, fromThreadMs: threadMs, ...fresh }
    }
    const drought = this.#drought
    drought.looks++
    if (!isolate) return
    drought.named++
    const key = `${isolate.accountId}/${isolate.script}/${isolate.digest}`
    const seen = drought.functions.get(key) ?? {
      ...{ owner: isolate, looks: 0, lastTurns: turns, turns: 0, callers },
    }
    drought.functions.set(key, seen)
    seen.looks++
    seen.callers = callers ?? seen.callers
    seen.turns += Math.max(0, (turns ?? 0) - (seen.lastTurns ?? turns ?? 0))
    seen.lastTurns = turns
  }

  /** Whether the process must end, now that the last look was taken. */
  judge(nowMs: number, threadMs: number | undefined): Verdict | undefined {
    const drought = this.#drought
    if (!drought || drought.looks < this.#options.starveLooks) return undefined
    const seenMs = nowMs - drought.fromMs
    if (!this.#hasRun(drought, seenMs, threadMs)) return undefined
    const involved = [...drought.functions.values()].filter(
      ({ looks }) => looks >= drought.named * (1 - this.#options.starveShare),
    )
    const [only] = involved
    if (only && involved.length === 1 && only.looks >= drought.named * this.#options.starveShare) {
      return this.#judgeOne(only, seenMs)
    }
    return this.#judgeSeveral(involved, seenMs)
  }

  #judgeOne(seen: Seen, seenMs: number): Verdict | undefined {
    const { starveMs, starveLooks } = this.#options
    if (seen.looks < starveLooks / 2 || !this.#isExcessive([seen], seenMs, starveMs)) return undefined
    const detail =
      `it kept its process from everything else for ${toSeconds(seenMs)} with ${seen.turns} short turns, ` +
      'each caused by the one before: calls, streams or sockets that never leave the process'
    return { blame: { kind: 'cpu', owner: seen.owner, detail }, why: detail }
  }

  /** Of functions that call each other, the one that is asked from outside has begun it. */
  #judgeSeveral(involved: readonly Seen[], seenMs: number): Verdict | undefined {
    if (!this.#isExcessive(involved, seenMs, this.#options.starvedMs)) return undefined
    const turns = sum(involved, seen => seen.turns)
    const why =
      `functions called each other without a pause for ${toSeconds(seenMs)}, in ${turns} short turns, ` +
      'and kept their process from everything else'
    const asked = involved.filter(({ callers }) => callers && callers.waiting > 0)
    const [first] = asked
    const isOneAccount = involved.every(({ owner }) => owner.accountId === first?.owner.accountId)
    if (!first || asked.length > 1 || !isOneAccount) return { blame: undefined, why }
    const scripts = involved.map(({ owner }) => owner.script).join(', ')
    const detail = `${why} (${scripts}); of these only it was being requested`
    return { blame: { kind: 'cpu', owner: first.owner, detail }, why: detail }
  }

  /** More turns and more time than their callers explain. */
  #isExcessive(functions: readonly Seen[], seenMs: number, boundMs: number): boolean {
    const { starveMsPerCaller, starveTurns, starveTurnsPerRequest, starveTurnsPerSocket } = this.#options
    const allowedMs = sum(functions, ({ callers = UNKNOWN }) => callers.waiting) * starveMsPerCaller
    const allowedTurns = sum(
      functions,
      ({ callers = UNKNOWN }) =>
        starveTurns + callers.requests * starveTurnsPerRequest + callers.sockets * starveTurnsPerSocket,
    )
    return (
      functions.length > 0 &&
      seenMs >= Math.max(boundMs, allowedMs) &&
      sum(functions, ({ turns }) => turns) >= allowedTurns
    )
  }

  /** It had a processor. Else the machine is crowded. */
  #hasRun({ fromThreadMs }: Drought, seenMs: number, threadMs: number | undefined): boolean {
    if (fromThreadMs === undefined || threadMs === undefined) return true
    return threadMs - fromThreadMs >= seenMs * this.#options.cpuShare
  }
}

/** Looks of one drought give the same time of the last poll, as far as two clocks can be read together. */
const SAME_POLL_MS = 25

/** Where the board can't be read: as many as are admitted, and those that wait for a place. */
const UNKNOWN: Callers = { waiting: 150, requests: 1000, sockets: 0 }

function sum<T>(list: readonly T[], of: (item: T) => number): number {
  return list.reduce((total, item) => total + of(item), 0)
}

function toSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
