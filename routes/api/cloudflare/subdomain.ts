import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ScriptRecord } from '../../../src/registry/scripts.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { readScript } from './script-name.ts'
import { changeVersionSecrets } from './secrets.ts'

/** Where scripts answer by themselves: Cloudflare's workers.dev, here the platform's domain. Mounted at `/workers`. */
export const subdomain = new Hono<Api>()

subdomain.get('/subdomain', c => respondResult(c, { subdomain: c.var.account.name }))

subdomain.get('/scripts/:name/subdomain', async c => respondResult(c, toSubdomain(await readScript(c))))

subdomain.post('/scripts/:name/subdomain', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const body = await readJsonObject(c)
  const enabled = requireBoolean(body, 'enabled') ?? true
  const previews = requireBoolean(body, 'previews_enabled') ?? enabled
  return respondResult(
    c,
    toSubdomain(await c.var.account.registry.updateScript(name, { workersDev: enabled, previews })),
  )
})

/** The newer spelling of scripts. Mounted at `/workers/workers`. */
export const workers = new Hono<Api>()

workers.get('/:name', async c => {
  const script = await readScript(c)
  const { protocol, port } = new URL(c.env.SKERRY_URL ?? c.req.url)
  const authority = `${script.name}.${c.var.account.workersDomain}${port && `:${port}`}`
  return respondResult(c, {
    id: script.tag,
    name: script.name,
    subdomain: {
      ...toSubdomain(script),
      // wrangler prints these instead of names below workers.dev.
      url: `${protocol}//${authority}`,
      preview_url_suffix: `-${authority}`,
    },
    tags: JSON.parse(script.tags) as string[],
    created_on: script.created_on,
    updated_on: script.modified_on,
  })
})

workers.patch('/:name/versions/latest', c => changeVersionSecrets(c))

function toSubdomain({ workers_dev, previews }: ScriptRecord) {
  return { enabled: workers_dev === 1, previews_enabled: previews === 1 }
}

function requireBoolean(body: Record<string, unknown>, name: string): boolean | undefined {
  const value = body[name]
  if (value === undefined || typeof value === 'boolean') return value
  throw new SkerryError(
    'ERR_API_BODY',
    `The field "${name}" must be true or false, not ${JSON.stringify(value)}.`,
  )
}
