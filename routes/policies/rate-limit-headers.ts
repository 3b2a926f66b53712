import type { Exchange } from './exchange.ts'
import { serializeItem } from './structured-fields.ts'

/**
 * Tells callers what they may still do: `RateLimit-Policy` and `RateLimit`, as structured fields.
 *
 * Several policies of a route make one list, each under its own name.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/11/
 */
export class RateLimitHeaders {
  readonly #policy: string
  readonly #name: string

  /** @param parameters in their order: `q` the limit, `w` the window in seconds */
  constructor(name: string, parameters: Readonly<Record<string, number>>) {
    // A text of a structured field is ASCII; names of gateway files are.
    this.#name = serializeItem(name.replaceAll(/[^\x20-\x7e]/g, '?'))
    const rest = Object.entries(parameters).map(([key, value]) => `;${key}=${Math.ceil(value)}`)
    this.#policy = `${this.#name}${rest.join('')}`
  }

  /** Notes the headers for the answer. Integers of structured fields need no more than this. */
  add({ responseHeaders }: Exchange, remaining: number, resetMs: number): void {
    responseHeaders.append('ratelimit-policy', this.#policy)
    responseHeaders.append('ratelimit', this.toField(remaining, resetMs))
  }

  /** One item of `RateLimit`: what is left, and the seconds until there is more. */
  toField(remaining: number, resetMs: number): string {
    return `${this.#name};r=${Math.max(0, Math.floor(remaining))};t=${toSeconds(resetMs)}`
  }
}

/** Milliseconds to wait as the whole seconds of a header: never too early, at least 0. */
export function toSeconds(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000))
}
