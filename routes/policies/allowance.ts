import { asOwn } from '../../src/core/shared-promise.ts'

/** What an allowance asks for when it has too little. */
export interface AllowanceRequest {
  readonly wanted: number
  readonly needed: number
  readonly ahead: number
  readonly unspent: number
  readonly unspentUntilMs: number
}

/** What it gets. */
export interface AllowanceGrant {
  readonly granted: number
  readonly expiresAtMs: number
  readonly remaining: number
  readonly retryAfterMs: number
  readonly resetMs: number
}

/** How the allowances of one policy ask, and how far ahead. */
export interface AllowanceSource {
  now(): number
  /** How many units to ask for beyond those that are waited for, after `spent` in `elapsedMs`. */
  ahead(spent: number, elapsedMs: number): number
}

/** Where a request of this moment asks, and what keeps its asking alive. */
export interface AllowanceWay {
  ask(request: AllowanceRequest): Promise<AllowanceGrant>
  waitUntil(promise: Promise<unknown>): void
}

/**
 * One caller's units on this edge: spent without asking while there are some, asked for in time when few are left,
 * and waited for when there are none.
 *
 * Of all requests that find it empty one asks, for all that wait by then; those that come later share the next
 * asking. What is got ahead ends at a time and is not spent after it.
 */
export class Allowance {
  readonly #source: AllowanceSource
  #units = 0
  #endsAtMs = 0
  /** What was got ahead before the units above were spent. */
  #nextUnits = 0
  #nextEndsAtMs = 0
  /** What was got ahead last. */
  #size = 0
  /** Units that ended unspent, to be given back. */
  #unspent = 0
  #unspentUntilMs = 0
  /** What was spent since the last asking, and when that was. */
  #spent = 0
  #askedAtMs = 0
  #left = 0
  #resetAtMs = 0
  #retryAtMs = 0
  #blockedUntilMs = 0
  #blockedCost = 0
  /** Asks now. */
  #asking: Asking | undefined
  /** Will ask next, for those who come meanwhile. */
  #next: Asking | undefined

  constructor(source: AllowanceSource) {
    this.#source = source
  }

  /** Takes units that are here. */
  spend(cost: number, nowMs: number): boolean {
    this.#turn(nowMs)
    if (this.#units >= cost) {
      this.#units -= cost
    } else if (this.#units + this.#nextUnits >= cost) {
      this.#nextUnits -= cost - this.#units
      this.#units = 0
    } else {
      return false
    }
    this.#spent += cost
    return true
  }

  /** Whether it is known that there are not so many units. */
  isBlocked(cost: number, nowMs: number): boolean {
    return this.#blockedUntilMs > nowMs && cost >= this.#blockedCost
  }

  /** Milliseconds until there may be enough, when there weren't. */
  retryAfterMs(nowMs: number): number {
    return Math.max(0, this.#retryAtMs - nowMs)
  }

  /** Units that are left to the caller, as far as is known here. */
  get remaining(): number {
    return this.#left + this.#units + this.#nextUnits
  }

  /** Units that can be spent without asking. */
  held(nowMs: number): number {
    this.#turn(nowMs)
    return this.#units + this.#nextUnits
  }

  /** Milliseconds until all are there again. */
  resetMs(nowMs: number): number {
    return Math.max(0, this.#resetAtMs - nowMs)
  }

  /** Whether it is time to ask for more, though there are still some. */
  isLow(nowMs: number): boolean {
    if (this.#size < MIN_REFILL || (this.#units + this.#nextUnits) * 4 > this.#size) return false
    return !this.#asking && !this.#next && !this.isBlocked(1, nowMs)
  }

  /** Asks for more, for later. */
  refill(way: AllowanceWay): void {
    this.#join(0, way)
  }

  /**
   * Waits for units.
   *
   * @returns whether there were enough
   * @throws whatever asking throws
   */
  async wait(cost: number, way: AllowanceWay): Promise<boolean> {
    const asking = this.#join(cost, way)
    await asOwn(asking.promise)
    if (asking.left < cost) return false
    asking.left -= cost
    this.#spent += cost
    return true
  }

  #join(cost: number, way: AllowanceWay): Asking {
    const open = this.#next
    const nowMs = this.#source.now()
    if (open && nowMs - open.startedAtMs <= STUCK_MS) {
      open.wanted += cost
      open.needed = Math.min(open.needed || cost, cost)
      return open
    }
    const asking: Asking = { wanted: cost, needed: cost, left: 0, promise: DONE, startedAtMs: nowMs }
    this.#next = asking
    const before = this.#asking
    const isStuck = before && nowMs - before.startedAtMs > STUCK_MS
    asking.promise =
      before && !isStuck
        ? asOwn(before.promise)
            .then(NOTHING, NOTHING)
            .then(() => this.#run(asking, way))
        : this.#run(asking, way)
    // What other requests wait for must outlast the one that began it.
    way.waitUntil(asking.promise.then(NOTHING, NOTHING))
    return asking
  }

  async #run(asking: Asking, way: AllowanceWay): Promise<void> {
    this.#asking = asking
    try {
      // Whoever comes in this same turn is still let in.
      await DONE
      this.#next = undefined
      const nowMs = this.#source.now()
      if (asking.wanted > 0 && this.spend(asking.wanted, nowMs)) {
        this.#spent -= asking.wanted
        asking.left = asking.wanted
        return
      }
      if (asking.wanted > 0 && this.isBlocked(asking.needed, nowMs)) return
      this.#take(asking, await way.ask(this.#toRequest(asking, nowMs)))
    } finally {
      if (this.#asking === asking) this.#asking = undefined
      if (this.#next === asking) this.#next = undefined
    }
  }

  #toRequest({ wanted, needed }: Asking, nowMs: number): AllowanceRequest {
    const spent = this.#spent + wanted
    const ahead = this.#source.ahead(spent, Math.max(1, nowMs - this.#askedAtMs))
    const request = { wanted, needed, ahead, unspent: this.#unspent, unspentUntilMs: this.#unspentUntilMs }
    this.#spent = 0
    this.#askedAtMs = nowMs
    this.#unspent = 0
    return request
  }

  #take(asking: Asking, grant: AllowanceGrant): void {
    const nowMs = this.#source.now()
    const { granted, expiresAtMs, remaining, retryAfterMs, resetMs } = grant
    asking.left = Math.min(granted, asking.wanted)
    const ahead = granted - asking.left
    this.#left = remaining
    this.#resetAtMs = nowMs + resetMs
    this.#retryAtMs = nowMs + retryAfterMs
    this.#blockedUntilMs = retryAfterMs > 0 ? nowMs + Math.min(retryAfterMs, MAX_BLOCKED_MS) : 0
    this.#blockedCost = Math.max(asking.needed, 1)
    this.#size = ahead
    if (ahead === 0) return
    this.#turn(nowMs)
    if (this.#units === 0) {
      this.#units = ahead
      this.#endsAtMs = expiresAtMs
    } else {
      // Both are only here if the one before came late: then they end together, early.
      this.#nextEndsAtMs = this.#nextUnits > 0 ? Math.min(this.#nextEndsAtMs, expiresAtMs) : expiresAtMs
      this.#nextUnits += ahead
    }
  }

  /** Lets units go whose time is over. */
  #turn(nowMs: number): void {
    if (this.#units > 0 && this.#endsAtMs <= nowMs) this.#end(this.#units, this.#endsAtMs)
    else if (this.#units > 0) return
    this.#units = this.#nextUnits
    this.#endsAtMs = this.#nextEndsAtMs
    this.#nextUnits = 0
    if (this.#units > 0 && this.#endsAtMs <= nowMs) {
      this.#end(this.#units, this.#endsAtMs)
      this.#units = 0
    }
  }

  /** Of several, the earliest end: what is too late is not taken back. */
  #end(units: number, endsAtMs: number): void {
    this.#unspentUntilMs = this.#unspent > 0 ? Math.min(this.#unspentUntilMs, endsAtMs) : endsAtMs
    this.#unspent += units
  }
}

/** Requests of one caller that wait for one answer. */
interface Asking {
  wanted: number
  needed: number
  /** Of what was granted, what those who wait have not taken yet. */
  left: number
  promise: Promise<void>
  readonly startedAtMs: number
}

const NOTHING = (): void => {}
const DONE = Promise.resolve()
/** Fewer are used up before more could come. */
const MIN_REFILL = 8
/** So long a refusal is believed: others may give back what they didn't spend, or an operator changes his mind. */
const MAX_BLOCKED_MS = 1000
/** An asking that takes longer has died with its request. */
const STUCK_MS = 3000
