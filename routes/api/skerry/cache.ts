import { Hono } from 'hono'
import type { PurgeTarget } from '../../../src/core/gateway.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { readPurge } from '../purge-body.ts'
import { requireRole } from '../roles.ts'

/** The caches of an account's routes. Mounted at `/accounts/:account/cache`. */
export const cache = new Hono<Api>()

/** When it answers, no edge of this machine gives any more what was stored before. */
cache.post('/purge', async c => {
  requireRole(c, 'deployer')
  const targets = readPurge(await readJsonObject(c), FIELDS)
  await c.var.account.registry.purge(targets)
  return c.json({ purged: targets })
})

const FIELDS: Readonly<Record<string, PurgeTarget['kind']>> = {
  everything: 'everything',
  urls: 'url',
  prefixes: 'prefix',
  hosts: 'host',
  tags: 'tag',
}
