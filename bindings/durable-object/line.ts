import { RecentMap } from '../../src/core/recent-map.ts'

/**
 * The place of a call among those that its process sent to the same object.
 *
 * Natively the calls of a stub reach an object in the order they were made. Between processes each is a session of
 * its own, and workerd begins those that wait for an isolate in any order: the last first, as often as not.
 */
export interface Place {
  /** Whose numbers they are: a process's, for as long as it lost no connection. */
  readonly sender: string
  /** Counts from 0. */
  readonly number: number
  /** There is none before it, or that one must have come by now. */
  readonly isFree: boolean
}

/** The next place in line for an object; its name is that of its host. Taken when the call is sent. */
export function takePlace(object: string): Place {
  sender ??= crypto.randomUUID()
  const nowMs = Date.now()
  const last = taken.get(object)
  const number = last ? last.number + 1 : 0
  taken.set(object, { number, sentMs: nowMs })
  return { sender, number, isFree: !last || nowMs - last.sentMs > ON_THE_WAY_MS }
}

/** The connection was lost, and calls with it: those that follow wait for none of them. */
export function leaveLine(): void {
  sender = undefined
  taken.clear()
}

let sender: string | undefined
const taken = new RecentMap<string, { readonly number: number; readonly sentMs: number }>(10_000)
const ON_THE_WAY_MS = 5000

/** Where calls come in from other processes. */
export class Line {
  readonly #queues = new RecentMap<string, Queue>(10_000)
  readonly #look: () => Promise<void>

  /** @param look waits a moment, in which calls that have arrived are begun */
  constructor(look: () => Promise<void> = () => scheduler.wait(LOOK_MS)) {
    this.#look = look
  }

  /**
   * Makes a call when the one before it has been made, or has not come after some looks: it was given up.
   *
   * @param place none: it came by no other process
   */
  async enter<T>(object: string, place: Place | undefined, call: () => Promise<T>): Promise<T> {
    if (!place) return call()
    const { sender, number, isFree } = place
    const key = `${sender}/${object}`
    const queue: Queue = this.#queues.get(key) ?? { last: -1, waiting: new Map() }
    if (queue.last === -1) this.#queues.set(key, queue)
    if (!isFree && queue.last < number - 1) await this.#wait(queue, number)
    const answer = call()
    queue.last = Math.max(queue.last, number)
    queue.waiting.get(number + 1)?.()
    return answer
  }

  async #wait({ waiting }: Queue, number: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.set(number, resolve)
    const isNext = () => waiting.keys().every(other => other >= number)
    await Promise.race([promise, this.#lookAround(isNext)])
    waiting.delete(number)
  }

  /**
   * Not one timer: a process that stood still sees it ring before it sees who came meanwhile. Those who are further
   * ahead go first, unless they have been given up as well: nobody tells when one is.
   */
  async #lookAround(isNext: () => boolean): Promise<void> {
    for (let looks = 0; looks < LOOKS || (looks < MAX_LOOKS && !isNext()); looks++) await this.#look()
  }
}

/** Of the calls of one sender to one object. */
interface Queue {
  /** The number of the last that was made. */
  last: number
  /** Who waits for the one before, by number. */
  readonly waiting: Map<number, () => void>
}

const LOOK_MS = 10
const LOOKS = 10
const MAX_LOOKS = 50
