import { SkerryError } from '../src/core/errors.ts'
import { InFlight } from '../src/core/in-flight.ts'

/** How many subrequests one script may make in one edge. */
export interface OutboundLimits {
  /** Under way at once: waiting for a response head, or a socket that is open. */
  readonly concurrency: number
  /** At once, after a quiet time. */
  readonly burst: number
  /** Per second, on average. */
  readonly perSecond: number
}

interface Gauge {
  readonly inFlight: InFlight
  tokens: number
  refilledAtMs: number
}

/**
 * Counts the subrequests of each script.
 *
 * Of each script, not of each invocation: the runtime gives the way out no link to the invocation that a
 * subrequest belongs to. So this is a bound for functions that run wild, above what one invocation needs.
 *
 * A subrequest counts as under way until it is over or {@link WINDOW_MS} to twice that old (see `InFlight`).
 */
export class OutboundMeter {
  readonly #limits: OutboundLimits
  readonly #gauges = new Map<string, Gauge>()

  constructor(limits: OutboundLimits) {
    this.#limits = limits
  }

  /**
   * Counts a subrequest in; call the returned function once when it is over.
   *
   * @throws SkerryError ERR_SUBREQUEST_LIMIT
   */
  enter(script: string, nowMs: number): () => void {
    const { concurrency, burst, perSecond } = this.#limits
    const gauge = this.#gauge(script, nowMs)
    gauge.tokens = Math.min(
      burst,
      gauge.tokens + (Math.max(0, nowMs - gauge.refilledAtMs) * perSecond) / 1000,
    )
    gauge.refilledAtMs = nowMs
    if (gauge.tokens < 1) throw tooMany(`this script makes more than ${perSecond} a second`)
    const slot = gauge.inFlight.enter(concurrency, nowMs)
    if (!slot) throw tooMany(`${concurrency} of this script are under way`)
    gauge.tokens--
    return () => gauge.inFlight.leave(slot)
  }

  #gauge(script: string, nowMs: number): Gauge {
    const known = this.#gauges.get(script)
    if (known) return known
    if (this.#gauges.size >= MAX_GAUGES) this.#forgetIdle(nowMs)
    const gauge: Gauge = {
      inFlight: new InFlight(WINDOW_MS),
      tokens: this.#limits.burst,
      refilledAtMs: nowMs,
    }
    this.#gauges.set(script, gauge)
    return gauge
  }

  /** A gauge that had the time to fill up again says nothing that a new one wouldn't. */
  #forgetIdle(nowMs: number): void {
    const fullAfterMs = Math.max(2 * WINDOW_MS, (this.#limits.burst / this.#limits.perSecond) * 1000)
    for (const [script, { refilledAtMs }] of this.#gauges) {
      if (nowMs - refilledAtMs >= fullAfterMs) this.#gauges.delete(script)
    }
  }
}

/** How long a subrequest that nobody waits for any more may count. */
export const WINDOW_MS = 15_000

/** The scripts counted before idle ones are looked for. */
const MAX_GAUGES = 2000

/** Cloudflare's words first: libraries look for them. */
function tooMany(why: string): SkerryError {
  return new SkerryError('ERR_SUBREQUEST_LIMIT', `Too many subrequests. On this edge, ${why}.`)
}
