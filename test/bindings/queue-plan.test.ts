import { describe, expect, test } from 'vitest'
import { QUEUE_LIMITS } from '../../bindings/queue/limits.ts'
import { batchStartsAt, holdMs, nextConcurrency, settle } from '../../bindings/queue/plan.ts'
import type { BatchResult } from '../../src/core/invoker.ts'

const OK: BatchResult = {
  outcome: 'ok',
  ackAll: false,
  retryBatch: { retry: false },
  explicitAcks: [],
  retryMessages: [],
}
const THREE = [1, 2, 3].map(seq => ({ seq, id: `m${seq}`, attempts: 1 }))
const SETTINGS = { max_retries: 2, retry_delay: 5 }

describe('settle()', () => {
  test.each<[what: string, result: Partial<BatchResult>, acked: number[], again: [number, number[]][]]>([
    ['takes silence that ends well for an acknowledgement', {}, [1, 2, 3], []],
    ['tries everything again after an exception', { outcome: 'exception' }, [], [[5, [1, 2, 3]]]],
    [
      'keeps what was acknowledged before an exception',
      { outcome: 'exception', explicitAcks: ['m2'] },
      [2],
      [[5, [1, 3]]],
    ],
    ['keeps ackAll() before an exception', { outcome: 'exception', ackAll: true }, [1, 2, 3], []],
    ["retries one after the consumer's delay", { retryMessages: [{ msgId: 'm1' }] }, [2, 3], [[5, [1]]]],
    [
      'prefers the delay of a message',
      { retryMessages: [{ msgId: 'm1', delaySeconds: 0 }] },
      [2, 3],
      [[0, [1]]],
    ],
    [
      "prefers a message's delay to the batch's",
      { retryBatch: { retry: true, delaySeconds: 9 }, retryMessages: [{ msgId: 'm1', delaySeconds: 1 }] },
      [],
      [
        [1, [1]],
        [9, [2, 3]],
      ],
    ],
    ['bounds delays', { retryMessages: [{ msgId: 'm1', delaySeconds: 1e9 }] }, [2, 3], [[86_400, [1]]]],
    [
      'takes negative delays for none',
      { retryMessages: [{ msgId: 'm1', delaySeconds: -1 }] },
      [2, 3],
      [[0, [1]]],
    ],
    [
      'ignores ids that are not of the batch',
      { explicitAcks: ['x'], retryMessages: [{ msgId: 'y' }] },
      [1, 2, 3],
      [],
    ],
    ['tries a batch again that ended otherwise', { outcome: 'exceededCpu' }, [], [[5, [1, 2, 3]]]],
  ])('%s', (_what, result, acked, again) => {
    const settled = settle(THREE, { ...OK, ...result }, SETTINGS)
    expect(settled.acked).toEqual(acked)
    expect([...settled.again]).toEqual(again)
    expect(settled.dead).toEqual([])
  })

  test.each([
    { attempts: 2, maxRetries: 2, dead: [] },
    { attempts: 3, maxRetries: 2, dead: [1] },
    { attempts: 1, maxRetries: 0, dead: [1] },
  ])(
    'after $attempts attempts and at most $maxRetries retries, dead are $dead',
    ({ attempts, maxRetries, dead }) => {
      const batch = [{ seq: 1, id: 'm1', attempts }]
      const settings = { max_retries: maxRetries, retry_delay: 0 }
      expect(settle(batch, { ...OK, outcome: 'exception' }, settings).dead).toEqual(dead)
      expect(settle(batch, OK, settings).acked).toEqual([1])
    },
  )
})

describe('batchStartsAt()', () => {
  const settings = { batch_size: 3, max_wait_time_ms: 1000, max_retries: 3, retry_delay: 0 }
  const at = (...heads: [at: number, attempts: number][]) =>
    batchStartsAt(
      heads.map(([at, attempts]) => ({ at, attempts })),
      settings,
    )
  test('waits for others as long as the consumer wants, from the first on', () => {
    expect(at()).toBeUndefined()
    expect(at([100, 0])).toBe(1100)
    expect(at([100, 0], [900, 0])).toBe(1100)
  })
  test('starts a full batch at once', () => {
    expect(at([100, 0], [200, 0], [300, 0])).toBe(100)
  })
  test('does not wait again with a message that is tried again', () => {
    expect(at([100, 0], [150, 1])).toBe(150)
  })
})

describe('nextConcurrency()', () => {
  const next = (current: number, max: number | null, isFull: boolean, failed: boolean) =>
    nextConcurrency(
      current,
      { batch_size: 1, max_retries: 0, retry_delay: 0, max_concurrency: max },
      { isFull, failed },
    )
  test.each([
    { current: 2, max: null, isFull: true, failed: false, expected: 3 },
    { current: 2, max: null, isFull: false, failed: false, expected: 2 },
    {
      current: QUEUE_LIMITS.defaultConcurrency,
      max: null,
      isFull: true,
      failed: false,
      expected: QUEUE_LIMITS.defaultConcurrency,
    },
    { current: 4, max: 4, isFull: true, failed: false, expected: 4 },
    { current: 9, max: null, isFull: true, failed: true, expected: 4 },
    { current: 1, max: null, isFull: true, failed: true, expected: 1 },
    { current: 9, max: 2, isFull: false, failed: false, expected: 2 },
  ])(
    'from $current, bound $max, full $isFull, failed $failed: $expected',
    ({ current, max, isFull, failed, expected }) => {
      expect(next(current, max, isFull, failed)).toBe(expected)
    },
  )
})

test('holdMs() doubles from a quarter of a second to a minute', () => {
  expect([0, 1, 2, 8, 50].map(holdMs)).toEqual([250, 500, 1000, 60_000, 60_000])
})
