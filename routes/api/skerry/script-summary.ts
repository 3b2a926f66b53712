import type { Context } from 'hono'
import { turnLimit, turnPolicy } from '../../../src/core/turn-limit.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { QuarantineRecord, StrikeRecord } from '../../../src/registry/strikes.ts'
import type { GatewayDocument } from '../../gateway/document.ts'
import { patternsOf, scriptHostsOf } from '../../gateway/script-hosts.ts'
import { readScript } from '../cloudflare/script-name.ts'
import type { Api } from '../context.ts'

/**
 * A script at a glance: where it answers, what is deployed, when it runs by itself, and whether it is kept from
 * running.
 *
 * @throws ERR_SCRIPT_NOT_FOUND
 */
export async function readScriptSummary(c: Context<Api>) {
  const { registry, workersDomain, id } = c.var.account
  const script = await readScript(c)
  const { name } = script
  const [[deployment], latest, allRoutes, strikes, quarantines, gateway] = await Promise.all([
    registry.listDeployments(name, 1),
    registry.latestVersion(name),
    registry.listRoutes(),
    registry.listStrikes(name),
    registry.listQuarantines(name),
    registry.getGateway(),
  ])
  const document = gateway && (JSON.parse(gateway.document) as GatewayDocument)
  const answers = script.workers_dev && (!document || scriptHostsOf(document)(name))
  const whole = quarantines.find(({ isolate }) => isolate === '')
  return {
    name,
    hosts: answers ? [`${name}.${workersDomain}`] : [],
    routes: allRoutes.filter(route => route.script === name).map(({ pattern }) => pattern),
    gateway_routes: document ? patternsOf(document, name) : [],
    versions: deployment?.versions ?? [],
    latest_version: latest?.id ?? null,
    /** Of the latest version. */
    turn_ms: latest ? turnLimit(latest.manifest.turnMs, turnPolicy(c.env)) : null,
    bindings: latest?.manifest.bindings.map(({ name, type }) => ({ name, type })) ?? [],
    crons: await c.env.CRON.get(c.env.CRON.idFromName(id)).getSchedules(name),
    strikes: strikes.map(toStrike),
    quarantine: whole ? toQuarantine(whole) : null,
    quarantined_previews: quarantines
      .filter(({ isolate }) => isolate !== '')
      .map(record => ({ ...toQuarantine(record), version_id: versionOf(record, strikes) })),
    created_on: script.created_on,
    modified_on: script.modified_on,
  }
}

/** A quarantine as the API shows it. */
export function toQuarantine({ quarantine: { sinceMs, untilMs, kind, reason } }: QuarantineRecord) {
  return { since: timestamp(sinceMs), until: timestamp(untilMs), kind, reason }
}

function toStrike({ id, version_id, kind, at_ms, detail }: StrikeRecord) {
  return { id, version_id, kind, at: timestamp(at_ms), detail }
}

function versionOf({ isolate }: QuarantineRecord, strikes: readonly StrikeRecord[]): string | null {
  return strikes.find(strike => strike.isolate === isolate)?.version_id ?? null
}
