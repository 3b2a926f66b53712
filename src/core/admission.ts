/** How many invocations may be under way, and how many requests may wait for a place. Counts are per edge. */
export interface AdmissionLimits {
  /** Of one script. */
  readonly concurrency: number
  /** Of all scripts of an account. */
  readonly accountConcurrency: number
  /** Waiting for a place, of one script. */
  readonly queueLength: number
  /** How long a request waits. */
  readonly queueMs: number
  /** A place counts for one to two windows at most: choose one that no invocation outlasts. */
  readonly windowMs: number
}

/** A place: where an invocation was counted in, to be handed back when it is over. Shared by many; opaque. */
export interface Slot {
  count: number
  readonly account: AccountWindow
}

interface AccountWindow {
  count: number
  readonly gate: AccountGate
}

/** A request in the queue. */
export interface Waiter {
  /** `offered`: `slot` is kept for it for {@link OFFER_MS}. `over`: it got its place, or waited too long. */
  state: 'waiting' | 'offered' | 'over'
  readonly gate: ScriptGate
  /** When it stops waiting; when it stops being offered a place. */
  untilMs: number
  slot: Slot | undefined
  readonly wake: () => void
}

/**
 * How long a place is kept for the request whose turn it is. It takes it as soon as it runs again; one that
 * doesn't has lost its caller.
 */
export const OFFER_MS = 50

/**
 * The places of one account in one edge, shared by its scripts: freed ones go to those that wait in turn.
 *
 * Counts are kept by windows of time, without trusting that every end is told: when the caller of a loopback
 * entrypoint goes away, workerd drops our half of the call without running any more of it, `finally` included.
 * For the same reason nobody that waits is handed a place, only offered one.
 */
export class AccountGate {
  readonly limits: AdmissionLimits
  #current: AccountWindow = { count: 0, gate: this }
  #previous: AccountWindow = { count: 0, gate: this }
  #index = -1
  /** Scripts with a queue; the first is the next to get a place. */
  #turns: ScriptGate[] = []
  /** Oldest first; taken ones are cleared away later. */
  #offers: Waiter[] = []
  /** Whether anyone may be waiting, or keeping a place that was offered. */
  isContended = false

  constructor(limits: AdmissionLimits) {
    this.limits = limits
  }

  /** Begins another window, unless it has begun; gives it. */
  turnTo(index: number): AccountWindow {
    if (index !== this.#index) {
      this.#previous = index === this.#index + 1 ? this.#current : { count: 0, gate: this }
      this.#current = { count: 0, gate: this }
      this.#index = index
    }
    return this.#current
  }

  get isFull(): boolean {
    return this.#current.count + this.#previous.count >= this.limits.accountConcurrency
  }

  /** A script's queue has begun: its turn comes after the others'. */
  queue(gate: ScriptGate): void {
    if (!this.#turns.includes(gate)) this.#turns.push(gate)
    this.isContended = true
  }

  /** Offers free places to those that wait, one script after the other. To be called whenever one may be free. */
  dispatch(nowMs: number): void {
    this.#takeBack(nowMs)
    this.turnTo(Math.floor(nowMs / this.limits.windowMs))
    // Scripts in turn, until a whole round found no place.
    for (let passed = 0; passed < this.#turns.length && !this.isFull; ) {
      const [gate] = this.#turns.splice(0, 1) as [ScriptGate]
      const waiter = gate.next(nowMs)
      if (gate.hasWaiters) this.#turns.push(gate)
      if (waiter) {
        this.#offers.push(waiter)
        passed = 0
        waiter.wake()
      } else if (gate.hasWaiters) passed++
    }
    this.isContended = this.#turns.length > 0 || this.#offers.length > 0
  }

  /** Whoever didn't take a place in time has gone. */
  #takeBack(nowMs: number): void {
    this.#offers = this.#offers.filter(waiter => {
      if (waiter.state !== 'offered') return false
      if (nowMs < waiter.untilMs) return true
      waiter.state = 'over'
      if (waiter.slot) countOut(waiter.slot)
      return false
    })
  }
}

/** The places of one script in one edge. */
export class ScriptGate {
  readonly account: AccountGate
  #current: Slot
  #previous: Slot
  // The first request begins a window.
  #index = -1
  readonly #waiters: Waiter[] = []

  constructor(account: AccountGate) {
    this.account = account
    this.#current = { count: 0, account: { count: 0, gate: account } }
    this.#previous = this.#current
  }

  /** Takes a place if one is free; `undefined` if none is. Those that wait are offered places first. */
  enter(nowMs: number): Slot | undefined {
    if (this.account.isContended) this.account.dispatch(nowMs)
    return this.#take(nowMs)
  }

  /** Gets in line; `wake` is called when its turn has come, then `claim`. `undefined`: the queue is full. */
  wait(nowMs: number, wake: () => void): Waiter | undefined {
    const { queueLength, queueMs } = this.account.limits
    this.#forgetLate(nowMs)
    if (this.#waiters.length >= queueLength) return undefined
    const waiter: Waiter = { state: 'waiting', gate: this, untilMs: nowMs + queueMs, slot: undefined, wake }
    this.#waiters.push(waiter)
    this.account.queue(this)
    return waiter
  }

  /** The place that a waiter was offered. Without one it stops waiting, unless a place is free this moment. */
  claim(waiter: Waiter, nowMs: number): Slot | undefined {
    if (waiter.state === 'waiting') {
      // Its time may be over, but it still comes before those behind it.
      waiter.untilMs = nowMs + 1
      this.account.dispatch(nowMs)
    }
    const { state, slot } = waiter
    waiter.state = 'over'
    if (state === 'offered') return slot
    if (state === 'waiting') {
      this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
      return undefined
    }
    // Others found it late, which it may be only because the thread was busy.
    return this.enter(nowMs)
  }

  get hasWaiters(): boolean {
    return this.#waiters.length > 0
  }

  /** No invocation is under way, or its end wasn't told. */
  get isEmpty(): boolean {
    return this.#current.count + this.#previous.count <= 0
  }

  /** Which limit keeps requests of this script out. */
  get fullBy(): 'script' | 'account' {
    return this.#current.count + this.#previous.count >= this.account.limits.concurrency
      ? 'script'
      : 'account'
  }

  /** The first in line, with a place offered to it, if one is free. */
  next(nowMs: number): Waiter | undefined {
    this.#forgetLate(nowMs)
    const [waiter] = this.#waiters
    const slot = waiter && this.#take(nowMs)
    if (!waiter || !slot) return undefined
    this.#waiters.shift()
    waiter.state = 'offered'
    waiter.slot = slot
    waiter.untilMs = nowMs + OFFER_MS
    return waiter
  }

  #take(nowMs: number): Slot | undefined {
    const { account } = this
    const { concurrency, windowMs } = account.limits
    const index = Math.floor(nowMs / windowMs)
    if (index !== this.#index) this.#turnTo(index)
    const current = this.#current
    if (current.count + this.#previous.count >= concurrency || account.isFull) return undefined
    current.count++
    current.account.count++
    return current
  }

  /** All windows of an account turn at the same time, so that a script's window belongs to one of its account's. */
  #turnTo(index: number): void {
    const account = this.account.turnTo(index)
    this.#previous = index === this.#index + 1 ? this.#current : { count: 0, account }
    this.#current = { count: 0, account }
    this.#index = index
  }

  #forgetLate(nowMs: number): void {
    const live = this.#waiters.findIndex(({ untilMs }) => nowMs < untilMs)
    const late = this.#waiters.splice(0, live < 0 ? this.#waiters.length : live)
    for (const waiter of late) waiter.state = 'over'
  }
}

/** Why a request got no place. */
export type Refusal = 'queue is full' | 'waited too long'

/**
 * A place for one invocation of a script, as soon as one is free.
 *
 * Ask `gate.enter` first: mostly there is one, and nothing needs to be awaited.
 */
export async function waitForPlace(gate: ScriptGate, nowMs: number): Promise<Slot | Refusal> {
  // Whoever gives a place back wakes us: promises may be resolved across requests.
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiter = gate.wait(nowMs, resolve)
  if (!waiter) return 'queue is full'
  const late = setTimeout(resolve, waiter.untilMs - nowMs)
  await promise
  clearTimeout(late)
  return gate.claim(waiter, Date.now()) ?? 'waited too long'
}

/** Gives a place back; whoever waits for it gets it. */
export function leave(slot: Slot): void {
  countOut(slot)
  const { gate } = slot.account
  if (gate.isContended) gate.dispatch(Date.now())
}

/** Gives a place back; then `dispatch` if the account is contended. */
export function countOut(slot: Slot): void {
  slot.count--
  slot.account.count--
}
