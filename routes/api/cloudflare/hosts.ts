import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { NewRoute } from '../../../src/registry/routes.ts'
import { directory } from '../../../src/registry/stubs.ts'
import { claimsOf, parseRoutePattern } from '../../pattern.ts'
import type { Api } from '../context.ts'

/**
 * Checks route patterns and claims their hosts for the account; there is no DNS to ask.
 *
 * @throws ERR_ROUTE_PATTERN, ERR_HOST_TAKEN
 */
export async function claimRoutes(
  c: Context<Api>,
  patterns: readonly string[],
  script: string | null,
  customDomain: boolean,
): Promise<NewRoute[]> {
  const routes = [...new Set(patterns)].map(text => {
    const pattern = parseRoutePattern(text)
    for (const host of claimsOf(pattern)) refusePlatformHost(c, host)
    return { pattern, route: { pattern: bareOf(text), host: pattern.host, script, customDomain } }
  })
  const hosts = new Set(routes.flatMap(({ pattern }) => claimsOf(pattern)))
  await directory(c.env).claimHosts(c.var.account.id, [...hosts])
  return routes.map(({ route }) => route)
}

/** An account may take names right below its own domain, and none other of the platform's. @throws ERR_HOST_TAKEN */
export function refusePlatformHost(c: Context<Api>, host: string): void {
  const domain = c.env.SKERRY_DOMAIN ?? 'localhost'
  const { workersDomain } = c.var.account
  if (host !== domain && !host.endsWith(`.${domain}`) && !/^[\d.]+$/.test(host)) return
  const label = host.endsWith(`.${workersDomain}`) ? host.slice(0, -workersDomain.length - 1) : ''
  if (label && !label.includes('.') && !label.includes('*')) return
  throw new SkerryError(
    'ERR_HOST_TAKEN',
    `The host name "${host}" belongs to the platform; take a name of your own, or one right below "${workersDomain}".`,
  )
}

function bareOf(pattern: string): string {
  return pattern.replace(/^https?:\/\//, '')
}
