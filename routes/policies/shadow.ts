import * as v from 'valibot'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Phase } from './policy.ts'

const options = v.strictObject({
  url: v.pipe(
    v.string(),
    v.regex(/^https?:\/\/[^/?#]+(\/[^?#]*)?$/, 'It must be an http: or https: URL without query.'),
    v.description('Where copies go; the path and query of the request are put behind it.'),
  ),
  percent: v.pipe(
    v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 100),
    v.description('How many of the requests are copied.'),
  ),
  methods: v.pipe(
    v.optional(v.array(v.pipe(v.string(), v.toUpperCase())), ['GET', 'HEAD']),
    v.description('Methods that are copied.'),
  ),
  remove: v.pipe(
    v.optional(v.array(v.string()), ['authorization', 'cookie']),
    v.description('Headers that copies don’t have: credentials, by default.'),
  ),
  max_body_bytes: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1_048_576)), 65_536),
    v.description('A request with a body that is longer, or of unknown length, isn’t copied.'),
  ),
  concurrency: v.pipe(
    v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)), 32),
    v.description('Copies under way at once, per edge; beyond that none is made.'),
  ),
})

type ShadowOptions = v.InferOutput<typeof options>

/** Sends copies of requests to a second place, and forgets its answers: the caller never notices. */
export const shadowPolicy = definePolicy({
  type: 'shadow',
  summary: 'Sends copies of requests elsewhere, without any effect on the caller.',
  options,
  create: options => new ShadowPhase(options),
})

class ShadowPhase implements Phase {
  readonly #options: ShadowOptions
  /** When each copy that is under way is given up: milliseconds since the epoch. */
  #underWay: { untilMs: number; isOver: boolean }[] = []

  constructor(options: ShadowOptions) {
    this.#options = options
  }

  request(exchange: Exchange): undefined {
    if (!this.#isWanted(exchange)) return undefined
    if (exchange.isDryRun) {
      exchange.trace?.note('A copy would be sent.', { percent: this.#options.percent })
      return undefined
    }
    this.#underWay = this.#underWay.filter(({ untilMs, isOver }) => !isOver && untilMs > exchange.nowMs)
    if (this.#underWay.length >= this.#options.concurrency) return undefined
    const place = { untilMs: exchange.nowMs + TIMEOUT_MS, isOver: false }
    this.#underWay.push(place)
    const sent = this.#send(exchange).finally(() => {
      place.isOver = true
    })
    exchange.services.waitUntil(sent.catch(() => {}))
    exchange.trace?.note('A copy is sent.', { to: this.#options.url })
    return undefined
  }

  #isWanted({ request }: Exchange): boolean {
    const { methods, percent, max_body_bytes } = this.#options
    if (!methods.includes(request.method) || request.headers.get('upgrade') !== null) return false
    // A copy that comes back here must not be copied again, and again.
    if (request.headers.has(MARK)) return false
    const length = request.headers.get('content-length')
    if (request.body && (length === null || Number(length) > max_body_bytes)) return false
    return percent === 100 || Math.random() * 100 < percent
  }

  async #send(exchange: Exchange): Promise<void> {
    const { pathname, search } = exchange.url
    const { request } = exchange
    const target = this.#options.url.replace(/\/$/, '') + pathname + search
    const headers = new Headers(request.headers)
    // What policies before this one hide from the target, such as keys, is hidden from others all the more.
    if (exchange.changesRequest) exchange.requestHeaders.applyTo(headers)
    for (const name of this.#options.remove) headers.delete(name)
    headers.set(MARK, '1')
    // The copy's body is read at the caller's pace; both halves are short.
    const body = request.body ? await request.clone().arrayBuffer() : null
    const signal = AbortSignal.timeout(TIMEOUT_MS)
    const response = await exchange.services.fetch(target, {
      method: request.method,
      headers,
      body,
      redirect: 'manual',
      signal,
    })
    await response.body?.cancel()
  }
}

const TIMEOUT_MS = 30_000
/** On every copy. */
const MARK = 'skerry-shadow'
