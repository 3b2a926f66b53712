import { setTimeout as delay } from 'node:timers/promises'
import { Caller } from './caller.ts'
import type { Verdicts } from './crash-verdicts.ts'
import type { RunningPlatform } from './platform.ts'

const SCRIPTS = 5
const KEPT = 4
const FRESH = 2
const PAUSE_MS = 5

const sourceOf = (n: number) => `export default {
  async fetch(request) { return new Response('steady ${n} ' + request.method + ' ' + new URL(request.url).pathname + await request.text()) },
}`

/** Calls five functions all the time, on connections kept alive and on fresh ones. */
export class Callers {
  /** Right answers so far. */
  answered = 0
  readonly #platform: () => RunningPlatform
  readonly #verdicts: Verdicts
  #isOver = false
  #calling: Promise<unknown> | undefined

  constructor(platform: () => RunningPlatform, verdicts: Verdicts) {
    this.#platform = platform
    this.#verdicts = verdicts
  }

  /** Deploys the functions and begins to call them. */
  async start(): Promise<void> {
    const { port } = this.#platform()
    for (let n = 0; n < SCRIPTS; n++) await this.#platform().upload(`steady-${n}`, sourceOf(n))
    const callers = Array.from(
      { length: KEPT + FRESH },
      (_, i) => new Caller({ port }, { keepAlive: i < KEPT }),
    )
    this.#calling = Promise.all(callers.map(caller => this.#callOn(caller, port)))
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#calling
  }

  async #callOn(caller: Caller, port: number): Promise<void> {
    for (let i = 0; !this.#isOver; i++) {
      const n = i % SCRIPTS
      const isPost = i % 3 === 0
      const body = isPost ? ` body ${i}` : undefined
      const method = isPost ? 'POST' : 'GET'
      const answer = await caller.call(`steady-${n}.localhost:${port}`, `/${i}`, {
        method,
        ...(body && { body }),
      })
      const isRight = answer.status === 200 && answer.text === `steady ${n} ${method} /${i}${body ?? ''}`
      if (isRight) this.answered++
      else this.#verdicts.note(`a call of steady-${n}`, answer)
      await delay(isRight ? PAUSE_MS : 4 * PAUSE_MS)
    }
    caller.close()
  }
}
