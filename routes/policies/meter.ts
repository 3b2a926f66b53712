import { sha256Hex } from '../../src/core/ids.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import {
  Allowance,
  type AllowanceGrant,
  type AllowanceRequest,
  type AllowanceSource,
  type AllowanceWay,
} from './allowance.ts'
import type { Exchange } from './exchange.ts'

/** What became of a request's units. `away`: who grants them could not be reached. */
export type Metered = 'spent' | 'refused' | 'away'

/** How a meter gets units. */
export interface MeterSource extends AllowanceSource {
  /** Asks for units of the caller of this exchange; `key` is as the meter was given it. */
  ask(exchange: Exchange, key: string, request: AllowanceRequest): Promise<AllowanceGrant>
}

/**
 * The allowances of a policy's callers on this edge. Callers who come less often than many thousand others are
 * forgotten, and with them what they had not spent: they ask again.
 */
export class Meter {
  readonly #source: MeterSource
  readonly #allowances = new RecentMap<string, Allowance>(MAX_CALLERS)
  /** After a failure nobody else waits for the same, for a moment. */
  #awayUntilMs = 0

  constructor(source: MeterSource) {
    this.#source = source
  }

  of(key: string): Allowance {
    const held = this.#allowances.get(key)
    if (held) return held
    const allowance = new Allowance(this.#source)
    this.#allowances.set(key, allowance)
    return allowance
  }

  /** Spends units of a caller, at once where that is possible. */
  take(allowance: Allowance, exchange: Exchange, key: string, cost: number): Metered | Promise<Metered> {
    const nowMs = this.#source.now()
    const isAway = this.#awayUntilMs > nowMs
    if (allowance.spend(cost, nowMs)) {
      if (!isAway && allowance.isLow(nowMs)) allowance.refill(this.#way(exchange, key))
      return 'spent'
    }
    if (allowance.isBlocked(cost, nowMs)) return 'refused'
    return isAway ? 'away' : this.#wait(allowance, exchange, key, cost)
  }

  async #wait(allowance: Allowance, exchange: Exchange, key: string, cost: number): Promise<Metered> {
    try {
      return (await allowance.wait(cost, this.#way(exchange, key))) ? 'spent' : 'refused'
    } catch (error) {
      this.#awayUntilMs = this.#source.now() + AWAY_MS
      exchange.trace?.note('The counters that all edges share could not be reached.', {
        error: String(error),
      })
      return 'away'
    }
  }

  #way(exchange: Exchange, key: string): AllowanceWay {
    return {
      ask: request => this.#source.ask(exchange, key, request),
      waitUntil: promise => exchange.services.waitUntil(promise),
    }
  }
}

/** A caller's key of bounded length: of a longer one its digest. */
export function boundedKey(key: string): string | Promise<string> {
  return key.length <= MAX_KEY_CHARS ? key : sha256Hex(key).then(digest => `#${digest}`)
}

const MAX_KEY_CHARS = 256
const MAX_CALLERS = 50_000
const AWAY_MS = 1000
