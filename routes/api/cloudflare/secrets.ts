import { type Context, Hono } from 'hono'
import { parseBindings } from '../../../bindings/index.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { SecretBinding } from '../../../src/core/manifest.ts'
import { sealSecret } from '../../../src/registry/secrets.ts'
import type { VersionRecord } from '../../../src/registry/versions.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { toAnnotations, toAuthor } from './author.ts'
import { respondResult } from './envelope.ts'
import { readScript } from './script-name.ts'

/** Secrets of a script: names alone come back. Mounted at `/workers/scripts/:name`. */
export const secrets = new Hono<Api>()

secrets.get('/secrets', async c => {
  const { name } = await readScript(c)
  const latest = await c.var.account.registry.latestVersion(name)
  const found = latest?.manifest.bindings.filter(({ type }) => type === 'secret_text') ?? []
  return respondResult(
    c,
    found.map(({ name, type }) => ({ name, type })),
  )
})

secrets.put('/secrets', async c => {
  const { name, text, type } = await readJsonObject(c)
  await change(c, { [String(name)]: { name, text, type } }, true)
  return respondResult(c, { name, type: 'secret_text' })
})

secrets.delete('/secrets/:secret', async c => {
  await change(c, { [c.req.param('secret')]: null }, true)
  return respondResult(c, null)
})

/** Sets and (by `null`) deletes several at once, all or none. */
secrets.patch('/secrets-bulk', async c => {
  const { secrets } = await readJsonObject(c)
  await change(c, requireObject(secrets, 'secrets'), true)
  return respondResult(c, { secrets: Object.keys(requireObject(secrets, 'secrets')) })
})

/** `wrangler versions secret …`: makes a version that nothing is sent to. Mounted at `/workers/workers/:name`. */
export async function changeVersionSecrets(c: Context<Api>): Promise<Response> {
  const { env, annotations } = await readJsonObject(c)
  const version = await change(c, requireObject(env, 'env'), false, toAnnotations(annotations))
  return respondResult(c, { id: version.id })
}

async function change(
  c: Context<Api>,
  wanted: Readonly<Record<string, unknown>>,
  deploy: boolean,
  annotations: Record<string, string> = {},
): Promise<VersionRecord> {
  requireRole(c, 'deployer')
  const script = await readScript(c)
  const sealed = await Promise.all(
    Object.entries(wanted).map(async ([name, item]) => [name, await seal(c, name, item)]),
  )
  return c.var.account.registry.changeSecrets(script.name, {
    secrets: Object.fromEntries(sealed),
    annotations: { 'workers/triggered_by': 'secret', ...annotations },
    author: toAuthor(c),
    deploy,
  })
}

async function seal(c: Context<Api>, name: string, item: unknown): Promise<SecretBinding | null> {
  if (item === null) return null
  const { text, type = 'secret_text' } = requireObject(item, name)
  if (type !== 'secret_text') {
    throw new SkerryError(
      'ERR_API_BODY',
      `The secret "${name}" is of type "${String(type)}"; it must be "secret_text".`,
    )
  }
  const [parsed] = parseBindings([{ type, name, text }])
  if (parsed?.type !== 'secret_text')
    throw new SkerryError('ERR_API_BODY', `The secret "${name}" is invalid.`)
  return sealSecret(name, parsed.text, c.env.MASTER_KEY)
}

function requireObject(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (value && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  throw new SkerryError('ERR_API_BODY', `The field "${field}" must be an object.`)
}
