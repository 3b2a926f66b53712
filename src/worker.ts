import { setServiceResolver } from '../bindings/service/entrypoint.ts'
import { loadWorker } from '../runtime/loader.ts'
import { setInternalDispatch } from '../runtime/outbound.ts'
import { destinationOf } from './destination.ts'
import { prepareTable, table } from './edge-table.ts'
import type { Env } from './env.ts'
import { handleInternal, handleRequest, respondBodyTooLarge, respondNoRoute } from './gateway.ts'
import { limitBody } from './incoming.ts'
import { createRequestId, respondProblem, toKnownError } from './respond.ts'
import { stateRole } from './roles.ts'
import { pickByShare } from './split.ts'

export { CronClock } from '../bindings/cron/object.ts'
export { KvEntrypoint } from '../bindings/kv/entrypoint.ts'
export { RateLimitEntrypoint } from '../bindings/rate-limit/entrypoint.ts'
export { ServiceEntrypoint } from '../bindings/service/entrypoint.ts'
export { Outbound } from '../runtime/outbound.ts'
export { TailEntrypoint } from '../runtime/tail.ts'
export { Edge } from './edge.ts'
export { TailHub } from './observe/tail-hub.ts'
export { Account } from './registry/account.ts'
export { Directory } from './registry/directory.ts'
export { State } from './state.ts'

/** The listener: hosts with something deployed are the data plane, the platform's own hosts the control plane. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    try {
      const filling = prepareTable(env, ctx)
      if (filling) await filling
      const { host, path } = destinationOf(request.url)
      const match = table.match(host, path)
      if (match) return await handleRequest(request, match, env, ctx)
      if (isPlatformHost(host, env)) return await handlePlatform(request, env, ctx)
      return respondNoRoute(host)
    } catch (error) {
      const requestId = createRequestId()
      return respondProblem(toKnownError(error, requestId), requestId)
    }
  },
} satisfies ExportedHandler<Env>

/** The control plane is the state role's; what reaches it is held to the same size as everything else. */
async function handlePlatform(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  const limited = limitBody(request)
  return limited ? stateRole(env, ctx.exports).fetch(limited) : respondBodyTooLarge()
}

/** The apex of the platform's domain, and bare addresses. */
function isPlatformHost(host: string, env: Env): boolean {
  return host === (env.SKERRY_DOMAIN ?? 'localhost') || host.startsWith('[') || /^[\d.]+$/.test(host)
}

// A function's fetch of a host that is served here stays here; the control plane is out of its reach.
setInternalDispatch((request, env, ctx) => {
  const { host, path } = destinationOf(request.url)
  const match = table.match(host, path)
  if (match) return handleInternal(request, match, env, ctx)
  return table.serves(host) ? Promise.resolve(respondNoRoute(host)) : undefined
})

setServiceResolver((env, exports, { accountId, script }) => {
  const target = table.script(accountId, script)
  const version = target && pickByShare(target.entry.versions, Math.random())
  return version && loadWorker(target, version, Date.now(), env, { exports })
})
