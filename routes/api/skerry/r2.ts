import { type Context, Hono } from 'hono'
import { MAX_LIST_KEYS } from '../../../bindings/r2/limits.ts'
import * as store from '../../../bindings/r2/service.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { toObject } from '../cloudflare/r2-objects.ts'
import { asking, countOf, requireBucket, requireKey } from '../cloudflare/r2-scope.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'

/** R2 buckets and what is in them. Mounted at `/accounts/:account/buckets`. */
export const buckets = new Hono<Api>()

/** By name, with how much each holds. */
buckets.get('/', async c => {
  const found = await c.var.account.registry.listResources('r2_bucket')
  found.sort((a, b) => (a.name < b.name ? -1 : 1))
  return c.json(await Promise.all(found.map(bucket => toBucket(c, bucket))))
})

buckets.get('/:bucket', async c => c.json(await toBucket(c, await requireBucket(c))))

/** A page of objects, by key; `cursor` leads to the next. */
buckets.get('/:bucket/objects', async c => {
  const { object } = await requireBucket(c)
  const { prefix, delimiter, cursor } = c.req.query()
  const page = await asking(
    store.list(c.env, c.var.account.id, object, {
      limit: countOf(c, 'limit', MAX_LIST_KEYS),
      include: ['httpMetadata', 'customMetadata'],
      ...(prefix && { prefix }),
      ...(delimiter && { delimiter }),
      ...(cursor && { cursor }),
    }),
  )
  return c.json({
    objects: page.objects.map(toObject),
    prefixes: page.delimitedPrefixes,
    cursor: page.cursor ?? null,
  })
})

/** Deletes an object, named by the query's `key`; one that isn't there is as good as deleted. */
buckets.delete('/:bucket/objects', async c => {
  requireRole(c, 'deployer')
  const { object } = await requireBucket(c)
  const key = requireKey(c.req.query('key'))
  await asking(store.deleteObjects(c.env, c.var.account.id, object, [key]))
  return c.body(null, 204)
})

async function toBucket(c: Context<Api>, { name, object, created_on }: ResourceRecord) {
  const { objects, bytes, uploads } = await asking(store.stats(c.env, c.var.account.id, object))
  return { name, objects, bytes, uploads, created_on }
}
