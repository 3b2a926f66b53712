import { Hono } from 'hono'
import { listObjects, requireNamespace, toNamespace } from '../cloudflare/durable-objects.ts'
import type { Api } from '../context.ts'

/** Users' Durable Objects, with what Cloudflare's API has no word for. Mounted at `/accounts/:account/objects`. */
export const objects = new Hono<Api>()

/** Every namespace: its id, and the script and class that it has now. */
objects.get('/', async c => {
  const namespaces = await c.var.account.registry.listNamespaces()
  return c.json(namespaces.map(record => ({ ...toNamespace(record), created_on: record.created_on })))
})

/**
 * A namespace's objects in order of their ids: `?limit=1000&cursor=<cursor>`, with the names that they were called
 * by. `next` is the `cursor` of the next page, or null.
 */
objects.get('/:id', async c => {
  const { id } = await requireNamespace(c)
  const { objects, cursor } = await listObjects(c, id)
  return c.json({
    objects: objects.map(({ id, name, createdMs }) => ({
      id,
      name: name ?? null,
      created_on: new Date(createdMs).toISOString(),
    })),
    next: cursor ?? null,
  })
})
