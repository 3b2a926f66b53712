import * as v from 'valibot'
import { AccountGate, leave, type Refusal, ScriptGate, waitForPlace } from '../../src/core/admission.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import { readIdentity } from './identity.ts'
import { networkOf } from './partition.ts'
import { definePolicy, type Next, type Phase } from './policy.ts'

const options = v.strictObject({
  limit: v.pipe(
    v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(1), v.maxValue(100_000)),
    v.description('Requests under way at once, per edge: N edges let N times as many through.'),
  ),
  by: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^(route|ip|identity\.[\w.:/-]+|header:[\w-]+)$/,
          'It must be "route", "ip", "identity.<claim>" such as "identity.sub", or "header:<name>".',
        ),
      ),
      'route',
    ),
    v.description('Of whom: all callers of the route together, or each address, identity or header value.'),
  ),
  queue: v.pipe(
    v.optional(
      v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(0), v.maxValue(10_000)),
      0,
    ),
    v.description('How many more may wait for a place.'),
  ),
  queue_timeout: v.pipe(
    v.optional(durationSecondsBetween(0.01, 60), 1),
    v.description('How long they wait.'),
  ),
})

type ConcurrencyOptions = v.InferOutput<typeof options>

/** Lets only so many requests through at a time; a few more wait in line. A place is free again with the response head. */
export const concurrencyPolicy = definePolicy({
  type: 'concurrency',
  summary: 'Lets only so many requests through at a time, with a short queue.',
  options,
  create: options => new ConcurrencyPhase(options),
})

class ConcurrencyPhase implements Phase {
  readonly #options: ConcurrencyOptions
  /** Who asks less often than ten thousand others has no request under way. */
  readonly #gates = new RecentMap<string, ScriptGate>(20_000)

  constructor(options: ConcurrencyOptions) {
    this.#options = options
  }

  async around(exchange: Exchange, next: Next): Promise<Response> {
    const gate = this.#gateOf(exchange)
    const place = gate.enter(exchange.nowMs) ?? (await waitForPlace(gate, exchange.nowMs))
    if (typeof place === 'string') return this.#refuse(exchange, place)
    try {
      return await place.hold(next())
    } finally {
      leave(place)
    }
  }

  explain(exchange: Exchange): undefined {
    const { by, limit } = this.#options
    exchange.trace?.note('So many requests may be under way at once.', { by, limit })
  }

  #gateOf(exchange: Exchange): ScriptGate {
    const key = `${exchange.route} ${this.#callerOf(exchange)}`
    let gate = this.#gates.get(key)
    if (!gate) {
      const { limit, queue, queue_timeout } = this.#options
      const places = { concurrency: limit, accountConcurrency: limit, queueLength: queue }
      gate = new ScriptGate(new AccountGate({ ...places, queueMs: queue_timeout * 1000 }))
      this.#gates.set(key, gate)
    }
    return gate
  }

  /** Callers without the value share a place among themselves. */
  #callerOf(exchange: Exchange): string {
    const { by } = this.#options
    if (by === 'route') return ''
    if (by === 'ip') return networkOf(exchange.clientIp)
    const value = by.startsWith('header:')
      ? exchange.request.headers.get(by.slice('header:'.length))
      : readIdentity(exchange.identity, by.slice('identity.'.length))
    return shorten(String(value ?? ''))
  }

  #refuse(exchange: Exchange, refusal: Refusal): Response {
    const { limit, queue, queue_timeout } = this.#options
    exchange.trace?.note('There was no place.', { limit, refusal })
    const rest =
      refusal === 'waited too long'
        ? `none of them ended within ${queue_timeout} seconds`
        : `${queue} more wait for a place`
    return exchange.refuse('ERR_ROUTE_CONCURRENCY', `${limit} requests are under way already; ${rest}.`)
  }
}

/** Callers choose what they send: long values must not fill the memory. Tokens differ at their ends. */
function shorten(value: string): string {
  if (value.length <= 2 * KEPT_CHARS) return value
  return `${value.slice(0, KEPT_CHARS)} ${value.length} ${value.slice(-KEPT_CHARS)}`
}

const KEPT_CHARS = 64
