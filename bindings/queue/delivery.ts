import type { BatchResult } from '../../src/core/invoker.ts'
import type { QueueConfig } from './config.ts'
import type { Letters } from './letters.ts'
import { QUEUE_LIMITS } from './limits.ts'
import type { LeasedMessage, Messages } from './messages.ts'
import { batchStartsAt, holdMs, nextConcurrency, settle } from './plan.ts'
import type { Consumer, ConsumerSettings } from './settings.ts'

/** How a batch that went wrong ended. */
export interface DeliveryFailure {
  /** ISO 8601, UTC, milliseconds. */
  readonly on: string
  readonly outcome: string
  readonly error: string
}

/** Runs a batch in a Worker; never rejects. */
export type RunBatch = (script: string, batch: readonly LeasedMessage[]) => Promise<BatchResult>

/** Batches to the Worker that consumes the queue: when they start, how many at once, what becomes of them. */
export class Delivery {
  readonly #storage: DurableObjectStorage
  readonly #config: QueueConfig
  readonly #messages: Messages
  readonly #letters: Letters
  #underWay = 0
  /** The number of the last lease. */
  #lease = 0
  #concurrency: number = QUEUE_LIMITS.startConcurrency
  /** No batch starts before. */
  #holdUntilMs = 0
  #holds = 0
  #lastFailure: DeliveryFailure | null = null

  constructor(storage: DurableObjectStorage, config: QueueConfig, messages: Messages, letters: Letters) {
    this.#storage = storage
    this.#config = config
    this.#messages = messages
    this.#letters = letters
  }

  /** Batches under way. */
  get underWay(): number {
    return this.#underWay
  }

  get lastFailure(): DeliveryFailure | null {
    return this.#lastFailure
  }

  /** Starts the batches that may start. @returns a promise for each until it is over, which never rejects */
  start(nowMs: number, run: RunBatch): Promise<void>[] {
    const started: Promise<void>[] = []
    const consumer = this.#config.worker
    while (consumer && this.#mayStart(nowMs, consumer.settings)) {
      const lease = ++this.#lease
      const batch = this.#takeOut(lease, nowMs, consumer.settings)
      if (batch.length > 0) started.push(this.#deliver(lease, batch, consumer, run))
    }
    return started
  }

  /** Ends the pause that follows batches that could not be run. */
  release(): void {
    this.#holdUntilMs = 0
  }

  /** When there may be a batch to start; `undefined` = not before another one is over, or messages come. */
  nextStart(nowMs: number): number | undefined {
    const settings = this.#config.worker?.settings
    if (!settings || this.#messages.count === 0 || this.#isFull(settings)) return undefined
    const startsAt = this.#nextBatch(nowMs, settings)
    const visible = this.#messages.nextVisible(nowMs)
    if (startsAt === undefined) return visible
    return Math.min(Math.max(startsAt, this.#holdUntilMs), visible ?? Number.POSITIVE_INFINITY)
  }

  #mayStart(nowMs: number, settings: ConsumerSettings): boolean {
    if (this.#holdUntilMs > nowMs || this.#isFull(settings)) return false
    const startsAt = this.#nextBatch(nowMs, settings)
    return startsAt !== undefined && startsAt <= nowMs
  }

  #isFull({ max_concurrency: max }: ConsumerSettings): boolean {
    return this.#underWay >= Math.min(this.#concurrency, max ?? QUEUE_LIMITS.defaultConcurrency)
  }

  #nextBatch(nowMs: number, settings: ConsumerSettings): number | undefined {
    return batchStartsAt(this.#messages.heads(nowMs, settings.batch_size), settings)
  }

  #takeOut(lease: number, nowMs: number, settings: ConsumerSettings): LeasedMessage[] {
    const untilMs = nowMs + QUEUE_LIMITS.runMs + LEASE_SLACK_MS
    const leased = this.#messages.lease(lease, nowMs, untilMs, settings.batch_size)
    return this.#letters.buryDead(leased, settings, nowMs)
  }

  async #deliver(
    lease: number,
    batch: readonly LeasedMessage[],
    { script = '', settings }: Consumer,
    run: RunBatch,
  ): Promise<void> {
    this.#underWay++
    const result = await run(script, batch)
    this.#underWay--
    try {
      this.#settle(lease, batch, settings, result)
    } catch (error) {
      console.error('queue: a batch could not be settled; it will be delivered again:', error)
    }
  }

  #settle(
    lease: number,
    batch: readonly LeasedMessage[],
    settings: ConsumerSettings,
    result: BatchResult,
  ): void {
    const now = Date.now()
    const failed = result.outcome !== 'ok'
    if (failed) {
      const error = (result.error ?? '').slice(0, MAX_ERROR_CHARS)
      this.#lastFailure = { on: new Date(now).toISOString(), outcome: result.outcome, error }
    }
    if (result.skipped) {
      this.#holdUntilMs = now + holdMs(this.#holds++)
      const seqs = batch.map(({ seq }) => seq)
      this.#messages.putBack(seqs, lease, 'uncounted')
      return
    }
    this.#holds = 0
    const isFull = batch.length >= settings.batch_size
    this.#concurrency = nextConcurrency(this.#concurrency, settings, { isFull, failed })
    const { acked, dead, again } = settle(batch, result, settings)
    this.#storage.transactionSync(() => {
      this.#messages.delete(acked, lease)
      this.#letters.bury(dead, now)
      for (const [delay, seqs] of again) {
        this.#messages.putBack(seqs, lease, { visibleMs: now + delay * 1000 })
      }
    })
  }
}

/** A lease outlasts the run it is for. */
const LEASE_SLACK_MS = 60_000
const MAX_ERROR_CHARS = 1000
