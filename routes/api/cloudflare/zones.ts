import { type Context, Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { PurgeTarget } from '../../../src/core/gateway.ts'
import { workersDomain } from '../../../src/registry/accounts.ts'
import { accountRegistry } from '../../../src/registry/stubs.ts'
import { parseRoutePattern } from '../../pattern.ts'
import type { Api } from '../context.ts'
import { readJsonArray, readJsonObject, stringField } from '../json.ts'
import { readPurge } from '../purge-body.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { claimRoutes } from './hosts.ts'
import { readScript } from './script-name.ts'

/**
 * Zones, made up from host names: nobody has registered any here. A zone's id holds its account and name, so
 * nothing is stored.
 */
export const zones = new Hono<Api>()

zones.get('/', async c => {
  const wanted = c.req.query('account.id') ?? c.var.principal.accountId
  const account = wanted ? c.var.accounts.find(({ id }) => id === wanted) : c.var.accounts[0]
  if (!account)
    throw new SkerryError('ERR_FORBIDDEN', 'Authentication error: the token is not for this account.')
  const name = c.req.query('name')?.toLowerCase()
  const names = name ? [name] : await zoneNames(await accountRegistry(c.env, account))
  const found = names.map(name => toZone(account, name))
  return respondResult(c, found, { page: 1, per_page: 50, count: found.length, total_count: found.length })
})

zones.get('/:zone', async c => {
  const { account, name } = await scopeToZone(c)
  return respondResult(c, toZone(account, name))
})

zones.get('/:zone/workers/routes', async c => {
  const { registry, name } = await scopeToZone(c)
  const routes = (await registry.listRoutes()).filter(
    ({ host, custom_domain }) => !custom_domain && isWithin(host, name),
  )
  return respondResult(
    c,
    routes.map(({ id, pattern, script }) => ({ id, pattern, script })),
  )
})

zones.post('/:zone/workers/routes', async c => {
  requireRole(c, 'deployer')
  const { registry } = await scopeToZone(c)
  const body = await readJsonObject(c)
  const script = typeof body.script === 'string' ? body.script : null
  const [route] = await claimRoutes(c, [stringField(body, 'pattern')], script, false)
  if (!route) throw new SkerryError('ERR_ROUTE_PATTERN', 'The request names no pattern.')
  const { id, pattern } = await registry.addRoute(route)
  return respondResult(c, { id, pattern, script })
})

zones.delete('/:zone/workers/routes/:id', async c => {
  requireRole(c, 'deployer')
  const { registry } = await scopeToZone(c)
  const removed = await registry.removeRoute(c.req.param('id'))
  if (!removed)
    throw new SkerryError('ERR_API_NOT_FOUND', `There is no route "${c.req.param('id')}" in this zone.`)
  return respondResult(c, { id: removed.id })
})

/** Caches know hosts, and tags are the account's: so everything of a zone is what its hosts gave. */
zones.post('/:zone/purge_cache', async c => {
  requireRole(c, 'deployer')
  const { registry, name } = await scopeToZone(c)
  const targets = readPurge(await readJsonObject(c), PURGE_FIELDS).flatMap(target =>
    toZonePurge(target, name),
  )
  await registry.purge(targets)
  return respondResult(c, { id: c.req.param('zone') })
})

/** All routes of one script. Mounted at `/workers/scripts/:name/routes`. */
export const scriptRoutes = new Hono<Api>()

scriptRoutes.put('/', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  const patterns = (await readJsonArray(c)).map(item => stringField(item, 'pattern'))
  const routes = await c.var.account.registry.putRoutes(name, await claimRoutes(c, patterns, name, false))
  return respondResult(
    c,
    routes.map(({ id, pattern, script }) => ({ id, pattern, script })),
  )
})

const PURGE_FIELDS: Readonly<Record<string, PurgeTarget['kind']>> = {
  purge_everything: 'everything',
  files: 'url',
  prefixes: 'prefix',
  hosts: 'host',
  tags: 'tag',
}

function toZonePurge(target: PurgeTarget, zone: string): PurgeTarget[] {
  if (target.kind === 'everything') {
    return [zone, `*.${zone}`].map(value => ({ kind: 'host', value }))
  }
  if (target.kind === 'tag') return [target]
  const host = target.value
    .replace(/^[a-z]+:\/\//i, '')
    .split(/[/?:]/, 1)[0]
    ?.toLowerCase()
  if (host !== undefined && isWithin(host, zone)) return [target]
  throw new SkerryError('ERR_API_BODY', `"${target.value}" is not within the zone "${zone}".`)
}

async function scopeToZone(c: Context<Api>) {
  const zone = c.req.param('zone') ?? ''
  const account = c.var.accounts.find(({ id }) => id === zone.slice(0, 32))
  const name = fromHex(zone.slice(32))
  if (!account || !name)
    throw new SkerryError('ERR_FORBIDDEN', `Authentication error: there is no zone "${zone}".`)
  const registry = await accountRegistry(c.env, account)
  const domain = workersDomain(account, c.env.SKERRY_DOMAIN ?? 'localhost')
  c.set('account', { id: account.id, name: account.name, workersDomain: domain, registry })
  return { account, name, registry }
}

async function zoneNames(registry: Awaited<ReturnType<typeof accountRegistry>>): Promise<string[]> {
  const hosts = (await registry.listRoutes()).map(({ pattern }) =>
    parseRoutePattern(pattern).host.replace(/^\*\./, ''),
  )
  return [...new Set(hosts)]
}

function isWithin(host: string, zone: string): boolean {
  const bare = host.replace(/^\*\./, '')
  return bare === zone || bare.endsWith(`.${zone}`)
}

function toZone(account: { id: string; name: string }, name: string) {
  const id =
    account.id + [...new TextEncoder().encode(name)].map(byte => byte.toString(16).padStart(2, '0')).join('')
  return {
    id,
    name,
    status: 'active',
    type: 'full',
    paused: false,
    account: { id: account.id, name: account.name },
  }
}

function fromHex(hex: string): string | undefined {
  const bytes = hex.match(/[0-9a-f]{2}/g)?.map(digits => Number.parseInt(digits, 16))
  return bytes && new TextDecoder().decode(new Uint8Array(bytes))
}
