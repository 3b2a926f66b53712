import type { Exchange } from '../exchange.ts'
import type { Next } from '../policy.ts'
import { keepHeadAnswer, storePosted } from './also-stored.ts'
import { ask } from './ask.ts'
import type { Entry } from './entry.ts'
import type { Flight } from './flights.ts'
import { obtain } from './obtain.ts'
import { FlightNames, isPersonal, type Plan, type Settings } from './plan.ts'
import { respondStored } from './respond.ts'
import { judge } from './reuse.ts'
import { matchesVary } from './vary.ts'

/** Requests that what is stored doesn't answer. */
export class Misses {
  readonly #settings: Settings
  readonly #names = new FlightNames()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Asks the target, or waits for another request that does. */
  async answer(exchange: Exchange, next: Next, plan: Plan): Promise<Response> {
    const { method } = exchange.request
    const isPlain = isBypassed(exchange.request, plan)
    if (method !== 'GET' || isPlain) return this.#pass(exchange, next, plan, isPlain)
    const { options, memory } = this.#settings
    const { headers } = exchange.request
    const name = this.#names.nameOf(plan, this.#sent(exchange))
    if (memory.passes.get(name)) return this.#fetchAlone(exchange, next, plan)
    if (!options.collapse) return this.#fetch(exchange, next, plan, 0)
    // Who wants a part is not to be made wait long for the whole.
    const wantsPart = plan.entry === undefined && headers.has('range')
    return wantsPart
      ? this.#fetch(exchange, next, plan, PART_WAIT_MS)
      : this.#join(exchange, next, plan, name)
  }

  /** Waits for the request that fetches what this one wants, or becomes it. */
  async #join(
    exchange: Exchange,
    next: Next,
    plan: Plan,
    name: string,
    isSecondTry = false,
  ): Promise<Response> {
    const flight = this.#settings.memory.flights.find(name)
    if (!flight) return this.#fetch(exchange, next, plan, WAIT_MS, name)
    const entry = await waitFor(flight)
    const given = entry && this.#giveCollapsed(exchange, entry, plan)
    if (given) return given
    // By now it may be known that another variant was fetched; that of this request may be somewhere.
    const nameNow = this.#names.nameOf(plan, this.#sent(exchange))
    return nameNow !== name && !isSecondTry
      ? this.#join(exchange, next, plan, nameNow, true)
      : this.#fetchAlone(exchange, next, plan)
  }

  /** Asks the target in the background for what a stale response was just given for. */
  refresh(exchange: Exchange, next: Next, plan: Plan): void {
    const { memory } = this.#settings
    const name = this.#names.nameOf(plan, this.#sent(exchange))
    if (memory.flights.find(name)) return
    const asked = exchange.fork(toWhole(exchange.takeRequest()))
    asked.isBackground = true
    // The client's conditions are met already.
    const refreshed = this.#fetch(asked, next, { ...plan, said: undefined }, WAIT_MS, name)
    exchange.services.waitUntil(refreshed.catch(() => {}))
  }

  /** Stores the answer to a POST that says that a GET would get the same (RFC 9110 §9.3.3). */
  keepPosted(exchange: Exchange, response: Response, url: string, requestMs: number): Response {
    return storePosted(exchange, response, url, requestMs, this.#settings)
  }

  /** A fetch, from wherever it is to be had. @param name others with this name may wait for it on this edge */
  async #fetch(exchange: Exchange, next: Next, plan: Plan, waitMs: number, name?: string): Promise<Response> {
    const { flights } = this.#settings.memory
    const flight = flights.start(plan.id, name)
    const obtained = obtain(exchange, next, plan, this.#settings, flight, waitMs)
    const landed = obtained
      .then(({ stored }) => stored)
      .catch(() => undefined)
      .then(entry => {
        if (name !== undefined) this.#learn(name, plan, entry)
        flights.land(flight, name, entry)
      })
    const ended = obtained
      .then(({ shared }) => shared)
      .catch(() => {})
      .then(() => flights.end(flight))
    // It goes on when this client goes away: others wait for it.
    exchange.services.waitUntil(Promise.all([landed, ended]))
    return (await obtained).response
  }

  /** One from the target, for what is of no use to others. */
  async #fetchAlone(exchange: Exchange, next: Next, plan: Plan): Promise<Response> {
    const { flights, passes } = this.#settings.memory
    const flight = flights.start(plan.id)
    const asked = ask(exchange, next, plan, this.#settings, flight)
    const landed = asked
      .then(({ entry }) => entry)
      .catch(() => undefined)
      .then(entry => {
        flights.end(flight)
        if (!entry) return
        this.#names.learn(plan, entry)
        if (isReusable(entry, this.#settings.clock()))
          passes.delete(this.#names.nameOf(plan, exchange.request.headers))
      })
    exchange.services.waitUntil(landed)
    return (await asked).response
  }

  /** Nothing is stored of it, and nothing about it is changed. */
  async #pass(exchange: Exchange, next: Next, plan: Plan, isPlain: boolean): Promise<Response> {
    const { options } = this.#settings
    const why = isPlain ? (plan.said?.noStore ? 'request' : 'bypass') : plan.why
    if (options.status_header) exchange.responseHeaders.append('cache-status', `Skerry; fwd=${why}`)
    const requestMs = this.#settings.clock()
    const response = await next()
    if (exchange.request.method === 'HEAD' && !isPlain) {
      keepHeadAnswer(exchange, response, plan, requestMs, this.#settings)
    }
    return response
  }

  #giveCollapsed(exchange: Exchange, entry: Entry, plan: Plan): Response | undefined {
    const { options, clock, key } = this.#settings
    const nowMs = clock()
    const isForCaller = entry.init.isShareable || !isPersonal(exchange, key)
    const isSame =
      entry.init.partition === plan.partition && matchesVary(entry.init.vary, this.#sent(exchange))
    if (!isForCaller || !isSame || judge(entry, plan.said, nowMs) !== 'hit') return undefined
    exchange.trace?.note('Another request fetched the response; this one waited for it.')
    const { method, headers } = exchange.request
    const status = options.status_header ? `Skerry; fwd=${plan.why}; collapsed` : undefined
    return respondStored(entry, { method, request: headers, nowMs, status })
  }

  /** What can't be reused makes nobody wait the next time. */
  #learn(name: string, plan: Plan, entry: Entry | undefined): void {
    if (entry) this.#names.learn(plan, entry)
    const { memory, clock } = this.#settings
    if (!entry || !isReusable(entry, clock())) memory.passes.set(name, true)
    else memory.passes.delete(name)
  }

  #sent(exchange: Exchange): Headers {
    return exchange.changesRequest ? exchange.takeRequest().headers : exchange.request.headers
  }
}

const isReusable = (entry: Entry, nowMs: number): boolean => nowMs < entry.freshUntilMs

/** A condition that is not for caches, a body, another protocol, or a wish that nothing be stored: these are for the target alone. */
function isBypassed({ headers, body }: Request, { said }: Plan): boolean {
  if (
    said?.noStore ||
    headers.has('upgrade') ||
    headers.has('if-match') ||
    headers.has('if-unmodified-since')
  )
    return true
  return body !== null
}

/** What is stored is whole: what a HEAD or a wish for a part brings must not take its place. */
function toWhole(request: Request): Request {
  if (request.method === 'GET' && !request.headers.has('range')) return request
  const whole = new Request(request, { method: 'GET' })
  for (const name of ['range', 'if-range']) whole.headers.delete(name)
  return whole
}

async function waitFor(flight: Flight): Promise<Entry | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => resolve(undefined), WAIT_MS)
  const entry = await Promise.race([flight.landed, late])
  clearTimeout(timer)
  // It was fetched before something was written there.
  return flight.isTainted ? undefined : entry
}

/** Who waits longer than a function may take asks the target itself. */
const WAIT_MS = 20_000
const PART_WAIT_MS = 2000
