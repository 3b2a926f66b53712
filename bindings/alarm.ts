/** While something is under way an object looks after it this often, or after an alarm that failed: after a crash, too. */
export const HEARTBEAT_MS = 5000

/** The alarm of an object of ours, which has one. */
export class Alarm {
  readonly #storage: DurableObjectStorage
  /** What it was set to last. */
  #lastMs = 0
  /** When it rings, if `by` has set it. */
  #ringsAt: number | undefined

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /**
   * Sets it to ring then; a time that has passed is the next millisecond. Resolves when that is on disk; what the
   * object answers waits for it anyhow.
   *
   * workerd (2026-11-17) takes an alarm that its handler sets to the very millisecond for which it was called, past
   * times counting as the present, for the one that has rung. One that rings a moment early, by our clock, would be
   * the object's last.
   */
  set(at: number): Promise<void> {
    const ms = Math.max(Math.ceil(at), Date.now() + 1)
    this.#lastMs = ms === this.#lastMs ? ms + 1 : ms
    return this.#storage.setAlarm(this.#lastMs)
  }

  /** Sets it to ring then, unless it rings earlier anyway. */
  by(at: number): void {
    if (this.#ringsAt !== undefined && this.#ringsAt <= at) return
    this.#ringsAt = at
    this.set(at)
  }

  /** To be called when the storage was emptied: it is not set any more. */
  clear(): void {
    this.#ringsAt = undefined
  }

  /**
   * What a handler does that sets the alarm again by itself, and never waits for anything: while an alarm handler is
   * busy no other alarm rings. Never throws.
   *
   * @param whose the object's kind, for the log
   */
  ring(whose: string, pump: () => void): void {
    this.clear()
    try {
      pump()
    } catch (error) {
      // workerd gives an alarm that throws up after six tries.
      console.error(`${whose}: the alarm failed and will be tried again:`, error)
      this.by(Date.now() + HEARTBEAT_MS)
    }
  }
}
