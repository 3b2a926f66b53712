import { Hono } from 'hono'
import type { Api } from '../context.ts'
import { respondResult } from './envelope.ts'
import { readScript } from './script-name.ts'
import { deleteScript } from './scripts.ts'

/** What wrangler asks around a script. Mounted at `/workers`. */
export const services = new Hono<Api>()

/** The first question of a deploy: is it there, and was it last deployed by wrangler. */
services.get('/services/:name', async c => {
  const { name, tag, tags, created_on, modified_on } = await readScript(c)
  const script = {
    id: name,
    tag,
    tags: JSON.parse(tags) as string[],
    last_deployed_from: 'wrangler',
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

/** No script consumes another's tail events yet. */
services.get('/tails/by-consumer/:name', c => respondResult(c, []))

/** Users' Durable Objects come with their binding; until then there are none. */
services.get('/durable_objects/namespaces', c =>
  respondResult(c, [], { page: 1, per_page: 1000, count: 0, total_count: 0 }),
)
