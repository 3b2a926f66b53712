import type { IsolateOwner } from '../src/core/isolate-id.ts'
import { MemoryWatch } from './memory-watch.ts'
import { Starvation } from './starvation.ts'
import type { Blame, IsolateCounters, Sight, WatchAction, WatchEvent, WatchOptions } from './watch-options.ts'

/** A turn that looks have shown. */
interface Turn {
  readonly owner: IsolateOwner
  readonly key: string
  readonly firstSeenMs: number
  /** The thread's CPU time when first seen. */
  readonly firstThreadMs: number | undefined
}

/**
 * Decides about one life of a process: when to look who runs, whom to blame, when to end or replace it. No clock,
 * no I/O: `take` each event in the order it is heard of, and do what comes back.
 *
 * - Nobody is blamed for time in which the same turn wasn't seen at its start and its end: the time before the
 *   first look isn't counted, nor is any in which the watcher wasn't running (a suspended machine, an event loop
 *   that was late): at most `attendedMs` passes between two events.
 * - An answered heartbeat means that every turn before it has ended.
 * - Until the first answer nothing is decided: starting is watched by whoever starts.
 */
export class Watch {
  readonly #options: WatchOptions
  readonly #memory: MemoryWatch
  readonly #starvation: Starvation
  /** Of the events' clock. */
  #lastEventMs: number | undefined
  /** Time as it was attended: the watch's own clock. */
  #nowMs = 0
  #answeredMs: number | undefined
  #lateForMs = 0
  #turn: Turn | undefined
  #isLooking = false
  #lookedMs = Number.NEGATIVE_INFINITY
  #isReplaced = false
  #isOver = false

  constructor(options: WatchOptions) {
    this.#options = options
    this.#memory = new MemoryWatch(options)
    this.#starvation = new Starvation(options)
  }

  /** True while heartbeats are late. */
  get isLate(): boolean {
    return this.#lateForMs >= this.#options.lateMs
  }

  /** Takes what was seen, says what to do. After a kill nothing more. */
  take(event: WatchEvent): readonly WatchAction[] {
    if (this.#isOver) return []
    this.#attend(event.atMs)
    const actions = this.#react(event)
    this.#isOver = actions.some(({ type }) => type === 'kill')
    return actions
  }

  /**
   * Whom to blame when the process ended by itself, out of memory by its last words: who was seen in the last
   * looks and nobody beside. A heap can fill faster than the watch decides. Nobody, once it has.
   */
  blameForEnd(atMs: number): Blame | undefined {
    if (this.#isOver) return undefined
    this.#attend(atMs)
    return this.#memory.blameForEnd(this.#nowMs)
  }

  #attend(atMs: number): void {
    const passedMs = atMs - (this.#lastEventMs ?? atMs)
    this.#nowMs += Math.min(Math.max(passedMs, 0), this.#options.attendedMs)
    this.#lastEventMs = Math.max(atMs, this.#lastEventMs ?? atMs)
  }

  #react(event: WatchEvent): WatchAction[] {
    switch (event.type) {
      case 'answered':
        this.#answeredMs = this.#nowMs
        this.#lateForMs = 0
        this.#turn = undefined
        this.#starvation.end()
        return [...this.#recycle(event.counters), ...this.#decide()]
      case 'waiting':
        this.#lateForMs = event.forMs
        return this.#decide()
      case 'broken':
        this.#lateForMs = 0
        this.#turn = undefined
        return this.#decide()
      case 'memory':
        this.#memory.read(event.rssBytes, event.dataBytes, this.#nowMs)
        return this.#decide()
      case 'looked':
        this.#isLooking = false
        return this.#look(event.sight, event.atMs)
    }
  }

  #look(sight: Sight, atMs: number): WatchAction[] {
    this.#memory.look(sight, this.#nowMs)
    const memoryBlame = this.#memory.blame()
    if (memoryBlame) return [{ type: 'kill', blame: memoryBlame, why: memoryBlame.detail }]
    const cpuBlame = this.#blameForTurn(sight)
    if (cpuBlame) return [{ type: 'kill', blame: cpuBlame, why: cpuBlame.detail }]
    this.#starvation.look(sight, atMs, this.#nowMs)
    const starved = this.isLate && this.#starvation.judge(this.#nowMs, sight.threadMs)
    if (starved) return [{ type: 'kill', ...starved }]
    return this.#decide()
  }

  /** Notes the turn; blames it, if it has been seen for its whole limit. */
  #blameForTurn({ isolate, turnKey, threadMs }: Sight): Blame | undefined {
    // Nobody seen says nothing of the turn before: its key tells whether it goes on.
    if (!isolate || turnKey === undefined) return undefined
    const turn = this.#turn
    if (!turn || turn.key !== turnKey || !isSameIsolate(turn.owner, isolate)) {
      this.#turn = { owner: isolate, key: turnKey, firstSeenMs: this.#nowMs, firstThreadMs: threadMs }
      return undefined
    }
    const seenMs = this.#nowMs - turn.firstSeenMs
    const { turnMs } = isolate
    if (seenMs < turnMs) return undefined
    const isKnown = threadMs !== undefined && turn.firstThreadMs !== undefined
    if (isKnown && threadMs - turn.firstThreadMs < turnMs * this.#options.cpuShare) return undefined
    const detail = `it computed without a pause for more than ${turnMs} ms (seen for ${Math.round(seenMs)} ms)`
    return { kind: 'cpu', owner: isolate, detail }
  }

  #decide(): WatchAction[] {
    if (this.#answeredMs === undefined) return []
    const stuck = this.#stuck(this.#answeredMs)
    if (stuck) return [{ type: 'kill', blame: undefined, why: stuck }]

    const actions: WatchAction[] = []
    if (this.#wantsLook()) {
      this.#isLooking = true
      this.#lookedMs = this.#nowMs
      actions.push({ type: 'look' })
    }
    if (!this.#isReplaced) {
      for (const action of this.#memory.relieve(this.#nowMs)) {
        if (action.type === 'replace') this.#isReplaced = true
        actions.push(action)
      }
    }
    return actions
  }

  #wantsLook(): boolean {
    const { canLook, lookEveryMs } = this.#options
    if (!canLook || this.#isLooking || this.#nowMs - this.#lookedMs < lookEveryMs) return false
    return this.isLate || this.#memory.wantsLook()
  }

  /** Why the process is taken for stuck, through no turn's fault. */
  #stuck(answeredMs: number): string | undefined {
    const { canLook, stuckMs, blindStuckMs } = this.#options
    const boundMs = canLook ? stuckMs : blindStuckMs
    const turn = this.#turn
    // A turn within its limit explains why nothing is answered, from when it was first seen.
    if ((turn?.firstSeenMs ?? this.#nowMs) - answeredMs > boundMs) {
      return `it answered no heartbeat for ${boundMs / 1000} s, and no one function is the reason`
    }
    if (turn && this.#nowMs - turn.firstSeenMs > turn.owner.turnMs + boundMs) {
      return `it answered no heartbeat for ${boundMs / 1000} s, and hardly ran`
    }
    return undefined
  }

  #recycle(counters: IsolateCounters | undefined): WatchAction[] {
    if (this.#isReplaced || !counters) return []
    const action = this.#reasonToRecycle(counters)
    if (!action) return []
    this.#isReplaced = true
    return [action]
  }

  #reasonToRecycle({ ageMs, isolatesLoaded, everLoaded }: IsolateCounters): WatchAction | undefined {
    const { maxAgeMs, maxIsolates, maxEverLoaded, recycleRssBytes, recycleRssAfterMs } = this.#options
    const replace = (reason: 'memory' | 'age' | 'isolates', why: string): WatchAction => ({
      type: 'replace',
      reason,
      why,
    })
    if (ageMs > maxAgeMs) return replace('age', `it has run for ${Math.round(ageMs / 3_600_000)} hours`)
    if (isolatesLoaded > maxIsolates) {
      return replace('isolates', `it holds ${isolatesLoaded} isolates, more than ${maxIsolates}`)
    }
    if (everLoaded > maxEverLoaded) {
      return replace('isolates', `it has loaded ${everLoaded} isolates, more than ${maxEverLoaded}`)
    }
    const rssBytes = this.#memory.rssBytes
    if (ageMs > recycleRssAfterMs && rssBytes > recycleRssBytes) {
      return replace('memory', `it has grown to ${toMib(rssBytes)} MiB over time`)
    }
    return undefined
  }
}

/** Of the same script and version. */
function isSameIsolate(a: IsolateOwner, b: IsolateOwner): boolean {
  return a.accountId === b.accountId && a.script === b.script && a.digest === b.digest
}

function toMib(bytes: number): number {
  return Math.round(bytes / (1024 * 1024))
}
