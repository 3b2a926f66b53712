import { sha256Hex } from '../../../src/core/ids.ts'
import { readBody, withBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import { Partition } from '../partition.ts'
import { definePolicy, type Next, type Phase, type Verdict } from '../policy.ts'
import { parseIdempotencyKey } from './key.ts'
import { type IdempotencyOptions, idempotencyOptions } from './options.ts'
import { keepResponse, replay, type StoredResponse } from './stored-response.ts'

/** Carries a request out once, however often it is sent. */
export const idempotencyPolicy = definePolicy({
  type: 'idempotency',
  summary: 'Carries a request with an Idempotency-Key out once, and answers repeated ones as the first.',
  options: idempotencyOptions,
  create: (options, { name }) => new IdempotencyPhase(options, name),
})

/** What is remembered of a key. JSON. */
interface KeyRecord {
  /** Digest of the request that it was first sent with. */
  readonly fingerprint: string
  /** Tells the request that holds it. */
  readonly holder: string
  readonly isDone: boolean
  /** Absent while it is in progress, and when it was too long to be kept. */
  readonly response?: StoredResponse | undefined
}

/** A request with a key: where the key's record is, and what its own would be. */
interface Keyed {
  readonly id: string
  readonly record: KeyRecord
}

class IdempotencyPhase implements Phase {
  readonly #options: IdempotencyOptions
  readonly #name: string
  readonly #partition: Partition
  readonly #methods: ReadonlySet<string>

  constructor(options: IdempotencyOptions, name: string) {
    this.#options = options
    this.#name = name
    this.#partition = new Partition(options.by)
    this.#methods = new Set(options.methods)
  }

  around(exchange: Exchange, next: Next): Response | Promise<Response> {
    const key = this.#readKey(exchange)
    if (key === undefined) return next()
    if (key instanceof Response) return key
    const work = this.#once(exchange, key, next)
    // A caller that hangs up is the one that will ask again: the answer must be kept for it.
    exchange.services.waitUntil(work.catch(() => {}))
    return work
  }

  /** Says what would be answered from the record, and leaves it as it is. */
  async explain(exchange: Exchange): Promise<Verdict> {
    const key = this.#readKey(exchange)
    if (key === undefined || key instanceof Response) return key
    const keyed = await this.#identify(exchange, key)
    if (keyed instanceof Response) return keyed
    const text = await exchange.services.records.get(keyed.id)
    if (text !== undefined) return this.#answer(exchange, keyed, JSON.parse(text) as KeyRecord)
    exchange.trace?.note('The key is new: the request would be carried out.')
    return undefined
  }

  #readKey(exchange: Exchange): string | undefined | Response {
    const { request, trace } = exchange
    if (!this.#methods.has(request.method)) {
      trace?.note('Requests of this method are not looked at.', { method: request.method })
      return undefined
    }
    const { header, required } = this.#options
    const text = request.headers.get(header)
    if (text === null && !required) {
      trace?.note('The request has no key.', { header })
      return undefined
    }
    if (text === null) return exchange.refuse('ERR_IDEMPOTENCY_KEY', `The header ${header} is missing.`)
    const key = parseIdempotencyKey(text)
    if (key !== undefined) return key
    return exchange.refuse(
      'ERR_IDEMPOTENCY_KEY',
      `The header ${header} is not a key of 1 to 255 visible characters.`,
    )
  }

  async #once(exchange: Exchange, key: string, next: Next): Promise<Response> {
    const keyed = await this.#identify(exchange, key)
    if (keyed instanceof Response) return keyed
    const { records } = exchange.services
    const own = JSON.stringify(keyed.record)
    let held: string
    try {
      const claim = await records.claim(keyed.id, own, this.#options.lease)
      // Claimed by this very request, if the answer to that got lost and it was asked again.
      held = claim.claimed ? own : claim.value
    } catch (error) {
      exchange.trace?.note('The record could not be reached.', { error: String(error) })
      return exchange.refuse(
        'ERR_STATE_UNAVAILABLE',
        "What became of the Idempotency-Key can't be found out.",
      )
    }
    if (held !== own) return this.#answer(exchange, keyed, JSON.parse(held) as KeyRecord)
    exchange.trace?.note('The key is new: the request is carried out.')
    return this.#carryOut(exchange, keyed, next)
  }

  /** @returns a refusal, if the request can't be compared with others */
  async #identify(exchange: Exchange, key: string): Promise<Keyed | Response> {
    const { max_request_bytes: maxBytes } = this.#options
    const body = await readBody(exchange.request, maxBytes)
    if (!body) {
      const detail = `A request with an Idempotency-Key may have a body of at most ${maxBytes} bytes here.`
      return exchange.refuse('ERR_BODY_TOO_LARGE', detail)
    }
    exchange.request = withBody(exchange.request, body)
    const { method, url } = exchange.request
    const fingerprint = await sha256Hex(`${method}\n${url}\n${await sha256Hex(body)}`)
    const caller = await this.#partition.describe(exchange)
    const digest = await sha256Hex(`${exchange.route}\n${caller}\n${key}`)
    return {
      id: `${this.#name}:${digest}`,
      record: { fingerprint, holder: crypto.randomUUID(), isDone: false },
    }
  }

  #answer(exchange: Exchange, { record }: Keyed, held: KeyRecord): Response {
    const { trace } = exchange
    if (held.fingerprint !== record.fingerprint) {
      trace?.note('The key was used for another request before.')
      const detail = 'This Idempotency-Key was sent with another request before: another method, URL or body.'
      return exchange.refuse('ERR_IDEMPOTENCY_REUSED', detail)
    }
    if (!held.isDone) {
      trace?.note('The first request with this key is in progress.')
      const detail = 'The first request with this Idempotency-Key is still being carried out.'
      return exchange.refuse('ERR_IDEMPOTENCY_IN_PROGRESS', detail, { 'retry-after': '1' })
    }
    if (!held.response) {
      trace?.note('The first request was carried out, but its answer was too long to be kept.')
      const detail = `The request with this Idempotency-Key was carried out; its answer was longer than the ${this.#options.max_response_bytes} bytes that are kept.`
      return exchange.refuse('ERR_IDEMPOTENCY_NOT_KEPT', detail)
    }
    trace?.note('The first request was carried out: the same answer again.', { status: held.response.status })
    const response = replay(held.response)
    response.headers.set('idempotency-replayed', 'true')
    return response
  }

  async #carryOut(exchange: Exchange, keyed: Keyed, next: Next): Promise<Response> {
    const startedAtMs = Date.now()
    let response: Response
    try {
      response = await next()
    } catch (error) {
      await this.#release(exchange, keyed, startedAtMs)
      throw error
    }
    if (!isFinal(response)) {
      await this.#release(exchange, keyed, startedAtMs)
      return response
    }
    const kept = await keepResponse(response, this.#options.max_response_bytes)
    await this.#store(exchange, keyed, kept.stored)
    return kept.response
  }

  async #store(exchange: Exchange, { id, record }: Keyed, stored: StoredResponse | undefined): Promise<void> {
    const done: KeyRecord = { ...record, isDone: true, response: stored }
    let isStored = stored !== undefined
    try {
      await exchange.services.records.put(id, JSON.stringify(done), this.#options.ttl)
    } catch (error) {
      exchange.trace?.note('The answer could not be kept.', { error: String(error) })
      isStored = false
    }
    if (!isStored) exchange.responseHeaders.set('idempotency-stored', 'false')
  }

  /** Lets the same request try again. After its lease the key may be another's. */
  async #release(exchange: Exchange, { id }: Keyed, startedAtMs: number): Promise<void> {
    if (Date.now() - startedAtMs >= this.#options.lease * 1000) return
    await exchange.services.records.delete(id).catch(() => {})
  }
}

/** Whether a repeated request would get no better: failures and refusals to try again are not kept. */
function isFinal(response: Response): boolean {
  const isUpgrade = response.status === 101 || Boolean((response as { webSocket?: unknown }).webSocket)
  return !isUpgrade && response.status < 500 && !RETRYABLE.has(response.status)
}

/** Statuses of requests that were not carried out, but may be with other credentials or later. */
const RETRYABLE = new Set([401, 403, 407, 408, 425, 429])
