import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nextRun, parseCron } from '../../bindings/cron/expression.ts'

const MINUTE_MS = 60_000
const VECTORS = join(import.meta.dirname, '../../../shared/vectors/cron')
const hasVectors = existsSync(VECTORS)

interface NextVector {
  readonly expr: string
  readonly from: string
  readonly next: readonly string[]
}
interface ValidityVector {
  readonly expr: string
  readonly expect: 'accept' | 'reject' | 'libraries differ'
}

function readVectors<T>(file: string): T[] {
  if (!hasVectors) return []
  return (JSON.parse(readFileSync(join(VECTORS, file), 'utf8')) as { vectors: T[] }).vectors
}

function runsFrom(expression: string, from: string, count: number): string[] {
  const cron = parseCron(expression)
  const runs: string[] = []
  for (let at = nextRun(cron, Date.parse(from)); at !== null && runs.length < count; at = nextRun(cron, at)) {
    runs.push(new Date(at).toISOString().slice(0, 16))
  }
  return runs
}

describe('nextRun()', () => {
  test.skipIf(!hasVectors)("gives the next runs of Cloudflare's documented expressions", () => {
    const vectors = readVectors<NextVector>('cloudflare-utc.dev.json')
    expect(vectors.length).toBeGreaterThan(0)
    for (const { expr, from, next } of vectors) {
      const expected = next.map(time => time.slice(0, 16))
      expect(runsFrom(expr, from, next.length), expr).toEqual(expected)
    }
  })

  // 1 August 2026 is a Saturday; February has 28 days in 2026 and 29 in 2028.
  test.each([
    [
      'either day field matches when both are restricted',
      '0 0 13 * 6',
      '2026-08-01',
      ['2026-08-07', '2026-08-13', '2026-08-14'],
    ],
    [
      'a step in a day field restricts it',
      '0 0 */20 * *',
      '2026-08-01T12:00Z',
      ['2026-08-21', '2026-09-01', '2026-09-21'],
    ],
    ['weekday 1 is Sunday', '0 0 * * 1', '2026-08-01', ['2026-08-02', '2026-08-09', '2026-08-16']],
    ['L is the last day of the month', '0 0 L * *', '2028-02-01', ['2028-02-29', '2028-03-31', '2028-04-30']],
    ['L-n counts back from it', '0 0 L-30 * *', '2026-08-02', ['2026-10-01', '2026-12-01', '2027-01-01']],
    [
      'LW is the last weekday of the month',
      '0 0 LW * *',
      '2026-08-01',
      ['2026-08-31', '2026-09-30', '2026-10-30'],
    ],
    [
      'nW on a Saturday is the Friday before',
      '0 0 15W 8 *',
      '2026-08-01',
      ['2026-08-14', '2027-08-16', '2028-08-15'],
    ],
    [
      '1W on a Saturday stays in the month',
      '0 0 1W * *',
      '2026-07-31',
      ['2026-08-03', '2026-09-01', '2026-10-01'],
    ],
    [
      '31W skips months without a 31st',
      '0 0 31W * *',
      '2026-08-01',
      ['2026-08-31', '2026-10-30', '2026-12-31'],
    ],
    [
      '31W on a Sunday stays in the month',
      '0 0 31W 1 *',
      '2027-01-01',
      ['2027-01-29', '2028-01-31', '2029-01-31'],
    ],
    ['weekday L alone is Saturday', '0 0 * * L', '2026-08-02', ['2026-08-08', '2026-08-15', '2026-08-22']],
    ['nL is the last such weekday', '0 0 * * 6L', '2026-08-01', ['2026-08-28', '2026-09-25', '2026-10-30']],
    [
      'n#5 skips months that have four',
      '0 0 * * SAT#5',
      '2026-08-01',
      ['2026-08-29', '2026-10-31', '2027-01-30'],
    ],
    [
      '29 February comes in leap years',
      '0 0 29 2 *',
      '2026-08-01',
      ['2028-02-29', '2032-02-29', '2036-02-29'],
    ],
    ['2100 is no leap year', '0 0 29 FEB *', '2096-03-01', ['2104-02-29', '2108-02-29', '2112-02-29']],
  ])('%s: %s', (_, expression, from, days) => {
    const start = new Date(Date.parse(from) - 1).toISOString()
    expect(runsFrom(expression, start, days.length)).toEqual(days.map(day => `${day}T00:00`))
  })

  test('is later than the given time, never equal to it', () => {
    const noon = Date.UTC(2026, 0, 1, 12)
    const cron = parseCron('0 12 * * *')
    expect(nextRun(cron, noon - 1)).toBe(noon)
    expect(nextRun(cron, noon)).toBe(noon + 24 * 60 * MINUTE_MS)
  })

  test('is a whole, matching minute after the given time, and none between matches', () => {
    fc.assert(
      fc.property(
        expressions(),
        fc.integer({ min: 0, max: Date.UTC(2100, 0) }),
        ({ text, fields }, after) => {
          const next = nextRun(parseCron(text), after)
          if (next === null) throw new Error('an accepted expression has a next run')
          expect(next).toBeGreaterThan(after)
          expect(next % MINUTE_MS).toBe(0)
          expect(matches(fields, next)).toBe(true)
          const until = Math.min(next, after + 3 * 24 * 60 * MINUTE_MS)
          for (let at = (Math.floor(after / MINUTE_MS) + 1) * MINUTE_MS; at < until; at += MINUTE_MS) {
            if (matches(fields, at)) throw new Error(`${new Date(at).toISOString()} matches too`)
          }
        },
      ),
      { numRuns: 200 },
    )
  })
})

describe('parseCron()', () => {
  test('keeps the text as its owner wrote it', () => {
    expect(parseCron(' 0  12 * * mon').text).toBe(' 0  12 * * mon')
  })

  test.each([
    ['0 0 * * 0', 'weekday "0": 0 is outside 1 to 7; allowed: 1 (Sunday) to 7'],
    ['60 * * * *', 'minute "60": 60 is outside 0 to 59; allowed: 0 to 59'],
    ['* 24 * * *', 'hour "24": 24 is outside 0 to 23'],
    ['* * 0 * *', 'day of month "0": 0 is outside 1 to 31'],
    ['* * * FOO *', 'month "FOO": "FOO" is not a value; allowed: 1 to 12 or JAN to DEC'],
    ['*/60 * * * *', 'minute "*/60": a step is 1 to 59'],
    ['*/0 * * * *', 'minute "*/0": a step is 1 to 59'],
    ['0 22-6 * * *', 'hour "22-6": 22-6 runs backwards; write two ranges'],
    ['* 1,* * * *', 'hour "1,*": * stands alone'],
    ['* * L-31 * *', 'day of month "L-31": L-31 is outside L-1 to L-30'],
    ['* * * * 2#6', 'weekday "2#6": after # stands 1 to 5'],
    ['* * ? * *', 'day of month "?": "?" is not a value'],
    ['* * * *', 'it has 4 fields; write 5'],
    ['* * * * * *', 'it has 6 fields; write 5'],
    ['', 'it has 0 fields; write 5'],
    ['0 0 30 2 *', 'no date ever matches it'],
    ['0 0 31W 2,4,6,9,11 *', 'no date ever matches it'],
    ['0 0 L-29 2 *', 'no date ever matches it'],
  ])('refuses "%s" and says why', (text, why) => {
    expect(() => parseCron(text)).toThrow(
      expect.objectContaining({
        code: 'ERR_CRON_INVALID',
        detail: expect.stringContaining(`invalid cron string "${text}": ${why}`),
      }),
    )
  })

  test('reads 512 characters and refuses 513', () => {
    const list = `${'0,'.repeat(300)}`.slice(0, 503)
    expect(parseCron(`${list}0 * * * *`).minutes).toEqual([0])
    expect(() => parseCron(`${list}00 * * * *`)).toThrow('513 characters; at most 512')
  })

  /** Where Cloudflare's parser differs from the general-purpose libraries that the vectors were recorded with. */
  const CLOUDFLARE: Readonly<Record<string, boolean>> = {
    '* * * * L': true, // Saturday
    '* * L-3 * *': true,
    '*/60 * * * *': false, // a step is at most the width of its field
    '? * * * *': false, // Quartz's ? is not among Cloudflare's characters
    '* * ? * *': false,
    '* * * * ?': false,
    '0-59 0-23 1-31 1-12 0-7': false, // there is no weekday 0
  }
  test
    .skipIf(!hasVectors)
    .each(readVectors<ValidityVector>('validity.json').filter(({ expect }) => expect !== 'libraries differ'))(
    'on "$expr": $expect, unless Cloudflare differs',
    ({ expr, expect: verdict }) => {
      const parse = () => parseCron(expr)
      if (CLOUDFLARE[expr] ?? verdict === 'accept') expect(parse).not.toThrow()
      else expect(parse).toThrow(expect.objectContaining({ code: 'ERR_CRON_INVALID' }))
    },
  )

  test('throws nothing but ERR_CRON_INVALID, whatever it is given', () => {
    const symbols = fc.constantFrom(...'0 1 5 7 31 59 * , - / L W # ? SUN jan \t'.split(' '), ' ')
    const texts = fc.oneof(
      fc.string(),
      fc.array(symbols, { maxLength: 30 }).map(parts => parts.join('')),
    )
    let refused = 0
    fc.assert(
      fc.property(texts, text => {
        try {
          parseCron(text)
        } catch (error) {
          refused++
          expect(error).toMatchObject({ code: 'ERR_CRON_INVALID' })
        }
      }),
    )
    expect(refused).toBeGreaterThan(0)
  })
})

interface Fields {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: readonly number[] | undefined
  readonly months: readonly number[]
  readonly weekdays: readonly number[] | undefined
}

/** Expressions of ranges, steps and lists, with the numbers that they mean. Never one that can't match. */
function expressions(): fc.Arbitrary<{ text: string; fields: Fields }> {
  return fc
    .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(1, 7))
    .map(([minute, hour, day, month, weekday]) => ({
      text: [minute, hour, day, month, weekday].map(({ text }) => text).join(' '),
      fields: {
        minutes: minute.values,
        hours: hour.values,
        days: day.text === '*' ? undefined : day.values,
        months: month.values,
        weekdays: weekday.text === '*' ? undefined : weekday.values,
      },
    }))
}

function field(min: number, max: number): fc.Arbitrary<{ text: string; values: number[] }> {
  const every = (from: number, to: number, step: number) => {
    const values: number[] = []
    for (let value = from; value <= to; value += step) values.push(value)
    return values
  }
  const value = fc.integer({ min, max })
  const item = fc
    .tuple(value, value, fc.option(fc.integer({ min: 1, max: max - min })), fc.boolean())
    .map(([a, b, step, isRange]) => {
      const [from, to] = isRange ? [Math.min(a, b), Math.max(a, b)] : [a, a]
      const range = isRange ? `${from}-${to}` : `${from}`
      if (step === null || !isRange) return { text: range, values: every(from, to, 1) }
      return { text: `${range}/${step}`, values: every(from, to, step) }
    })
  const list = fc.array(item, { minLength: 1, maxLength: 3 }).map(items => ({
    text: items.map(({ text }) => text).join(','),
    values: items.flatMap(({ values }) => values),
  }))
  return fc.oneof(fc.constant({ text: '*', values: every(min, max, 1) }), list)
}

function matches({ minutes, hours, days, months, weekdays }: Fields, at: number): boolean {
  const date = new Date(at)
  const isDay = days?.includes(date.getUTCDate())
  const isWeekday = weekdays?.includes(date.getUTCDay() + 1)
  const dayMatches = days || weekdays ? Boolean(isDay || isWeekday) : true
  return (
    minutes.includes(date.getUTCMinutes()) &&
    hours.includes(date.getUTCHours()) &&
    months.includes(date.getUTCMonth() + 1) &&
    dayMatches
  )
}
