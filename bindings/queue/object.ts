import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../../src/core/errors.ts'
import { createHexId } from '../../src/core/ids.ts'
import type { BatchResult } from '../../src/core/invoker.ts'
import { CONTENT_TYPES, type QueueMetrics } from '../../src/core/queue.ts'
import type { StateEnv } from '../../src/env.ts'
import { migrate } from '../../src/registry/schema.ts'
import { Alarm, HEARTBEAT_MS } from '../alarm.ts'
import { QueueConfig } from './config.ts'
import { Delivery, type DeliveryFailure } from './delivery.ts'
import { type Letter, Letters } from './letters.ts'
import { QUEUE_LIMITS } from './limits.ts'
import { type LeasedMessage, Messages } from './messages.ts'
import type { NewMessage } from './producer.ts'
import { type Acknowledged, Pull, type Pulled, type PullRetry } from './pull.ts'
import { type PeekedMessage, toPeeked } from './pulled.ts'
import { runBatch } from './run-batch.ts'
import { QUEUE_MIGRATIONS } from './schema.ts'
import type { Consumer, NewConsumer, QueueSettings } from './settings.ts'

/** A queue as the control plane sees it. */
export interface QueueStatus {
  readonly settings: QueueSettings
  readonly consumers: readonly Consumer[]
  readonly metrics: QueueMetrics
  /** Batches under way with a Worker. */
  readonly under_way: number
  /** The last batch that went wrong. */
  readonly last_failure: DeliveryFailure | null
  /** Messages on their way to another queue. */
  readonly leaving: number
}

/**
 * A queue: its settings, its consumer, and its messages until they are acknowledged. The object's name is
 * `<account>/<object id>`. Every method is called by the platform only.
 *
 * At least once: a message is on disk before its sender is answered, leased on disk before its consumer gets it,
 * and goes when the outcome is known. A batch under way when the process dies is delivered again.
 */
export class Queue extends DurableObject<StateEnv> {
  readonly #config: QueueConfig
  readonly #messages: Messages
  readonly #letters: Letters
  readonly #delivery: Delivery
  readonly #pull: Pull
  readonly #alarm: Alarm

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    const { storage } = ctx
    migrate(storage, QUEUE_MIGRATIONS)
    this.#config = new QueueConfig(storage.sql)
    this.#messages = new Messages(storage.sql)
    this.#letters = new Letters(storage.sql, this.#config, this.#messages)
    this.#delivery = new Delivery(storage, this.#config, this.#messages, this.#letters)
    this.#pull = new Pull(this.#config, this.#messages, this.#letters)
    this.#alarm = new Alarm(storage)
    const now = Date.now()
    this.#messages.endPushLeases(now)
    this.#arm(now)
  }

  /**
   * Takes messages in, all or none; they are on disk when the caller is answered.
   *
   * @throws ERR_QUEUE_NOT_FOUND once it was deleted, ERR_QUEUE_FULL
   */
  send(messages: readonly NewMessage[]): QueueMetrics {
    this.#requireRoom()
    const now = Date.now()
    const { delivery_delay: ownDelay } = this.#config.settings
    for (const { type, body, delaySeconds = ownDelay } of messages) {
      const message = {
        id: createHexId(),
        type: CONTENT_TYPES.indexOf(type),
        sentMs: now,
        source: null,
        body,
      }
      this.#messages.insert(message, now, now + delaySeconds * 1000)
    }
    this.#pump()
    return this.metrics()
  }

  /** What waits, what is under way included. */
  metrics(): QueueMetrics {
    const { count: backlogCount, bytes: backlogBytes } = this.#messages
    return { backlogCount, backlogBytes, oldestMessageTimestamp: this.#messages.oldest()?.sentMs ?? 0 }
  }

  show(): QueueStatus {
    const { settings, consumer } = this.#config
    return {
      settings,
      consumers: consumer ? [consumer] : [],
      metrics: this.metrics(),
      under_way: this.#delivery.underWay,
      last_failure: this.#delivery.lastFailure,
      leaving: this.#letters.count(),
    }
  }

  /** Tells the object its name, which consumers see, and changes settings. @throws ERR_QUEUE_NOT_FOUND */
  configure(name: string, change: Partial<QueueSettings>): QueueStatus {
    this.#config.configure(name, change)
    this.#delivery.release()
    this.#pump()
    return this.show()
  }

  /**
   * Gives the queue its consumer, or changes the one with that id.
   *
   * @throws ERR_QUEUE_CONSUMER_TAKEN if it has another, ERR_QUEUE_CONSUMER_NOT_FOUND
   */
  setConsumer(name: string, consumer: NewConsumer, id?: string): Consumer {
    const set = this.#config.setConsumer(name, consumer, id)
    this.configure(name, {})
    return set
  }

  /** Batches under way go on. @throws ERR_QUEUE_CONSUMER_NOT_FOUND */
  removeConsumer(id: string): void {
    this.#config.removeConsumer(id)
    this.#arm(Date.now())
  }

  /** Removes the consumer if it is this Worker, because that is deleted. */
  removeScript(script: string): void {
    const { consumer } = this.#config
    if (consumer?.script === script) this.removeConsumer(consumer.consumer_id)
  }

  /**
   * Takes messages out for whoever asks by HTTP, each with the text by which to acknowledge it.
   *
   * @throws ERR_QUEUE_NO_PULL if the queue has no such consumer
   */
  pull(size: number, visibilityMs?: number): Pulled {
    const pulled = this.#pull.take(size, visibilityMs, Date.now())
    this.#pump()
    return pulled
  }

  /** Ends messages that were pulled, or puts them back. What is not known any more is told of, and no error. */
  acknowledge(acks: readonly string[], retries: readonly PullRetry[]): Acknowledged {
    const acknowledged = this.#pull.acknowledge(acks, retries, Date.now())
    this.#pump()
    return acknowledged
  }

  /** The oldest messages, without taking them. */
  peek(limit: number): PeekedMessage[] {
    const now = Date.now()
    return this.#messages.peek(limit).map(row => toPeeked(row, now))
  }

  /** Deletes all messages. @returns how many */
  purge(): number {
    const purged = this.#messages.clear()
    this.#arm(Date.now())
    return purged
  }

  /**
   * Sends messages that died back to the queues they died in, to be tried anew; those under way stay.
   *
   * @param target a queue's name: all that wait go there, wherever they are from
   * @returns how many
   */
  redrive(limit: number, target?: string): number {
    const now = Date.now()
    const seqs = this.#messages.waiting(now, target === undefined, limit)
    this.#letters.write(seqs, target ?? null, null, now)
    this.#pump()
    return seqs.length
  }

  /** Takes in what another queue's object sends; what has come already is left out. @throws ERR_QUEUE_NOT_FOUND, ERR_QUEUE_FULL */
  receive(from: string, letters: readonly Letter[]): void {
    this.#requireRoom()
    this.#letters.receive(from, letters, Date.now())
    this.#pump()
  }

  /** Deletes the queue with all it has. What is still bound to it can send nothing any more. */
  async remove(): Promise<void> {
    this.#config.markDeleted()
    await this.ctx.storage.deleteAll()
    migrate(this.ctx.storage, QUEUE_MIGRATIONS)
    this.#config.markDeleted()
    this.#messages.measure()
    this.#alarm.clear()
  }

  override alarm(): void {
    this.#alarm.ring('queue', () => this.#pump())
  }

  /** Starts what is to start, and sets the alarm for what is next. */
  #pump(): void {
    if (this.#config.isDeleted) return
    const now = Date.now()
    this.#messages.sweep(now, this.#config.settings.message_retention_period)
    const batches = this.#delivery.start(now, (script, batch) => this.#run(script, batch))
    const letters = this.#letters.send(now, (target, letters) => this.#handOn(target, letters))
    for (const ended of letters ? [...batches, letters] : batches) {
      this.ctx.waitUntil(ended.then(() => this.#pump()))
    }
    this.#arm(now)
  }

  #run(script: string, batch: readonly LeasedMessage[]): Promise<BatchResult> {
    const messages = batch.map(({ seq: _, ...message }) => message)
    const target = { accountId: this.#accountId(), script }
    const toBatch = () => ({ queue: this.#config.name, messages, metrics: this.metrics() })
    return runBatch(this.env, this.ctx.exports, target, toBatch)
  }

  async #handOn(target: string, letters: readonly Letter[]): Promise<void> {
    const { ACCOUNT, QUEUE } = this.env
    const accountId = this.#accountId()
    const found = await ACCOUNT.get(ACCOUNT.idFromName(accountId)).findResource('queue', target)
    if (!found) throw new SkerryError('ERR_QUEUE_NOT_FOUND', `There is no queue "${target}".`)
    const other = QUEUE.get(QUEUE.idFromName(`${accountId}/${found.object}`))
    await other.receive(this.#ownName(), letters)
  }

  #arm(now: number): void {
    const wake = this.#nextWake(now)
    if (wake !== undefined) this.#alarm.by(Math.max(wake, now))
  }

  #nextWake(now: number): number | undefined {
    const times = [
      // After a crash nobody else would wake the object.
      this.#delivery.underWay > 0 ? now + HEARTBEAT_MS : this.#letters.nextSend(now),
      this.#delivery.nextStart(now),
      this.#messages.nextExpiry(this.#config.settings.message_retention_period),
    ].filter(time => time !== undefined)
    return times.length > 0 ? Math.min(...times) : undefined
  }

  #ownName(): string {
    const { name } = this.ctx.id
    if (!name) throw new Error('a Queue is reached by its name')
    return name
  }

  #accountId(): string {
    return this.#ownName().split('/', 1)[0] ?? ''
  }

  #requireRoom(): void {
    this.#config.requireExisting()
    const { bytes } = this.#messages
    if (bytes < QUEUE_LIMITS.backlogBytes) return
    throw new SkerryError(
      'ERR_QUEUE_FULL',
      `The queue holds ${bytes} bytes; at most ${QUEUE_LIMITS.backlogBytes} are allowed.`,
    )
  }
}
