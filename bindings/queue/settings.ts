import { SkerryError } from '../../src/core/errors.ts'
import { describe } from '../fields.ts'
import { isDelay, QUEUE_LIMITS } from './limits.ts'

/** A queue's settings, as Cloudflare's API spells them. */
export interface QueueSettings {
  /** Seconds before a message that names no delay can be delivered. */
  readonly delivery_delay: number
  readonly delivery_paused: boolean
  /** Seconds after which a message is deleted, consumed or not. */
  readonly message_retention_period: number
}

/** The settings of a new queue. */
export const DEFAULT_SETTINGS: QueueSettings = {
  delivery_delay: 0,
  delivery_paused: false,
  message_retention_period: QUEUE_LIMITS.defaultRetentionSeconds,
}

/** A consumer's settings, as Cloudflare's API spells them. */
export interface ConsumerSettings {
  readonly batch_size: number
  readonly max_retries: number
  readonly retry_delay: number
  /** Of a Worker: how long a batch waits for more messages. */
  readonly max_wait_time_ms?: number
  /** Of a Worker: batches at once; `null` = as many as do well. */
  readonly max_concurrency?: number | null
  /** Of HTTP pull: how long messages are the puller's own. */
  readonly visibility_timeout_ms?: number
}

/** Who gets a queue's messages: a Worker, or whoever asks by HTTP. A queue has one. */
export interface Consumer {
  /** 32 hex digits. */
  readonly consumer_id: string
  readonly type: 'worker' | 'http_pull'
  /** The Worker's name. */
  readonly script?: string
  /** A queue's name. */
  readonly dead_letter_queue?: string
  readonly settings: ConsumerSettings
  /** ISO 8601, UTC, microseconds. */
  readonly created_on: string
}

/** A consumer as it is asked for. */
export type NewConsumer = Omit<Consumer, 'consumer_id' | 'created_on'>

type Fields = Readonly<Record<string, unknown>>

/**
 * A change of a queue's settings: only what is named changes.
 *
 * @throws ERR_QUEUE_INVALID
 */
export function parseSettings(input: unknown): Partial<QueueSettings> {
  const fields = toFields(input, 'settings')
  const { delivery_delay: delay, delivery_paused: paused, message_retention_period: retention } = fields
  if (isGiven(delay) && !isDelay(delay)) throw wrong('delivery_delay', delay, 0, QUEUE_LIMITS.maxDelaySeconds)
  if (isGiven(paused) && typeof paused !== 'boolean') {
    throw invalid(`\`delivery_paused\` is ${describe(paused)}. It must be true or false.`)
  }
  const { minRetentionSeconds, maxRetentionSeconds } = QUEUE_LIMITS
  return {
    ...(isDelay(delay) && { delivery_delay: delay }),
    ...(typeof paused === 'boolean' && { delivery_paused: paused }),
    ...(isGiven(retention) && {
      message_retention_period: readInteger(
        fields,
        'message_retention_period',
        minRetentionSeconds,
        maxRetentionSeconds,
      ) as number,
    }),
  }
}

/**
 * A consumer from an API body. What isn't named gets Cloudflare's default.
 *
 * @throws ERR_QUEUE_INVALID
 */
export function parseConsumer(body: Fields): NewConsumer {
  const { type = 'worker', dead_letter_queue: letters } = body
  if (type !== 'worker' && type !== 'http_pull') {
    throw invalid(`\`type\` is ${describe(type)}. It must be "worker" or "http_pull".`)
  }
  const script = body.script_name ?? body.script
  if (type === 'worker' && (typeof script !== 'string' || script === '')) {
    throw invalid(`\`script_name\` is ${describe(script)}. Name a Worker of the account.`)
  }
  if (isGiven(letters) && typeof letters !== 'string') {
    throw invalid(`\`dead_letter_queue\` is ${describe(letters)}. Name a queue of the account.`)
  }
  const fields = toFields(body.settings, 'settings')
  const { maxBatchSize, maxRetries, maxDelaySeconds, maxWaitMs, maxConcurrency, maxVisibilityMs } =
    QUEUE_LIMITS
  const common = {
    batch_size: readInteger(fields, 'batch_size', 1, maxBatchSize) ?? QUEUE_LIMITS.defaultBatchSize,
    max_retries: readInteger(fields, 'max_retries', 0, maxRetries) ?? QUEUE_LIMITS.defaultRetries,
    retry_delay: readInteger(fields, 'retry_delay', 0, maxDelaySeconds) ?? 0,
  }
  const settings: ConsumerSettings =
    type === 'worker'
      ? {
          ...common,
          max_wait_time_ms:
            readInteger(fields, 'max_wait_time_ms', 0, maxWaitMs) ?? QUEUE_LIMITS.defaultWaitMs,
          max_concurrency: readInteger(fields, 'max_concurrency', 1, maxConcurrency) ?? null,
        }
      : {
          ...common,
          visibility_timeout_ms:
            readInteger(fields, 'visibility_timeout_ms', 0, maxVisibilityMs) ??
            QUEUE_LIMITS.defaultVisibilityMs,
        }
  return {
    type,
    settings,
    ...(type === 'worker' && { script: script as string }),
    ...(typeof letters === 'string' && letters !== '' && { dead_letter_queue: letters }),
  }
}

/** A number of a body within its bounds; `undefined` if it isn't given. @throws ERR_QUEUE_INVALID */
export function readInteger(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name]
  if (!isGiven(value)) return undefined
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw wrong(name, value, min, max)
}

/** What is wrong with a body that isn't what it should be. */
export function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_QUEUE_INVALID', problem)
}

function wrong(name: string, value: unknown, min: number, max: number): SkerryError {
  return invalid(`\`${name}\` is ${describe(value)}. It must be an integer from ${min} to ${max}.`)
}

function toFields(input: unknown, name: string): Fields {
  if (!isGiven(input)) return {}
  if (typeof input === 'object' && !Array.isArray(input)) return input as Fields
  throw invalid(`\`${name}\` is ${describe(input)}. It must be an object.`)
}

function isGiven(value: unknown): value is NonNullable<unknown> {
  return value !== undefined && value !== null
}
