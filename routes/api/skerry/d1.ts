import type { Context } from 'hono'
import { Hono } from 'hono'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { toDatabase } from '../cloudflare/d1.ts'
import { askDatabase, objectName, requireDatabase } from '../cloudflare/d1-scope.ts'
import type { Api } from '../context.ts'

/** D1 databases with their sizes; mounted at `/accounts/:account/d1`. Everything else is Cloudflare's API's. */
export const d1Sizes = new Hono<Api>()

d1Sizes.get('/', async c => {
  const databases = await c.var.account.registry.listResources('d1')
  return c.json(await Promise.all(databases.map(database => show(c, database))))
})

d1Sizes.get('/:database', async c => c.json(await show(c, await requireDatabase(c))))

async function show(c: Context<Api>, database: ResourceRecord) {
  const info = await askDatabase(c, objectName(c, database), '/info')
  return { ...toDatabase(database), ...(await info.json<object>()) }
}
