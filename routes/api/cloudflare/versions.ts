import { Hono } from 'hono'
import { versionNotFound } from '../../../src/registry/failures.ts'
import type { VersionRecord } from '../../../src/registry/versions.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'
import { showBinding } from './bindings.ts'
import { paginationOf, respondResult } from './envelope.ts'
import { readScript, readScriptName } from './script-name.ts'
import { uploadVersion } from './upload.ts'

/** Versions of a script. Mounted at `/workers/scripts/:name/versions`. */
export const versions = new Hono<Api>()

versions.get('/', async c => {
  const { page, perPage } = paginationOf(c, 100)
  const name = (await readScript(c)).name
  const { items, total } = await c.var.account.registry.listVersions(name, perPage, (page - 1) * perPage)
  const info = { page, per_page: perPage, count: items.length, total_count: total }
  // With their bindings: `wrangler versions secret list` looks for secrets here.
  return respondResult(c, { items: items.map(version => toVersion(version, false)) }, info)
})

/** Uploads a version without sending traffic to it. The script must exist. */
versions.post('/', async c => {
  requireRole(c, 'deployer')
  const name = readScriptName(c)
  const script = await readScript(c)
  const version = await uploadVersion(c, name, false)
  return respondResult(c, {
    ...toVersion(version, script.previews === 1),
    ...(version.report && { exports_reconciliation: version.report }),
  })
})

versions.get('/:id', async c => {
  const script = await readScript(c)
  const id = c.req.param('id')
  const version = await c.var.account.registry.getVersion(script.name, id)
  if (!version) throw versionNotFound(id)
  return respondResult(c, toVersion(version, script.previews === 1))
})

/** The handlers of a version's default export, and of its named ones, as Cloudflare lists them. */
export function handlersOf({ manifest }: VersionRecord) {
  const main = manifest.exports.find(({ name }) => name === 'default')
  const named = manifest.exports.filter(({ name, handlers }) => name !== 'default' && handlers.length > 0)
  return {
    handlers: main?.handlers ?? [],
    named_handlers: named.map(({ name, handlers }) => ({ name, handlers })),
  }
}

function toSummary(version: VersionRecord, hasPreview: boolean) {
  return {
    id: version.id,
    number: version.number,
    metadata: {
      created_on: version.created_on,
      modified_on: version.created_on,
      source: version.source,
      author_id: version.author.id,
      author_email: version.author.email,
      has_preview: hasPreview,
    },
    annotations: version.annotations,
  }
}

function toVersion(version: VersionRecord, hasPreview: boolean) {
  const { manifest } = version
  return {
    ...toSummary(version, hasPreview),
    startup_time_ms: manifest.startupTimeMs,
    resources: {
      bindings: manifest.bindings.map(binding => showBinding(binding, version)),
      script: { etag: version.isolate, ...handlersOf(version), last_deployed_from: version.source },
      script_runtime: {
        compatibility_date: manifest.compatibilityDate,
        compatibility_flags: manifest.compatibilityFlags,
        usage_model: 'standard',
      },
    },
  }
}
