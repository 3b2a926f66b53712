import { describe, expect, test } from 'vitest'
import { type Cron, parseCron } from '../../bindings/cron/expression.ts'
import { CRON_LIMITS, planAfter, planAfterRestart, planDue, planWake } from '../../bindings/cron/plan.ts'
import type { EventResult, Outcome } from '../../src/core/outcome.ts'

const at = (time: string) => Date.parse(`2026-03-01T${time}Z`)
const each = parseCron('* * * * *')
const hourly = parseCron('0 * * * *')
const daily = parseCron('0 12 * * *')

interface Expected {
  readonly run?: string
  readonly skipped?: readonly [since: string, until: string]
  /** `+1` = the day after. */
  readonly nextAt: string
}

describe('planDue()', () => {
  test.each<[string, Cron, string, string, Expected | undefined]>([
    ['nothing is due a millisecond early', each, '12:00', '11:59:59.999', undefined],
    ['a tick is due on its minute', each, '12:00', '12:00', { run: '12:00', nextAt: '12:01' }],
    ['a late alarm is no missed tick', each, '12:00', '12:00:59.999', { run: '12:00', nextAt: '12:01' }],
    [
      'of several missed ticks the latest runs',
      each,
      '12:00',
      '12:05:30',
      { run: '12:05', skipped: ['12:00', '12:05'], nextAt: '12:06' },
    ],
    ['a tick an hour old runs', daily, '12:00', '13:00', { run: '12:00', nextAt: '+1 12:00' }],
    [
      'an older one is skipped',
      daily,
      '12:00',
      '13:00:00.001',
      { skipped: ['12:00', '13:00:00.001'], nextAt: '+1 12:00' },
    ],
    [
      'a long outage costs one run',
      hourly,
      '01:00',
      '23:30',
      { run: '23:00', skipped: ['01:00', '23:00'], nextAt: '+1 00:00' },
    ],
  ])('%s', (_, cron, nextAt, now, expected) => {
    const actual = planDue(cron, at(nextAt), at(now))
    if (!expected) return expect(actual).toBeUndefined()
    const { run, skipped } = expected
    const [, day, time = ''] = /^(\+1 )?(.*)$/.exec(expected.nextAt) ?? []
    expect(actual).toEqual({
      ...(run && { run: at(run) }),
      ...(skipped && { skipped: { since: at(skipped[0]), until: at(skipped[1]) } }),
      nextAt: at(time) + (day ? 24 * 60 * 60_000 : 0),
    })
  })

  test('costs no more after ten years of outage than after an hour', () => {
    const now = at('12:00:30')
    const due = planDue(each, now - 10 * 365 * 24 * 60 * 60_000, now)
    expect(due).toMatchObject({ run: at('12:00'), nextAt: at('12:01') })
  })
})

describe('planAfterRestart()', () => {
  test.each([
    ['keeps the planned tick', '12:01', '12:00:30', '12:01'],
    ['keeps a tick that fell due', '12:01', '12:05', '12:01'],
    [
      'keeps it when the clock went back by up to an hour, so that no minute fires twice',
      '13:01',
      '12:00',
      '13:01',
    ],
    ['plans anew when it went back further', '13:02', '12:00', '12:01'],
  ])('%s', (_, planned, now, expected) => {
    expect(planAfterRestart(each, at(planned), at(now))).toBe(at(expected))
  })
})

describe('planAfter()', () => {
  const now = at('12:00:10')
  const run = { scheduledTime: at('12:00'), nextTick: at('13:00'), failures: 0, lost: 0 }
  const ended = (outcome: Outcome, noRetry = false): EventResult => ({ outcome, noRetry })

  test.each<[Outcome, 'done' | 'retry' | 'forget']>([
    ['ok', 'done'],
    ['exception', 'retry'],
    ['canceled', 'retry'],
    ['unknown', 'retry'],
    ['loadShed', 'retry'],
    ['exceededCpu', 'done'],
    ['exceededMemory', 'done'],
    ['scriptNotFound', 'forget'],
  ])('after the outcome %s: %s', (outcome, step) => {
    expect(planAfter({ ...run, result: ended(outcome) }, now)).toMatchObject({ step })
  })

  test.each([
    [0, { step: 'retry', at: now + 2000 }],
    [1, { step: 'retry', at: now + 4000 }],
    [2, { step: 'done' }],
  ])('a handler that failed %i times before: %o', (failures, step) => {
    expect(planAfter({ ...run, failures, result: ended('exception') }, now)).toEqual(step)
  })

  test('a handler that called noRetry() is not retried', () => {
    expect(planAfter({ ...run, result: ended('exception', true) }, now)).toEqual({ step: 'done' })
  })

  test.each([
    [0, 250],
    [1, 500],
    [10, 256_000],
    [11, CRON_LIMITS.maxBackoffMs],
    [1000, CRON_LIMITS.maxBackoffMs],
  ])('a run that no edge took %i times before is retried after %i ms', (lost, delayMs) => {
    expect(planAfter({ ...run, lost, result: 'lost' }, now)).toEqual({ step: 'retry', at: now + delayMs })
  })

  test('lost attempts use up none of the retries of a handler', () => {
    expect(planAfter({ ...run, lost: 9, result: ended('exception') }, now)).toMatchObject({ step: 'retry' })
  })

  test.each(['lost' as const, ended('exception'), ended('loadShed')])(
    'no retry reaches the next tick: %o',
    result => {
      const delayMs = result !== 'lost' && result.outcome === 'exception' ? 2000 : 250
      const nextTick = now + delayMs
      expect(planAfter({ ...run, nextTick, result }, now)).toEqual({ step: 'done' })
      expect(planAfter({ ...run, nextTick: nextTick + 1, result }, now)).toEqual({
        step: 'retry',
        at: nextTick,
      })
    },
  )

  test('a run that no edge takes is given up when its tick is an hour old', () => {
    const lastMoment = run.scheduledTime + CRON_LIMITS.catchUpMs - 250
    const yearly = { ...run, nextTick: at('13:00') + 365 * 24 * 60 * 60_000, result: 'lost' as const }
    expect(planAfter(yearly, lastMoment)).toMatchObject({ step: 'retry' })
    expect(planAfter(yearly, lastMoment + 1)).toEqual({ step: 'done' })
    expect(planAfter({ ...yearly, nextTick: null }, lastMoment)).toMatchObject({ step: 'retry' })
    expect(planAfter({ ...yearly, nextTick: null }, lastMoment + 1)).toEqual({ step: 'done' })
  })
})

describe('planWake()', () => {
  test.each([
    ['nothing is scheduled or under way', null, null, 0, undefined],
    ['the next tick', 100_000, null, 0, 100_000],
    ['a retry before it', 100_000, 50_000, 0, 50_000],
    ['the heartbeat while runs are under way', 100_000, null, 1, CRON_LIMITS.heartbeatMs],
    ['a tick before the heartbeat', 10, null, 1, 10],
  ])('%s', (_, firstTick, firstRetry, underWay, expected) => {
    expect(planWake(firstTick, firstRetry, underWay, 0)).toBe(expected)
  })
})
