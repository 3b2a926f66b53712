import { RpcTarget } from 'cloudflare:workers'

/** What `run()` can ask of its engine. */
export interface StepCalls {
  do(name: unknown, ...rest: readonly unknown[]): Promise<unknown>
  sleep(name: unknown, duration: unknown): Promise<void>
  sleepUntil(name: unknown, timestamp: unknown): Promise<void>
  waitForEvent(name: unknown, options: unknown): Promise<unknown>
}

/** The `step` that `run()` gets: each call goes back to the workflow's object. */
export class Step extends RpcTarget implements StepCalls {
  readonly #calls: StepCalls

  constructor(calls: StepCalls) {
    super()
    this.#calls = calls
  }

  do(name: unknown, ...rest: readonly unknown[]): Promise<unknown> {
    return this.#calls.do(name, ...rest)
  }

  sleep(name: unknown, duration: unknown): Promise<void> {
    return this.#calls.sleep(name, duration)
  }

  sleepUntil(name: unknown, timestamp: unknown): Promise<void> {
    return this.#calls.sleepUntil(name, timestamp)
  }

  waitForEvent(name: unknown, options: unknown): Promise<unknown> {
    return this.#calls.waitForEvent(name, options)
  }
}
