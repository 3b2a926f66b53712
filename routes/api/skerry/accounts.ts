import { Hono } from 'hono'
import { type AccountRecord, workersDomain } from '../../../src/registry/accounts.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { scopeToAccount } from '../authenticate.ts'
import { readScript } from '../cloudflare/script-name.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requirePlatformAdmin, requireRole } from '../roles.ts'
import { analytics } from './analytics.ts'
import { apiKeys } from './api-keys.ts'
import { cache } from './cache.ts'
import { d1Sizes } from './d1.ts'
import { explain } from './explain.ts'
import { gateway } from './gateway.ts'
import { objects } from './objects.ts'
import { queues } from './queues.ts'
import { quotas } from './quotas.ts'
import { buckets } from './r2.ts'
import { readScriptSummary } from './script-summary.ts'
import { strikes } from './strikes.ts'
import { workflows } from './workflows.ts'

/** Accounts, and what is in them that Cloudflare's API has no word for. */
export const accounts = new Hono<Api>()

accounts.get('/', c => c.json(c.var.accounts.map(account => toAccount(account, c.env.SKERRY_DOMAIN))))

accounts.post('/', async c => {
  requirePlatformAdmin(c)
  const account = await directory(c.env).createAccount(stringField(await readJsonObject(c), 'name'))
  return c.json(toAccount(account, c.env.SKERRY_DOMAIN), 201)
})

accounts.use('/:account/*', scopeToAccount)

accounts.get('/:account/scripts/:name', async c => c.json(await readScriptSummary(c)))
accounts.route('/:account', strikes)
accounts.route('/:account', quotas)
accounts.route('/:account', explain)
accounts.route('/:account/gateway', gateway)
accounts.route('/:account/api-keys', apiKeys)
accounts.route('/:account/buckets', buckets)
accounts.route('/:account/cache', cache)
accounts.route('/:account/objects', objects)
accounts.route('/:account/analytics', analytics)
accounts.route('/:account/queues', queues)
accounts.route('/:account/workflows', workflows)
accounts.route('/:account/d1', d1Sizes)

/** Runs a script's cron now; without an expression, `scheduled()` with its first one. */
accounts.post('/:account/scripts/:name/cron', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const body = await readJsonObject(c)
  const cron = body.cron === undefined ? undefined : stringField(body, 'cron')
  return c.json(await c.env.CRON.get(c.env.CRON.idFromName(c.var.account.id)).runNow(name, cron))
})

function toAccount(account: AccountRecord, domain = 'localhost') {
  return {
    id: account.id,
    name: account.name,
    workers_domain: workersDomain(account, domain),
    default: account.is_default === 1,
    created_on: account.created_on,
  }
}
