import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toMs } from '../../bindings/workflow/duration.ts'
import { isEventType, isInstanceId } from '../../bindings/workflow/names.ts'
import { readBatch } from '../../bindings/workflow/new-instance.ts'
import { parseStepConfig, retryDelayMs, toShown } from '../../bindings/workflow/step-config.ts'

describe('a duration', () => {
  test.each([
    [0, 0],
    [1500, 1500],
    ['1 second', 1000],
    ['2 seconds', 2000],
    ['1.5 minutes', 90_000],
    ['1 hour', 3_600_000],
    ['2 days', 172_800_000],
    ['1 week', 604_800_000],
    ['1 month', 2_592_000_000],
    ['1 year', 31_536_000_000],
    ['10seconds', 10_000],
  ])('%j is %d ms', (value, ms) => expect(toMs(value)).toBe(ms))

  test.each([
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    '',
    '5',
    'seconds',
    '1 fortnight',
    '-1 second',
    null,
    {},
  ])('%j is none', value => expect(toMs(value)).toBeUndefined())

  test('in words is as many of its unit', () => {
    const units = { second: 1000, minute: 60_000, hour: 3_600_000, day: 86_400_000, week: 604_800_000 }
    fc.assert(
      fc.property(fc.nat(10_000), fc.constantFrom(...Object.entries(units)), (count, [unit, ms]) => {
        expect(toMs(`${count} ${unit}${count === 1 ? '' : 's'}`)).toBe(count * ms)
      }),
    )
  })
})

describe("a step's configuration", () => {
  const defaults = { retries: { limit: 5, delay: 10_000, backoff: 'exponential' }, timeout: '10 minutes' }

  test.each([
    [undefined, defaults],
    [{}, defaults],
    [{ timeout: 100 }, { ...defaults, timeout: 100 }],
    [
      { retries: { limit: 0, delay: '1 second' } },
      { ...defaults, retries: { limit: 0, delay: '1 second', backoff: 'exponential' } },
    ],
    [{ sensitive: 'output' }, { ...defaults, sensitive: 'output' }],
  ])('%j is filled in', (raw, config) => expect(parseStepConfig(raw)).toEqual(config))

  test.each([
    null,
    'retry',
    { retry: 1 },
    { timeout: 0 },
    { timeout: 'soon' },
    { sensitive: 'input' },
    { retries: {} },
    { retries: { limit: 1 } },
    { retries: { limit: -1, delay: 1 } },
    { retries: { limit: 1.5, delay: 1 } },
    { retries: { limit: 1, delay: 'soon' } },
    { retries: { limit: 1, delay: 1, backoff: 'none' } },
    { retries: { limit: 1, delay: 1, max: 1 } },
  ])('%j is refused', raw => expect(parseStepConfig(raw)).toBeUndefined())

  test('a function for the delay is not shown', () => {
    const config = parseStepConfig({ retries: { limit: 1, delay: () => 1 } })
    expect(config && toShown(config)).toEqual({ ...defaults, retries: { limit: 1, backoff: 'exponential' } })
  })

  test.each([
    ['constant', [100, 100, 100]],
    ['linear', [100, 200, 300]],
    ['exponential', [100, 200, 400]],
  ] as const)('waits %s before retries', (backoff, delays) => {
    const of = (attempt: number) => retryDelayMs({ limit: 3, delay: 100, backoff }, attempt)
    expect([1, 2, 3].map(of)).toEqual(delays)
  })
})

describe('names', () => {
  test.each(['a', '_', 'a-b_c', '9', 'a'.repeat(100)])('%j is an id, and a type of events', name => {
    expect([isInstanceId(name), isEventType(name)]).toEqual([true, true])
  })

  test.each(['', '-a', 'a b', 'a.b', 'ä', 'a'.repeat(101), 5, null])('%j is neither', name => {
    expect([isInstanceId(name), isEventType(name)]).toEqual([false, false])
  })
})

describe('a batch', () => {
  test('as a count is as many instances of one kind', () => {
    expect(readBatch({ count: 3, params: { a: 1 } })).toEqual(Array(3).fill({ params: { a: 1 } }))
  })

  test.each([
    [[], 'at least 1 instance'],
    [Array(101).fill({}), 'only supports 100'],
    [{ count: 0 }, 'positive integer'],
    [{ count: 101 }, 'only supports 100'],
    [{ instances: [] }, 'Batch size exceeds'],
    [{}, 'Provided argument is invalid'],
    [null, 'Provided argument is invalid'],
  ])('%j is refused', (options, message) => expect(() => readBatch(options)).toThrow(message))
})
