import { type Context, Hono } from 'hono'
import type { ApiKeyRecord } from '../../../src/registry/api-keys.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { parseApiKeyChange, parseApiKeyPage, parseNewApiKey, parseRotation } from './api-key-body.ts'

/**
 * API keys of an account's callers, for the policy `api-key`. Mounted at `/accounts/:account/api-keys`.
 *
 * Only hashes are kept: a key's text is seen once, when it is made or replaced.
 */
export const apiKeys = new Hono<Api>()

/** `?owner=`, `?limit=` (100, at most 1,000), `?cursor=`: newest first. */
apiKeys.get('/', async c => {
  const { keys, next } = await c.var.account.registry.listApiKeys(parseApiKeyPage(c.req.query()))
  return c.json({ api_keys: keys.map(toJson), next_cursor: next === undefined ? null : String(next) })
})

apiKeys.post('/', async c => {
  requireRole(c, 'deployer')
  const fields = parseNewApiKey(await readJsonObject(c), Date.now())
  const { key, text } = await c.var.account.registry.createApiKey(fields)
  return c.json({ ...toJson(key), key: text }, 201)
})

apiKeys.get('/:id', async c => c.json(toJson(await readKey(c))))

apiKeys.patch('/:id', async c => {
  requireRole(c, 'deployer')
  const before = await readKey(c)
  const change = parseApiKeyChange(await readJsonObject(c), before, Date.now())
  return c.json(toJson(await c.var.account.registry.updateApiKey(before.id, change)))
})

/** A new key in its place; the old one is good for `overlap`, a day unless told otherwise. */
apiKeys.post('/:id/rotate', async c => {
  requireRole(c, 'deployer')
  const { id } = await readKey(c)
  const rotation = parseRotation(await readOptionalBody(c), Date.now())
  const { key, text } = await c.var.account.registry.rotateApiKey(id, rotation)
  return c.json({ ...toJson(key), key: text, replaces: toJson(await readKey(c)) }, 201)
})

apiKeys.post('/:id/revoke', async c => {
  requireRole(c, 'deployer')
  return c.json(toJson(await c.var.account.registry.revokeApiKey(idOf(c))))
})

apiKeys.delete('/:id', async c => {
  requireRole(c, 'deployer')
  await c.var.account.registry.deleteApiKey(idOf(c))
  return c.body(null, 204)
})

function readKey(c: Context<Api>): Promise<ApiKeyRecord> {
  return c.var.account.registry.getApiKey(idOf(c)) as unknown as Promise<ApiKeyRecord>
}

function idOf(c: Context<Api>): string {
  return c.req.param('id') ?? ''
}

/** `curl -X POST` without a body will do. */
async function readOptionalBody(c: Context<Api>): Promise<Record<string, unknown>> {
  return (await c.req.text()).trim() === '' ? {} : readJsonObject(c)
}

function toJson(key: ApiKeyRecord) {
  return {
    id: key.id,
    prefix: key.prefix,
    name: key.name,
    owner: key.owner,
    scopes: key.scopes,
    metadata: key.metadata,
    status: statusOf(key, Date.now()),
    created_on: key.createdOn,
    expires_on: key.expiresAtMs === 0 ? null : timestamp(key.expiresAtMs),
    revoked_on: key.revokedAtMs === 0 ? null : timestamp(key.revokedAtMs),
    replaced_by: key.replacedBy,
  }
}

function statusOf({ revokedAtMs, expiresAtMs }: ApiKeyRecord, nowMs: number) {
  if (revokedAtMs !== 0) return 'revoked'
  return expiresAtMs !== 0 && expiresAtMs <= nowMs ? 'expired' : 'active'
}
