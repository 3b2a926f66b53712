import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../../src/core/errors.ts'
import { createHexId } from '../../src/core/ids.ts'
import type { BatchResult, Invoker } from '../../src/core/invoker.ts'
import type { QueueMetrics } from '../../src/core/queue.ts'
import type { StateEnv } from '../../src/env.ts'
import { migrate, timestamp } from '../../src/registry/schema.ts'
import { anyEdge } from '../../src/roles.ts'
import { QUEUE_LIMITS } from './limits.ts'
import { batchStartsAt, holdMs, nextConcurrency, settle } from './plan.ts'
import type { NewMessage } from './producer.ts'
import { type PeekedMessage, type PulledMessage, readLeaseId, toPeeked, toPulled } from './pulled.ts'
import * as rows from './schema.ts'
import { type Consumer, DEFAULT_SETTINGS, type QueueSettings } from './settings.ts'

/** A queue as the control plane sees it. */
export interface QueueStatus {
  readonly settings: QueueSettings
  readonly consumers: readonly Consumer[]
  readonly metrics: QueueMetrics
  /** Batches under way with a Worker. */
  readonly under_way: number
  /** How the last batch that went wrong ended. */
  readonly last_failure: { readonly on: string; readonly outcome: string; readonly error: string } | null
  /** Messages on their way to another queue. */
  readonly leaving: number
}

type NewConsumer = Omit<Consumer, 'consumer_id' | 'created_on'>

/** What no edge could run, or none would. */
const NOT_RUN: BatchResult = {
  outcome: 'unknown',
  skipped: true,
  ackAll: false,
  retryBatch: { retry: false },
  explicitAcks: [],
  retryMessages: [],
}

/**
 * A queue: its settings, its consumer, and its messages until they are acknowledged. The object's name is
 * `<account>/<object id>`. Every method is called by the platform only.
 *
 * At least once: a message is on disk before its sender is answered, leased on disk before its consumer gets it,
 * and goes when the outcome is known. A batch under way when the process dies is delivered again.
 */
export class Queue extends DurableObject<StateEnv> {
  readonly #sql: SqlStorage
  #settings: QueueSettings
  #consumer: Consumer | undefined
  #name: string
  #deleted: boolean
  #count: number
  #bytes: number
  /** Numbers of the leases whose batches are under way. */
  readonly #underWay = new Set<number>()
  #lease = 0
  #concurrency: number = QUEUE_LIMITS.startConcurrency
  /** No batch starts before. */
  #holdUntilMs = 0
  #holds = 0
  #sendingLetters = false
  /** Queues that could not take letters, by name. */
  readonly #lettersWait = new Map<string, { readonly failures: number; readonly untilMs: number }>()
  #sweptMs = 0
  #lastFailure: QueueStatus['last_failure'] = null
  /** When the alarm rings, if it does. */
  #wakeAt: number | undefined
  #alarmMs = 0

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    this.#sql = ctx.storage.sql
    migrate(ctx.storage, rows.QUEUE_MIGRATIONS)
    const now = Date.now()
    this.#settings = { ...DEFAULT_SETTINGS, ...this.#read<Partial<QueueSettings>>('settings') }
    this.#consumer = this.#read<Consumer>('consumer')
    this.#name = this.#read<string>('name') ?? ''
    this.#deleted = this.#read<boolean>('deleted') ?? false
    rows.endPushLeases(this.#sql, now)
    const { count, bytes } = rows.measure(this.#sql)
    this.#count = count
    this.#bytes = bytes
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
    for (const message of messages) {
      const delaySeconds = message.delaySeconds ?? this.#settings.delivery_delay
      rows.insertMessage(this.#sql, message, createHexId(), now, now + delaySeconds * 1000)
      this.#count++
      this.#bytes += message.body.byteLength
    }
    this.#pump()
    return this.metrics()
  }

  /** What waits, what is under way included. */
  metrics(): QueueMetrics {
    const oldestMessageTimestamp = rows.readOldest(this.#sql)?.sentMs ?? 0
    return { backlogCount: this.#count, backlogBytes: this.#bytes, oldestMessageTimestamp }
  }

  show(): QueueStatus {
    return {
      settings: this.#settings,
      consumers: this.#consumer ? [this.#consumer] : [],
      metrics: this.metrics(),
      under_way: this.#underWay.size,
      last_failure: this.#lastFailure,
      leaving: rows.countLetters(this.#sql),
    }
  }

  /** Tells the object its name, which consumers see, and changes settings. */
  configure(name: string, change: Partial<QueueSettings>): QueueStatus {
    this.#requireExisting()
    this.#name = name
    this.#settings = { ...this.#settings, ...change }
    this.#write('name', name)
    this.#write('settings', this.#settings)
    this.#holdUntilMs = 0
    this.#pump()
    return this.show()
  }

  /**
   * Gives the queue its consumer, or changes the one with that id.
   *
   * @throws ERR_QUEUE_CONSUMER_TAKEN if it has another, ERR_QUEUE_CONSUMER_NOT_FOUND
   */
  setConsumer(name: string, consumer: NewConsumer, id?: string): Consumer {
    this.#requireExisting()
    const present = this.#consumer
    if (id !== undefined) this.#requireConsumer(id)
    else if (present) {
      const who = present.script ? `the Worker "${present.script}"` : 'HTTP pull'
      throw new SkerryError(
        'ERR_QUEUE_CONSUMER_TAKEN',
        `Queue "${name}" has a consumer already, ${who}; a queue has one. Remove it first.`,
      )
    }
    const created_on = id === undefined ? timestamp(Date.now()) : (present?.created_on ?? '')
    this.#consumer = { consumer_id: id ?? createHexId(), created_on, ...consumer }
    this.#write('consumer', this.#consumer)
    this.configure(name, {})
    return this.#consumer
  }

  /** Batches under way go on. @throws ERR_QUEUE_CONSUMER_NOT_FOUND */
  removeConsumer(id: string): void {
    this.#requireConsumer(id)
    this.#consumer = undefined
    this.#sql.exec("DELETE FROM meta WHERE key = 'consumer'")
    this.#arm(Date.now())
  }

  /** Removes the consumer if it is this Worker, because that is deleted. */
  removeScript(script: string): void {
    if (this.#consumer?.script === script) this.removeConsumer(this.#consumer.consumer_id)
  }

  /**
   * Takes messages out for whoever asks by HTTP, each with the text by which to acknowledge it.
   *
   * @throws ERR_QUEUE_NO_PULL if the queue has no such consumer
   */
  pull(size: number, visibilityMs?: number): { backlogCount: number; messages: PulledMessage[] } {
    const consumer = this.#requirePull()
    const now = Date.now()
    this.#sweep(now)
    if (this.#settings.delivery_paused) return { backlogCount: this.#count, messages: [] }
    const untilMs = now + (visibilityMs ?? consumer.settings.visibility_timeout_ms ?? 0)
    // Below zero: such leases outlast the process.
    const lease = -(1 + Math.floor(Math.random() * 2 ** 52))
    const leased = this.#takeOut(lease, now, untilMs, size, consumer)
    this.#pump()
    return { backlogCount: this.#count, messages: leased.map(message => toPulled(message, lease)) }
  }

  /** Ends messages that were pulled, or puts them back. What is not known any more is told of, and no error. */
  acknowledge(
    acks: readonly string[],
    retries: readonly { readonly leaseId: string; readonly delaySeconds?: number }[],
  ): { ackCount: number; retryCount: number; warnings: Record<string, string> } {
    const { retry_delay: retryDelay, max_retries: maxRetries } = this.#requirePull().settings
    const now = Date.now()
    const warnings: Record<string, string> = {}
    let ackCount = 0
    let retryCount = 0
    for (const leaseId of acks) {
      const lease = readLeaseId(leaseId)
      // As on Cloudflare, also when the lease is over: what was done is done.
      const deleted = lease ? rows.deleteMessages(this.#sql, [lease.seq]) : []
      ackCount += this.#forget(deleted)
      if (deleted.length === 0) warnings[leaseId] = UNKNOWN_LEASE
    }
    for (const { leaseId, delaySeconds } of retries) {
      const lease = readLeaseId(leaseId)
      const back = { visibleMs: now + (delaySeconds ?? retryDelay) * 1000 }
      if (lease && lease.attempts > maxRetries && this.#hasLease(lease)) {
        this.#bury([lease.seq], now)
        retryCount++
      } else if (lease && rows.returnMessages(this.#sql, [lease.seq], lease.lease, back) > 0) retryCount++
      else warnings[leaseId] = UNKNOWN_LEASE
    }
    this.#pump()
    return { ackCount, retryCount, warnings }
  }

  /** The oldest messages, without taking them. */
  peek(limit: number): PeekedMessage[] {
    const now = Date.now()
    return rows.peekMessages(this.#sql, limit).map(row => toPeeked(row, now))
  }

  /** Deletes all messages. @returns how many */
  purge(): number {
    const purged = this.#count
    this.#sql.exec('DELETE FROM messages')
    this.#count = 0
    this.#bytes = 0
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
    const seqs = rows.waitingSeqs(this.#sql, now, target === undefined, limit)
    this.#forget(rows.writeLetters(this.#sql, seqs, target ?? null, null, now))
    this.#pump()
    return seqs.length
  }

  /** Takes in what another queue's object sends; what has come already is left out. @throws ERR_QUEUE_NOT_FOUND, ERR_QUEUE_FULL */
  receive(from: string, letters: readonly rows.Letter[]): void {
    this.#requireRoom()
    const sizes = rows.receiveLetters(this.#sql, from, letters, Date.now())
    this.#count += sizes.length
    this.#bytes += sizes.reduce((sum, size) => sum + size, 0)
    this.#pump()
  }

  /** Deletes the queue with all it has. What is still bound to it can send nothing any more. */
  async remove(): Promise<void> {
    this.#deleted = true
    this.#consumer = undefined
    this.#write('deleted', true)
    await this.ctx.storage.deleteAll()
    migrate(this.ctx.storage, rows.QUEUE_MIGRATIONS)
    this.#write('deleted', true)
    this.#count = 0
    this.#bytes = 0
    this.#wakeAt = undefined
  }

  /** Never waits for a batch: while an alarm handler is busy no other alarm rings. */
  override alarm(): void {
    this.#wakeAt = undefined
    try {
      this.#pump()
    } catch (error) {
      // workerd gives an alarm that throws up after six tries.
      console.error('queue: the alarm failed and will be tried again:', error)
      this.#wakeBy(Date.now() + HEARTBEAT_MS)
    }
  }

  /** Starts what is to start, and sets the alarm for what is next. */
  #pump(): void {
    if (this.#deleted) return
    const now = Date.now()
    this.#sweep(now)
    const consumer = this.#pushConsumer()
    if (consumer) while (this.#mayStart(now, consumer)) this.#start(now, consumer)
    this.#sendLetters(now)
    this.#arm(now)
  }

  /** The Worker that gets messages now. */
  #pushConsumer(): Consumer | undefined {
    return this.#settings.delivery_paused || this.#consumer?.type !== 'worker' ? undefined : this.#consumer
  }

  #mayStart(now: number, { settings }: Consumer): boolean {
    if (this.#holdUntilMs > now || this.#underWay.size >= this.#limitOf(settings)) return false
    const heads = rows.readHeads(this.#sql, now, settings.batch_size)
    const startsAt = batchStartsAt(heads, settings)
    return startsAt !== undefined && startsAt <= now
  }

  #limitOf({ max_concurrency: max }: Consumer['settings']): number {
    return Math.min(this.#concurrency, max ?? QUEUE_LIMITS.defaultConcurrency)
  }

  #start(now: number, consumer: Consumer): void {
    const lease = ++this.#lease
    const untilMs = now + QUEUE_LIMITS.runMs + LEASE_SLACK_MS
    const batch = this.#takeOut(lease, now, untilMs, consumer.settings.batch_size, consumer)
    if (batch.length === 0) return
    this.#underWay.add(lease)
    this.ctx.waitUntil(this.#deliver(lease, batch, consumer))
  }

  /** Leases the first messages; those that were delivered as often as they may are dead. */
  #takeOut(lease: number, now: number, untilMs: number, size: number, consumer: Consumer): rows.LeasedRow[] {
    const leased = rows.leaseMessages(this.#sql, lease, now, untilMs, size)
    const isDead = ({ attempts }: rows.LeasedRow) => attempts > consumer.settings.max_retries + 1
    const dead = leased.filter(isDead).map(({ seq }) => seq)
    if (dead.length > 0) this.#bury(dead, now)
    return leased.filter(message => !isDead(message))
  }

  async #deliver(lease: number, batch: readonly rows.LeasedRow[], consumer: Consumer): Promise<void> {
    const result = await this.#run(batch, consumer)
    this.#underWay.delete(lease)
    try {
      this.#settle(lease, batch, consumer, result)
    } catch (error) {
      console.error('queue: a batch could not be settled; it will be delivered again:', error)
    }
    this.#pump()
  }

  async #run(batch: readonly rows.LeasedRow[], consumer: Consumer): Promise<BatchResult> {
    const { promise: late, resolve } = Promise.withResolvers<BatchResult>()
    const failed = (error: string): BatchResult => ({
      ...NOT_RUN,
      skipped: false,
      outcome: 'canceled',
      error,
    })
    const timer = setTimeout(
      () => resolve(failed(`no outcome within ${QUEUE_LIMITS.runMs / 60_000} minutes`)),
      QUEUE_LIMITS.runMs,
    )
    let invoker: Invoker
    try {
      invoker = (await anyEdge(this.env, this.ctx.exports)) as unknown as Invoker
    } catch (error) {
      clearTimeout(timer)
      return { ...NOT_RUN, error: String(error) }
    }
    const [accountId = ''] = this.#ownName().split('/')
    const messages = batch.map(({ seq: _, ...message }) => message)
    try {
      const target = { accountId, script: consumer.script ?? '' }
      const event = { queue: this.#name, messages, metrics: this.metrics() }
      return await Promise.race([invoker.runQueue(target, event), late])
    } catch (error) {
      // It may have run, in part or whole.
      return failed(String(error))
    } finally {
      clearTimeout(timer)
    }
  }

  #settle(lease: number, batch: readonly rows.LeasedRow[], consumer: Consumer, result: BatchResult): void {
    const now = Date.now()
    if (result.outcome !== 'ok') {
      const error = (result.error ?? '').slice(0, MAX_ERROR_CHARS)
      this.#lastFailure = { on: new Date(now).toISOString(), outcome: result.outcome, error }
    }
    if (result.skipped) {
      this.#holdUntilMs = now + holdMs(this.#holds++)
      const seqs = batch.map(({ seq }) => seq)
      rows.returnMessages(this.#sql, seqs, lease, 'uncounted')
      return
    }
    this.#holds = 0
    const { settings } = consumer
    const isFull = batch.length >= settings.batch_size
    const failed = result.outcome !== 'ok'
    this.#concurrency = nextConcurrency(this.#concurrency, settings, { isFull, failed })
    const { acked, dead, again } = settle(batch, result, settings)
    this.ctx.storage.transactionSync(() => {
      this.#forget(rows.deleteMessages(this.#sql, acked, lease))
      if (dead.length > 0) this.#bury(dead, now)
      for (const [delay, seqs] of again) {
        rows.returnMessages(this.#sql, seqs, lease, { visibleMs: now + delay * 1000 })
      }
    })
  }

  /** Messages that failed too often go to the dead letter queue, or nowhere. */
  #bury(seqs: readonly number[], now: number): void {
    const target = this.#consumer?.dead_letter_queue
    const sizes =
      target === undefined
        ? rows.deleteMessages(this.#sql, seqs)
        : rows.writeLetters(this.#sql, seqs, target, this.#name, now)
    this.#forget(sizes)
  }

  /** Hands letters on, a hundred at a time; those to a queue that can't take them wait, and keep no others. */
  #sendLetters(now: number): void {
    if (this.#sendingLetters) return
    const waiting = [...this.#lettersWait].filter(([, { untilMs }]) => untilMs > now)
    const letters = rows.readLetters(
      this.#sql,
      QUEUE_LIMITS.batchMessages,
      waiting.map(([target]) => target),
    )
    const [first] = letters
    if (!first) return
    this.#sendingLetters = true
    const { target } = first
    const sent = this.#handOn(target, letters)
      .then(() => {
        rows.deleteLetters(this.#sql, letters)
        this.#lettersWait.delete(target)
      })
      .catch(error => {
        const failures = (this.#lettersWait.get(target)?.failures ?? -1) + 1
        this.#lettersWait.set(target, { failures, untilMs: Date.now() + holdMs(failures) })
        console.error(`queue: letters to "${target}" wait:`, String(error))
      })
      .finally(() => {
        this.#sendingLetters = false
        this.#pump()
      })
    this.ctx.waitUntil(sent)
  }

  async #handOn(target: string, letters: readonly rows.Letter[]): Promise<void> {
    const own = this.#ownName()
    const [accountId = ''] = own.split('/')
    const registry = this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(accountId))
    const found = await registry.findResource('queue', target)
    if (!found) throw new SkerryError('ERR_QUEUE_NOT_FOUND', `There is no queue "${target}".`)
    const name = `${accountId}/${found.object}`
    await this.env.QUEUE.get(this.env.QUEUE.idFromName(name)).receive(own, letters)
  }

  /** Deletes what is too old. */
  #sweep(now: number): void {
    if (now - this.#sweptMs < SWEEP_MS) return
    this.#sweptMs = now
    const beforeMs = now - this.#settings.message_retention_period * 1000
    const oldest = rows.readOldest(this.#sql)
    if (oldest && oldest.arrivedMs <= beforeMs) {
      if (this.#forget(rows.expireMessages(this.#sql, beforeMs)) > 0) this.#sweptMs = 0
    }
  }

  #forget(sizes: readonly number[]): number {
    this.#count -= sizes.length
    this.#bytes -= sizes.reduce((sum, size) => sum + size, 0)
    return sizes.length
  }

  #arm(now: number): void {
    const wake = this.#nextWake(now)
    if (wake !== undefined) this.#wakeBy(Math.max(wake, now))
  }

  #nextWake(now: number): number | undefined {
    const times: number[] = []
    // After a crash nobody else would wake the object.
    if (this.#underWay.size > 0 || this.#sendingLetters) times.push(now + HEARTBEAT_MS)
    else if (rows.hasLetters(this.#sql)) {
      times.push(...[...this.#lettersWait.values()].map(({ untilMs }) => untilMs), now + HEARTBEAT_MS)
    }
    if (this.#count === 0) return times.length > 0 ? Math.min(...times) : undefined
    const oldest = rows.readOldest(this.#sql)
    if (oldest) times.push(oldest.arrivedMs + this.#settings.message_retention_period * 1000 + 1)
    const consumer = this.#pushConsumer()
    if (consumer && this.#underWay.size < this.#limitOf(consumer.settings)) {
      const heads = rows.readHeads(this.#sql, now, consumer.settings.batch_size)
      const startsAt = batchStartsAt(heads, consumer.settings)
      if (startsAt !== undefined) times.push(Math.max(startsAt, this.#holdUntilMs))
      const visible = rows.nextVisible(this.#sql, now)
      if (visible !== undefined) times.push(visible)
    }
    return Math.min(...times)
  }

  /** Sets the alarm to `at`, unless it rings earlier anyway. */
  #wakeBy(at: number): void {
    if (this.#wakeAt !== undefined && this.#wakeAt <= at) return
    this.#wakeAt = at
    // workerd (2026-11-17) takes an alarm set to the very millisecond of the one that rings for that one.
    const alarmMs = Math.max(Math.ceil(at), Date.now() + 1)
    this.#alarmMs = alarmMs === this.#alarmMs ? alarmMs + 1 : alarmMs
    void this.ctx.storage.setAlarm(this.#alarmMs)
  }

  #hasLease({ seq, lease }: { seq: number; lease: number }): boolean {
    const found = this.#sql.exec('SELECT 1 FROM messages WHERE seq = ? AND lease = ?', seq, lease)
    return found.toArray().length > 0
  }

  #ownName(): string {
    const { name } = this.ctx.id
    if (!name) throw new Error('a Queue is reached by its name')
    return name
  }

  #requireExisting(): void {
    if (this.#deleted) throw new SkerryError('ERR_QUEUE_NOT_FOUND', 'The queue was deleted.')
  }

  #requireRoom(): void {
    this.#requireExisting()
    if (this.#bytes < QUEUE_LIMITS.backlogBytes) return
    throw new SkerryError(
      'ERR_QUEUE_FULL',
      `The queue holds ${this.#bytes} bytes; at most ${QUEUE_LIMITS.backlogBytes} are allowed.`,
    )
  }

  #requireConsumer(id: string): void {
    if (this.#consumer?.consumer_id === id) return
    throw new SkerryError('ERR_QUEUE_CONSUMER_NOT_FOUND', `The queue has no consumer "${id}".`)
  }

  #requirePull(): Consumer {
    this.#requireExisting()
    if (this.#consumer?.type === 'http_pull') return this.#consumer
    throw new SkerryError('ERR_QUEUE_NO_PULL', 'HTTP pull is not enabled: the queue has no such consumer.')
  }

  #read<T>(key: string): T | undefined {
    const [row] = rows.rows<{ value: string }>(this.#sql.exec('SELECT value FROM meta WHERE key = ?', key))
    return row && (JSON.parse(row.value) as T)
  }

  #write(key: string, value: unknown): void {
    this.#sql.exec('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, JSON.stringify(value))
  }
}

/** While batches are under way the object wakes this often: after a crash, they start again that soon. */
const HEARTBEAT_MS = 5000
/** A lease outlasts the run it is for. */
const LEASE_SLACK_MS = 60_000
const SWEEP_MS = 1000
const MAX_ERROR_CHARS = 1000
const UNKNOWN_LEASE = 'The lease is not known: the message was acknowledged or deleted, or delivered again.'
