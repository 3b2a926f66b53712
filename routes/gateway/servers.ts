/** When servers are left out. */
export interface HealthOptions {
  /** Failures in a row that put a server out; 0 = none ever is. */
  readonly maxFails: number
  /** How long it is out, in milliseconds; then one request tries it. */
  readonly failMs: number
  /** How long that one request may take to try it, in milliseconds, before another may. */
  readonly trialMs: number
}

/** One server of an upstream. */
export interface Server {
  /** Scheme, host and port: `http://10.0.0.5:8080`. */
  readonly origin: string
  /** The path of its URL without a slash at the end: `/base`, or the empty text. */
  readonly basePath: string
  /** Its share of the requests; 0 = none. */
  readonly weight: number
}

/** A server as written: `http://10.0.0.5:8080/base`. @throws TypeError for a text that is no URL */
export function toServer(text: string, weight = 1): Server {
  const { origin, pathname } = new URL(text)
  return { origin, basePath: pathname.replace(/\/+$/, ''), weight }
}

/**
 * The servers of one upstream, and how they did.
 *
 * Picks by smooth weighted round robin: of 5, 1, 1 the order is a a b a c a a. A server that failed `maxFails` times in a
 * row is out for `failMs`; then one request at a time tries it, and its outcome decides. Where all are out, the one that
 * is back soonest is tried anyway: an upstream never refuses by itself.
 */
export class Servers {
  readonly #states: readonly State[]
  readonly #health: HealthOptions

  constructor(servers: readonly Server[], health: HealthOptions) {
    const weighted = servers.filter(({ weight }) => weight > 0)
    // With no weight at all there is nobody to prefer.
    const usable = weighted.length > 0 ? weighted : servers.map(server => ({ ...server, weight: 1 }))
    this.#states = usable.map(server => ({ server, current: 0, fails: 0, outUntilMs: 0 }))
    this.#health = health
  }

  /** The next one; another than `not` if there is one that isn't out. */
  pick(nowMs: number, not?: Server): Server {
    let best: State | undefined
    let total = 0
    for (const state of this.#states) {
      if (state.server === not || state.outUntilMs > nowMs) continue
      total += state.server.weight
      state.current += state.server.weight
      if (!best || state.current > best.current) best = state
    }
    if (!best) return not ?? this.#soonestBack()
    best.current -= total
    // Just back: others go elsewhere until this request's outcome is known, or it took too long to be told.
    if (best.outUntilMs > 0) best.outUntilMs = nowMs + this.#health.trialMs
    return best.server
  }

  /** Notes that a server answered. */
  succeeded(server: Server): void {
    const state = this.#stateOf(server)
    if (!state) return
    state.fails = 0
    state.outUntilMs = 0
  }

  /** Notes that a server failed. */
  failed(server: Server, nowMs: number): void {
    const state = this.#stateOf(server)
    if (!state) return
    state.fails += 1
    const { maxFails, failMs } = this.#health
    if (maxFails === 0 || state.fails < maxFails) return
    state.outUntilMs = nowMs + failMs
    // Or it would get all that it missed at once.
    state.current = 0
  }

  /** Whether a server is left out at the moment. */
  isOut(server: Server, nowMs: number): boolean {
    return (this.#stateOf(server)?.outUntilMs ?? 0) > nowMs
  }

  #soonestBack(): Server {
    let soonest = this.#states[0]
    for (const state of this.#states) if (soonest && state.outUntilMs < soonest.outUntilMs) soonest = state
    if (!soonest) throw new RangeError('An upstream needs a server.')
    return soonest.server
  }

  #stateOf(server: Server): State | undefined {
    return this.#states.find(state => state.server === server)
  }
}

interface State {
  readonly server: Server
  /** Smooth weighted round robin: what it has saved up. */
  current: number
  /** In a row. */
  fails: number
  /** Milliseconds since the epoch; 0 = it is in. A past time: it may be tried. */
  outUntilMs: number
}
