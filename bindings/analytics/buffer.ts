import type { DataPoint } from './point.ts'

/** Points that a process has yet to send, by account: bounded, the newest beyond that are dropped. */
export class PointBuffer {
  readonly #byAccount = new Map<string, DataPoint[]>()
  #size = 0

  /** @returns whether it is the first: then it is to be flushed in a while */
  add(accountId: string, point: DataPoint): boolean {
    if (this.#size >= MAX_BUFFERED) return false
    const points = this.#byAccount.get(accountId)
    if (points) points.push(point)
    else this.#byAccount.set(accountId, [point])
    this.#size++
    return this.#size === 1
  }

  /** All of them, by account; none are left. */
  take(): [accountId: string, points: DataPoint[]][] {
    const taken = [...this.#byAccount]
    this.#byAccount.clear()
    this.#size = 0
    return taken
  }
}

/** With 16 KB each, 80 MB; and a message to the state role carries 32 MiB, so they go in parts. */
const MAX_BUFFERED = 5000
/** At 16 KB each, and two bytes a character, under 32 MiB. */
export const MAX_SENT_AT_ONCE = 500
