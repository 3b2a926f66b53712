import type { Exchange } from '../exchange.ts'
import type { Next } from '../policy.ts'
import { ask, type Outcome } from './ask.ts'
import type { Entry } from './entry.ts'
import { type Plan, partOf, type Settings } from './plan.ts'
import { respondStored } from './respond.ts'
import { judge } from './reuse.ts'
import { dropSecond, readSecond, writeSecond } from './second-level.ts'

/** An answer for the one who asked, and what becomes of it for the others. */
export interface Obtained {
  readonly response: Response
  /** Resolves to what was stored, `undefined` if nothing was; never rejects. */
  readonly stored: Promise<Entry | undefined>
  /** Resolves when other edges can find it; never rejects. */
  readonly shared: Promise<void>
}

/**
 * Gets what is missing: from the store that all edges share, or from the target, one of all edges at a time.
 *
 * What is shared may fail: then this edge goes to the target by itself. The lock is held until other edges can find
 * what was fetched.
 *
 * @param waitMs how long another edge is waited for that fetches it; 0 = not at all, and no edge waits for this one
 */
export async function obtain(
  exchange: Exchange,
  next: Next,
  plan: Plan,
  settings: Settings,
  flight: { readonly isTainted: boolean },
  waitMs: number,
): Promise<Obtained> {
  const { options, memory, clock } = settings
  const { found, lock } = options.shared ? await lookUp(exchange, plan, waitMs, clock) : NEITHER
  try {
    const held = found.entry && !flight.isTainted && isUsable(found.entry, plan) ? found.entry : undefined
    const use = held && judge(held, plan.said, clock())
    const fetching = toFetching(plan, held, clock())
    const keep = (outcome: Promise<Kept>) =>
      share(exchange, outcome, plan, settings, flight, found.pointer).finally(() => lock?.release())

    if (!held || use === 'validate' || (exchange.isBackground && use !== 'hit')) {
      const outcome = await ask(exchange, next, fetching, settings, flight)
      return { response: outcome.response, stored: outcome.entry, shared: keep(Promise.resolve(outcome)) }
    }
    exchange.trace?.note('Another edge had stored the response.')
    memory.store.put(plan.id, held)
    const response = give(exchange, held, settings)
    if (use !== 'stale-while-revalidate') {
      lock?.release()
      return { response, stored: Promise.resolve(held), shared: Promise.resolve() }
    }
    const outcome = ask(toBackground(exchange), next, fetching, settings, flight).catch(() => NOTHING)
    const stored = outcome.then(({ entry }) => entry)
    return { response, stored, shared: keep(outcome) }
  } catch (error) {
    lock?.release()
    throw error
  }
}

type FoundShared = Awaited<ReturnType<typeof readSecond>>
type Kept = Pick<Outcome, 'entry' | 'request'>

/** Waits until what was fetched is stored here, then until it is stored for all. */
async function share(
  exchange: Exchange,
  outcome: Promise<Kept>,
  { uri }: Plan,
  { options }: Settings,
  flight: { readonly isTainted: boolean },
  pointer: FoundShared['pointer'],
): Promise<void> {
  const { entry, request } = await outcome
  const stored = await entry
  if (!stored || !options.shared || flight.isTainted) return
  const { cache } = exchange.services
  const base = `${uri} ${stored.init.partition}`
  try {
    await writeSecond(cache, base, stored, request, pointer)
    // Somebody wrote there in the meantime.
    if (flight.isTainted) await dropSecond(cache, base)
  } catch (error) {
    reportFailure(exchange, 'write to', error)
  }
}

/** Asks on after the answer was given. */
function toBackground(exchange: Exchange): Exchange {
  const asker = exchange.fork(exchange.takeRequest())
  asker.isBackground = true
  return asker
}

function give(exchange: Exchange, entry: Entry, { options, clock }: Settings): Response {
  const { request } = exchange
  return respondStored(entry, {
    method: request.method,
    request: request.headers,
    nowMs: clock(),
    status: options.status_header ? 'hit' : undefined,
  })
}

/** What is asked for when this edge knows what others stored. */
function toFetching(plan: Plan, held: Entry | undefined, nowMs: number): Plan {
  if (!held || plan.entry) return { ...plan, entry: newerOf(plan.entry, held) }
  return { ...plan, entry: held, why: plan.said && nowMs < held.freshUntilMs ? 'request' : 'stale' }
}

const newerOf = (a: Entry | undefined, b: Entry | undefined): Entry | undefined =>
  a && b ? (a.init.responseMs >= b.init.responseMs ? a : b) : (a ?? b)

const isUsable = ({ init }: Entry, { isPersonal }: Plan): boolean => !isPersonal || init.isShareable

interface Lock {
  release(): void
}

/** Waits for the lock, and looks what is there by then; who waited for an edge that brought nothing waits once more. */
async function lookUp(
  exchange: Exchange,
  plan: Plan,
  waitMs: number,
  clock: () => number,
): Promise<{ found: FoundShared; lock: Lock | undefined }> {
  if (waitMs === 0) return { found: await readFound(exchange, plan, clock), lock: undefined }
  const base = `${plan.uri} ${plan.partition}`
  const lock = await begin(exchange, base, waitMs)
  const found = await readFound(exchange, plan, clock)
  if (lock !== 'taken' || found.entry) return { found, lock: lock === 'taken' ? undefined : lock }
  const second = await begin(exchange, base, waitMs)
  if (second !== 'taken') return { found, lock: second }
  return { found: await readFound(exchange, plan, clock), lock: undefined }
}

/** The lock; `taken` when another edge had it, and is done; `undefined` when there is none to be had. */
async function begin(exchange: Exchange, base: string, waitMs: number): Promise<Lock | 'taken' | undefined> {
  const { services } = exchange
  const lockOf = (handle: string): Lock => {
    // The others wait for a slow edge, but not for a dead one: it must be heard of.
    const renewing = setInterval(() => void services.cache.renew?.(base, handle).catch(() => {}), RENEW_MS)
    const release = () => {
      clearInterval(renewing)
      services.waitUntil(services.cache.done(base, handle).catch(() => {}))
    }
    return { release }
  }
  const begun = services.cache.begin(base)
  try {
    const { isFetcher, handle } = await soon(begun, waitMs)
    return isFetcher ? lockOf(handle) : 'taken'
  } catch (error) {
    // Whoever comes late gives it back.
    const late = begun.then(({ isFetcher, handle }) => (isFetcher ? lockOf(handle).release() : undefined))
    services.waitUntil(late.catch(() => {}))
    reportFailure(exchange, 'lock in', error)
    return undefined
  }
}

async function readFound(exchange: Exchange, plan: Plan, clock: () => number): Promise<FoundShared> {
  const { cache } = exchange.services
  const headers = exchange.changesRequest ? exchange.takeRequest().headers : exchange.request.headers
  const range = headers.has('if-range') ? null : headers.get('range')
  try {
    const whole = await soon(readSecond(cache, `${plan.uri} ${plan.partition}`, headers), READ_MS)
    if (range === null || whole.entry) return whole
    const part = await soon(
      readSecond(cache, `${plan.uri} ${partOf(plan.partition, range)}`, headers),
      READ_MS,
    )
    return part.entry && clock() < part.entry.freshUntilMs ? part : whole
  } catch (error) {
    reportFailure(exchange, 'read', error)
    return {}
  }
}

/** What doesn't answer must not hold requests up. */
function soon<T>(promise: Promise<T>, waitMs: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`No answer within ${waitMs} ms.`)), waitMs)
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

function reportFailure(exchange: Exchange, what: string, error: unknown): void {
  exchange.trace?.note(`The shared cache failed to ${what}; the target is asked.`, { error: String(error) })
}

/** Often enough for `CacheService.begin`. */
const RENEW_MS = 500
/** A store that takes longer is no help. */
const READ_MS = 3000

const NOTHING: Kept = {
  entry: Promise.resolve(undefined),
  request: new Headers(),
}

const NEITHER: { found: FoundShared; lock: undefined } = { found: {}, lock: undefined }
