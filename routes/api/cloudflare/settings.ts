import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ScriptRecord, ScriptSettings } from '../../../src/registry/scripts.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { toAuthor } from './author.ts'
import { showBinding } from './bindings.ts'
import { respondResult } from './envelope.ts'
import { parseLimits } from './script-limits.ts'
import { readScript } from './script-name.ts'
import { readSettingsForm } from './settings-form.ts'

/** Settings of a script. Mounted at `/workers/scripts/:name`. */
export const settings = new Hono<Api>()

/** Settings with the latest version's bindings, in upload form: wrangler compares them with its configuration. */
settings.get('/settings', respondSettings)

/** Settings of the script, and its limits, which make a version of their own: the latest with those, deployed. */
settings.patch('/settings', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const { limits: wanted, ...fields } = await readSettingsForm(c.req.raw)
  refuseUnknown(fields, [...SETTINGS, 'limits'], VERSIONED)
  const change = toChange(fields)
  if (wanted === undefined) {
    await c.var.account.registry.updateScript(name, change)
  } else {
    const limits = parseLimits(wanted)
    await c.var.account.registry.changeTurnLimit(name, {
      ...(limits?.cpu_ms !== undefined && { turnMs: limits.cpu_ms }),
      settings: { ...change, settings: { ...change.settings, limits } },
      annotations: { 'workers/triggered_by': 'settings' },
      author: toAuthor(c),
    })
  }
  return respondSettings(c)
})

async function respondSettings(c: Context<Api>): Promise<Response> {
  const script = await readScript(c)
  const latest = await c.var.account.registry.latestVersion(script.name)
  return respondResult(c, {
    ...scriptSettings(script),
    bindings: latest?.manifest.bindings.map(binding => showBinding(binding, latest)) ?? [],
    ...(script.migration_tag !== null && { migration_tag: script.migration_tag }),
    compatibility_date: latest?.manifest.compatibilityDate,
    compatibility_flags: latest?.manifest.compatibilityFlags,
    usage_model: 'standard',
  })
}

settings.get('/script-settings', async c => respondResult(c, scriptSettings(await readScript(c))))

settings.patch('/script-settings', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const fields = await readJsonObject(c)
  refuseUnknown(fields, SETTINGS, 'limits' in fields ? LIMITED : '')
  return respondResult(c, scriptSettings(await c.var.account.registry.updateScript(name, toChange(fields))))
})

/** Who binds its Durable Objects. Service bindings aren't among them: they name a script only when they are called. */
settings.get('/references', async c => {
  const { name } = await readScript(c)
  const { objects } = await c.var.account.registry.listReferences(name)
  return respondResult(c, {
    ...(objects.length > 0 && {
      durable_objects: objects.map(({ service, namespaceId }) => ({
        service,
        environment: 'production',
        durable_object_namespace_id: namespaceId,
      })),
    }),
  })
})

/** @throws ERR_API_BODY */
function refuseUnknown(
  fields: Readonly<Record<string, unknown>>,
  known: readonly string[],
  why: string,
): void {
  const unknown = Object.keys(fields).find(key => !known.includes(key))
  if (unknown === undefined) return
  const list = known.join(', ')
  throw new SkerryError(
    'ERR_API_BODY',
    `The field "${unknown}" is no setting that can be changed here; there are ${list}.${why}`,
  )
}

/** @throws ERR_API_BODY */
function toChange({ tags, ...settings }: Readonly<Record<string, unknown>>): ScriptSettings {
  const isTags = Array.isArray(tags) && tags.every(tag => typeof tag === 'string')
  if (tags !== undefined && tags !== null && !isTags) {
    throw new SkerryError('ERR_API_BODY', 'The field "tags" must be an array of strings.')
  }
  const consumers = settings.tail_consumers ?? []
  if (!Array.isArray(consumers) || consumers.some(item => typeof item?.service !== 'string')) {
    throw new SkerryError(
      'ERR_API_BODY',
      'The field "tail_consumers" must be an array of {"service": "<script>"}.',
    )
  }
  return { settings, ...(tags !== undefined && { tags: isTags ? tags : [] }) }
}

/** Of the script, whatever its version. */
const SETTINGS = ['tags', 'observability', 'logpush', 'tail_consumers', 'placement', 'usage_model']
const VERSIONED = ' What else belongs to a version is changed by `wrangler deploy`.'
const LIMITED = ' Limits belong to a version: set them by `wrangler deploy`, or PATCH /settings.'

function scriptSettings({ tags, settings }: ScriptRecord) {
  const kept = Object.entries(JSON.parse(settings) as Record<string, unknown>)
  return {
    logpush: false,
    observability: { enabled: false },
    tail_consumers: [],
    ...Object.fromEntries(kept.filter(([, value]) => value !== null)),
    tags: JSON.parse(tags) as string[],
  }
}
