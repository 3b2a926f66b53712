import type { CompiledRoute } from '../routes/gateway/compile.ts'
import { addQuery, expandTemplate } from '../routes/gateway/template.ts'
import { Exchange, type Trace } from '../routes/policies/exchange.ts'
import { runPolicies } from '../routes/policies/run.ts'
import { createCacheService } from './cache-service.ts'
import { SkerryError, toSkerryError } from './core/errors.ts'
import type { ScriptTarget } from './core/routing.ts'
import { apiKeysOf } from './edge-keys.ts'
import { table } from './edge-table.ts'
import type { EdgeEnv } from './env.ts'
import { callScript, callVersion, findVersion, respondBodyTooLarge, type ScriptCall } from './gateway.ts'
import { addIdentityHeaders } from './identity-headers.ts'
import { cleanRequest, limitBody } from './incoming.ts'
import { countRoute } from './observe/route-metrics.ts'
import { respondProblem, toKnownError } from './respond.ts'
import { createServices } from './services.ts'

/** A request that a route of a gateway file takes. */
export interface RouteCall {
  readonly compiled: CompiledRoute
  readonly params: Readonly<Record<string, string>>
  /** The client's, with the path that the route was found by. */
  readonly request: Request
  readonly env: EdgeEnv
  readonly ctx: ExecutionContext
  /** Whose it is, where the connection doesn't tell. */
  readonly clientIp?: string | undefined
  readonly trace?: Trace | undefined
  readonly isDryRun?: boolean
  /** Told when the answer is there. */
  readonly onServed?: (exchange: Exchange, response: Response) => void
}

/**
 * Serves a request by its route: the policies, then the target. What goes wrong in a policy refuses the request. A
 * policy that can answer at once, as a cache does, is answered by at once.
 */
export function handleRoute(call: RouteCall): Response | Promise<Response> {
  const exchange = openExchange(call)
  try {
    const answer = runPolicies(call.compiled.phases, exchange, exchange => callTarget(call, exchange))
    if (!(answer instanceof Promise)) return note(call, exchange, answer)
    return answer.then(
      response => note(call, exchange, response),
      error => note(call, exchange, exchange.finish(respondFailure(error, exchange))),
    )
  } catch (error) {
    return note(call, exchange, exchange.finish(respondFailure(error, exchange)))
  }
}

/** Counts an answer that is about to go out. */
function note(call: RouteCall, exchange: Exchange, response: Response): Response {
  const durationMs = Date.now() - exchange.nowMs
  countRoute(call.compiled, exchange.answeredBy, response.status, durationMs)
  call.onServed?.(exchange, response)
  return response
}

/** The exchange of a request, as its route's policies see it. */
export function openExchange(call: RouteCall): Exchange {
  const { compiled, params, env, ctx, trace, isDryRun = false } = call
  const { accountId, name, gateway } = compiled
  const services = createServices(accountId, env, ctx, {
    apiKeys: apiKeysOf(accountId),
    cache: createCacheService(accountId, env, ctx),
    allowPrivate: gateway.allowPrivate,
  })
  const request = cleanRequest(call.request, env)
  const clientIp = gateway.clientIpOf(request, call.clientIp)
  const exchange = new Exchange({
    request,
    nowMs: Date.now(),
    services,
    route: name,
    params,
    isDryRun,
    ...(trace && { trace }),
    ...(clientIp !== undefined && { clientIp }),
  })
  if (compiled.route.request_id || call.onServed)
    exchange.responseHeaders.set('skerry-request-id', exchange.requestId)
  return exchange
}

/** Calls what the route leads to. */
async function callTarget(call: RouteCall, exchange: Exchange): Promise<Response> {
  const { compiled, env, ctx } = call
  const { route, answer } = compiled
  const startedAtMs = Date.now()
  if (route.identity_headers) {
    const { secret, ttl } = route.identity_headers
    const signing = addIdentityHeaders(exchange, secret, ttl)
    if (signing) await signing
  }
  if (answer) {
    const limited = limitBody(exchange.request)
    if (!limited) return respondBodyTooLarge()
    exchange.request = limited
    return answer(exchange)
  }

  const target = table.script(compiled.accountId, route.script ?? '')
  if (!target) {
    return exchange.refuse(
      'ERR_ROUTE_NOT_FOUND',
      `The function "${route.script}" of this route is not deployed.`,
    )
  }
  const scriptCall = toScriptCall(target, exchange, compiled, env, ctx)
  const version = exchange.version ?? route.version
  const response = await (version === undefined
    ? callScript(scriptCall)
    : callVersion(scriptCall, await findVersion(target, version, env, ctx)))
  if (exchange.rawBody && response.headers.has('content-encoding')) exchange.rawBody = 'given'
  if (route.server_timing || call.onServed) {
    const [before, during] = [startedAtMs - exchange.nowMs, Date.now() - startedAtMs]
    exchange.responseHeaders.append('server-timing', `policy;dur=${before}, function;dur=${during}`)
  }
  return response
}

function toScriptCall(
  target: ScriptTarget,
  exchange: Exchange,
  { route, name }: CompiledRoute,
  env: EdgeEnv,
  ctx: ExecutionContext,
): ScriptCall {
  let request = exchange.takeRequest()
  if (route.rewrite !== undefined) {
    const url = new URL(request.url)
    const path = addQuery(expandTemplate(route.rewrite, exchange.params), url.search)
    // Not relative to the URL: two slashes at the beginning would name a host.
    request = new Request(`${url.origin}${path}`, request)
  }
  const { identity } = exchange
  const props = identity && { identity, route: name }
  const wantsRawBody = exchange.rawBody !== undefined
  return { target, request, env, ctx, props, wantsRawBody, clientIp: exchange.clientIp }
}

/** A policy that fails lets nobody through. */
function respondFailure(error: unknown, exchange: Exchange): Response {
  const known = toSkerryError(error)
  if (known) return respondProblem(known, exchange.requestId)
  // Logs the cause.
  toKnownError(error, exchange.requestId)
  const failure = new SkerryError('ERR_POLICY_FAILED', 'A policy of this route failed.')
  return respondProblem(failure, exchange.requestId)
}
