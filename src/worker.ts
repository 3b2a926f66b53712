import { env as environment } from 'cloudflare:workers'
import { setServiceResolver } from '../bindings/service/entrypoint.ts'
import { loadWorker } from '../runtime/loader.ts'
import { setInternalDispatch } from '../runtime/outbound.ts'
import { openBoard } from './board.ts'
import { destinationOf } from './destination.ts'
import { table } from './edge-table.ts'
import type { Env } from './env.ts'
import { handleInternal, respondNoRoute } from './gateway.ts'
import { listen } from './listener.ts'
import { throwIfQuarantined } from './quarantine.ts'
import { pickByShare } from './split.ts'

export { CronClock } from '../bindings/cron/object.ts'
export { KvEntrypoint } from '../bindings/kv/entrypoint.ts'
export { RateLimitEntrypoint } from '../bindings/rate-limit/entrypoint.ts'
export { ServiceEntrypoint } from '../bindings/service/entrypoint.ts'
export { Evictor } from '../runtime/evict.ts'
export { Outbound } from '../runtime/outbound.ts'
export { TailEntrypoint } from '../runtime/tail.ts'
export { Edge } from './edge.ts'
export { Handover } from './handover.ts'
export { Health } from './health.ts'
export { TailHub } from './observe/tail-hub.ts'
export { Ops } from './ops.ts'
export { Account } from './registry/account.ts'
export { Directory } from './registry/directory.ts'
export { State } from './state.ts'

export default { fetch: listen } satisfies ExportedHandler<Env>

// Before the first request.
openBoard((environment as Env).SKERRY_BOARD)

// A function's fetch of a host that is served here stays here; the control plane is out of its reach.
setInternalDispatch((request, env, ctx) => {
  const { host, path } = destinationOf(request.url)
  const match = table.match(host, path)
  if (match) return handleInternal(request, match, env, ctx)
  return table.serves(host) ? Promise.resolve(respondNoRoute(host)) : undefined
})

setServiceResolver((env, exports, { accountId, script }) => {
  const target = table.script(accountId, script)
  if (target?.entry.quarantine) throwIfQuarantined(target, Date.now())
  const version = target && pickByShare(target.entry.versions, Math.random())
  return version && loadWorker(target, version, Date.now(), env, { exports })
})
