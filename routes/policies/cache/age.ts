import { parseDeltaSeconds } from './cache-control.ts'

/** When a response was asked for and came, in milliseconds since the epoch by our clock. */
export interface Timing {
  readonly requestMs: number
  readonly responseMs: number
}

/**
 * How old a response was when it came: RFC 9111 §4.2.3's corrected_initial_age, in milliseconds.
 *
 * @param age its `Age` field
 * @param dateMs its `Date`; `undefined` if it has none that can be read
 */
export function initialAgeMs(age: string | null, dateMs: number | undefined, timing: Timing): number {
  const { requestMs, responseMs } = timing
  const apparentAgeMs = dateMs === undefined ? 0 : Math.max(0, responseMs - dateMs)
  const correctedAgeMs = parseAge(age) * 1000 + Math.max(0, responseMs - requestMs)
  return Math.max(apparentAgeMs, correctedAgeMs)
}

/** Seconds of an `Age` field; the first member of a list counts, and what is no number is ignored (RFC 9111 §5.1). */
export function parseAge(age: string | null): number {
  if (!age) return 0
  const comma = age.indexOf(',')
  return parseDeltaSeconds((comma < 0 ? age : age.slice(0, comma)).trim()) ?? 0
}
