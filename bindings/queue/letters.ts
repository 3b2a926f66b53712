import { HEARTBEAT_MS } from '../alarm.ts'
import type { QueueConfig } from './config.ts'
import { QUEUE_LIMITS } from './limits.ts'
import type { ArrivingMessage, LeasedMessage, Messages } from './messages.ts'
import { holdMs } from './plan.ts'
import { rows } from './schema.ts'
import type { ConsumerSettings } from './settings.ts'

/** A message on its way to another queue. */
export interface Letter extends ArrivingMessage {
  readonly number: number
  /** The other queue's name. */
  readonly target: string
}

/** Gives letters to the queue of that name; rejects if it can't take them. */
export type HandOn = (target: string, letters: readonly Letter[]) => Promise<void>

/** Messages between queues: those that died go to the dead letter queue, and back when they are redriven. */
export class Letters {
  readonly #sql: SqlStorage
  readonly #config: QueueConfig
  readonly #messages: Messages
  #isSending = false
  /** Queues that could not take letters, by name. */
  readonly #waits = new Map<string, { readonly failures: number; readonly untilMs: number }>()

  constructor(sql: SqlStorage, config: QueueConfig, messages: Messages) {
    this.#sql = sql
    this.#config = config
    this.#messages = messages
  }

  /** How many are still here. */
  count(): number {
    return this.#sql.exec<{ n: number }>('SELECT count(*) AS n FROM letters').one().n
  }

  /** Messages that failed too often go to the dead letter queue, or nowhere. */
  bury(seqs: readonly number[], nowMs: number): void {
    if (seqs.length === 0) return
    const target = this.#config.consumer?.dead_letter_queue
    if (target === undefined) this.#messages.delete(seqs)
    else this.write(seqs, target, this.#config.name, nowMs)
  }

  /** Buries those of leased messages that were delivered as often as they may before. @returns the others */
  buryDead(
    leased: readonly LeasedMessage[],
    { max_retries: maxRetries }: ConsumerSettings,
    nowMs: number,
  ): LeasedMessage[] {
    const isDead = ({ attempts }: LeasedMessage) => attempts > maxRetries + 1
    this.bury(
      leased.filter(isDead).map(({ seq }) => seq),
      nowMs,
    )
    return leased.filter(message => !isDead(message))
  }

  /** Messages become letters to a queue, or where `target` is `null`, each to the one it died in. */
  write(seqs: readonly number[], target: string | null, source: string | null, nowMs: number): void {
    this.#sql.exec(
      `INSERT INTO letters (target, id, type, sent_ms, dead_ms, source, body)
       SELECT coalesce(?, source), id, type, sent_ms, ?, ?, body FROM messages
       WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`,
      ...[target, nowMs, source, JSON.stringify(seqs)],
    )
    this.#messages.delete(seqs)
  }

  /**
   * Hands letters on, a hundred at a time; those to a queue that can't take them wait, and keep no others.
   *
   * @returns a promise that never rejects, until they are gone or wait; `undefined` = none are to be sent now
   */
  send(nowMs: number, handOn: HandOn): Promise<void> | undefined {
    if (this.#isSending) return undefined
    const letters = this.#next(nowMs)
    const [first] = letters
    if (!first) return undefined
    this.#isSending = true
    return this.#send(first.target, letters, handOn)
  }

  /** When to look after those that are here again. */
  nextSend(nowMs: number): number | undefined {
    const lookMs = nowMs + HEARTBEAT_MS
    if (this.#isSending) return lookMs
    if (this.#sql.exec('SELECT 1 FROM letters LIMIT 1').toArray().length === 0) return undefined
    return Math.min(lookMs, ...[...this.#waits.values()].map(({ untilMs }) => untilMs))
  }

  /** Takes letters in that haven't come yet: a sender that doesn't know whether they did sends them again. */
  receive(from: string, letters: readonly Letter[], nowMs: number): void {
    const last = 'SELECT number FROM received WHERE source = ?'
    const lastNumber = rows<{ number: number }>(this.#sql.exec(last, from))[0]?.number ?? 0
    const fresh = letters.filter(({ number }) => number > lastNumber)
    for (const letter of fresh) this.#messages.insert(letter, nowMs, nowMs)
    const newest = fresh.at(-1)
    if (newest) this.#sql.exec('INSERT OR REPLACE INTO received VALUES (?, ?)', from, newest.number)
  }

  async #send(target: string, letters: readonly Letter[], handOn: HandOn): Promise<void> {
    try {
      await handOn(target, letters)
      const numbers = JSON.stringify(letters.map(({ number }) => number))
      this.#sql.exec('DELETE FROM letters WHERE number IN (SELECT value FROM json_each(?))', numbers)
      this.#waits.delete(target)
    } catch (error) {
      const failures = (this.#waits.get(target)?.failures ?? -1) + 1
      this.#waits.set(target, { failures, untilMs: Date.now() + holdMs(failures) })
      console.error(`queue: letters to "${target}" wait:`, String(error))
    } finally {
      this.#isSending = false
    }
  }

  /** The oldest that may be sent, all to one queue. */
  #next(nowMs: number): Letter[] {
    const waiting = [...this.#waits].filter(([, { untilMs }]) => untilMs > nowMs)
    return rows(
      this.#sql.exec(
        `SELECT number, target, id, type, sent_ms AS sentMs, source, body FROM letters WHERE target =
           (SELECT target FROM letters WHERE target NOT IN (SELECT value FROM json_each(?)) ORDER BY number LIMIT 1)
         ORDER BY number LIMIT ?`,
        ...[JSON.stringify(waiting.map(([target]) => target)), QUEUE_LIMITS.batchMessages],
      ),
    )
  }
}
