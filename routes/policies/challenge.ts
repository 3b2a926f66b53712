import type { Exchange } from './exchange.ts'

/**
 * What `WWW-Authenticate` may say later on to a caller who was let through as nobody in particular: `any-of` knows
 * how he could have authenticated, and `rbac` after it may want him to.
 */
const challenges = new WeakMap<Exchange, () => string>()

/** Keeps how to get the challenges of an exchange, for later policies. */
export function keepChallenge(exchange: Exchange, challenge: () => string): void {
  challenges.set(exchange, challenge)
}

/** The challenges that were kept; `Bearer` if there are none, as RFC 9110 wants one in every 401. */
export function challengeOf(exchange: Exchange): string {
  return challenges.get(exchange)?.() || 'Bearer'
}
