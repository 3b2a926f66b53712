/**
 * Lets one long task at a time have a database to itself: an import, or an export that others' writes would tear.
 * What is synchronous needs no more than to wait until it is free.
 */
export class Turnstile {
  #held: Promise<unknown> | undefined

  /** Resolves when nobody holds it; what follows at once, without waiting, is alone. */
  async free(): Promise<void> {
    while (this.#held) await this.#held
  }

  /** Runs a task alone. */
  async pass<T>(task: () => Promise<T>): Promise<T> {
    const release = await this.hold()
    try {
      return await task()
    } finally {
      release()
    }
  }

  /** Takes it until the function that it gives is called. */
  async hold(): Promise<() => void> {
    await this.free()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#held = promise
    return () => {
      if (this.#held !== promise) return
      this.#held = undefined
      resolve()
    }
  }
}
