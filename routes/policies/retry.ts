import * as v from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { readBody } from './body.ts'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Next, type Phase } from './policy.ts'

const options = v.strictObject({
  attempts: v.pipe(
    v.optional(v.pipe(v.number(), v.integer('It must be a whole number.'), v.minValue(2), v.maxValue(10)), 2),
    v.description('How often a request is sent at most, the first time included.'),
  ),
  statuses: v.pipe(
    v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599))), [502, 503, 504]),
    v.description('Answers that are worth another attempt.'),
  ),
  methods: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.toUpperCase())), ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']),
    v.description('Methods that may be repeated; by default those that RFC 9110 calls idempotent.'),
  ),
  backoff: v.pipe(
    v.optional(durationSecondsBetween(0, 10), 0.05),
    v.description(
      'The pause before the second attempt: between half of it and all of it, by chance; then twice as long each time.',
    ),
  ),
  budget: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 20),
    v.description(
      'Repeats in percent of the requests: beyond it nothing is repeated, so that a target that is down isn’t called twice as often.',
    ),
  ),
  max_body_bytes: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10_485_760)), 65_536),
    v.description(
      'A body up to this length is kept to be sent again; a request with a longer one isn’t repeated.',
    ),
  ),
})

type RetryOptions = v.InferOutput<typeof options>

/** Sends a request again if its answer says that this may help. */
export const retryPolicy = definePolicy({
  type: 'retry',
  summary: 'Sends a failed request again, if it may be repeated, within a budget.',
  options,
  create: options => new RetryPhase(options),
})

class RetryPhase implements Phase {
  readonly #options: RetryOptions
  readonly #budget: RetryBudget

  constructor(options: RetryOptions) {
    this.#options = options
    this.#budget = new RetryBudget(options.budget / 100)
  }

  async around(exchange: Exchange, next: Next): Promise<Response> {
    this.#budget.earn()
    const kept = this.#isRepeatable(exchange) ? await this.#keepBody(exchange.request) : undefined
    if (!kept) return next()
    const putBack = exchange.keep()
    for (let attempt = 1; ; attempt++) {
      if (attempt > 1) putBack()
      if (kept.bytes) exchange.request = new Request(exchange.request, { body: kept.bytes })
      const outcome = await next().catch((error: unknown) => ({ error }))
      const isFailure = 'error' in outcome || this.#options.statuses.includes(outcome.status)
      if (!isFailure || attempt === this.#options.attempts || !this.#budget.spend()) {
        if ('error' in outcome) throw outcome.error
        return outcome
      }
      const status = 'error' in outcome ? 'none' : outcome.status
      exchange.trace?.note('The answer is worth another attempt.', { attempt, status })
      if (!('error' in outcome)) await outcome.body?.cancel()
      await pause(this.#options.backoff * 2 ** (attempt - 1))
    }
  }

  explain(exchange: Exchange): undefined {
    const may = this.#isRepeatable(exchange)
    exchange.trace?.note(may ? 'The request may be repeated.' : 'A request of this kind is never repeated.', {
      method: exchange.request.method,
    })
  }

  #isRepeatable({ request }: Exchange): boolean {
    return this.#options.methods.includes(request.method) && request.headers.get('upgrade') === null
  }

  /** Its body, to be sent more than once; `undefined` if it is too long for that. */
  async #keepBody(request: Request): Promise<{ readonly bytes?: Uint8Array<ArrayBuffer> } | undefined> {
    if (!request.body) return {}
    const announced = request.headers.get('content-length')
    // Once read, a body that turns out to be too long is gone: so only announced ones are kept.
    if (announced === null || Number(announced) > this.#options.max_body_bytes) return undefined
    const { max_body_bytes } = this.#options
    const bytes = await readBody(request, max_body_bytes)
    if (bytes) return { bytes }
    // It was longer than it said, which HTTP has no way for; it is gone now.
    throw new SkerryError(
      'ERR_BODY_TOO_LARGE',
      `The body has more than ${max_body_bytes} bytes, unlike it says.`,
    )
  }
}

/** So many repeats per request on average; ten may come at once, so that few requests can be repeated too. */
export class RetryBudget {
  readonly #share: number
  #held = MAX_HELD

  constructor(share: number) {
    this.#share = share
    if (share === 0) this.#held = 0
  }

  /** To be called for each request. */
  earn(): void {
    this.#held = Math.min(MAX_HELD, this.#held + this.#share)
  }

  /** Whether there is enough for a repeat; it is taken then. */
  spend(): boolean {
    if (this.#held < 1) return false
    this.#held -= 1
    return true
  }
}

const MAX_HELD = 10

function pause(seconds: number): Promise<void> {
  if (seconds === 0) return Promise.resolve()
  const ms = seconds * 1000 * (0.5 + Math.random() / 2)
  return new Promise(resolve => setTimeout(resolve, ms))
}
