import { sha256Hex } from '../../../src/core/ids.ts'
import { leaseMs } from '../../../src/core/permits.ts'
import type { AllowanceGrant, AllowanceRequest } from '../allowance.ts'
import { Cost } from '../cost.ts'
import type { Exchange } from '../exchange.ts'
import { boundedKey, Meter } from '../meter.ts'
import { Partition } from '../partition.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import { RateLimitHeaders, toSeconds } from '../rate-limit-headers.ts'
import { type LimitNumbers, type LimitState, LocalLimits } from './local-limits.ts'
import { type RateLimitOptions, rateLimitOptions } from './options.ts'

/** Lets each caller through so many times in a window. */
export const rateLimitPolicy = definePolicy({
  type: 'rate-limit',
  summary: 'Lets each caller through so many times in any window of time.',
  options: rateLimitOptions,
  create: (options, { name }) => new RateLimitPhase(options, name),
})

/**
 * The policy's phase; the clock is an argument for tests. It is not the exchange's, which stands still while policies
 * before this one wait.
 */
export class RateLimitPhase implements Phase {
  readonly #options: RateLimitOptions
  readonly #name: string
  readonly #numbers: LimitNumbers
  readonly #partition: Partition
  readonly #cost: Cost
  readonly #headers: RateLimitHeaders | undefined
  readonly #now: () => number
  /** This edge's own count: all there is in scope `edge`, else for when the shared one can't be reached. */
  readonly #local: LocalLimits
  /** In scope `global`. */
  readonly #meter: Meter | undefined

  constructor(options: RateLimitOptions, name: string, now: () => number = Date.now) {
    const { algorithm, limit, window, burst = limit, by, missing, cost, scope, headers } = options
    this.#options = options
    this.#name = name
    this.#now = now
    this.#numbers = { algorithm, limit, windowMs: window * 1000, burst }
    this.#partition = new Partition(by, missing)
    this.#cost = new Cost(cost)
    this.#local = new LocalLimits(this.#numbers)
    const parameters = { q: limit, w: window, ...(burst !== limit && { 'skerry-burst': burst }) }
    this.#headers = headers ? new RateLimitHeaders(name, parameters) : undefined
    const { windowMs } = this.#numbers
    const share = Math.floor(Math.min(limit, burst) / 16)
    this.#meter =
      scope === 'edge'
        ? undefined
        : new Meter({
            now,
            // Half of what is spent while a lease lives, so that little is left when it ends.
            ahead: (spent, elapsedMs) =>
              Math.min(share, 2 * spent, Math.floor(((spent / elapsedMs) * leaseMs(windowMs)) / 2)),
            ask: (exchange, key, request) => this.#ask(exchange, key, request),
          })
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const cost = this.#cost.of(exchange)
    if (cost === 0) return this.#pass(exchange)
    const key = boundedKey(this.#partition.keyOf(exchange))
    if (typeof key !== 'string') return key.then(short => this.#decide(exchange, short, cost))
    return this.#decide(exchange, key, cost)
  }

  /** Reads the count and leaves it as it is. */
  async explain(exchange: Exchange): Promise<Verdict> {
    const cost = this.#cost.of(exchange)
    if (cost === 0) return this.#pass(exchange)
    const key = await boundedKey(this.#partition.keyOf(exchange))
    const state = await this.#read(exchange, key, cost)
    exchange.trace?.note('The caller counts as:', { caller: await this.#partition.describe(exchange) })
    return state.remaining >= cost ? this.#allow(exchange, state, cost) : this.#refuse(exchange, state, cost)
  }

  #decide(exchange: Exchange, key: string, cost: number): Verdict | Promise<Verdict> {
    if (!this.#meter) return this.#decideHere(exchange, key, cost)
    const allowance = this.#meter.of(key)
    const outcome = this.#meter.take(allowance, exchange, key, cost)
    if (outcome === 'spent' && !this.#headers && !exchange.trace) return undefined
    if (typeof outcome === 'string') return this.#answer(outcome, exchange, key, cost)
    return outcome.then(late => this.#answer(late, exchange, key, cost))
  }

  #answer(outcome: 'spent' | 'refused' | 'away', exchange: Exchange, key: string, cost: number): Verdict {
    if (outcome === 'away') return this.#withoutState(exchange, key, cost)
    const allowance = this.#meter?.of(key)
    const nowMs = this.#now()
    const state = {
      remaining: allowance?.remaining ?? 0,
      retryAfterMs: allowance?.retryAfterMs(nowMs) ?? 0,
      resetMs: allowance?.resetMs(nowMs) ?? 0,
    }
    return outcome === 'spent' ? this.#allow(exchange, state, cost) : this.#refuse(exchange, state, cost)
  }

  #withoutState(exchange: Exchange, key: string, cost: number): Verdict {
    if (this.#options.on_failure === 'open') return this.#decideHere(exchange, key, cost)
    return exchange.refuse('ERR_STATE_UNAVAILABLE', `The count of "${this.#name}" can't be reached.`)
  }

  #decideHere(exchange: Exchange, key: string, cost: number): Verdict {
    const nowMs = this.#now()
    const isTaken = this.#local.take(key, cost, nowMs)
    if (isTaken && !this.#headers && !exchange.trace) return undefined
    const state = this.#local.read(key, cost, nowMs)
    return isTaken ? this.#allow(exchange, state, cost) : this.#refuse(exchange, state, cost)
  }

  #pass({ trace }: Exchange): undefined {
    trace?.note('This request costs nothing.')
  }

  #allow(exchange: Exchange, { remaining, resetMs }: LimitState, cost: number): undefined {
    exchange.trace?.note('The request is within the limit.', this.#facts(remaining, cost))
    this.#headers?.add(exchange, remaining, resetMs)
  }

  #refuse(exchange: Exchange, { remaining, retryAfterMs }: LimitState, cost: number): Response {
    const seconds = Math.max(1, toSeconds(retryAfterMs))
    exchange.trace?.note('The limit is used up.', {
      ...this.#facts(remaining, cost),
      retryAfterSeconds: seconds,
    })
    this.#headers?.add(exchange, remaining, seconds * 1000)
    const { limit, windowMs } = this.#numbers
    const units = limit === 1 ? 'request' : 'requests'
    const detail = `The limit of ${limit} ${units} in ${windowMs / 1000} s is used up; there is room again in ${seconds} s.`
    return exchange.refuse('ERR_RATE_LIMIT', detail, { 'retry-after': String(seconds) })
  }

  #facts(remaining: number, cost: number): Readonly<Record<string, unknown>> {
    const { algorithm, limit, window, by, scope } = this.#options
    return { by, limit, windowSeconds: window, algorithm, scope, cost, remaining }
  }

  async #read(exchange: Exchange, key: string, cost: number): Promise<LimitState> {
    if (!this.#meter) return this.#local.read(key, cost, this.#now())
    try {
      const request = { wanted: 0, needed: cost, ahead: 0, unspent: 0, unspentUntilMs: 0 }
      const state = await this.#ask(exchange, key, request)
      return { ...state, remaining: state.remaining + this.#meter.of(key).held(this.#now()) }
    } catch (error) {
      exchange.trace?.note('The counters that all edges share could not be reached.', {
        error: String(error),
      })
      return this.#local.read(key, cost, this.#now())
    }
  }

  /** The key's digest: what callers sent doesn't leave this process. */
  async #ask(exchange: Exchange, key: string, request: AllowanceRequest): Promise<AllowanceGrant> {
    const digest = await sha256Hex(key)
    return exchange.services.limiter.take({
      ...this.#numbers,
      ...request,
      key: `${this.#name}:${digest}`,
    })
  }
}
