import { Hono } from 'hono'
import type { Api } from '../context.ts'
import { respondResult } from './envelope.ts'
import { readScript } from './script-name.ts'
import { deleteScript } from './scripts.ts'

/** What wrangler asks around a script. Mounted at `/workers`. */
export const services = new Hono<Api>()

/** The first question of a deploy: is it there, and was it last deployed by wrangler. */
services.get('/services/:name', async c => {
  const { name, tag, tags, created_on, modified_on, migration_tag } = await readScript(c)
  const script = {
    id: name,
    tag,
    tags: JSON.parse(tags) as string[],
    last_deployed_from: 'wrangler',
    ...(migration_tag !== null && { migration_tag }),
    created_on,
    modified_on,
  }
  return respondResult(c, {
    id: name,
    default_environment: { environment: 'production', created_on, modified_on, script },
    created_on,
    modified_on,
    environments: [{ environment: 'production', created_on, modified_on }],
  })
})

services.delete('/services/:name', c => deleteScript(c))

/** The scripts whose traces a script gets. */
services.get('/tails/by-consumer/:name', async c => {
  const { tailProducers } = await c.var.account.registry.listReferences(c.req.param('name'))
  return respondResult(
    c,
    tailProducers.map(service => ({ service, environment: 'production' })),
  )
})
