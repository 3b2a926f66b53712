import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { scriptNotFound } from '../../../src/registry/failures.ts'
import type { RouteRecord } from '../../../src/registry/routes.ts'
import type { Api } from '../context.ts'
import { readJsonArray, readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { claimRoutes } from './hosts.ts'
import { readScript } from './script-name.ts'

/** Custom domains of one script. Mounted at `/workers/scripts/:name/domains`. */
export const scriptDomains = new Hono<Api>()

/** What `PUT records` would do; wrangler asks first. */
scriptDomains.post('/changeset', async c => {
  const { name } = await readScript(c)
  const wanted = (await readJsonArray(c)).map(item => stringField(item, 'hostname').toLowerCase())
  const present = await customDomains(c)
  const mine = present.filter(({ script }) => script === name)
  return respondResult(c, {
    added: wanted
      .filter(host => !present.some(domain => domain.host === host))
      .map(hostname => ({ hostname })),
    removed: mine.filter(({ host }) => !wanted.includes(host)).map(toDomain),
    updated: [],
    conflicting: present.filter(({ host, script }) => wanted.includes(host) && script !== name).map(toDomain),
  })
})

/** Replaces the script's domains; one of another script is taken over only with `override_existing_origin`. */
scriptDomains.put('/records', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const { origins, override_existing_origin } = await readJsonObject(c)
  if (!Array.isArray(origins)) throw new SkerryError('ERR_API_BODY', 'The field "origins" must be an array.')
  const hosts = origins.map((origin: Record<string, unknown>) =>
    stringField(origin ?? {}, 'hostname').toLowerCase(),
  )
  const routes = await claimRoutes(
    c,
    hosts.map(host => `${host}/*`),
    name,
    true,
  )
  const records = await c.var.account.registry.putDomains(name, routes, override_existing_origin === true)
  return respondResult(c, records.map(toDomain))
})

/** All custom domains of an account. Mounted at `/workers/domains`. */
export const domains = new Hono<Api>()

domains.get('/', async c => {
  const { service, hostname } = c.req.query()
  const found = (await customDomains(c)).filter(
    ({ script, host }) => (!service || script === service) && (!hostname || host === hostname),
  )
  return respondResult(c, found.map(toDomain))
})

domains.put('/', async c => {
  requireRole(c, 'deployer')
  const body = await readJsonObject(c)
  const script = stringField(body, 'service')
  if (!(await c.var.account.registry.getScript(script))) throw scriptNotFound()
  const [route] = await claimRoutes(c, [`${stringField(body, 'hostname').toLowerCase()}/*`], script, true)
  if (!route) throw new SkerryError('ERR_ROUTE_PATTERN', 'The request names no host.')
  return respondResult(c, toDomain(await c.var.account.registry.addRoute(route)))
})

domains.delete('/:id', async c => {
  requireRole(c, 'deployer')
  const removed = await c.var.account.registry.removeRoute(c.req.param('id'))
  if (!removed)
    throw new SkerryError('ERR_API_NOT_FOUND', `There is no custom domain "${c.req.param('id')}".`)
  return respondResult(c, null)
})

async function customDomains(c: Context<Api>): Promise<RouteRecord[]> {
  return (await c.var.account.registry.listRoutes()).filter(({ custom_domain }) => custom_domain === 1)
}

function toDomain({ id, host, script }: RouteRecord) {
  return { id, hostname: host, service: script, environment: 'production', zone_name: host }
}
