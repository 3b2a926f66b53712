import { LIMITS } from '../../src/core/limits.ts'

/** Bounds of Cloudflare's Queues, in the units that the names say; where they are ours, the comment says so. */
export const QUEUE_LIMITS = {
  /** Bytes of one message's body as it is stored. */
  messageBytes: LIMITS.queueMessageBytes,
  batchMessages: LIMITS.queueBatchMessages,
  batchBytes: LIMITS.queueBatchBytes,
  /** Of a message, of a retry, and of a queue by default: a day. */
  maxDelaySeconds: LIMITS.queueDelaySeconds,
  /** Messages a consumer gets at once. */
  maxBatchSize: 100,
  defaultBatchSize: 10,
  maxWaitMs: 60_000,
  defaultWaitMs: 5000,
  maxRetries: 100,
  defaultRetries: 3,
  maxConcurrency: LIMITS.queueConcurrency,
  /** Ours: batches at once where a consumer sets no bound. */
  defaultConcurrency: 10,
  /** Ours: where that begins; each full batch that succeeds adds one, each that fails halves it. */
  startConcurrency: 2,
  minRetentionSeconds: 60,
  maxRetentionSeconds: LIMITS.queueRetentionSeconds,
  defaultRetentionSeconds: 4 * 86_400,
  defaultVisibilityMs: 30_000,
  maxVisibilityMs: 12 * 60 * 60 * 1000,
  defaultPullSize: 5,
  /** A consumer's invocation without an outcome after this time has failed. */
  runMs: LIMITS.queueRunMs,
  nameChars: 63,
  /** Ours, of one queue: Cloudflare's 25 GB are more than an object of SQLite holds. */
  backlogBytes: LIMITS.queueBacklogBytes,
} as const

/** Whether a value is a delay in seconds that Queues take. */
export function isDelay(value: unknown): value is number {
  return (
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= 0 &&
    value <= QUEUE_LIMITS.maxDelaySeconds
  )
}
