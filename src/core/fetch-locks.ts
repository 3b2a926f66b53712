/**
 * Locks by key for what only one of many should fetch: the others wait until it is there, and look again.
 *
 * A holder says from time to time that it is still at it; one that isn't heard of has died with its process, and
 * must not keep the others waiting: they come again, and the first to come has it. In memory: who holds one when this
 * process ends loses it, and one more fetches.
 */
export class FetchLocks {
  readonly #locks = new Map<string, Lock>()
  readonly #deadlineMs: number

  /** @param deadlineMs so long after its holder was heard of a lock is over */
  constructor(deadlineMs = 2000) {
    this.#deadlineMs = deadlineMs
  }

  /** How many are held. */
  get size(): number {
    return this.#locks.size
  }

  /** Takes the lock, or waits until its holder is done or late: then it is to be seen whether anything is there now. */
  begin(key: string): Promise<{ isFetcher: boolean; handle: string }> {
    const held = this.#locks.get(key)
    const { promise, resolve } = Promise.withResolvers<{ isFetcher: boolean; handle: string }>()
    if (held) {
      held.waiters.push(resolve)
    } else {
      const handle = crypto.randomUUID()
      this.#locks.set(key, { handle, waiters: [], timer: this.#watch(key, handle) })
      resolve({ isFetcher: true, handle })
    }
    return promise
  }

  /** Its holder is still at it. With a handle whose lock is over already, nothing happens. */
  renew(key: string, handle: string): void {
    const lock = this.#locks.get(key)
    if (lock?.handle !== handle) return
    clearTimeout(lock.timer)
    lock.timer = this.#watch(key, handle)
  }

  /** Ends the lock and tells who waits. With a handle whose lock is over already, nothing happens. */
  done(key: string, handle: string): void {
    const lock = this.#locks.get(key)
    if (lock?.handle !== handle) return
    clearTimeout(lock.timer)
    this.#locks.delete(key)
    for (const resolve of lock.waiters) resolve({ isFetcher: false, handle: '' })
  }

  /** Late is as good as done. Nobody is given the lock: who waits may be dead, too. */
  #watch(key: string, handle: string): Timer {
    return setTimeout(() => this.done(key, handle), this.#deadlineMs)
  }
}

type Timer = ReturnType<typeof setTimeout>

type Waiter = (outcome: { isFetcher: boolean; handle: string }) => void

interface Lock {
  readonly handle: string
  readonly waiters: Waiter[]
  timer: Timer
}
