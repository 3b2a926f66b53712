import * as v from 'valibot'

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
}

/** Ten years: what no duration of a gateway file exceeds. */
const MAX_SECONDS = 10 * 366 * 86_400

/** The seconds of a text such as `30s`, `1m` or `1.5h`; `undefined` if it is none. Units: ms, s, m, h, d, w. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d|w)$/.exec(text) ?? []
  const seconds = Number(amount) * (UNIT_SECONDS[unit ?? ''] ?? Number.NaN)
  // Milliseconds are the finest: 0.1 + 0.2 shall not show up as 0.30000000000000004.
  return Number.isNaN(seconds) ? undefined : Math.round(seconds * 1000) / 1000
}

/** A duration as a text with its unit (`30s`, `1m`, `1d`) or as a number of seconds; gives seconds, 0 to ten years. */
export const durationSeconds = durationSecondsBetween(0, MAX_SECONDS)

/** The same within bounds, both included, in seconds. */
export function durationSecondsBetween(minSeconds: number, maxSeconds: number) {
  const message = `It must be a duration such as "30s", "5m", "1h" or "1d", or a number of seconds, from ${minSeconds} to ${maxSeconds} seconds.`
  return v.pipe(
    v.union([v.string(), v.number()], message),
    v.transform(value => (typeof value === 'number' ? value : parseDuration(value))),
    v.number(message),
    v.minValue(minSeconds, message),
    v.maxValue(maxSeconds, message),
  )
}
