import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { StrikeKind } from '../src/core/strikes.ts'
import { messageOf } from './failure.ts'
import { sendOps } from './ops.ts'

/** That a process had to be ended because of a function. */
export interface Strike {
  readonly accountId: string
  readonly script: string
  /** The isolate's, from its id. */
  readonly digest: string
  readonly kind: StrikeKind
  /** Milliseconds since the epoch. */
  readonly atMs: number
  /** What was seen, for the function's author. */
  readonly detail: string
  /** The process's name. */
  readonly edge: string
}

/** What the state process says to a strike. */
export interface StrikeAnswer {
  /** The function isn't called any more, until its quarantine ends. */
  readonly quarantined: boolean
}

/** Where strikes go, and how patiently. */
export interface StrikePostOptions {
  /** The state process's ops socket. */
  readonly socketPath: string
  readonly log: (line: string) => void
  /** Strikes that wait at most; beyond it the oldest is given up. Default 1,000. */
  readonly maxWaiting?: number
  /** The first pause before another try; it doubles up to the last. Default 50 and 2,000. */
  readonly retryMinMs?: number
  readonly retryMaxMs?: number
  /** How long one try may take. Default 2,000. */
  readonly timeoutMs?: number
}

interface Waiting {
  readonly strike: Strike
  readonly body: string
  readonly settle: (answer: StrikeAnswer | undefined) => void
}

/**
 * Delivers strikes to the state process: `POST /strikes`, one after another in the order they were posted, each
 * until it is taken. A strike may arrive twice, if an answer was lost: it has an `id`, and counts once. Those that
 * wait are in memory only.
 */
export class StrikePost {
  readonly #options: StrikePostOptions
  readonly #closed = new AbortController()
  readonly #queue: Waiting[] = []
  #isDelivering = false

  constructor(options: StrikePostOptions) {
    this.#options = options
  }

  /** Strikes that aren't delivered yet. */
  get waiting(): number {
    return this.#queue.length
  }

  /**
   * Resolves to the answer; to `undefined` if the strike was refused or given up, which the log says. Never
   * rejects.
   */
  post(strike: Strike): Promise<StrikeAnswer | undefined> {
    const { maxWaiting = 1000 } = this.#options
    const { promise, resolve } = Promise.withResolvers<StrikeAnswer | undefined>()
    if (this.#closed.signal.aborted) return Promise.resolve(undefined)
    this.#queue.push({ strike, body: JSON.stringify({ id: randomUUID(), ...strike }), settle: resolve })
    while (this.#queue.length > maxWaiting) {
      this.#giveUp(this.#queue.shift(), `more than ${maxWaiting} wait for the state process`)
    }
    if (!this.#isDelivering) void this.#deliver()
    return promise
  }

  /** Ends deliveries; what waits is given up. */
  close(): void {
    this.#closed.abort()
    for (const waiting of this.#queue.splice(0)) this.#giveUp(waiting, 'the platform stops')
  }

  async #deliver(): Promise<void> {
    const { retryMinMs = 50, retryMaxMs = 2000 } = this.#options
    this.#isDelivering = true
    for (let failures = 0; ; ) {
      const [next] = this.#queue
      if (!next) break
      const outcome = await this.#send(next.body)
      if (outcome.result === 'later') {
        const pauseMs = Math.min(retryMinMs * 2 ** failures++, retryMaxMs)
        await delay(pauseMs, undefined, { signal: this.#closed.signal }).catch(() => {})
        continue
      }
      failures = 0
      // Given up meanwhile, it has been settled: its place may be another's.
      if (this.#queue[0] === next) this.#queue.shift()
      if (outcome.result === 'taken') next.settle(outcome.answer)
      else this.#giveUp(next, outcome.reason)
    }
    this.#isDelivering = false
  }

  async #send(body: string): Promise<Outcome> {
    const { socketPath, timeoutMs = 2000 } = this.#options
    const signal = AbortSignal.any([this.#closed.signal, AbortSignal.timeout(timeoutMs)])
    try {
      const { status, text } = await sendOps(socketPath, 'POST', '/strikes', body, signal)
      // Refused as it is, it would be again, and hold up the rest.
      if (status >= 400 && status < 500)
        return { result: 'refused', reason: `${status} ${text.slice(0, 200)}` }
      if (status !== 200) return { result: 'later' }
      return { result: 'taken', answer: { quarantined: isQuarantined(JSON.parse(text)) } }
    } catch (error) {
      return error instanceof SyntaxError
        ? { result: 'refused', reason: messageOf(error) }
        : { result: 'later' }
    }
  }

  #giveUp(waiting: Waiting | undefined, reason: string): void {
    if (!waiting) return
    const { kind, accountId, script } = waiting.strike
    this.#options.log(`a ${kind} strike of ${accountId}/${script} is not counted: ${reason}`)
    waiting.settle(undefined)
  }
}

/** `later`: the state process is away, or can't now. */
type Outcome =
  | { readonly result: 'taken'; readonly answer: StrikeAnswer }
  | { readonly result: 'refused'; readonly reason: string }
  | { readonly result: 'later' }

function isQuarantined(answer: unknown): boolean {
  return (
    typeof answer === 'object' && answer !== null && 'quarantined' in answer && answer.quarantined === true
  )
}
