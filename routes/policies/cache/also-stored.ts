import type { Exchange } from '../exchange.ts'
import { collect } from './collect.ts'
import { type Asked, completeEntry, draftEntry, draftUpdate } from './make-entry.ts'
import { isPersonal, type Plan, type Settings } from './plan.ts'
import { writeSecond } from './second-level.ts'
import { isAboutStored } from './validation.ts'

/**
 * Lets a HEAD's 200 update the stored GET that it describes, or makes that stale: then they differ (RFC 9111 §4.3.5).
 */
export function keepHeadAnswer(
  exchange: Exchange,
  response: Response,
  plan: Plan,
  requestMs: number,
  { rules, memory, clock }: Settings,
): void {
  const { entry } = plan
  if (!entry || response.status !== 200 || entry.init.status !== 200) return
  const { headers } = response
  const length = headers.get('content-length')
  const isSame =
    isAboutStored(headers, entry) && (length === null || Number(length) === entry.body?.byteLength)
  const asked = askedFor(exchange, plan, requestMs, clock())
  const made = isSame ? draftUpdate(entry, headers, asked, rules) : undefined
  if (made && 'init' in made) memory.store.put(plan.id, completeEntry(made.init, entry.body))
  else memory.store.remove(plan.id, entry)
}

/**
 * Stores a POST's answer that names its own URL in `Content-Location` and has a lifetime: it is what a GET would get
 * (RFC 9110 §9.3.3). @returns the answer for the client
 */
export function storePosted(
  exchange: Exchange,
  response: Response,
  url: string,
  requestMs: number,
  settings: Settings,
): Response {
  const { key, memory, rules, options, clock } = settings
  const { headers, status, body } = response
  const location = headers.get('content-location')
  if (status !== 200 || location === null || URL.parse(location, url)?.href !== url) return response
  const uri = key.uriOf(url)
  const { cache } = exchange.services
  const id = `${cache.scope} ${uri}`
  const plan = {
    uri,
    partition: key.partitionOf(exchange),
    purgeSequence: memory.heed(cache),
    isPersonal: isPersonal(exchange, key),
  }
  // Only what the response itself says counts: a GET may well be something else.
  const own = { ...rules, ttl: undefined, ttlByStatus: undefined, heuristic: 0 }
  const made = draftEntry(response, askedFor(exchange, plan, requestMs, clock()), own)
  const length = headers.get('content-length')
  const isKept = 'init' in made && !made.init.freshness.mustValidate && !headers.has('content-encoding')
  if (!isKept || body === null || Number(length ?? 0) > options.max_object_bytes) return response
  const flight = memory.flights.start(id)
  const copy = response.clone().body as ReadableStream<Uint8Array>
  const stored = collect(copy, options.max_object_bytes, length)
    .then(async bytes => {
      if (!bytes || flight.isTainted) return
      const entry = completeEntry(made.init, bytes)
      memory.store.put(id, entry)
      if (!options.shared) return
      await writeSecond(cache, `${uri} ${plan.partition}`, entry, exchange.request.headers, undefined)
    })
    .catch(() => {})
    .finally(() => memory.flights.end(flight))
  exchange.services.waitUntil(stored)
  return response
}

function askedFor(
  exchange: Exchange,
  {
    uri,
    partition,
    purgeSequence,
    isPersonal,
  }: Pick<Plan, 'uri' | 'partition' | 'purgeSequence' | 'isPersonal'>,
  requestMs: number,
  responseMs: number,
): Asked {
  const { url, headers: request } = exchange.request
  return { url, uri, partition, purgeSequence, isPersonal, request, requestMs, responseMs }
}
