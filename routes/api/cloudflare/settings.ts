import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ScriptRecord } from '../../../src/registry/scripts.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { showBinding } from './bindings.ts'
import { respondResult } from './envelope.ts'
import { readScript } from './script-name.ts'

/** Settings of a script. Mounted at `/workers/scripts/:name`. */
export const settings = new Hono<Api>()

/** Settings with the latest version's bindings, in upload form: wrangler compares them with its configuration. */
settings.get('/settings', async c => {
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
})

settings.get('/script-settings', async c => respondResult(c, scriptSettings(await readScript(c))))

settings.patch('/script-settings', c => patchSettings(c))

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

async function patchSettings(c: Context<Api>): Promise<Response> {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const { tags, ...rest } = await readJsonObject(c)
  const unknown = Object.keys(rest).find(key => !SETTINGS.includes(key))
  if (unknown) {
    throw new SkerryError(
      'ERR_API_BODY',
      `The field "${unknown}" is no setting of a script; there are tags, ${SETTINGS.join(', ')}.`,
    )
  }
  if (
    tags !== undefined &&
    tags !== null &&
    !(Array.isArray(tags) && tags.every(tag => typeof tag === 'string'))
  ) {
    throw new SkerryError('ERR_API_BODY', 'The field "tags" must be an array of strings.')
  }
  const consumers = rest.tail_consumers ?? []
  if (!Array.isArray(consumers) || consumers.some(item => typeof item?.service !== 'string')) {
    throw new SkerryError(
      'ERR_API_BODY',
      'The field "tail_consumers" must be an array of {"service": "<script>"}.',
    )
  }
  const change = { settings: rest, ...(tags !== undefined && { tags: (tags ?? []) as string[] }) }
  return respondResult(c, scriptSettings(await c.var.account.registry.updateScript(name, change)))
}

const SETTINGS = ['observability', 'logpush', 'tail_consumers', 'limits', 'placement', 'usage_model']

function scriptSettings({ tags, settings }: ScriptRecord) {
  return {
    logpush: false,
    observability: { enabled: false },
    tail_consumers: [],
    ...(JSON.parse(settings) as Record<string, unknown>),
    tags: JSON.parse(tags) as string[],
  }
}
