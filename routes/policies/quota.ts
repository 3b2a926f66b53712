import * as v from 'valibot'
import { periodEndMs, type QuotaRequest, type QuotaState } from '../../src/core/permits.ts'
import type { AllowanceGrant, AllowanceRequest } from './allowance.ts'
import { Cost, costSchema } from './cost.ts'
import type { Exchange } from './exchange.ts'
import { boundedKey, Meter } from './meter.ts'
import { bySchema, missingSchema, Partition } from './partition.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'
import { RateLimitHeaders, toSeconds } from './rate-limit-headers.ts'

const options = v.pipe(
  v.strictObject({
    limit: v.pipe(
      v.number(),
      v.integer('It must be a whole number.'),
      v.minValue(1),
      v.maxValue(1_000_000_000_000),
      v.description('Units that a caller has in a period; a request counts one, or its `cost`.'),
    ),
    period: v.pipe(
      v.optional(v.picklist(['day', 'month']), 'month'),
      v.description('When the count begins anew: at midnight or on the first of the month, in UTC.'),
    ),
    by: v.pipe(
      v.optional(bySchema, 'api-key'),
      v.description('By what callers are told apart: as in `rate-limit`.'),
    ),
    missing: v.pipe(
      v.optional(missingSchema, 'ip'),
      v.description(
        'How a request counts that has no such value: by its address (`ip`), or with all others that have none (`shared`).',
      ),
    ),
    cost: v.pipe(
      v.optional(costSchema, 1),
      v.description('Units that a request counts: as in `rate-limit`.'),
    ),
    headers: v.pipe(
      v.optional(v.boolean(), true),
      v.description(
        'Whether answers tell the caller what is left, in `RateLimit-Policy` and `RateLimit`. Without, answers pass untouched.',
      ),
    ),
    on_failure: v.pipe(
      v.optional(v.picklist(['open', 'closed']), 'closed'),
      v.description(
        'When the count can’t be reached: requests are refused (`closed`), or let through uncounted (`open`).',
      ),
    ),
  }),
  v.forward(
    v.partialCheck(
      [['cost'], ['limit']],
      ({ cost, limit }) => new Cost(cost).highest <= limit,
      'No request may cost more than "limit": it would never be let through.',
    ),
    ['cost'],
  ),
)

type QuotaOptions = v.InferOutput<typeof options>

/** Gives each caller so many requests a day or month, and remembers it. */
export const quotaPolicy = definePolicy({
  type: 'quota',
  summary: 'Gives each caller so many requests a day or month; the count survives restarts.',
  options,
  create: (options, { name }) => new QuotaPhase(options, name),
})

/** The policy's phase; the clock is an argument for tests. */
export class QuotaPhase implements Phase {
  readonly #options: QuotaOptions
  readonly #name: string
  readonly #partition: Partition
  readonly #cost: Cost
  readonly #headers: RateLimitHeaders | undefined
  readonly #meter: Meter
  readonly #now: () => number

  constructor(options: QuotaOptions, name: string, now: () => number = Date.now) {
    const { limit, period, by, missing, cost, headers } = options
    this.#options = options
    this.#name = name
    this.#now = now
    this.#partition = new Partition(by, missing)
    this.#cost = new Cost(cost)
    this.#headers = headers
      ? new RateLimitHeaders(name, { q: limit, w: period === 'day' ? DAY_SECONDS : MONTH_SECONDS })
      : undefined
    // What an edge holds is as good as spent when it is lost: so only a thousandth.
    const share = Math.min(MAX_AHEAD, Math.floor(limit / 1000))
    this.#meter = new Meter({
      now,
      ahead: spent => Math.min(share, 2 * spent),
      ask: (exchange, _key, request) => this.#ask(exchange, request),
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
    const caller = await this.#partition.describe(exchange)
    const key = await boundedKey(this.#partition.keyOf(exchange))
    exchange.trace?.note('The caller counts as:', { caller })
    try {
      const state = await this.#spend(exchange, { wanted: 0, needed: cost, ahead: 0 })
      const nowMs = this.#now()
      const remaining = this.#options.limit - state.used + this.#meter.of(key).held(nowMs)
      const resetMs = state.resetAtMs - nowMs
      return remaining >= cost
        ? this.#allow(exchange, remaining, resetMs)
        : this.#refuse(exchange, remaining, resetMs)
    } catch (error) {
      exchange.trace?.note('The count could not be reached.', { error: String(error) })
      return this.#withoutState(exchange)
    }
  }

  #decide(exchange: Exchange, key: string, cost: number): Verdict | Promise<Verdict> {
    const outcome = this.#meter.take(this.#meter.of(key), exchange, key, cost)
    if (outcome === 'spent' && !this.#headers && !exchange.trace) return undefined
    if (typeof outcome === 'string') return this.#answer(outcome, exchange, key)
    return outcome.then(late => this.#answer(late, exchange, key))
  }

  #answer(outcome: 'spent' | 'refused' | 'away', exchange: Exchange, key: string): Verdict {
    if (outcome === 'away') return this.#withoutState(exchange)
    const { remaining } = this.#meter.of(key)
    const nowMs = this.#now()
    const resetMs = periodEndMs(this.#options.period, nowMs) - nowMs
    return outcome === 'spent'
      ? this.#allow(exchange, remaining, resetMs)
      : this.#refuse(exchange, remaining, resetMs)
  }

  #pass({ trace }: Exchange): undefined {
    trace?.note('This request costs nothing.')
  }

  #allow(exchange: Exchange, remaining: number, resetMs: number): undefined {
    exchange.trace?.note('The request is within the quota.', this.#facts(remaining))
    this.#headers?.add(exchange, remaining, resetMs)
  }

  #refuse(exchange: Exchange, remaining: number, resetMs: number): Response {
    exchange.trace?.note('The quota is used up.', this.#facts(remaining))
    this.#headers?.add(exchange, remaining, resetMs)
    const { limit, period } = this.#options
    const ends = new Date(this.#now() + resetMs).toISOString()
    const detail = `The quota of ${limit} requests a ${period} is used up; the next ${period} begins at ${ends}.`
    return exchange.refuse('ERR_QUOTA_EXCEEDED', detail, {
      'retry-after': String(Math.max(1, toSeconds(resetMs))),
    })
  }

  #withoutState(exchange: Exchange): Verdict {
    if (this.#options.on_failure === 'open') return undefined
    return exchange.refuse('ERR_STATE_UNAVAILABLE', `The count of "${this.#name}" can't be reached.`)
  }

  #facts(remaining: number): Readonly<Record<string, unknown>> {
    const { by, limit, period } = this.#options
    return { by, limit, period, remaining }
  }

  async #ask(exchange: Exchange, { wanted, needed, ahead }: AllowanceRequest): Promise<AllowanceGrant> {
    const { granted, used, resetAtMs } = await this.#spend(exchange, { wanted, needed, ahead })
    const resetMs = Math.max(0, resetAtMs - this.#now())
    return {
      granted,
      expiresAtMs: resetAtMs,
      remaining: Math.max(0, this.#options.limit - used),
      retryAfterMs: granted < wanted ? resetMs : 0,
      resetMs,
    }
  }

  async #spend(
    exchange: Exchange,
    units: Pick<QuotaRequest, 'wanted' | 'needed' | 'ahead'>,
  ): Promise<QuotaState> {
    const { limit, period } = this.#options
    const key = await this.#partition.describe(exchange)
    return exchange.services.limiter.spend({ ...units, policy: this.#name, key, limit, period })
  }
}

const DAY_SECONDS = 86_400
/** The longest one. */
const MONTH_SECONDS = 31 * DAY_SECONDS
/** Units that an edge asks for at a time, at most. */
const MAX_AHEAD = 100
