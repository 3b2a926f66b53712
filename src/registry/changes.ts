import type { Reads } from '../core/manifest.ts'
import type { AccountChanges, EdgeVersion, ScriptEntry } from '../core/routing.ts'
import type { Quarantine } from '../core/strikes.ts'
import { type TurnPolicy, turnLimit, turnPolicy } from '../core/turn-limit.ts'
import type { StateEnv } from '../env.ts'
import { listApiKeysSince, listRemovedApiKeysSince } from './api-keys.ts'
import { currentDeployment } from './deployments.ts'
import { openGatewaySnapshot, readGatewaySnapshot } from './gateway.ts'
import type { Meta } from './meta.ts'
import { listNamespaceEntries } from './object-namespaces.ts'
import { listPurgesSince } from './purges.ts'
import { listRoutes } from './routes.ts'
import { listRemovedSince, listScriptsSince, type ScriptRecord } from './scripts.ts'
import { listQuarantines, type QuarantineRecord } from './strikes.ts'
import { tailConsumersOf } from './tail-consumers.ts'
import { findVersion, type VersionRecord } from './versions.ts'

/**
 * What edges must learn of an account after a revision; 0 = everything. All is read before the first await: it
 * belongs to one revision.
 */
export async function readChanges(
  sql: SqlStorage,
  meta: Meta,
  from: number,
  env: StateEnv,
): Promise<AccountChanges> {
  const changes = readTables(sql, meta, from, Date.now(), turnPolicy(env))
  const isNew = from === 0 || meta.number('gateway_revision') > from
  const sealed = isNew ? readGatewaySnapshot(sql) : undefined
  return sealed ? { ...changes, gateway: await openGatewaySnapshot(sealed, env.MASTER_KEY) } : changes
}

function readTables(
  sql: SqlStorage,
  meta: Meta,
  from: number,
  nowMs: number,
  turns: TurnPolicy,
): AccountChanges {
  const quarantines = Map.groupBy(listQuarantines(sql, nowMs), ({ script }) => script)
  const namespacesChanged = meta.number('namespaces_revision') > from
  const routesChanged = from === 0 || meta.number('routes_revision') > from
  return {
    accountId: meta.text('account_id'),
    workersDomain: meta.text('workers_domain'),
    from,
    to: meta.number('revision'),
    scripts: listScriptsSince(sql, from).map(script =>
      toEntry(sql, script, quarantines.get(script.name) ?? [], turns),
    ),
    removed: from === 0 ? [] : listRemovedSince(sql, from),
    ...(routesChanged && {
      routes: listRoutes(sql).map(({ pattern, script, custom_domain }) => ({
        pattern,
        script,
        customDomain: custom_domain === 1,
      })),
    }),
    ...(namespacesChanged && { namespaces: listNamespaceEntries(sql) }),
    ...readApiKeys(sql, from),
    ...readPurges(sql, from),
  }
}

function readApiKeys(sql: SqlStorage, from: number): Pick<AccountChanges, 'apiKeys' | 'removedApiKeys'> {
  const apiKeys = listApiKeysSince(sql, from)
  const removedApiKeys = from === 0 ? [] : listRemovedApiKeysSince(sql, from)
  return {
    ...((from === 0 || apiKeys.length > 0) && { apiKeys }),
    ...(removedApiKeys.length > 0 && { removedApiKeys }),
  }
}

function readPurges(sql: SqlStorage, from: number): Pick<AccountChanges, 'purges'> {
  const purges = listPurgesSince(sql, from)
  return purges.length > 0 ? { purges } : {}
}

/** A version as edges know it. */
export function toEdgeVersion(version: VersionRecord, percentage: number, turns: TurnPolicy): EdgeVersion {
  const { manifest } = version
  const main = manifest.exports.find(({ name }) => name === 'default')
  return {
    id: version.id,
    isolate: version.isolate,
    percentage,
    // What it forwards through a service binding, another function's code may read.
    reads: manifest.bindings.some(({ type }) => type === 'service') ? EVERYTHING : manifest.reads,
    ...(manifest.assets && { assets: manifest.assets.digest }),
    hasFetch: main?.handlers.includes('fetch') ?? false,
    turnMs: turnLimit(manifest.turnMs, turns),
  }
}

const EVERYTHING: Reads = { cf: true, clientHeaders: true }

function toEntry(
  sql: SqlStorage,
  script: ScriptRecord,
  quarantines: readonly QuarantineRecord[],
  turns: TurnPolicy,
): ScriptEntry {
  const shares = currentDeployment(sql, script.name)?.versions ?? []
  const tailConsumers = tailConsumersOf(script)
  return {
    name: script.name,
    workersDev: script.workers_dev === 1,
    previews: script.previews === 1,
    tailingUntilMs: script.tailing_until_ms,
    ...(tailConsumers.length > 0 && { tailConsumers }),
    versions: shares.flatMap(({ version_id, percentage }) => {
      const version = findVersion(sql, script.name, version_id)
      return version ? [toEdgeVersion(version, percentage, turns)] : []
    }),
    ...(quarantines.length > 0 && toQuarantines(quarantines)),
  }
}

/** A quarantine of the script as deployed holds on the preview hosts of the struck versions, and of no others. */
function toQuarantines(
  quarantines: readonly QuarantineRecord[],
): Pick<ScriptEntry, 'quarantine' | 'quarantinedIsolates'> {
  const whole = quarantines.find(({ isolate }) => isolate === '')?.quarantine
  const quarantinedIsolates: Record<string, Quarantine> = {}
  for (const { struck, quarantine } of quarantines) {
    for (const isolate of struck) quarantinedIsolates[isolate] ??= quarantine
  }
  return { ...(whole && { quarantine: whole }), quarantinedIsolates }
}
