import type { Exchange } from '../exchange.ts'
import type { Next, Phase, Verdict } from '../policy.ts'
import { parseCacheControl } from './cache-control.ts'
import type { Entry } from './entry.ts'
import { forgetWritten, isSafe } from './forget.ts'
import { Misses } from './misses.ts'
import { isPersonal, type Plan, partOf, type Settings } from './plan.ts'
import { respondStored } from './respond.ts'
import { judge, type Use } from './reuse.ts'
import { type Group, selectEntry } from './store.ts'

/** What was found for a request. */
interface Found extends Omit<Plan, 'why'> {
  readonly use: Use | undefined
  /** Something is stored for the same key, maybe for other values of what it varies by. */
  readonly hasOthers: boolean
}

/**
 * The policy at work. A hit is answered synchronously, without a promise; everything else is in misses.ts.
 */
export class CachePhase implements Phase {
  readonly #settings: Settings
  readonly #misses: Misses
  readonly #methods: ReadonlySet<string>
  readonly #honours: boolean
  readonly #showsStatus: boolean

  constructor(settings: Settings) {
    const { options } = settings
    this.#settings = settings
    this.#misses = new Misses(settings)
    this.#methods = new Set(options.methods)
    this.#honours = options.client_directives === 'honour'
    this.#showsStatus = options.status_header
  }

  around(exchange: Exchange, next: Next): Response | Promise<Response> {
    const { method } = exchange.request
    if (!this.#methods.has(method)) return this.#passBy(exchange, next, method)
    const found = this.#find(exchange)
    const { entry, use } = found
    if (entry && use === 'hit') return this.#give(exchange, entry, this.#showsStatus ? 'hit' : undefined)
    if (entry && use === 'stale') return this.#giveStale(exchange, entry)
    if (found.said?.onlyIfCached) return refuse(exchange)
    const plan = this.#plan(found, exchange)
    if (entry && use === 'stale-while-revalidate') {
      const answer = this.#giveStale(exchange, entry)
      this.#misses.refresh(exchange, next, plan)
      return answer
    }
    return this.#misses.answer(exchange, next, plan)
  }

  explain(exchange: Exchange): Verdict {
    const { method } = exchange.request
    if (!this.#methods.has(method)) {
      exchange.trace?.note('The cache has nothing to do with this method.', { method })
      return undefined
    }
    const found = this.#find(exchange)
    const { entry, use } = found
    const isGiven = entry !== undefined && use !== 'validate'
    exchange.trace?.note(isGiven ? 'A stored response answers.' : 'The target is asked.', {
      why: isGiven ? use : this.#plan(found, exchange).why,
      ...(entry && {
        age: Math.floor(entry.ageMs(exchange.nowMs) / 1000),
        ttl: Math.ceil((entry.staleAtMs - exchange.nowMs) / 1000),
      }),
    })
    if (isGiven) return this.#give(exchange, entry, undefined)
    return found.said?.onlyIfCached ? refuse(exchange) : undefined
  }

  /** Each line costs a hit: nothing is asked of the request that the outcome doesn't hang on. */
  #find(exchange: Exchange): Found {
    const { key, memory } = this.#settings
    const { request, nowMs } = exchange
    const { cache } = exchange.services
    const purgeSequence = memory.heed(cache)
    const uri = key.uriOf(request.url)
    const id = `${cache.scope} ${uri}`
    const partition = key.partitionOf(exchange)
    const group = memory.store.use(id)
    // Credentials that a policy before this one takes away are the client's still.
    const had = exchange.changesRequest && isPersonal(exchange, key)
    // What the target gets is what responses vary by.
    const sent = exchange.changesRequest && group ? exchange.takeRequest().headers : request.headers
    const candidate = selectEntry(group, partition, sent) ?? this.#findPart(exchange, group, partition)
    const isShareable = candidate?.init.isShareable ?? false
    const personal = had || (!isShareable && isPersonal(exchange, key))
    const entry = personal && !isShareable ? undefined : candidate
    const text = this.#honours ? request.headers.get('cache-control') : null
    const said = text === null ? undefined : parseCacheControl(text)
    return {
      id,
      uri,
      partition,
      entry,
      isPersonal: personal,
      purgeSequence,
      said,
      use: entry && judge(entry, said, nowMs),
      hasOthers: group?.partitions.has(partition) ?? false,
    }
  }

  #plan({ use: _, hasOthers, ...found }: Found, exchange: Exchange): Plan {
    const { entry, said } = found
    const personal = found.isPersonal || isPersonal(exchange, this.#settings.key)
    const plan = { ...found, isPersonal: personal }
    if (!entry) return { ...plan, why: hasOthers ? 'vary-miss' : 'uri-miss' }
    return { ...plan, why: said && exchange.nowMs < entry.freshUntilMs ? 'request' : 'stale' }
  }

  /** A part that was asked for in the very same words. */
  #findPart({ request, nowMs }: Exchange, group: Group | undefined, partition: string): Entry | undefined {
    const range = group && request.headers.get('range')
    if (!range || request.headers.has('if-range')) return undefined
    const part = selectEntry(group, partOf(partition, range), request.headers)
    return part && nowMs < part.freshUntilMs ? part : undefined
  }

  #give(exchange: Exchange, entry: Entry, status: string | undefined): Response {
    const { request, nowMs } = exchange
    exchange.trace?.note('A stored response answers.', { age: Math.floor(entry.ageMs(nowMs) / 1000) })
    return respondStored(entry, { method: request.method, request: request.headers, nowMs, status })
  }

  #giveStale(exchange: Exchange, entry: Entry): Response {
    const ttl = Math.ceil((entry.staleAtMs - exchange.nowMs) / 1000)
    return this.#give(exchange, entry, this.#showsStatus ? `Skerry; hit; ttl=${ttl}` : undefined)
  }

  async #passBy(exchange: Exchange, next: Next, method: string): Promise<Response> {
    if (this.#showsStatus) exchange.responseHeaders.append('cache-status', 'Skerry; fwd=method')
    const { url } = exchange.request
    if (isSafe(method)) return next()
    const requestMs = this.#settings.clock()
    const response = await next()
    if (response.status >= 200 && response.status < 400) {
      await forgetWritten(exchange, url, response, this.#settings)
      if (method === 'POST') return this.#misses.keepPosted(exchange, response, url, requestMs)
    }
    return response
  }
}

function refuse(exchange: Exchange): Response {
  return exchange.refuse(
    'ERR_NOT_CACHED',
    'Nothing that may be used is stored for this request, and it asked not to be passed on (only-if-cached).',
  )
}
