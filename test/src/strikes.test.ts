import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  describeQuarantine,
  inForce,
  judgeStrike,
  type Quarantine,
  type QuarantineLevel,
  retryAfterSeconds,
  type StrikeMark,
  type StrikePolicy,
} from '../../src/core/strikes.ts'

const S = 1000
const MINUTE = 60 * S
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const NOW = Date.UTC(2026, 10, 21, 10)

const POLICY: StrikePolicy = { strikes: 3, windowMs: 10 * MINUTE, quarantineMs: HOUR }
const cpu = (atMs: number): StrikeMark => ({ kind: 'cpu', atMs })
const memory = (atMs: number): StrikeMark => ({ kind: 'memory', atMs })

/** Judges the last of these strikes. */
function judge(
  strikes: StrikeMark[],
  { before, policy = {}, now = NOW }: Partial<{ before: QuarantineLevel; policy: object; now: number }> = {},
) {
  const last = strikes.at(-1) ?? cpu(NOW)
  return judgeStrike(last, strikes, before, { ...POLICY, ...policy }, now)
}

describe('judgeStrike()', () => {
  it.each([
    ['one strike', [cpu(NOW)], false],
    ['two', [cpu(NOW - 1), cpu(NOW)], false],
    ['three', [cpu(NOW - 2), cpu(NOW - 1), cpu(NOW)], true],
    ['three over just the window', [cpu(NOW - 10 * MINUTE), cpu(NOW - 1), cpu(NOW)], true],
    ['three over a millisecond more', [cpu(NOW - 10 * MINUTE - 1), cpu(NOW - 1), cpu(NOW)], false],
    ['three of both kinds', [memory(NOW - 2), cpu(NOW - 1), memory(NOW)], true],
    ['three, told in another order', [cpu(NOW), cpu(NOW - MINUTE), cpu(NOW - 2 * MINUTE)], true],
    ['one apart from three', [cpu(NOW - 2), cpu(NOW - 1), cpu(NOW), cpu(NOW - HOUR / 2)], false],
  ])('%s: quarantine %s', (_, strikes, expected) => {
    expect(judge(strikes as StrikeMark[]) !== undefined).toBe(expected)
  })

  it.each([
    [0, 20, false],
    [1, 1, true],
    [20, 19, false],
    [20, 20, true],
  ])('with SKERRY_STRIKES=%i, %i at once: quarantine %s', (strikes, count, expected) => {
    const marks = Array.from({ length: count }, () => cpu(NOW))
    expect(judge(marks, { policy: { strikes } }) !== undefined).toBe(expected)
  })

  it('lasts from the strike on for as long as the policy says, and gives its reason', () => {
    const strikes = [cpu(NOW - 90 * S), memory(NOW - 60 * S), cpu(NOW)]
    expect(judge(strikes, { now: NOW + 5 * S })).toEqual({
      level: 0,
      strikes,
      quarantine: {
        sinceMs: NOW,
        untilMs: NOW + HOUR,
        kind: 'cpu',
        reason:
          'it exceeded its limit of CPU time 2 times and the limit of memory once, since 2026-11-21T09:58:30Z',
      },
    })
  })

  it('names only the strikes that brought it', () => {
    const recent = [cpu(NOW - 2), cpu(NOW - 1), cpu(NOW)]
    expect(judge([memory(NOW - HOUR), ...recent])?.strikes).toEqual(recent)
  })

  it('brings nothing for strikes told so late that the quarantine would be over', () => {
    const strikes = [cpu(NOW - 2), cpu(NOW - 1), cpu(NOW)]
    expect(judge(strikes, { now: NOW + HOUR - 1 })).toBeDefined()
    expect(judge(strikes, { now: NOW + HOUR })).toBeUndefined()
  })

  describe('after a quarantine', () => {
    const before = { untilMs: NOW, level: 0 }

    it.each([
      ['during it', NOW - 1, undefined],
      ['at its end', NOW, 2 * HOUR],
      ['a day later, less a millisecond', NOW + DAY - 1, 2 * HOUR],
      ['a day later', NOW + DAY, undefined],
    ])('a single strike %s lasts %s ms', (_, atMs, expected) => {
      const found = judge([cpu(atMs)], { before, now: atMs })
      expect(found && found.quarantine.untilMs - atMs).toBe(expected)
    })

    it.each([
      [0, 2 * HOUR],
      [1, 4 * HOUR],
      [3, 16 * HOUR],
      [4, DAY],
      [5000, DAY],
    ])('level %i is followed by %i ms: twice as long, a day at most', (level, expected) => {
      const found = judge([cpu(NOW)], { before: { untilMs: NOW, level } })
      expect(found).toMatchObject({ level: level + 1, quarantine: { untilMs: NOW + expected } })
    })

    it('the reason says so', () => {
      expect(judge([memory(NOW + MINUTE)], { before })?.quarantine.reason).toBe(
        'it exceeded the limit of memory once, at 2026-11-21T10:01:00Z, after a quarantine that ended 2026-11-21T10:00:00Z',
      )
    })
  })

  it('judges alike in whatever order the strikes are kept', () => {
    const offsets = fc.array(fc.integer({ min: 0, max: 30 * MINUTE }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(offsets, fc.integer({ min: 1, max: 5 }), (offsets, strikes) => {
        const marks = offsets.map(offset => cpu(NOW - offset))
        const [strike = cpu(NOW)] = marks
        const policy = { ...POLICY, strikes }
        const one = judgeStrike(strike, marks, undefined, policy, NOW)
        const other = judgeStrike(strike, marks.toReversed(), undefined, policy, NOW)
        expect(other?.quarantine).toEqual(one?.quarantine)
        if (one) expect(one.strikes).toHaveLength(strikes)
        const near = marks.filter(({ atMs }) => Math.abs(atMs - strike.atMs) <= POLICY.windowMs)
        if (near.length < strikes) expect(one).toBeUndefined()
      }),
    )
  })
})

describe('a quarantine', () => {
  const quarantine: Quarantine = { sinceMs: NOW, untilMs: NOW + HOUR, kind: 'cpu', reason: 'it did' }

  it('is in force until its end, exclusively', () => {
    expect(inForce(quarantine, NOW + HOUR - 1)).toBe(quarantine)
    expect(inForce(quarantine, NOW + HOUR)).toBeUndefined()
    expect(inForce(undefined, NOW)).toBeUndefined()
  })

  it.each([
    [0, 3600],
    [-DAY, 3600],
    [HOUR - 1001, 2],
    [HOUR - 1000, 1],
    [HOUR - 1, 1],
    [HOUR + 5, 1],
  ])('%i ms on, Retry-After is %i: whole seconds, from 1 to an hour', (ms, expected) => {
    expect(retryAfterSeconds(quarantine, NOW + ms)).toBe(expected)
  })

  it('describes itself', () => {
    expect(describeQuarantine('orders', quarantine)).toBe(
      'The function "orders" is in quarantine until 2026-11-21T11:00:00Z: it did.',
    )
  })
})
