import { env as environment } from 'cloudflare:workers'
import { setObjectCodeResolver } from '../bindings/durable-object/code.ts'
import { setServiceResolver } from '../bindings/service/entrypoint.ts'
import { loadWorker } from '../runtime/loader.ts'
import { setInternalDispatch } from '../runtime/outbound.ts'
import { setTailResolver } from '../runtime/tail.ts'
import { withAssets } from './assets.ts'
import { openBoard } from './board.ts'
import { destinationOf } from './destination.ts'
import { findRoute, gatewayTable } from './edge-gateway.ts'
import { table } from './edge-table.ts'
import type { EdgeEnv, Env } from './env.ts'
import { handleFound } from './found-route.ts'
import { enterInternally, handleRequest, respondNoRoute } from './gateway.ts'
import { listen } from './listener.ts'
import { findObjectCode } from './object-code.ts'
import { throwIfQuarantined } from './quarantine.ts'
import { pickByShare } from './split.ts'

export { AnalyticsEntrypoint } from '../bindings/analytics/entrypoint.ts'
export { Analytics } from '../bindings/analytics/object.ts'
export { AssetsEntrypoint } from '../bindings/assets/entrypoint.ts'
export { CacheEntrypoint } from '../bindings/cache/entrypoint.ts'
export { CronClock } from '../bindings/cron/object.ts'
export { D1Entrypoint } from '../bindings/d1/entrypoint.ts'
export { Database } from '../bindings/d1/object.ts'
export { ObjectAlarms } from '../bindings/durable-object/alarm-entrypoint.ts'
export { DurableObjectEntrypoint } from '../bindings/durable-object/entrypoint.ts'
export { ObjectIndex } from '../bindings/durable-object/index-object.ts'
export { NoObject } from '../bindings/durable-object/no-object.ts'
export { UserObject } from '../bindings/durable-object/object.ts'
export { KvEntrypoint } from '../bindings/kv/entrypoint.ts'
export { QueueEntrypoint } from '../bindings/queue/entrypoint.ts'
export { Queue } from '../bindings/queue/object.ts'
export { R2Entrypoint } from '../bindings/r2/entrypoint.ts'
export { Bucket } from '../bindings/r2/object.ts'
export { RateLimitEntrypoint } from '../bindings/rate-limit/entrypoint.ts'
export { ServiceEntrypoint } from '../bindings/service/entrypoint.ts'
export { WorkflowsEntrypoint } from '../bindings/workflow/entrypoint.ts'
export { Workflow } from '../bindings/workflow/object.ts'
export { Evictor } from '../runtime/evict.ts'
export { Outbound } from '../runtime/outbound.ts'
export { TailEntrypoint } from '../runtime/tail.ts'
export { Edge } from './edge.ts'
export { Handover } from './handover.ts'
export { Health } from './health.ts'
export { Objects } from './objects.ts'
export { TailHub } from './observe/tail-hub.ts'
export { Ops } from './ops.ts'
export { Account } from './registry/account.ts'
export { Directory } from './registry/directory.ts'
export { Limiter } from './registry/limiter.ts'
export { Records } from './registry/records.ts'
export { State } from './state.ts'

export default { fetch: listen } satisfies ExportedHandler<Env>

// Before the first request.
openBoard((environment as Env).SKERRY_BOARD)

// A function's fetch of a host that is served here stays here; the control plane is out of its reach.
setInternalDispatch((request, env, ctx) => {
  const { host, path } = destinationOf(request.url)
  const found = findRoute(host, path, request)
  const match = found ? undefined : table.match(host, path)
  if (!found && !match) {
    const isServed = table.serves(host) || gatewayTable.serves(host)
    return isServed ? Promise.resolve(respondNoRoute(host)) : undefined
  }
  const next = enterInternally(request, env)
  if (next instanceof Response) return Promise.resolve(next)
  if (found) return Promise.resolve(handleFound(found, next, env, ctx, INTERNAL_IP))
  return match && Promise.resolve(handleRequest(next, match, env, ctx))
})

/** Whose a function's request is; as on Cloudflare, no function's word for it is taken. */
const INTERNAL_IP = '2a06:98c0:3600::103'

setObjectCodeResolver(findObjectCode)

setTailResolver(
  (accountId, script) => table.script(accountId, script)?.entry,
  (env, exports, { accountId, script }) => findDeployed(accountId, script)?.load(env, exports),
)

setServiceResolver((env, exports, { accountId, script }) => {
  const found = findDeployed(accountId, script)
  if (found?.assets === undefined) return found?.load(env, exports)
  return withAssets(found.assets, env, () => found.load(env, exports))
})

/** What a call from inside the platform reaches of a function. @throws ERR_FUNCTION_QUARANTINED */
function findDeployed(accountId: string, script: string) {
  const target = table.script(accountId, script)
  if (target?.entry.quarantine) throwIfQuarantined(target, Date.now())
  const version = target && pickByShare(target.entry.versions, Math.random())
  return (
    version && {
      assets: version.assets,
      load: (env: EdgeEnv, exports: Cloudflare.Exports) =>
        loadWorker(target, version, Date.now(), env, { exports }),
    }
  )
}
