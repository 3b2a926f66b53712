import type { Exchange } from '../exchange.ts'
import type { Next } from '../policy.ts'
import { collect } from './collect.ts'
import { type Entry, withoutBodyFields } from './entry.ts'
import { parseHttpDate } from './http-date.ts'
import { type Asked, completeEntry, type Draft, draftEntry, draftUpdate } from './make-entry.ts'
import { isPersonal, type Plan, partOf, type Settings } from './plan.ts'
import { respondStored } from './respond.ts'
import { mayBridge } from './reuse.ts'
import { OWN_TARGETED_FIELD } from './targeted.ts'
import { addConditions, CONDITIONS, isAboutStored, isNotModified } from './validation.ts'

/** What came of asking the target. */
export interface Outcome {
  readonly response: Response
  /** Resolves, once the body is there, to what was stored; `undefined` if nothing was. Never rejects. */
  readonly entry: Promise<Entry | undefined>
  /** The header of the request as the target got it. */
  readonly request: Headers
}

/** Asks the target for a GET: on condition where something is stored. Stores what may be stored, and updates what is. */
export async function ask(
  exchange: Exchange,
  next: Next,
  plan: Plan,
  settings: Settings,
  flight: { readonly isTainted: boolean },
): Promise<Outcome> {
  const asked = exchange.fork(requestFor(exchange, plan))
  asked.rawBody = 'wanted'
  const requestMs = settings.clock()
  let response: Response
  try {
    response = asked.finish(await next(asked))
  } catch (error) {
    const bridged = bridge(exchange, plan, settings, 'unreachable', 0)
    if (!bridged) throw error
    return { response: bridged, entry: NOTHING, request: asked.request.headers }
  }
  exchange.identity ??= asked.identity
  exchange.answeredBy = asked.answeredBy
  exchange.rawBody = asked.rawBody
  const facts: Asked = {
    requestMs,
    responseMs: settings.clock(),
    request: asked.request.headers,
    url: exchange.request.url,
    uri: plan.uri,
    partition: plan.partition,
    purgeSequence: plan.purgeSequence,
    // Who calls may have been found out only behind this policy.
    isPersonal: plan.isPersonal || isPersonal(exchange, settings.key),
  }
  const failure = failureOf(response)
  const bridged = failure && bridge(exchange, plan, settings, failure, response.status)
  if (bridged) {
    await response.body?.cancel().catch(() => {})
    return { response: bridged, entry: NOTHING, request: facts.request }
  }
  if (response.status === 304 && plan.entry) {
    const updated = update(exchange, plan, plan.entry, response, facts, settings, flight)
    if (updated) return updated
    // What is stored is not what the target means: it must send the whole.
    return ask(exchange, next, { ...plan, entry: undefined }, settings, flight)
  }
  return take(exchange, plan, response, facts, settings, flight)
}

/**
 * The request for the target. It asks on the condition that suits what is stored, not the client's: what comes is to
 * serve other clients too, and the client's own condition is looked at when it is there. A wish for a part goes through
 * where nothing is stored.
 */
function requestFor(exchange: Exchange, { entry }: Plan): Request {
  // When this client goes away, others still want the answer.
  const request = new Request(exchange.takeRequest(), { signal: null })
  const { headers } = request
  if (entry && (entry.etag !== undefined || entry.lastModified !== undefined)) addConditions(headers, entry)
  else if (!headers.has('range')) for (const name of CONDITIONS) headers.delete(name)
  return request
}

/** A new response: given to the one who asked while it is collected. */
function take(
  exchange: Exchange,
  plan: Plan,
  response: Response,
  asked: Asked,
  settings: Settings,
  flight: { readonly isTainted: boolean },
): Outcome {
  const { options, rules, memory } = settings
  const made =
    refuseBody(exchange, response, asked, options.max_object_bytes) ??
    draftEntry(response, placeOf(response, asked), rules)
  const reason = 'reason' in made ? made.reason : undefined
  exchange.trace?.note(
    reason ? 'The response is not stored.' : 'The response is stored.',
    reason ? { reason } : {},
  )
  tell(exchange, response, plan, settings, reason === undefined)
  // What is stored is out of date: an answer that isn't an error has taken its place.
  if (reason !== undefined && plan.entry && response.status < 500) memory.store.remove(plan.id, plan.entry)
  const isUnchanged = isUnchangedForClient(exchange, response, asked.responseMs)
  if ('reason' in made) {
    if (!isUnchanged && !exchange.isBackground) return { response, entry: NOTHING, request: asked.request }
    void response.body?.cancel().catch(() => {})
    return { response: toNotModified(response), entry: NOTHING, request: asked.request }
  }
  const isUnread = isUnchanged || exchange.isBackground
  const copy = isUnread ? response : response.clone()
  const isRuntimeCoded = codingOf(exchange, response.headers) === 'runtime'
  const entry = store(copy, { ...made.init, isRuntimeCoded }, plan, settings, flight)
  return { response: isUnread ? toNotModified(response) : response, entry, request: asked.request }
}

async function store(
  copy: Response,
  init: Extract<Draft, { init: unknown }>['init'],
  plan: Plan,
  { options, memory }: Settings,
  flight: { readonly isTainted: boolean },
): Promise<Entry | undefined> {
  try {
    const isBodiless = NULL_BODY_STATUSES.has(copy.status)
    const body = copy.body
      ? await collect(
          copy.body,
          options.max_object_bytes,
          init.isRuntimeCoded ? null : copy.headers.get('content-length'),
        )
      : EMPTY
    if (!body || flight.isTainted) return undefined
    const entry = completeEntry(init, isBodiless ? null : body)
    memory.store.put(plan.id, entry)
    return entry
  } catch {
    return undefined
  }
}

/** The target says that what is stored is still good. */
function update(
  exchange: Exchange,
  plan: Plan,
  stored: Entry,
  response: Response,
  asked: Asked,
  { options, rules, memory, clock }: Settings,
  flight: { readonly isTainted: boolean },
): Outcome | undefined {
  const made = isAboutStored(response.headers, stored)
    ? draftUpdate(stored, response.headers, asked, rules)
    : { reason: 'the answer is about another response' }
  if ('reason' in made) {
    exchange.trace?.note('What is stored cannot be updated.', { reason: made.reason })
    memory.store.remove(plan.id, stored)
    return undefined
  }
  const entry = completeEntry(made.init, stored.body)
  if (!flight.isTainted) memory.store.put(plan.id, entry)
  exchange.trace?.note('The target confirmed what is stored.')
  const given = respondStored(entry, {
    method: exchange.request.method,
    request: exchange.request.headers,
    nowMs: clock(),
    status: options.status_header ? `Skerry; fwd=${plan.why}; fwd-status=304; stored` : undefined,
  })
  return {
    response: given,
    entry: Promise.resolve(flight.isTainted ? undefined : entry),
    request: asked.request,
  }
}

/** What is stored, in place of a failure, if that is allowed. */
function bridge(
  exchange: Exchange,
  plan: Plan,
  { options, clock }: Settings,
  failure: 'error' | 'unreachable',
  status: number,
): Response | undefined {
  const { entry, why, said } = plan
  const nowMs = clock()
  if (!entry || exchange.isBackground || !mayBridge(entry, failure, said, nowMs)) return undefined
  exchange.trace?.note('The target failed; what is stored stands in.', { failure, status })
  const forwarded = status === 0 ? `fwd=${why}` : `fwd=${why}; fwd-status=${status}`
  const ttl = Math.ceil((entry.staleAtMs - nowMs) / 1000)
  return respondStored(entry, {
    method: exchange.request.method,
    request: exchange.request.headers,
    nowMs,
    status: options.status_header ? `Skerry; hit; ${forwarded}; ttl=${ttl}` : undefined,
  })
}

function failureOf({ status, headers }: Response): 'error' | 'unreachable' | undefined {
  if (status !== 500 && status !== 502 && status !== 503 && status !== 504) return undefined
  // An answer of the platform's own: the target gave none.
  const isOurs =
    headers.has('skerry-request-id') && headers.get('content-type') === 'application/problem+json'
  return isOurs ? 'unreachable' : 'error'
}

/** A part stands apart from the whole. */
function placeOf({ status }: Response, asked: Asked): Asked {
  const range = status === 206 && asked.request.get('range')
  return range ? { ...asked, partition: partOf(asked.partition, range) } : asked
}

function refuseBody(
  exchange: Exchange,
  { status, headers, body }: Response,
  { request }: Asked,
  maxBytes: number,
): Draft | undefined {
  if (status === 206 && !request.has('range')) return { reason: 'it is a part that nobody asked for' }
  const length = Number(headers.get('content-length') ?? 0)
  if (length > maxBytes) return { reason: `it has more than ${maxBytes} bytes` }
  const isUnknown = codingOf(exchange, headers) === 'unknown'
  if (isUnknown && body !== null && !headers.has('content-length'))
    return { reason: 'a runtime may have decoded it' }
  return undefined
}

/**
 * Whether the body has the content coding that its header names, or the runtime has taken it off and puts it on again;
 * `unknown` outside of the platform: then the length tells.
 */
function codingOf({ rawBody, services }: Exchange, headers: Headers): 'none' | 'raw' | 'runtime' | 'unknown' {
  const coding = headers.get('content-encoding')?.trim().toLowerCase()
  if (!coding || !DECODED_CODINGS.has(coding)) return coding ? 'raw' : 'none'
  if (rawBody === 'given') return 'raw'
  return services.cache.knowsRawBodies ? 'runtime' : 'unknown'
}

/** Adds what clients are told of it, and takes away what isn't for them. */
function tell(
  exchange: Exchange,
  response: Response,
  plan: Plan,
  { options }: Settings,
  isStored: boolean,
): void {
  const { headers, status } = response
  // The runtime makes no Response of such a status: it passes as it is.
  if (status > 599) return
  if (options.status_header) {
    const forwarded = plan.why === 'stale' ? `; fwd-status=${status}` : ''
    exchange.responseHeaders.append(
      'cache-status',
      `Skerry; fwd=${plan.why}${forwarded}${isStored ? '; stored' : ''}`,
    )
  }
  for (const name of ['cache-tag', OWN_TARGETED_FIELD]) {
    if (headers.has(name)) exchange.responseHeaders.delete(name)
  }
}

/** Whether the client has what came: its condition was kept back, so it is for us to look at. */
function isUnchangedForClient(
  { request }: Exchange,
  { status, headers }: Response,
  responseMs: number,
): boolean {
  if (status !== 200 || request.headers.has('range')) return false
  return isNotModified(request.headers, {
    etag: headers.get('etag') ?? undefined,
    lastModified: headers.get('last-modified') ?? undefined,
    dateMs: parseHttpDate(headers.get('date'), responseMs) ?? responseMs,
  })
}

function toNotModified({ headers }: Response): Response {
  return new Response(null, { status: 304, headers: withoutBodyFields(headers) })
}

const NOTHING: Promise<undefined> = Promise.resolve(undefined)
const EMPTY = new Uint8Array(0)
const NULL_BODY_STATUSES: ReadonlySet<number> = new Set([204, 205, 304])
/** Runtimes decode these by themselves. */
const DECODED_CODINGS: ReadonlySet<string> = new Set(['gzip', 'x-gzip', 'br', 'deflate', 'zstd'])
