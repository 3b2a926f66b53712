import { leaseMs, type PermitGrant, type PermitRequest } from './permits.ts'
import { SlidingWindow } from './sliding-window.ts'
import { TokenBucket } from './token-bucket.ts'

/** One key's counter, and when it has nothing more to remember. */
interface Entry {
  counter: SlidingWindow | TokenBucket
  idleAtMs: number
}

/**
 * Counters of rate limits by key, in memory, for whoever grants permits to several edges.
 *
 * Keys that are idle go as others are used. Beyond `maxKeys` those go that came first, with what they counted.
 */
export class PermitBook {
  readonly #entries = new Map<string, Entry>()
  readonly #maxKeys: number
  readonly #startedAtMs: number
  #sweep: Iterator<[string, Entry]> | undefined

  constructor(nowMs: number, maxKeys = 200_000) {
    this.#startedAtMs = nowMs
    this.#maxKeys = maxKeys
  }

  /** How many keys are held. */
  get size(): number {
    return this.#entries.size
  }

  /**
   * Grants permits. Of those that are wanted, all that there are; of those ahead, at most a quarter of what is left
   * then and a sixteenth of the limit, so that no edge hoards them, and none where that would be fewer than eight.
   */
  take(request: PermitRequest, nowMs: number): PermitGrant {
    this.#sweepSome(nowMs)
    const entry = this.#entry(request, nowMs)
    const grant =
      entry.counter instanceof SlidingWindow
        ? takeOfWindow(entry.counter, request, nowMs, this.#startedAtMs)
        : takeOfBucket(entry.counter, request, nowMs)
    entry.idleAtMs = nowMs + grant.resetMs
    // Nothing to remember: a reader, or a caller that asked for more than there ever is.
    if (grant.resetMs === 0) this.#entries.delete(request.key)
    return grant
  }

  #entry({ key, algorithm }: PermitRequest, nowMs: number): Entry {
    const found = this.#entries.get(key)
    const isWindow = algorithm === 'sliding-window'
    // The key's policy may have got another algorithm.
    if (found && found.counter instanceof SlidingWindow === isWindow) return found
    if (!found && this.#entries.size >= this.#maxKeys) this.#dropFirst()
    const entry = { counter: isWindow ? new SlidingWindow() : new TokenBucket(nowMs), idleAtMs: nowMs }
    this.#entries.set(key, entry)
    return entry
  }

  /** Looks at two keys each time, going round: more than are added. */
  #sweepSome(nowMs: number): void {
    for (let i = 0; i < 2; i++) {
      this.#sweep ??= this.#entries.entries()
      const { done, value } = this.#sweep.next()
      if (done) this.#sweep = undefined
      else if (value[1].idleAtMs <= nowMs) this.#entries.delete(value[0])
    }
  }

  #dropFirst(): void {
    const [first] = this.#entries.keys()
    if (first !== undefined) this.#entries.delete(first)
  }
}

function takeOfWindow(
  window: SlidingWindow,
  request: PermitRequest,
  nowMs: number,
  startedAtMs: number,
): PermitGrant {
  const { limit, windowMs, unspent, unspentUntilMs } = request
  const lifeMs = leaseMs(windowMs)
  window.endBy(nowMs + windowMs + lifeMs)
  // They must still be counted here, by this book and not the one of a process before.
  if (unspent > 0 && unspentUntilMs + windowMs > nowMs && unspentUntilMs - lifeMs >= startedAtMs) {
    window.remove(unspent, nowMs)
  }
  const { at, ahead } = divide(request, limit - window.used(nowMs))
  const expiresAtMs = ahead > 0 ? nowMs + lifeMs : 0
  if (at + ahead > 0) window.add(at + ahead, nowMs, expiresAtMs || nowMs, windowMs)
  const remaining = Math.max(0, limit - window.used(nowMs))
  return {
    granted: at + ahead,
    expiresAtMs,
    remaining,
    retryAfterMs: isServed(request, at) ? 0 : window.msUntil(limit - request.needed, nowMs),
    resetMs: window.msUntil(0, nowMs),
  }
}

function takeOfBucket(bucket: TokenBucket, request: PermitRequest, nowMs: number): PermitGrant {
  const { limit, windowMs, burst, needed } = request
  const rate = limit / windowMs
  const lifeMs = leaseMs(windowMs)
  const free = Math.floor(burst - bucket.debt(nowMs, rate) + 1e-9)
  const { at, ahead } = divide(request, free)
  const expiresAtMs = ahead > 0 ? nowMs + lifeMs : 0
  if (at + ahead > 0) bucket.lease(at + ahead, ahead, expiresAtMs, lifeMs / 8)
  return {
    granted: at + ahead,
    expiresAtMs,
    remaining: Math.max(0, free - at - ahead),
    retryAfterMs: isServed(request, at) ? 0 : bucket.msUntilDebt(burst - needed, nowMs, rate),
    resetMs: bucket.msUntilDebt(0, nowMs, rate),
  }
}

/** How many of the permits that are free go to those who wait, and how many are given ahead. */
function divide(request: PermitRequest, free: number): { at: number; ahead: number } {
  const { wanted, needed, limit, burst, algorithm } = request
  if (free < Math.max(needed, 1)) return { at: 0, ahead: 0 }
  const at = Math.min(wanted, free)
  const whole = algorithm === 'sliding-window' ? limit : Math.min(limit, burst)
  const share = Math.floor(whole / 16)
  const ahead = share < MIN_SHARE ? 0 : Math.min(request.ahead, share, Math.floor((free - at) / 4))
  return { at, ahead: Math.max(0, ahead) }
}

const isServed = ({ wanted, needed }: PermitRequest, at: number): boolean => at >= wanted && at >= needed

/** Of limits below 128, permits are given one by one. */
const MIN_SHARE = 8
