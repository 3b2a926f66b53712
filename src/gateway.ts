import type { RouteMatch } from '../routes/table.ts'
import { loadWorker } from '../runtime/loader.ts'
import { leave, type Refusal, waitForPlace } from './admission.ts'
import { SkerryError, toSkerryError } from './core/errors.ts'
import { createRequestId } from './core/ids.ts'
import { LIMITS } from './core/limits.ts'
import type { EdgeVersion, ScriptTarget } from './core/routing.ts'
import { unwatch, watch } from './deadlines.ts'
import type { EdgeEnv } from './env.ts'
import { limitBody, prepareRequest, stripReserved } from './incoming.ts'
import { respondIfQuarantined } from './quarantine.ts'
import { respondProblem, toKnownError } from './respond.ts'
import { askState } from './roles.ts'
import { pickVersion } from './split.ts'

/**
 * Serves one request of the data plane: match, admit, load, invoke.
 *
 * The client's request and the function's response pass through untouched unless something must change: each
 * clone costs 6–18 % of the throughput. Whatever goes wrong becomes problem JSON here.
 */
export function handleRequest(
  request: Request,
  match: RouteMatch,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Response | Promise<Response> {
  const { target } = match
  if (match.kind === 'script') {
    const { sole, entry } = target
    const refusal = entry.quarantine && respondIfQuarantined(target, Date.now())
    return refusal ?? serve(target, sole ?? pickVersion(entry.versions, request), request, env, ctx)
  }
  return findPreview(match, env, ctx).then(version => {
    const refusal = version && respondIfQuarantined(target, Date.now(), version)
    return refusal ?? serve(target, version, request, env, ctx)
  })
}

function serve(
  target: ScriptTarget,
  version: EdgeVersion | undefined,
  request: Request,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Response | Promise<Response> {
  if (!version) return refuse('ERR_ROUTE_NOT_FOUND', 'There is no such version of this function.')
  if (!version.hasFetch)
    return refuse('ERR_FUNCTION_NO_FETCH', `The function "${target.name}" has no fetch() handler.`)
  return invoke(target, version, prepareRequest(request, version, env), env, ctx)
}

/**
 * Serves a function's request to a host of this platform.
 *
 * `passThroughOnException` sends a request back to the very function that failed, as it has no origin: so hops
 * are counted in `CDN-Loop` (RFC 8586), which a forwarded request carries along.
 */
export async function handleInternal(
  request: Request,
  match: RouteMatch,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  const loop = request.headers.get('cdn-loop')
  const hops = Number(/\bskerry; hops=(\d+)/.exec(loop ?? '')?.[1] ?? 0)
  if (hops >= LIMITS.internalHops) {
    return refuse('ERR_LOOP', `The request went through functions of this platform ${hops} times.`)
  }
  const next = new Request(request)
  // What comes from the network has lost these at the socket; a function could still make them up.
  if (env.SKERRY_HOST_KIND !== 'cloudflare') stripReserved(next.headers)
  next.headers.set('cdn-loop', `skerry; hops=${hops + 1}`)
  return handleRequest(next, match, env, ctx)
}

/** The answer for a host or path that leads nowhere. */
export function respondNoRoute(host: string): Response {
  return refuse('ERR_ROUTE_NOT_FOUND', `Nothing is deployed at "${host}".`)
}

/** The answer to a body that announces more than the limit. */
export function respondBodyTooLarge(): Response {
  return refuse(
    'ERR_BODY_TOO_LARGE',
    `The request's body exceeds the limit of ${LIMITS.requestBodyBytes} bytes.`,
  )
}

/** The answer to a URL beyond the limit. */
export function respondUrlTooLong(bytes: number): Response {
  return refuse('ERR_URL_TOO_LONG', `The URL has ${bytes} bytes; the limit is ${LIMITS.urlBytes}.`)
}

async function invoke(
  target: ScriptTarget,
  version: EdgeVersion,
  request: Request,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  const startedAtMs = Date.now()
  // Mostly there is a place at once, and nothing is awaited.
  const slot = target.gate.enter(startedAtMs) ?? (await waitForPlace(target.gate, startedAtMs))
  if (typeof slot === 'string') return refuseConcurrency(target, slot)
  const { promise: late, reject } = Promise.withResolvers<never>()
  const call = { name: target.name, startedAtMs, reject, isOver: false }
  watch(call, ctx)
  try {
    const limited = limitBody(request)
    if (!limited) return respondBodyTooLarge()
    const stub = loadWorker(target, version, startedAtMs, env, ctx)
    return await Promise.race([stub.getEntrypoint().fetch(limited), late])
  } catch (error) {
    return respondFailure(error, target)
  } finally {
    leave(slot)
    unwatch(call)
  }
}

/** The function's own failures stay its own: callers learn that it failed, its author sees why in the logs. */
function respondFailure(error: unknown, target: ScriptTarget): Response {
  const requestId = createRequestId()
  const ours = toSkerryError(error)
  if (ours && GATEWAY_CODES.has(ours.code)) return respondProblem(ours, requestId)
  const message = error instanceof Error ? error.message : String(error)
  if (message.startsWith('Failed to start Worker')) {
    return respondProblem(
      new SkerryError('ERR_FUNCTION_LOAD', `The function "${target.name}" did not start.`),
      requestId,
    )
  }
  if (message.startsWith('internal error')) return respondProblem(toKnownError(error, requestId), requestId)
  return respondProblem(
    new SkerryError('ERR_FUNCTION_EXCEPTION', `The function "${target.name}" threw an exception.`),
    requestId,
  )
}

/** Codes that the gateway itself throws around an invocation; a function can't put on others by its messages. */
const GATEWAY_CODES = new Set([
  'ERR_FUNCTION_TIMEOUT',
  'ERR_STATE_UNAVAILABLE',
  'ERR_EDGE_FULL',
  'ERR_VERSION_NOT_FOUND',
  'ERR_BODY_TOO_LARGE',
])

async function findPreview(
  { target, prefix }: Extract<RouteMatch, { kind: 'preview' }>,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<EdgeVersion | undefined> {
  const key = `${target.accountId}/${target.name}/${prefix}`
  const known = previews.get(key)
  if (known) return known
  const found = await askState(env, ctx.exports, state =>
    state.findPreview(target.accountId, target.name, prefix),
  )
  if (found) {
    if (previews.size >= MAX_PREVIEWS) previews.clear()
    previews.set(key, found)
  }
  return found
}

/** Versions never change, so what a preview host names is kept. */
const previews = new Map<string, EdgeVersion>()
const MAX_PREVIEWS = 1000

function refuseConcurrency(target: ScriptTarget, refusal: Refusal): Response {
  const { concurrency, accountConcurrency, queueLength, queueMs } = LIMITS
  const full =
    target.gate.fullBy === 'script'
      ? `The function "${target.name}" is handling ${concurrency} requests already`
      : `The account's functions are handling ${accountConcurrency} requests already`
  const queue =
    refusal === 'queue is full'
      ? `${queueLength} more wait for a place`
      : `none of them ended within ${queueMs} ms`
  const detail = `${full}; ${queue}.`
  return respondProblem(new SkerryError('ERR_CONCURRENCY_LIMIT', detail), createRequestId())
}

function refuse(
  code:
    | 'ERR_LOOP'
    | 'ERR_ROUTE_NOT_FOUND'
    | 'ERR_FUNCTION_NO_FETCH'
    | 'ERR_BODY_TOO_LARGE'
    | 'ERR_URL_TOO_LONG',
  detail: string,
): Response {
  return respondProblem(new SkerryError(code, detail), createRequestId())
}
