import type { RouteMatch } from '../routes/table.ts'
import { loadWorker } from '../runtime/loader.ts'
import { serveAssets } from './assets.ts'
import { leave, type Refusal, waitForPlace } from './core/admission.ts'
import { SkerryError, toSkerryError } from './core/errors.ts'
import { createRequestId } from './core/ids.ts'
import { LIMITS } from './core/limits.ts'
import { addHop, hopsOf } from './core/loop.ts'
import type { EdgeVersion, ScriptTarget } from './core/routing.ts'
import { watch } from './deadlines.ts'
import type { EdgeEnv } from './env.ts'
import { exitOf } from './function-exit.ts'
import { bodyFailureOf, limitBody, prepareRequest, stripReserved } from './incoming.ts'
import { respondIfQuarantined } from './quarantine.ts'
import { respondProblem, toKnownError } from './respond.ts'
import { askState } from './roles.ts'
import { pickVersion } from './split.ts'

/**
 * Serves one request of the data plane that no route of a gateway file takes: match, admit, load, invoke.
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
  if (match.kind === 'script') return callScript({ target, request, env, ctx })
  return findPreview(match, env, ctx).then(version => callVersion({ target, request, env, ctx }, version))
}

/** A call of a function's `fetch`. */
export interface ScriptCall {
  readonly target: ScriptTarget
  readonly request: Request
  readonly env: EdgeEnv
  readonly ctx: ExecutionContext
  /** The `ctx.props` that the function gets. */
  readonly props?: Readonly<Record<string, unknown>> | undefined
  /** Leave the body of the answer as it is on the wire (`exchange.rawBody`). */
  readonly wantsRawBody?: boolean
  /** Of a request that came by a route: it has been cleaned, and this is whose it is. */
  readonly clientIp?: string
}

/** Calls a function as it is deployed. */
export function callScript(call: ScriptCall): Response | Promise<Response> {
  const { target, request } = call
  const { sole, entry } = target
  const refusal = entry.quarantine && respondIfQuarantined(target, Date.now())
  return refusal ?? serve(call, sole ?? pickVersion(entry.versions, request))
}

/** Calls a version of a function that was asked for by name; `undefined` = there is none of that name. */
export function callVersion(
  call: ScriptCall,
  version: EdgeVersion | undefined,
): Response | Promise<Response> {
  const refusal = version && respondIfQuarantined(call.target, Date.now(), version)
  return refusal ?? serve(call, version)
}

function serve(call: ScriptCall, version: EdgeVersion | undefined): Response | Promise<Response> {
  if (!version) return refuse('ERR_ROUTE_NOT_FOUND', 'There is no such version of this function.')
  if (version.assets === undefined) return run(call, version)
  // What a policy may still read is left uncoded.
  const mayCode = call.wantsRawBody ?? true
  const served = serveAssets(call.request, version.assets, call.env, mayCode)
  if (served instanceof Promise) return served.then(response => response ?? run(call, version))
  return served ?? run(call, version)
}

function run(call: ScriptCall, version: EdgeVersion): Response | Promise<Response> {
  if (!version.hasFetch)
    return refuse('ERR_FUNCTION_NO_FETCH', `The function "${call.target.name}" has no fetch() handler.`)
  return invoke(call, version, prepareRequest(call.request, version, call.env, call.clientIp))
}

/**
 * A function's request to a host of this platform, as a client's would be.
 *
 * `passThroughOnException` sends a request back to the very function that failed, as it has no origin: so hops
 * are counted in `CDN-Loop` (RFC 8586), which a forwarded request carries along.
 *
 * @returns the refusal if there were too many of them
 */
export function enterInternally(request: Request, env: EdgeEnv): Request | Response {
  const loop = request.headers.get('cdn-loop')
  const hops = hopsOf(loop)
  if (hops >= LIMITS.internalHops) {
    return refuse('ERR_LOOP', `The request went through functions of this platform ${hops} times.`)
  }
  const next = new Request(request)
  // What comes from the network has lost these at the socket; a function could still make them up.
  if (env.SKERRY_HOST_KIND !== 'cloudflare') stripReserved(next.headers)
  next.headers.set('cdn-loop', addHop(loop))
  return next
}

/** The answer for a host or path that leads nowhere. */
export function respondNoRoute(host: string): Response {
  return refuse('ERR_ROUTE_NOT_FOUND', `Nothing is deployed at "${host}".`)
}

/** The answer to a `Host` that isn't the name or address of one host. */
export function respondBadHost(host: string): Response {
  const shown = JSON.stringify(host.length > 80 ? `${host.slice(0, 80)}…` : host)
  return refuse(
    'ERR_BAD_REQUEST',
    `The header Host must be one name or address, with or without port, not ${shown}.`,
  )
}

/** The answer to the target `*` in the place of a path: `OPTIONS` asks whether anybody is there, nothing else may be asked of it. */
export function respondAsterisk(method: string): Response {
  if (method === 'OPTIONS') return new Response(null, { status: 204 })
  return refuse('ERR_BAD_REQUEST', `${method} needs a path: "*" is for OPTIONS only.`)
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

/** Without it the runtime decodes what is read here, and codes it again. */
const RAW_BODY = { encodeResponseBody: 'manual' } as const

async function invoke(
  { target, env, ctx, props, wantsRawBody }: ScriptCall,
  version: EdgeVersion,
  request: Request,
): Promise<Response> {
  const startedAtMs = Date.now()
  // Mostly there is a place at once, and nothing is awaited.
  const place = target.gate.enter(startedAtMs) ?? (await waitForPlace(target.gate, startedAtMs))
  if (typeof place === 'string') return refuseConcurrency(target, place)
  watch({ name: target.name, startedAtMs, place }, ctx)
  let limited: Request | undefined
  try {
    limited = limitBody(request)
    if (!limited) return respondBodyTooLarge()
    const stub = loadWorker(target, version, startedAtMs, env, ctx)
    const entrypoint = props ? stub.getEntrypoint(undefined, { props }) : stub.getEntrypoint()
    return await place.hold(entrypoint.fetch(limited, wantsRawBody ? RAW_BODY : undefined))
  } catch (error) {
    const bodyFailure = limited && bodyFailureOf(limited)
    if (bodyFailure) return respondProblem(bodyFailure, createRequestId())
    const exit = await exitOf(error, version, startedAtMs, env, ctx)
    return exit ? respondExit(target, exit) : respondFailure(error, target)
  } finally {
    leave(place)
  }
}

function respondExit({ name }: ScriptTarget, exit: string): Response {
  const detail = `The function "${name}" ended itself: it called ${exit}.`
  return respondProblem(new SkerryError('ERR_FUNCTION_EXIT', detail), createRequestId())
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

function findPreview(
  { target, prefix }: Extract<RouteMatch, { kind: 'preview' }>,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<EdgeVersion | undefined> {
  return findVersion(target, prefix, env, ctx)
}

/**
 * A version of a function by its id, the first 8 digits of it, or its tag (the newest of them); deployed or not.
 * What a tag leads to may be two seconds old.
 */
export async function findVersion(
  target: ScriptTarget,
  wanted: string,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<EdgeVersion | undefined> {
  const key = `${target.accountId}/${target.name}/${wanted}`
  const known = foundVersions.get(key)
  if (!known) return askForVersion(key, target, wanted, env, ctx)
  const nowMs = Date.now()
  if (!known.version.id.startsWith(wanted) && nowMs - known.atMs > MAX_TAG_AGE_MS) {
    known.atMs = nowMs
    ctx.waitUntil(askForVersion(key, target, wanted, env, ctx).catch(() => {}))
  }
  return known.version
}

async function askForVersion(
  key: string,
  target: ScriptTarget,
  wanted: string,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<EdgeVersion | undefined> {
  const found = await askState(env, ctx.exports, state =>
    state.findVersion(target.accountId, target.name, wanted),
  )
  if (!found) return undefined
  if (foundVersions.size >= MAX_FOUND) foundVersions.clear()
  foundVersions.set(key, { version: found, atMs: Date.now() })
  return found
}

/** Versions never change, so what a name led to is kept. */
const foundVersions = new Map<string, { readonly version: EdgeVersion; atMs: number }>()
const MAX_FOUND = 1000
const MAX_TAG_AGE_MS = 2000

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
    | 'ERR_BAD_REQUEST'
    | 'ERR_LOOP'
    | 'ERR_ROUTE_NOT_FOUND'
    | 'ERR_FUNCTION_NO_FETCH'
    | 'ERR_BODY_TOO_LARGE'
    | 'ERR_URL_TOO_LONG',
  detail: string,
): Response {
  return respondProblem(new SkerryError(code, detail), createRequestId())
}
