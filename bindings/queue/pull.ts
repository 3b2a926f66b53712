import type { QueueConfig } from './config.ts'
import type { Letters } from './letters.ts'
import type { Messages } from './messages.ts'
import { type PulledMessage, readLeaseId, toPulled } from './pulled.ts'

/** What a puller got. */
export interface Pulled {
  readonly backlogCount: number
  readonly messages: PulledMessage[]
}

/** A message that a puller puts back. */
export interface PullRetry {
  readonly leaseId: string
  /** Seconds; absent = as long as the consumer's settings say. */
  readonly delaySeconds?: number
}

/** What became of messages that were pulled, in the form of Cloudflare's API. */
export interface Acknowledged {
  readonly ackCount: number
  readonly retryCount: number
  /** Why leases were left out, by their texts. */
  readonly warnings: Readonly<Record<string, string>>
}

/** Messages for whoever asks by HTTP: leased, then acknowledged or put back. Such leases outlast the process. */
export class Pull {
  readonly #config: QueueConfig
  readonly #messages: Messages
  readonly #letters: Letters

  constructor(config: QueueConfig, messages: Messages, letters: Letters) {
    this.#config = config
    this.#messages = messages
    this.#letters = letters
  }

  /** @throws ERR_QUEUE_NO_PULL */
  take(size: number, visibilityMs: number | undefined, nowMs: number): Pulled {
    const { settings } = this.#config.requirePull()
    const { delivery_paused: isPaused, message_retention_period: retentionSeconds } = this.#config.settings
    this.#messages.sweep(nowMs, retentionSeconds)
    if (isPaused) return { backlogCount: this.#messages.count, messages: [] }
    const untilMs = nowMs + (visibilityMs ?? settings.visibility_timeout_ms ?? 0)
    // Below zero: those above end with the process.
    const lease = -(1 + Math.floor(Math.random() * 2 ** 52))
    const leased = this.#messages.lease(lease, nowMs, untilMs, size)
    const messages = this.#letters.buryDead(leased, settings, nowMs)
    return {
      backlogCount: this.#messages.count,
      messages: messages.map(message => toPulled(message, lease)),
    }
  }

  /** What is not known any more is told of, and no error. @throws ERR_QUEUE_NO_PULL */
  acknowledge(acks: readonly string[], retries: readonly PullRetry[], nowMs: number): Acknowledged {
    const { settings } = this.#config.requirePull()
    const warnings: Record<string, string> = {}
    let ackCount = 0
    let retryCount = 0
    for (const leaseId of acks) {
      const lease = readLeaseId(leaseId)
      // As on Cloudflare, also when the lease is over: what was done is done.
      const deleted = lease ? this.#messages.delete([lease.seq]) : 0
      ackCount += deleted
      if (deleted === 0) warnings[leaseId] = UNKNOWN_LEASE
    }
    for (const { leaseId, delaySeconds = settings.retry_delay } of retries) {
      const lease = readLeaseId(leaseId)
      if (!lease || !this.#messages.hasLease(lease.seq, lease.lease)) {
        warnings[leaseId] = UNKNOWN_LEASE
        continue
      }
      retryCount++
      if (lease.attempts > settings.max_retries) this.#letters.bury([lease.seq], nowMs)
      else this.#messages.putBack([lease.seq], lease.lease, { visibleMs: nowMs + delaySeconds * 1000 })
    }
    return { ackCount, retryCount, warnings }
  }
}

const UNKNOWN_LEASE = 'The lease is not known: the message was acknowledged or deleted, or delivered again.'
