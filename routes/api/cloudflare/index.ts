import { Hono } from 'hono'
import { authenticate, scopeToAccount } from '../authenticate.ts'
import type { Api } from '../context.ts'
import { deployments } from './deployments.ts'
import { domains, scriptDomains } from './domains.ts'
import { identity } from './identity.ts'
import { kv } from './kv.ts'
import { schedules } from './schedules.ts'
import { scripts } from './scripts.ts'
import { secrets } from './secrets.ts'
import { services } from './services.ts'
import { settings } from './settings.ts'
import { subdomain, workers } from './subdomain.ts'
import { tails } from './tails.ts'
import { versions } from './versions.ts'
import { scriptRoutes, zones } from './zones.ts'

/** The part of Cloudflare's API v4 that `wrangler` and the `cloudflare` SDK use, by noun. */
export const cloudflare = new Hono<Api>()

cloudflare.use(authenticate)
cloudflare.route('/', identity)
cloudflare.route('/zones', zones)

const account = new Hono<Api>()
account.use('/:account/*', scopeToAccount)
account.route('/:account/storage/kv/namespaces', kv)
account.route('/:account/workers/scripts/:name/versions', versions)
account.route('/:account/workers/scripts/:name/deployments', deployments)
account.route('/:account/workers/scripts/:name', secrets)
account.route('/:account/workers/scripts/:name', settings)
account.route('/:account/workers/scripts/:name/schedules', schedules)
account.route('/:account/workers/scripts/:name/tails', tails)
account.route('/:account/workers/scripts/:name/routes', scriptRoutes)
account.route('/:account/workers/scripts/:name/domains', scriptDomains)
account.route('/:account/workers/scripts', scripts)
account.route('/:account/workers/domains', domains)
account.route('/:account/workers', services)
account.route('/:account/workers', subdomain)
account.route('/:account/workers/workers', workers)
cloudflare.route('/accounts', account)
