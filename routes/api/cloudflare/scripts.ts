import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { scriptNotFound } from '../../../src/registry/failures.ts'
import type { ScriptReferences } from '../../../src/registry/references.ts'
import type { ScriptRecord } from '../../../src/registry/scripts.ts'
import type { VersionRecord } from '../../../src/registry/versions.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { removeQueueConsumers } from './queues-scope.ts'
import { readScript, readScriptName } from './script-name.ts'
import { uploadVersion } from './upload.ts'
import { handlersOf } from './versions.ts'

/** Scripts: list, upload, download, delete. Mounted at `/workers/scripts`. */
export const scripts = new Hono<Api>()

scripts.get('/', async c => {
  const records = await c.var.account.registry.listScripts()
  return respondResult(c, records.map(toScript))
})

/** Uploads a version and sends all traffic to it. */
scripts.put('/:name', async c => {
  requireRole(c, 'deployer')
  const name = readScriptName(c)
  const version = await uploadVersion(c, name, true)
  const script = await readScript(c)
  return respondResult(c, {
    ...toScript(script),
    ...handlersOf(version),
    has_assets: version.manifest.assets !== undefined,
    has_modules: version.manifest.modules.length > 0,
    deployment_id: version.id,
    ...(version.report && { exports_reconciliation: version.report }),
    startup_time_ms: version.manifest.startupTimeMs,
    compatibility_date: version.manifest.compatibilityDate,
    compatibility_flags: version.manifest.compatibilityFlags,
  })
})

/** The main module of the latest version, as uploaded. */
scripts.get('/:name', async c => {
  const version = await requireLatest(c)
  const main = version.manifest.modules.find(({ name }) => name === version.manifest.mainModule)
  const body = main && (await c.env.CODE.get(main.digest, 'stream'))
  return new Response(body, {
    headers: { 'content-type': 'application/javascript', etag: `"${version.isolate}"` },
  })
})

scripts.delete('/:name', c => deleteScript(c))

/**
 * Also `DELETE /workers/services/:name`, which wrangler uses. What others use is deleted with `force=true` only. The
 * script's crons go first: they end nothing else.
 *
 * @throws ERR_SCRIPT_REFERENCED
 */
export async function deleteScript(c: Context<Api>): Promise<Response> {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  if (c.req.query('force') !== 'true')
    requireUnreferenced(name, await c.var.account.registry.listReferences(name))
  await c.env.CRON.get(c.env.CRON.idFromName(c.var.account.id)).deleteScript(name)
  await removeQueueConsumers(c, name)
  await c.var.account.registry.deleteScript(name)
  return respondResult(c, null)
}

function requireUnreferenced(name: string, { objects, tailProducers }: ScriptReferences): void {
  const uses = [
    ...objects.map(({ service }) => `"${service}" binds its Durable Objects`),
    ...tailProducers.map(service => `"${service}" sends it its traces`),
  ]
  if (uses.length === 0) return
  throw new SkerryError(
    'ERR_SCRIPT_REFERENCED',
    `The script "${name}" is in use: ${[...new Set(uses)].join(', ')}. Delete it with force=true all the same.`,
  )
}

async function requireLatest(c: Context<Api>): Promise<VersionRecord> {
  const version = await c.var.account.registry.latestVersion(c.req.param('name') ?? '')
  if (!version) throw scriptNotFound()
  return version
}

function toScript({ name, tag, created_on, modified_on, tags }: ScriptRecord) {
  return {
    id: name,
    tag,
    tags: JSON.parse(tags) as string[],
    created_on,
    modified_on,
    etag: tag,
    usage_model: 'standard',
    last_deployed_from: 'wrangler',
  }
}
