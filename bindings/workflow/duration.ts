const SECOND_MS = 1000
const DAY_MS = 86_400 * SECOND_MS

const UNITS_MS: Readonly<Record<string, number>> = {
  millisecond: 1,
  second: SECOND_MS,
  minute: 60 * SECOND_MS,
  hour: 3600 * SECOND_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  year: 365 * DAY_MS,
}

/**
 * A duration as workflows write them, in milliseconds: a number of those, or a text such as `10 seconds`.
 * `undefined` for what is none.
 *
 * @see https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/
 */
export function toMs(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) && value >= 0 ? value : undefined
  if (typeof value !== 'string') return undefined
  const [, count, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+?)s?\s*$/.exec(value) ?? []
  if (!Object.hasOwn(UNITS_MS, unit)) return undefined
  return Number(count) * (UNITS_MS[unit] as number)
}
