/** What a consumer did with a message at one delivery: its number, the message's id, attempts, whether it was acknowledged. */
export type Entry = readonly [number: number, id: string, attempts: number, acked: 0 | 1]

/** What a consumer said of one batch: when it got it, and its entries. */
export interface BatchRecord {
  readonly startedMs: number
  readonly entries: readonly Entry[]
}

/** How a run ended. */
export interface QueueVerdict {
  readonly acknowledged: number
  readonly deliveries: number
  /** Messages that were acknowledged by their consumer and delivered again all the same. */
  readonly duplicates: number
  readonly dead: number
  readonly mostAttempts: number
  readonly violations: readonly string[]
}

/**
 * Holds a queue to its word: of the messages whose sending was acknowledged, each was acknowledged by its consumer
 * or is a dead letter, once; only those are dead that failed too often; a message's attempts count up.
 */
export class QueueLedger {
  readonly #sent = new Set<number>()
  readonly #deliveries = new Map<
    string,
    { startedMs: number; attempts: number; acked: boolean; n: number }[]
  >()
  readonly #dead = new Map<string, { n: number; times: number }>()

  sent(numbers: readonly number[]): void {
    for (const n of numbers) this.#sent.add(n)
  }

  record({ startedMs, entries }: BatchRecord): void {
    for (const [n, id, attempts, acked] of entries) {
      const of = this.#deliveries.get(id) ?? []
      if (of.length === 0) this.#deliveries.set(id, of)
      of.push({ startedMs, attempts, acked: acked === 1, n })
    }
  }

  dead(n: number, id: string): void {
    const known = this.#dead.get(id)
    this.#dead.set(id, { n, times: (known?.times ?? 0) + 1 })
  }

  /** Numbers sent for certain that nobody has seen the end of. */
  open(): number[] {
    const ended = new Set<number>()
    for (const deliveries of this.#deliveries.values()) {
      for (const { n, acked } of deliveries) if (acked) ended.add(n)
    }
    for (const { n } of this.#dead.values()) ended.add(n)
    return [...this.#sent].filter(n => !ended.has(n))
  }

  /** @param isPoison whether a message must end as a dead letter, and no other may */
  judge(isPoison: (n: number) => boolean, maxRetries: number): QueueVerdict {
    const violations = this.open().map(n => `message ${n} is lost`)
    let deliveries = 0
    let duplicates = 0
    let mostAttempts = 0
    for (const [id, all] of this.#deliveries) {
      deliveries += all.length
      const acks = all.filter(({ acked }) => acked).length
      duplicates += Math.max(0, acks - 1)
      const inTime = all.toSorted((a, b) => a.startedMs - b.startedMs || a.attempts - b.attempts)
      for (const [i, { attempts, n }] of inTime.entries()) {
        mostAttempts = Math.max(mostAttempts, attempts)
        const before = inTime[i - 1]
        if (before && before.attempts >= attempts) {
          violations.push(`message ${n}: attempt ${attempts} came after attempt ${before.attempts}`)
        }
        if (attempts > maxRetries + 1)
          violations.push(`message ${n}: attempt ${attempts} of ${maxRetries + 1}`)
      }
      const n = inTime[0]?.n ?? -1
      if (isPoison(n) && acks > 0) violations.push(`message ${n} was acknowledged and never could be`)
      if (isPoison(n) && !this.#dead.has(id))
        violations.push(`message ${n} failed too often and is no dead letter`)
    }
    for (const [id, { n, times }] of this.#dead) {
      if (times > 1) violations.push(`message ${n} is a dead letter ${times} times`)
      const most = Math.max(0, ...(this.#deliveries.get(id) ?? []).map(({ attempts }) => attempts))
      if (!isPoison(n)) violations.push(`message ${n} is a dead letter after ${most} attempts seen`)
    }
    const acknowledged = this.#sent.size
    return { acknowledged, deliveries, duplicates, dead: this.#dead.size, mostAttempts, violations }
  }
}
