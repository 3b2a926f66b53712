import { SkerryError } from '../../src/core/errors.ts'

/**
 * Cloudflare's cron dialect: five fields, UTC, weekdays 1 to 7 from Sunday, with Quartz's `L`, `W` and `#`.
 * No clock, no I/O. `README.md` beside this file has the table; where Cloudflare's own parser and its
 * documentation are silent, workerd's embedded cron service decided.
 *
 * @see https://developers.cloudflare.com/workers/configuration/cron-triggers/#supported-cron-expressions
 */

/** Which days of a month a day field names. */
type DayRule =
  /** Day of month: these numbers. */
  | { readonly kind: 'days'; readonly days: ReadonlySet<number> }
  /** Day of month: a day, or one counted from the month's end, moved off a weekend if `nearestWeekday`. */
  | {
      readonly kind: 'day'
      readonly day: number
      readonly fromEnd: boolean
      readonly nearestWeekday: boolean
    }
  /** Weekday, 1 to 7 from Sunday: these. */
  | { readonly kind: 'weekdays'; readonly weekdays: ReadonlySet<number> }
  /** Weekday: the month's nth, or its last. */
  | { readonly kind: 'nth'; readonly weekday: number; readonly nth: number | 'last' }

/** A parsed expression. */
export interface Cron {
  /** As its owner wrote it. */
  readonly text: string
  /** Ascending, 0 to 59. */
  readonly minutes: readonly number[]
  /** Ascending, 0 to 23. */
  readonly hours: readonly number[]
  /** 1 to 12. */
  readonly months: ReadonlySet<number>
  /** A day matches when any rule does; no rule = every day. */
  readonly dayRules: readonly DayRule[]
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  readonly names: readonly string[]
  /** What may be written, for messages. */
  readonly allowed: string
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
/** The calendar, weekdays included, repeats after 400 years: what doesn't match in that time never does. */
const CYCLE_MONTHS = 400 * 12
/** Longer than any sensible expression; a list of every minute has 169. */
const MAX_CHARS = 512

const WEEKDAYS = 'SUN MON TUE WED THU FRI SAT'
const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'
const LISTS = 'with * , - /'

const FIELDS = {
  minute: { name: 'minute', min: 0, max: 59, names: [], allowed: `0 to 59, ${LISTS}` },
  hour: { name: 'hour', min: 0, max: 23, names: [], allowed: `0 to 23, ${LISTS}` },
  day: {
    name: 'day of month',
    min: 1,
    max: 31,
    names: [],
    allowed: `1 to 31, ${LISTS}, or L, LW, L-3, 15W`,
  },
  month: {
    name: 'month',
    min: 1,
    max: 12,
    names: MONTHS.split(' '),
    allowed: `1 to 12 or JAN to DEC, ${LISTS}`,
  },
  weekday: {
    name: 'weekday',
    min: 1,
    max: 7,
    names: WEEKDAYS.split(' '),
    allowed: `1 (Sunday) to 7 (Saturday) or SUN to SAT, ${LISTS}, or 6L, 2#1`,
  },
} as const satisfies Record<string, Field>

/**
 * Reads an expression. Fields are separated by blanks; names are case-insensitive.
 *
 * @throws ERR_CRON_INVALID naming field, value and what is allowed; also for an expression that never matches.
 */
export function parseCron(text: string): Cron {
  if (text.length > MAX_CHARS) {
    throw invalid(
      `${text.slice(0, 40)}…`,
      `it has ${text.length} characters; at most ${MAX_CHARS} are allowed`,
    )
  }
  const parts = text.trim().split(/[ \t]+/)
  const [minute, hour, day, month, weekday] = parts
  if (!minute || !hour || !day || !month || !weekday || parts.length !== 5) {
    const count = parts[0] === '' ? 0 : parts.length
    throw invalid(text, `it has ${count} fields; write 5: minute, hour, day of month, month, weekday`)
  }

  try {
    const rules = [parseDay(day), parseWeekday(weekday)]
    const cron: Cron = {
      text,
      minutes: [...parseList(minute, FIELDS.minute)].sort((a, b) => a - b),
      hours: [...parseList(hour, FIELDS.hour)].sort((a, b) => a - b),
      months: parseList(month, FIELDS.month),
      dayRules: rules.filter(rule => rule !== undefined),
    }
    if (nextRun(cron, 0) === null)
      throw new FieldError('no date ever matches it; change the day or the month')
    return cron
  } catch (error) {
    if (error instanceof FieldError) throw invalid(text, error.message)
    throw error
  }
}

/**
 * The first time after `afterMs` (exclusive) that matches, in milliseconds since the epoch, on a whole minute;
 * `null` if none ever does, which `parseCron` has ruled out.
 */
export function nextRun(cron: Cron, afterMs: number): number | null {
  const from = (Math.floor(afterMs / MINUTE_MS) + 1) * MINUTE_MS
  const start = new Date(from)
  const firstMonth = start.getUTCFullYear() * 12 + start.getUTCMonth()
  for (let month = firstMonth; month <= firstMonth + CYCLE_MONTHS; month++) {
    if (!cron.months.has((month % 12) + 1)) continue
    for (const dayMs of matchingDays(cron, Math.floor(month / 12), month % 12)) {
      if (dayMs + DAY_MS <= from) continue
      const time = firstTime(cron, Math.max(0, from - dayMs) / MINUTE_MS)
      if (time !== undefined) return dayMs + time * MINUTE_MS
    }
  }
  return null
}

/** The starts of the month's matching days, ascending. */
function* matchingDays(cron: Cron, year: number, month: number): Generator<number> {
  const firstMs = Date.UTC(year, month, 1)
  const firstWeekday = new Date(firstMs).getUTCDay()
  const length = new Date(Date.UTC(year, month + 1, 0)).getUTCDate()
  for (let day = 1; day <= length; day++) {
    const matches = (rule: DayRule) => matchesDay(rule, day, firstWeekday, length)
    if (cron.dayRules.length === 0 || cron.dayRules.some(matches)) yield firstMs + (day - 1) * DAY_MS
  }
}

function matchesDay(rule: DayRule, day: number, firstWeekday: number, length: number): boolean {
  const weekdayOf = (date: number) => ((firstWeekday + date - 1) % 7) + 1
  switch (rule.kind) {
    case 'days':
      return rule.days.has(day)
    case 'weekdays':
      return rule.weekdays.has(weekdayOf(day))
    case 'nth':
      if (weekdayOf(day) !== rule.weekday) return false
      return rule.nth === 'last' ? day + 7 > length : Math.ceil(day / 7) === rule.nth
    case 'day': {
      const target = rule.fromEnd ? length - rule.day : rule.day
      // A day that the month doesn't have is left out, as everywhere in cron, and not moved into the month.
      if (target < 1 || target > length) return false
      return day === (rule.nearestWeekday ? nearestWeekday(target, weekdayOf(target), length) : target)
    }
  }
}

/** Saturday moves to Friday and Sunday to Monday, unless that leaves the month: then to its other side. */
function nearestWeekday(day: number, weekday: number, length: number): number {
  if (weekday === 7) return day > 1 ? day - 1 : day + 2
  if (weekday === 1) return day < length ? day + 1 : day - 2
  return day
}

/** The first matching minute of a day, counted from midnight, at or after `from`. */
function firstTime(cron: Cron, from: number): number | undefined {
  for (const hour of cron.hours) {
    if (hour * 60 + 59 < from) continue
    const minute = cron.minutes.find(value => hour * 60 + value >= from)
    if (minute !== undefined) return hour * 60 + minute
  }
  return undefined
}

function parseDay(text: string): DayRule | undefined {
  if (text === '*') return undefined
  const field = FIELDS.day
  const [, offset, offsetWeekday] = /^L(?:-(\d{1,3}))?(W?)$/.exec(text) ?? []
  if (offsetWeekday !== undefined) {
    const day = Number(offset ?? 0)
    if (offset && (day < 1 || day > 30)) throw refused(field, text, `L-${day} is outside L-1 to L-30`)
    return { kind: 'day', day, fromEnd: true, nearestWeekday: offsetWeekday !== '' }
  }
  if (/^\d+W$/.test(text)) {
    const day = parseValue(text.slice(0, -1), field, text)
    return { kind: 'day', day, fromEnd: false, nearestWeekday: true }
  }
  return { kind: 'days', days: parseList(text, field) }
}

function parseWeekday(text: string): DayRule | undefined {
  if (text === '*') return undefined
  const field = FIELDS.weekday
  // Quartz: the last day of the week, with no weekday before it.
  if (text === 'L') return { kind: 'weekdays', weekdays: new Set([7]) }
  const [, last] = /^(.+)L$/.exec(text) ?? []
  if (last) return { kind: 'nth', weekday: parseValue(last, field, text), nth: 'last' }
  const [day, nth, more] = text.split('#')
  if (day !== undefined && nth !== undefined) {
    const number = /^[1-5]$/.test(nth) && more === undefined ? Number(nth) : undefined
    if (number === undefined) throw refused(field, text, 'after # stands 1 to 5')
    return { kind: 'nth', weekday: parseValue(day, field, text), nth: number }
  }
  return { kind: 'weekdays', weekdays: parseList(text, field) }
}

/** Values, ranges and steps between commas. */
function parseList(text: string, field: Field): Set<number> {
  const items = text.split(',')
  const values = new Set<number>()
  for (const item of items) {
    if (items.length > 1 && item === '*') throw refused(field, text, '* stands alone')
    const [range = '', stepText, more] = item.split('/')
    if (more !== undefined) throw refused(field, text, `${item} has two steps`)
    const step = stepText === undefined ? 1 : parseStep(stepText, field, text)
    const [first, last] = parseRange(range, field, text, stepText !== undefined)
    for (let value = first; value <= last; value += step) values.add(value)
  }
  return values
}

function parseRange(range: string, field: Field, text: string, hasStep: boolean): [number, number] {
  if (range === '*') return [field.min, field.max]
  const [firstText = '', lastText, more] = range.split('-')
  if (more !== undefined) throw refused(field, text, `${range} has two ends`)
  const first = parseValue(firstText, field, text)
  if (lastText === undefined) return [first, hasStep ? field.max : first]
  const last = parseValue(lastText, field, text)
  if (first > last) throw refused(field, text, `${range} runs backwards; write two ranges`)
  return [first, last]
}

function parseStep(stepText: string, field: Field, text: string): number {
  const step = /^\d{1,4}$/.test(stepText) ? Number(stepText) : 0
  const max = field.max - field.min
  if (step < 1 || step > max) throw refused(field, text, `a step is 1 to ${max}`)
  return step
}

function parseValue(valueText: string, field: Field, text: string): number {
  const index = field.names.indexOf(valueText.toUpperCase())
  const value = index >= 0 ? field.min + index : /^\d{1,4}$/.test(valueText) ? Number(valueText) : undefined
  if (value === undefined) throw refused(field, text, `"${valueText}" is not a value`)
  if (value < field.min || value > field.max) {
    throw refused(field, text, `${value} is outside ${field.min} to ${field.max}`)
  }
  return value
}

/** What is wrong with a field; `parseCron` puts the expression before it. */
class FieldError extends Error {}

function refused(field: Field, text: string, why: string): FieldError {
  return new FieldError(`${field.name} "${text}": ${why}; allowed: ${field.allowed}`)
}

/** Starts as Cloudflare's own message does. */
function invalid(text: string, why: string): SkerryError {
  return new SkerryError('ERR_CRON_INVALID', `invalid cron string "${text}": ${why}`)
}
