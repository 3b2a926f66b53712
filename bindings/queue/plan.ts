import type { BatchResult } from '../../src/core/invoker.ts'
import { QUEUE_LIMITS } from './limits.ts'
import type { ConsumerSettings } from './settings.ts'

/** What a queue does with its messages and when: no I/O and no clock, so that tables can test it. */

/** A message of a batch that came back. */
export interface Delivered {
  readonly seq: number
  readonly id: string
  readonly attempts: number
}

/** What becomes of the messages of a batch. */
export interface Settlement {
  /** Done: deleted. */
  readonly acked: readonly number[]
  /** Out of attempts: to the dead letter queue, or deleted. */
  readonly dead: readonly number[]
  /** Again, after so many seconds. */
  readonly again: ReadonlyMap<number, readonly number[]>
}

/**
 * Reads a consumer's verdict. What it acknowledged stays so when it threw; what it said nothing of is done if it
 * ended well, and is tried again if not. A message that fails after `max_retries` retries is dead.
 */
export function settle(
  batch: readonly Delivered[],
  result: BatchResult,
  settings: Pick<ConsumerSettings, 'max_retries' | 'retry_delay'>,
): Settlement {
  const acks = new Set(result.explicitAcks)
  const retries = new Map(result.retryMessages.map(({ msgId, delaySeconds }) => [msgId, delaySeconds]))
  const failsAll = (result.retryBatch.retry || result.outcome !== 'ok') && !result.ackAll
  const acked: number[] = []
  const dead: number[] = []
  const again = new Map<number, number[]>()
  for (const { seq, id, attempts } of batch) {
    if (acks.has(id) || !(retries.has(id) || failsAll)) {
      acked.push(seq)
    } else if (attempts > settings.max_retries) {
      dead.push(seq)
    } else {
      const wanted = retries.get(id) ?? result.retryBatch.delaySeconds ?? settings.retry_delay
      const delay = Math.min(Math.max(Math.trunc(wanted) || 0, 0), QUEUE_LIMITS.maxDelaySeconds)
      again.set(delay, [...(again.get(delay) ?? []), seq])
    }
  }
  return { acked, dead, again }
}

/** The first messages that can be delivered: when each became so, and how often it was delivered. */
export type Heads = readonly { readonly at: number; readonly attempts: number }[]

/**
 * When a batch of these is to start: at once if they fill it or one of them is tried again, else when the first has
 * waited for others as long as the consumer wants. `undefined` = there is none.
 */
export function batchStartsAt(
  heads: Heads,
  { batch_size: size, max_wait_time_ms: waitMs = 0 }: ConsumerSettings,
): number | undefined {
  const [first] = heads
  if (!first) return undefined
  if (heads.length >= size) return first.at
  const retried = heads.find(({ attempts }) => attempts > 0)
  return Math.min(first.at + waitMs, retried?.at ?? Number.POSITIVE_INFINITY)
}

/**
 * How many batches may be under way next: one more after a full one that ended well, half as many after one that
 * didn't, within the consumer's bound.
 */
export function nextConcurrency(
  current: number,
  { max_concurrency: max }: ConsumerSettings,
  batch: { readonly isFull: boolean; readonly failed: boolean },
): number {
  const bound = max ?? QUEUE_LIMITS.defaultConcurrency
  if (batch.failed) return Math.max(1, Math.min(Math.floor(current / 2), bound))
  return Math.max(1, Math.min(batch.isFull ? current + 1 : current, bound))
}

/** The pause before the platform tries again what it could not run: ¼ s, ½ s, 1 s … at most a minute. */
export function holdMs(failures: number): number {
  return Math.min(250 * 2 ** failures, 60_000)
}
