import { hostOf } from '../bindings/durable-object/call.ts'
import type { ObjectCode } from '../bindings/durable-object/code.ts'
import { objectsWithSockets } from '../bindings/durable-object/running.ts'
import type { ObjectTarget } from '../bindings/durable-object/target.ts'
import { loadWorker, useWorker } from '../runtime/loader.ts'
import { isTailed, type NamespaceEntry } from './core/routing.ts'
import { unitHash } from './core/unit-hash.ts'
import { prepareTable, table } from './edge-table.ts'
import type { ObjectsEnv } from './env.ts'
import { findNamespace } from './object-namespaces.ts'
import { throwIfQuarantined } from './quarantine.ts'
import { pickByShare } from './split.ts'

/**
 * The deployed code of an object's class, which is where its namespace is now. While traffic is split, an object
 * has the same version for as long as the split stays.
 *
 * @throws (rejects) as `ObjectCodeResolver` says
 */
export function findObjectCode(
  target: ObjectTarget,
  env: ObjectsEnv,
  ctx: DurableObjectState,
): ObjectCode | Promise<ObjectCode> {
  // It takes no more of a context than an object's state has.
  const pending = prepareTable(env, ctx as unknown as ExecutionContext)
  if (pending) return pending.then(() => findSoon(target, env, ctx))
  const namespace = findNamespace(target.accountId, target.namespaceId)
  return namespace ? find(namespace, target, env, ctx) : findSoon(target, env, ctx)
}

/** A caller may know of a deploy some milliseconds before this process does. */
async function findSoon(target: ObjectTarget, env: ObjectsEnv, ctx: DurableObjectState): Promise<ObjectCode> {
  const untilMs = Date.now() + PATIENCE_MS
  for (;;) {
    const namespace = findNamespace(target.accountId, target.namespaceId)
    if (namespace) return find(namespace, target, env, ctx)
    if (Date.now() >= untilMs) {
      throw new Error(`The Durable Object class "${target.className}" was deleted.`)
    }
    await scheduler.wait(PAUSE_MS)
  }
}

function find(
  namespace: NamespaceEntry,
  { accountId, id }: ObjectTarget,
  env: ObjectsEnv,
  ctx: DurableObjectState,
): ObjectCode {
  const nowMs = Date.now()
  const { script, className } = namespace
  const found = table.script(accountId, script)
  if (found?.entry.quarantine) throwIfQuarantined(found, nowMs)
  const version = found && pickByShare(found.entry.versions, unitHash(id))
  if (!version) throw new Error(`Worker "${script}" not found.`)
  useWorker(found, version, nowMs)
  return {
    key: toKey(version.isolate, namespace),
    isTailing: isTailed(found.entry, nowMs),
    className,
    worker: () => loadWorker(found, version, nowMs, env, ctx as { exports: Cloudflare.Exports }),
  }
}

/**
 * After a change of what an account has deployed: ends its objects that have WebSockets and run other code than
 * they are to, which closes the sockets, as on Cloudflare. All others get the new code at their next call.
 */
export async function leaveOldCode(accountId: string, env: ObjectsEnv): Promise<void> {
  const outdated = objectsWithSockets().filter(({ target, key }) => {
    if (target.accountId !== accountId) return false
    const now = keyOf(target)
    return now !== undefined && now !== key
  })
  // A few at a time: it may be ten thousand, and each is started for it if it sleeps.
  for (let at = 0; at < outdated.length; at += LEAVING_AT_ONCE) {
    const some = outdated.slice(at, at + LEAVING_AT_ONCE)
    await Promise.allSettled(some.map(({ target }) => hostOf(env, target).leaveCode(keyOf(target) ?? '')))
  }
}

/** The key of the code that an object is to run now; `undefined` if there is none. */
function keyOf({ accountId, namespaceId, id }: ObjectTarget): string | undefined {
  const namespace = findNamespace(accountId, namespaceId)
  const found = namespace && table.script(accountId, namespace.script)
  const version = found && pickByShare(found.entry.versions, unitHash(id))
  return version && toKey(version.isolate, namespace)
}

function toKey(isolate: string, { script, className }: NamespaceEntry): string {
  return `${isolate}/${script}/${className}`
}

const LEAVING_AT_ONCE = 50
const PATIENCE_MS = 300
const PAUSE_MS = 10
