import { SkerryError } from './core/errors.ts'
import { TRACE_HEADER } from './core/explain.ts'
import { createRequestId } from './core/ids.ts'
import type { FoundRoute } from './edge-gateway.ts'
import { table } from './edge-table.ts'
import type { EdgeEnv } from './env.ts'
import { respondProblem } from './respond.ts'
import { handleRoute } from './route-request.ts'
import { handleTraced } from './trace.ts'

/**
 * Serves a request that a gateway file has something to say about.
 *
 * @param clientIp whose it is, where the connection doesn't tell
 */
export function handleFound(
  found: FoundRoute,
  request: Request,
  env: EdgeEnv,
  ctx: ExecutionContext,
  clientIp?: string,
): Promise<Response> | Response {
  if (found.kind === 'refused') {
    const refusal = new SkerryError('ERR_PATH_REFUSED', `The path has ${found.reason}.`)
    return respondProblem(refusal, createRequestId())
  }
  if (found.kind === 'method') {
    const detail = `The method ${request.method} is not allowed here.`
    const refusal = new SkerryError('ERR_METHOD_NOT_ALLOWED', detail)
    return respondProblem(refusal, createRequestId(), { allow: found.allowed.join(', ') })
  }
  const { compiled, params, path } = found
  const routed = path === undefined ? request : withPath(request, path)
  const call = { compiled, params, request: routed, env, ctx, clientIp }
  return routed.headers.has(TRACE_HEADER) ? handleTraced(call) : handleRoute(call)
}

/** The hash by which the board knows the function that a route leads to; 0 = none. */
export function hashOf(found: FoundRoute): number {
  const script = found.kind === 'route' ? found.compiled.route.script : undefined
  if (found.kind !== 'route' || script === undefined) return 0
  return table.script(found.compiled.accountId, script)?.hash ?? 0
}

/** The target sees the path that the policies were chosen by. */
function withPath(request: Request, path: string): Request {
  const { url } = request
  const start = url.indexOf('/', url.indexOf('://') + 3)
  const query = url.indexOf('?', start)
  return new Request(url.slice(0, start) + path + (query < 0 ? '' : url.slice(query)), request)
}
