import { LIMITS } from './limits.ts'

/** The operator's bounds for a function's turns, in milliseconds. */
export interface TurnPolicy {
  /** Of a version whose project sets none. */
  readonly defaultMs: number
  /** The most that any may have, the default included. */
  readonly maxMs: number
}

/** The policy as the host's variables have it; the host has checked them, and elsewhere there are none. */
export function turnPolicy(env: {
  readonly SKERRY_TURN_MS?: string
  readonly SKERRY_TURN_MAX_MS?: string
}): TurnPolicy {
  return {
    defaultMs: Number(env.SKERRY_TURN_MS) || LIMITS.turnMs,
    maxMs: Number(env.SKERRY_TURN_MAX_MS) || LIMITS.turnMaxMs,
  }
}

/**
 * The longest turn of a version, in milliseconds.
 *
 * No turn is longer than the sum of all: so Cloudflare's limit of CPU time is a fitting one, where it can be kept.
 *
 * @param askedMs `limits.cpu_ms` of its project
 */
export function turnLimit(askedMs: number | undefined, { defaultMs, maxMs }: TurnPolicy): number {
  return Math.min(Math.max(askedMs ?? defaultMs, LIMITS.turnMinMs), maxMs)
}
