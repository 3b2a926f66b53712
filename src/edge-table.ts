import { RouteTable } from '../routes/table.ts'
import { readAhead } from '../runtime/loader.ts'
import { SkerryError } from './core/errors.ts'
import type { AccountChanges } from './core/routing.ts'
import { applyGateway } from './edge-gateway.ts'
import { applyApiKeys } from './edge-keys.ts'
import { applyPurges } from './edge-purges.ts'
import type { EdgeEnv } from './env.ts'
import { applyNamespaces } from './object-namespaces.ts'
import { askState } from './roles.ts'

/** This process's route table: the edge's memory of what is deployed. */
export const table = new RouteTable()

/**
 * Makes sure that the table was filled.
 *
 * @returns `undefined` when it is ready, else the promise to wait for
 * @throws (rejects) ERR_STATE_UNAVAILABLE
 */
export function prepareTable(env: EdgeEnv, ctx: ExecutionContext): Promise<void> | undefined {
  if (!filled) {
    const pending = fill(env, ctx)
    // Others wait for it too: it must outlive the request that happened to start it.
    ctx.waitUntil(pending.catch(() => undefined))
    return pending
  }
  if (env.SKERRY_HOST_KIND === 'cloudflare') refreshIfOld(env, ctx)
  return undefined
}

/** Whether the table is there, and has all that was pushed before this process could be reached. */
export function tableIsReady(): boolean {
  return filled && !missesPushes
}

/** To be told when this process can be reached: what was pushed before is asked for. */
export function catchUp(env: EdgeEnv, ctx: ExecutionContext): void {
  if (!filled || !missesPushes || isCatchingUp) return
  isCatchingUp = true
  const caughtUp = refreshTable(env, ctx.exports).then(() => {
    missesPushes = false
  })
  ctx.waitUntil(
    caughtUp
      .catch(() => undefined)
      .finally(() => {
        isCatchingUp = false
      }),
  )
}

/** Fills the table, or brings it up to date every two seconds, in the background: a push may have been lost. */
export function keepTable(env: EdgeEnv, ctx: ExecutionContext): void {
  if (!filled) {
    if (!filling) void prepareTable(env, ctx)?.catch(() => undefined)
  } else refreshIfOld(env, ctx)
}

function refreshIfOld(env: EdgeEnv, ctx: ExecutionContext): void {
  if (Date.now() - checkedAtMs <= MAX_AGE_MS) return
  checkedAtMs = Date.now()
  ctx.waitUntil(refreshTable(env, ctx.exports).catch(() => undefined))
}

/** Takes a pushed change in; one that doesn't follow what is held makes the edge read for itself. */
export async function applyChanges(
  changes: AccountChanges,
  env: EdgeEnv,
  exports: Cloudflare.Exports,
): Promise<void> {
  // A push during the first read may be newer than what is being read.
  await filling?.catch(() => undefined)
  if (!filled) return
  if (table.follows(changes)) apply(changes)
  else await refreshTable(env, exports)
}

function apply(changes: AccountChanges): void {
  applyApiKeys(changes)
  applyPurges(changes)
  applyNamespaces(changes)
  const answers = applyGateway(changes)
  if (answers) table.setScriptHosts(changes.accountId, answers)
  table.apply(changes)
}

/** Reads whatever changed since the held revisions. */
async function refreshTable(env: EdgeEnv, exports: Cloudflare.Exports): Promise<void> {
  const held = table.revisions()
  for (const changes of await askState(env, exports, state => state.changesSince(held))) apply(changes)
}

function fill(env: EdgeEnv, ctx: ExecutionContext): Promise<void> {
  filling ??= (async () => {
    try {
      const all = await askState(env, ctx.exports, state => state.changesSince({}))
      for (const changes of all) apply(changes)
      filled = true
      // On Cloudflare every isolate would ask for itself.
      if (env.SKERRY_HOST_KIND !== 'cloudflare') ctx.waitUntil(readAheadOfAll(all, env, ctx))
      checkedAtMs = Date.now()
    } catch (cause) {
      throw new SkerryError('ERR_STATE_UNAVAILABLE', 'The platform is starting; retry shortly.', { cause })
    } finally {
      filling = undefined
    }
  })()
  return filling
}

async function readAheadOfAll(
  all: readonly AccountChanges[],
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<void> {
  let left = READ_AHEAD_SCRIPTS
  for (const { accountId, scripts } of all) {
    await readAhead(accountId, scripts.slice(0, left), env, ctx)
    left = Math.max(0, left - scripts.length)
  }
}

/** At a start, about a millisecond each, beside the first requests. */
const READ_AHEAD_SCRIPTS = 500

/** How old the table may be where a change was not pushed, or the push was lost. */
const MAX_AGE_MS = 2000

let filled = false
let missesPushes = true
let isCatchingUp = false
let checkedAtMs = 0
let filling: Promise<void> | undefined
