import { asOwn } from '../../../src/core/shared-promise.ts'
import type { Services } from '../services.ts'

/** What a fetch needs of the exchange that makes it. */
export type Ways = Pick<Services, 'fetch' | 'waitUntil'>

/** What was fetched, and how long it is good. */
export interface Fetched<T> {
  readonly value: T
  readonly lifetimeSeconds: number
}

export interface RefreshBounds {
  /** How long a value goes on being used while no other can be had, counted from its fetch. */
  readonly maxStaleSeconds: number
  /** How soon may be asked again, after a failure or because something wasn't in the value. */
  readonly cooldownSeconds: number
  /** How long a fetch may be under way: after that whoever began it is taken for gone, and somebody else tries. */
  readonly patienceMs: number
}

/**
 * A value from elsewhere: fetched when first needed, kept while it is good, and fetched again in the background when
 * it is past its time. One fetch at a time, however many exchanges wait for it.
 */
export class Refreshed<T> {
  readonly #fetch: (services: Ways) => Promise<Fetched<T>>
  readonly #bounds: RefreshBounds
  readonly #now: () => number
  #value: T | undefined
  #freshUntilMs = 0
  #usableUntilMs = 0
  #askedAtMs = Number.NEGATIVE_INFINITY
  #failure: { readonly error: unknown; readonly atMs: number } | undefined
  #underway: Promise<T> | undefined

  /** @param now milliseconds since the epoch */
  constructor(fetch: (services: Ways) => Promise<Fetched<T>>, bounds: RefreshBounds, now: () => number) {
    this.#fetch = fetch
    this.#bounds = bounds
    this.#now = now
  }

  /** The value if there is one that may be used, perhaps past its time. */
  get held(): T | undefined {
    return this.#now() < this.#usableUntilMs ? this.#value : undefined
  }

  /** Whether the source may be asked whether it has something newer: not so soon after it was asked. */
  get mayAskAgain(): boolean {
    return this.#now() >= this.#askedAtMs + this.#bounds.cooldownSeconds * 1000
  }

  /** Why it couldn't be fetched when that was last tried; `undefined` if it could. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure
  }

  /** Whether somebody is fetching it right now. */
  get isUnderway(): boolean {
    return this.#underway !== undefined && this.#now() < this.#askedAtMs + this.#bounds.patienceMs
  }

  /** The value; a promise only if there is none that may be used. Rejects with what the fetch throws. */
  get(services: Ways): T | Promise<T> {
    const held = this.held
    if (held === undefined) return this.refresh(services)
    this.keepFresh(services)
    return held
  }

  /** Fetches it again in the background if it is past its time. Cheap: for every request. */
  keepFresh(services: Ways): void {
    if (this.#now() >= this.#freshUntilMs && !this.#isCoolingDown())
      void this.refresh(services).catch(() => {})
  }

  /** Fetches it now, or waits for who is at it. Soon after a failure that is the answer again. */
  refresh(services: Ways): Promise<T> {
    if (this.#underway && this.isUnderway) return asOwn(this.#underway, this.#bounds.patienceMs)
    if (this.#failure && this.#isCoolingDown()) return Promise.reject(this.#failure.error)
    this.#askedAtMs = this.#now()
    const promise: Promise<T> = this.#fetchNow(services).finally(() => {
      if (this.#underway === promise) this.#underway = undefined
    })
    this.#underway = promise
    // Other exchanges may wait for it, so this one has to live until it settles.
    services.waitUntil(promise.catch(() => {}))
    return promise
  }

  async #fetchNow(services: Ways): Promise<T> {
    try {
      const { value, lifetimeSeconds } = await this.#fetch(services)
      const now = this.#now()
      this.#value = value
      this.#freshUntilMs = now + lifetimeSeconds * 1000
      this.#usableUntilMs = now + Math.max(lifetimeSeconds, this.#bounds.maxStaleSeconds) * 1000
      this.#failure = undefined
      return value
    } catch (error) {
      this.#failure = { error, atMs: this.#now() }
      throw error
    }
  }

  #isCoolingDown(): boolean {
    return (
      this.#failure !== undefined && this.#now() < this.#failure.atMs + this.#bounds.cooldownSeconds * 1000
    )
  }
}
