/** The alarm of an object of ours, which has one. */
export class Alarm {
  readonly #storage: DurableObjectStorage
  /** What it was set to last. */
  #lastMs = 0

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
}
