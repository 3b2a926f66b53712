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
}

/** What an invocation holds until it is over. */
export class Place {
  readonly gate: ScriptGate
  /** Given back, or taken back. */
  isOver = false
  /** Since when its holder owes an answer to whether it is still there. */
  askedAtMs: number | undefined
  #answer: ((asked: typeof ASKED) => void) | undefined
  #failure: Error | undefined

  constructor(gate: ScriptGate) {
    this.gate = gate
  }

  /**
   * Waits for what the place is held for; meanwhile answers whenever the holder is asked whether it is there.
   *
   * @throws what that throws, or what `fail` was given
   */
  async hold<T>(work: Promise<T>): Promise<T> {
    while (!this.#failure) {
      // Whoever asks is another request: promises may be resolved across requests.
      const { promise, resolve } = Promise.withResolvers<typeof ASKED>()
      this.#answer = resolve
      this.askedAtMs = undefined
      const first = await Promise.race([work, promise])
      if (first !== ASKED) return first
    }
    throw this.#failure
  }

  /** Asks the holder whether it is still there. */
  ask(nowMs: number): void {
    if (this.askedAtMs !== undefined && this.askedAtMs <= nowMs) return
    this.askedAtMs = nowMs
    this.#answer?.(ASKED)
  }

  /** Fails what is waited for. */
  fail(error: Error): void {
    this.#failure = error
    this.#answer?.(ASKED)
  }
}

const ASKED = Symbol('asked')

/** A request in the queue. */
export interface Waiter {
  /** `offered`: `place` is kept for it for {@link OFFER_MS}. `over`: it got its place, or waited too long. */
  state: 'waiting' | 'offered' | 'over'
  readonly gate: ScriptGate
  /** When it stops waiting; when it stops being offered a place. */
  untilMs: number
  place: Place | undefined
  readonly wake: () => void
}

/**
 * How long a place is kept for the request whose turn it is, and for one that was asked whether it is still there.
 * Both answer as soon as they run again; one that doesn't has lost its caller.
 */
export const OFFER_MS = 50

/** How often those that hold the places of an account are asked, at most. */
export const ASK_EVERY_MS = 100

/**
 * The places of one account in one edge, shared by its scripts: freed ones go to those that wait in turn.
 *
 * Not every end is told: when a client goes away, or the caller of a loopback entrypoint, workerd drops our half of
 * the call without running any more of it, `finally` included. So nobody that waits is handed a place, only offered
 * one; and when no place is free, those that hold one are asked whether they are still there.
 */
export class AccountGate {
  readonly limits: AdmissionLimits
  /** Places held. */
  #count = 0
  /** Those, and some that are over: cleared away now and then. */
  #places: Place[] = []
  #askedAtMs = Number.NEGATIVE_INFINITY
  #isAsking = false
  /** Scripts with a queue; the first is the next to get a place. */
  #turns: ScriptGate[] = []
  /** Oldest first; taken ones are cleared away later. */
  #offers: Waiter[] = []
  /** Whether anyone may be waiting, keeping a place that was offered, or owing an answer. */
  isContended = false

  constructor(limits: AdmissionLimits) {
    this.limits = limits
  }

  get isFull(): boolean {
    return this.#count >= this.limits.accountConcurrency
  }

  /** Counts a place in. */
  add(place: Place): void {
    this.#count++
    this.#places.push(place)
    if (this.#places.length > 2 * this.#count + SOME) this.#places = this.#places.filter(isHeld)
  }

  /** Counts a place out. */
  remove(): void {
    this.#count--
  }

  /** Asks those that hold a place whether they are still there; `dispatch` takes the others' after {@link OFFER_MS}. */
  ask(nowMs: number): void {
    const sinceMs = nowMs - this.#askedAtMs
    // The clock may be set back.
    if (sinceMs >= 0 && sinceMs < ASK_EVERY_MS) return
    this.#askedAtMs = nowMs
    this.#isAsking = true
    this.isContended = true
    for (const place of this.#places) if (isHeld(place)) place.ask(nowMs)
  }

  /** A script's queue has begun: its turn comes after the others'. */
  queue(gate: ScriptGate): void {
    if (!this.#turns.includes(gate)) this.#turns.push(gate)
    this.isContended = true
  }

  /** Offers free places to those that wait, one script after the other. To be called whenever one may be free. */
  dispatch(nowMs: number): void {
    this.#takeBack(nowMs)
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
    this.isContended = this.#turns.length > 0 || this.#offers.length > 0 || this.#isAsking
  }

  /** Whoever didn't take a place in time, or didn't answer, has gone. */
  #takeBack(nowMs: number): void {
    this.#offers = this.#offers.filter(waiter => {
      if (waiter.state !== 'offered') return false
      if (nowMs < waiter.untilMs) return true
      waiter.state = 'over'
      if (waiter.place) countOut(waiter.place)
      return false
    })
    if (!this.#isAsking || nowMs - this.#askedAtMs < OFFER_MS) return
    this.#isAsking = false
    for (const place of this.#places) {
      if (place.askedAtMs !== undefined && nowMs - place.askedAtMs >= OFFER_MS) countOut(place)
    }
  }
}

/** Places that are over are kept so many before they are cleared away. */
const SOME = 64

const isHeld = ({ isOver }: Place): boolean => !isOver

/** The places of one script in one edge. */
export class ScriptGate {
  readonly account: AccountGate
  /** Places held. */
  count = 0
  readonly #waiters: Waiter[] = []

  constructor(account: AccountGate) {
    this.account = account
  }

  /** Takes a place if one is free; `undefined` if none is. Those that wait are offered places first. */
  enter(nowMs: number): Place | undefined {
    if (this.account.isContended) this.account.dispatch(nowMs)
    return this.#take()
  }

  /** Gets in line; `wake` is called when its turn has come, then `claim`. `undefined`: the queue is full. */
  wait(nowMs: number, wake: () => void): Waiter | undefined {
    const { queueLength, queueMs } = this.account.limits
    this.#forgetLate(nowMs)
    if (this.#waiters.length >= queueLength) return undefined
    const waiter: Waiter = { state: 'waiting', gate: this, untilMs: nowMs + queueMs, place: undefined, wake }
    this.#waiters.push(waiter)
    this.account.queue(this)
    return waiter
  }

  /** The place that a waiter was offered. Without one it stops waiting, unless a place is free this moment. */
  claim(waiter: Waiter, nowMs: number): Place | undefined {
    if (waiter.state === 'waiting') {
      // Its time may be over, but it still comes before those behind it.
      waiter.untilMs = nowMs + 1
      this.account.dispatch(nowMs)
    }
    const { state, place } = waiter
    waiter.state = 'over'
    if (state === 'offered') return place
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

  /** No invocation is under way. */
  get isEmpty(): boolean {
    return this.count === 0
  }

  /** Which limit keeps requests of this script out. */
  get fullBy(): 'script' | 'account' {
    return this.count >= this.account.limits.concurrency ? 'script' : 'account'
  }

  /** The first in line, with a place offered to it, if one is free. */
  next(nowMs: number): Waiter | undefined {
    this.#forgetLate(nowMs)
    const [waiter] = this.#waiters
    const place = waiter && this.#take()
    if (!waiter || !place) return undefined
    this.#waiters.shift()
    waiter.state = 'offered'
    waiter.place = place
    waiter.untilMs = nowMs + OFFER_MS
    return waiter
  }

  #take(): Place | undefined {
    const { account } = this
    if (this.count >= account.limits.concurrency || account.isFull) return undefined
    const place = new Place(this)
    this.count++
    account.add(place)
    return place
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
export async function waitForPlace(gate: ScriptGate, nowMs: number): Promise<Place | Refusal> {
  const { account } = gate
  account.ask(nowMs)
  // If this request is gone or answered by then, the next one looks.
  setTimeout(() => account.dispatch(Date.now()), OFFER_MS)
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
export function leave(place: Place): void {
  countOut(place)
  const { account } = place.gate
  if (account.isContended) account.dispatch(Date.now())
}

/** Gives a place back, once; then `dispatch` if the account is contended. */
export function countOut(place: Place): void {
  if (place.isOver) return
  place.isOver = true
  place.gate.count--
  place.gate.account.remove()
}
