/**
 * A bucket of permits of one key, which fills steadily; as an algorithm GCRA, with what is missing from the bucket in
 * place of a theoretical arrival time, so that no precision is lost at high rates.
 *
 * In any time `t` at most burst + rate · t permits are spent. What is granted ahead may be spent later, when the
 * bucket has filled up again; so as long as it may be, the bucket stays that much below its brim.
 */
export class TokenBucket {
  /** Permits missing from the bucket at `#atMs`. */
  #debt = 0
  #atMs: number
  /** Pairs: when permits granted ahead end, and how many; in order. Most buckets never have any. */
  #leases: number[] | undefined
  /** The sum of those. */
  #leased = 0

  constructor(nowMs: number) {
    this.#atMs = nowMs
  }

  /** How many permits are missing from a full bucket now. `rate` is in permits a millisecond. */
  debt(nowMs: number, rate: number): number {
    // A clock that was set back would let nothing in until it is where it was.
    if (nowMs < this.#atMs - CLOCK_STEP_MS) this.#shift(nowMs - this.#atMs)
    while (this.#leases && (this.#leases[0] as number) <= nowMs) this.#endLease(this.#leases, rate)
    this.#drain(nowMs, rate)
    return this.#debt
  }

  /** Takes one request's permits if there are so many. */
  take(count: number, burst: number, nowMs: number, rate: number): boolean {
    const debt = this.debt(nowMs, rate)
    if (debt + count > burst + TOLERANCE) return false
    this.#debt = debt + count
    return true
  }

  /** Takes permits that are there, of which `ahead` may be spent until `untilMs`. */
  lease(count: number, ahead: number, untilMs: number, mergeMs: number): void {
    this.#debt += count
    if (ahead === 0) return
    this.#leased += ahead
    this.#leases ??= []
    const leases = this.#leases
    const last = leases.length - 2
    const lastUntil = leases[last] ?? 0
    const until = Math.max(untilMs, lastUntil)
    if (
      leases.length >= 2 * EXACT_LEASES &&
      Math.floor(until / mergeMs) === Math.floor(lastUntil / mergeMs)
    ) {
      leases[last] = until
      leases[last + 1] = (leases[last + 1] as number) + ahead
    } else {
      leases.push(until, ahead)
    }
  }

  /** Milliseconds until no more than this is missing from the bucket, if nobody takes any; 0 = already. */
  msUntilDebt(wanted: number, nowMs: number, rate: number): number {
    let debt = this.debt(nowMs, rate)
    let leased = this.#leased
    let atMs = nowMs
    const leases = this.#leases ?? []
    for (let i = 0; i < leases.length && debt > wanted; i += 2) {
      const untilMs = leases[i] as number
      if (leased <= wanted && atMs + (debt - wanted) / rate <= untilMs) break
      debt = Math.max(leased, debt - (untilMs - atMs) * rate)
      leased -= leases[i + 1] as number
      atMs = untilMs
    }
    return debt - wanted <= TOLERANCE ? 0 : atMs - nowMs + (debt - wanted) / rate
  }

  /** Up to the end of the first lease the bucket could fill to all but what is leased. */
  #endLease(leases: number[], rate: number): void {
    const [untilMs = 0, count = 0] = leases.splice(0, 2)
    this.#drain(untilMs, rate)
    this.#leased -= count
    if (leases.length === 0) this.#leases = undefined
  }

  #shift(byMs: number): void {
    this.#atMs += byMs
    const leases = this.#leases ?? []
    for (let i = 0; i < leases.length; i += 2) leases[i] = (leases[i] as number) + byMs
  }

  #drain(toMs: number, rate: number): void {
    if (toMs <= this.#atMs) return
    this.#debt = Math.max(this.#leased, this.#debt - (toMs - this.#atMs) * rate)
    this.#atMs = toMs
  }
}

/** What rounding may take from a permit that is there. */
const TOLERANCE = 1e-9
/** A clock that goes back by no more than this stood still. */
const CLOCK_STEP_MS = 1000
/** So many leases are kept apart, each with its own end; more are put together where they end within `mergeMs`. */
const EXACT_LEASES = 8
