import * as v from 'valibot'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Next, type Phase } from './policy.ts'

const options = v.strictObject({
  failures: v.pipe(
    v.optional(
      v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(1), v.maxValue(10_000)),
      5,
    ),
    v.description('So many failures in the window, and at least the share below, open the circuit.'),
  ),
  share: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(100)), 50),
    v.description('Failures in percent of the window’s requests.'),
  ),
  window: v.pipe(v.optional(durationSecondsBetween(1, 3600), 10), v.description('How far back is counted.')),
  open: v.pipe(
    v.optional(durationSecondsBetween(0.1, 3600), 5),
    v.description('How long nothing is sent; then one request is tried.'),
  ),
  statuses: v.pipe(
    v.optional(
      v.array(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599))),
      [500, 502, 503, 504],
    ),
    v.description('Answers that count as failures.'),
  ),
})

type CircuitBreakerOptions = v.InferOutput<typeof options>

/** Spares a target that fails: for a while it isn't called at all. Counted by each edge for itself, by route. */
export const circuitBreakerPolicy = definePolicy({
  type: 'circuit-breaker',
  summary: 'Stops calling a target that keeps failing, and tries it again after a while.',
  options,
  create: options => new CircuitBreakerPhase(options),
})

class CircuitBreakerPhase implements Phase {
  readonly #options: CircuitBreakerOptions
  readonly #circuits = new Map<string, Circuit>()

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
  }

  async around(exchange: Exchange, next: Next): Promise<Response> {
    const circuit = this.#circuitOf(exchange.route)
    const waitMs = circuit.enter(exchange.nowMs)
    if (waitMs > 0) return refuse(exchange, waitMs)
    const { turn } = circuit
    const startedAtMs = Date.now()
    let outcome: CircuitOutcome = 'failed'
    try {
      const response = await next()
      // What a policy behind this one refuses says nothing of the target, whatever its status.
      if (exchange.answeredBy >= 0) outcome = 'not sent'
      else if (!this.#options.statuses.includes(response.status)) outcome = 'worked'
      return response
    } finally {
      circuit.count(outcome, exchange.nowMs + (Date.now() - startedAtMs), turn)
    }
  }

  explain(exchange: Exchange): Response | undefined {
    const waitMs = this.#circuitOf(exchange.route).waitMs(exchange.nowMs)
    if (waitMs > 0) return refuse(exchange, waitMs)
    exchange.trace?.note('The circuit is closed.')
    return undefined
  }

  #circuitOf(route: string): Circuit {
    let circuit = this.#circuits.get(route)
    if (!circuit) {
      circuit = new Circuit(this.#options)
      this.#circuits.set(route, circuit)
    }
    return circuit
  }
}

function refuse(exchange: Exchange, waitMs: number): Response {
  exchange.trace?.note('The circuit is open.', { waitMs })
  return exchange.refuse(
    'ERR_CIRCUIT_OPEN',
    'What is behind this route keeps failing, and is given a rest.',
    {
      'retry-after': String(Math.ceil(waitMs / 1000)),
    },
  )
}

/** What came of a request. */
export type CircuitOutcome = 'worked' | 'failed' | 'not sent'

/** What a circuit is made of: counts in two windows, and until when it is open. Times are milliseconds since the epoch. */
export class Circuit {
  readonly #options: Pick<CircuitBreakerOptions, 'failures' | 'share' | 'window' | 'open'>
  #current = { startMs: 0, failures: 0, total: 0 }
  #previous = { startMs: 0, failures: 0, total: 0 }
  #openUntilMs = 0
  /** How often it was opened. What was sent before the last time says nothing new. */
  turn = 0
  /** One request is on trial until then; its caller may go away and never tell. */
  #trialUntilMs = 0

  constructor(options: Pick<CircuitBreakerOptions, 'failures' | 'share' | 'window' | 'open'>) {
    this.#options = options
  }

  /** How long to wait before anything may be sent; 0 = now. */
  waitMs(nowMs: number): number {
    if (this.#openUntilMs === 0) return 0
    if (nowMs < this.#openUntilMs) return this.#openUntilMs - nowMs
    return Math.max(0, this.#trialUntilMs - nowMs)
  }

  /** The same, for one that is then sent: the first after the rest is the trial. */
  enter(nowMs: number): number {
    const waitMs = this.waitMs(nowMs)
    if (waitMs === 0 && this.#openUntilMs > 0) this.#trialUntilMs = nowMs + this.#options.open * 1000
    return waitMs
  }

  /** Counts the end of one that was let through. @param turn the one in which it was */
  count(outcome: CircuitOutcome, nowMs: number, turn = this.turn): void {
    if (turn !== this.turn) return
    const isFailure = outcome === 'failed'
    if (this.#openUntilMs > 0) {
      this.#trialUntilMs = 0
      if (isFailure) this.#open(nowMs)
      else if (outcome === 'worked') this.#close(nowMs)
      return
    }
    if (outcome === 'not sent') return
    this.#turn(nowMs)
    this.#current.total++
    if (!isFailure) return
    this.#current.failures++
    const failures = this.#current.failures + this.#previous.failures
    const total = this.#current.total + this.#previous.total
    if (failures >= this.#options.failures && failures * 100 >= total * this.#options.share) this.#open(nowMs)
  }

  #open(nowMs: number): void {
    this.turn++
    this.#openUntilMs = nowMs + this.#options.open * 1000
  }

  #close(nowMs: number): void {
    this.#openUntilMs = 0
    this.#current = { startMs: nowMs, failures: 0, total: 0 }
    this.#previous = { startMs: nowMs, failures: 0, total: 0 }
  }

  /** Two half windows: what is older than the window is forgotten, within half of it. */
  #turn(nowMs: number): void {
    const halfMs = this.#options.window * 500
    const ageMs = nowMs - this.#current.startMs
    if (ageMs < halfMs) return
    this.#previous = ageMs < 2 * halfMs ? this.#current : { startMs: nowMs, failures: 0, total: 0 }
    this.#current = { startMs: nowMs, failures: 0, total: 0 }
  }
}
