import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { NamespaceRecord } from '../../../src/registry/object-namespaces.ts'
import { objectsRole } from '../../../src/roles.ts'
import type { Api } from '../context.ts'
import { paginate, respondResult } from './envelope.ts'

/**
 * Namespaces of Durable Objects and their objects; mounted at `/accounts/:account/workers/durable_objects/namespaces`.
 *
 * @see https://developers.cloudflare.com/api/resources/durable_objects/
 */
export const durableObjects = new Hono<Api>()

durableObjects.get('/', async c => {
  const namespaces = await c.var.account.registry.listNamespaces()
  const { items, info } = paginate(c, namespaces.map(toNamespace), MAX_PER_PAGE)
  return respondResult(c, items, info)
})

durableObjects.get('/:id/objects', async c => {
  const { id } = await requireNamespace(c)
  const { objects, cursor } = await listObjects(c, id)
  return respondResult(
    c,
    // An object that is listed has had the chance to store something; whether it did, only it knows.
    objects.map(object => ({ id: object.id, hasStoredData: true })),
    { count: objects.length, cursor: cursor ?? '' },
  )
})

/** A namespace as Cloudflare's API names it. */
export function toNamespace({ id, script, class: className, sqlite }: NamespaceRecord) {
  return { id, name: `${script}_${className}`, script, class: className, use_sqlite: sqlite === 1 }
}

/** The namespace that the path names, by its id. @throws ERR_OBJECT_NAMESPACE_NOT_FOUND */
export async function requireNamespace(c: Context<Api>): Promise<NamespaceRecord> {
  const id = c.req.param('id') ?? ''
  const found = await c.var.account.registry.findNamespace(id)
  if (found) return found
  throw new SkerryError(
    'ERR_OBJECT_NAMESPACE_NOT_FOUND',
    `The account has no namespace of Durable Objects "${id}".`,
  )
}

/** The page of a namespace's objects that `?limit=&cursor=` asks for, by id: 10 to 10,000, else 1,000. @throws ERR_API_BODY */
export function listObjects(c: Context<Api>, namespaceId: string) {
  const { limit = String(DEFAULT_LIMIT), cursor } = c.req.query()
  const count = Number(limit)
  if (!Number.isInteger(count) || count < MIN_LIMIT || count > MAX_LIMIT) {
    throw new SkerryError(
      'ERR_API_BODY',
      `"limit" is "${limit}"; it must be an integer from ${MIN_LIMIT} to ${MAX_LIMIT}.`,
    )
  }
  const exports = c.executionCtx.exports as Cloudflare.Exports
  return objectsRole(c.env, exports).listObjects(c.var.account.id, namespaceId, {
    limit: count,
    ...(cursor && { cursor }),
  })
}

const MAX_PER_PAGE = 1000
const MIN_LIMIT = 10
const MAX_LIMIT = 10_000
const DEFAULT_LIMIT = 1000
