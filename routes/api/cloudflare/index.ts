import { Hono } from 'hono'
import { authenticate, scopeToAccount } from '../authenticate.ts'
import type { Api } from '../context.ts'
import { assetsSession, assetsUpload } from './assets.ts'
import { d1 } from './d1.ts'
import { deployments } from './deployments.ts'
import { domains, scriptDomains } from './domains.ts'
import { durableObjects } from './durable-objects.ts'
import { graphql } from './graphql.ts'
import { identity } from './identity.ts'
import { kv } from './kv.ts'
import { queues } from './queues.ts'
import { r2 } from './r2.ts'
import { r2Notifications } from './r2-notifications.ts'
import { r2Elsewhere } from './r2-unsupported.ts'
import { schedules } from './schedules.ts'
import { scripts } from './scripts.ts'
import { secrets } from './secrets.ts'
import { services } from './services.ts'
import { settings } from './settings.ts'
import { subdomain, workers } from './subdomain.ts'
import { tails } from './tails.ts'
import { versions } from './versions.ts'
import { workflows } from './workflows.ts'
import { scriptRoutes, zones } from './zones.ts'

/** The part of Cloudflare's API v4 that `wrangler` and the `cloudflare` SDK use, by noun. */
export const cloudflare = new Hono<Api>()

// It has a credential of its own.
cloudflare.route('/accounts/:account/workers/assets', assetsUpload)
cloudflare.use(authenticate)
cloudflare.route('/', identity)
cloudflare.route('/zones', zones)

cloudflare.route('/graphql', graphql)
const account = new Hono<Api>()
account.use('/:account/*', scopeToAccount)
account.route('/:account/storage/kv/namespaces', kv)
account.route('/:account/d1/database', d1)
account.route('/:account/r2/buckets', r2)
account.route('/:account/event_notifications/r2/:bucket/configuration', r2Notifications)
account.route('/:account', r2Elsewhere)
account.route('/:account/queues', queues)
account.route('/:account/workflows', workflows)
account.route('/:account/workers/scripts/:name/versions', versions)
account.route('/:account/workers/scripts/:name/deployments', deployments)
account.route('/:account/workers/scripts/:name', assetsSession)
account.route('/:account/workers/scripts/:name', secrets)
account.route('/:account/workers/scripts/:name', settings)
account.route('/:account/workers/scripts/:name/schedules', schedules)
account.route('/:account/workers/scripts/:name/tails', tails)
account.route('/:account/workers/scripts/:name/routes', scriptRoutes)
account.route('/:account/workers/scripts/:name/domains', scriptDomains)
account.route('/:account/workers/scripts', scripts)
account.route('/:account/workers/domains', domains)
account.route('/:account/workers/durable_objects/namespaces', durableObjects)
account.route('/:account/workers', services)
account.route('/:account/workers', subdomain)
account.route('/:account/workers/workers', workers)
cloudflare.route('/accounts', account)
