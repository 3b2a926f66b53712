import { SkerryError } from '../src/core/errors.ts'

/** A Cloudflare route pattern, taken apart. */
export interface RoutePattern {
  /** Exact host in lower case, or `*.example.com` for every name below. */
  readonly host: string
  /** With a leading `*` right before a name (`*example.com`), the name itself matches too. */
  readonly includesApex: boolean
  /** The path's literal beginning, `/` at least. */
  readonly path: string
  /** The path may go on after that. */
  readonly open: boolean
}

/**
 * Parses `[scheme://]host/path` with `*` allowed at the start of the host and the end of the path.
 *
 * @throws ERR_ROUTE_PATTERN
 * @see https://developers.cloudflare.com/workers/configuration/routing/routes/#matching-behavior
 */
export function parseRoutePattern(text: string): RoutePattern {
  const invalid = (problem: string) =>
    new SkerryError('ERR_ROUTE_PATTERN', `The route pattern "${text}" is invalid: ${problem}.`)
  const bare = text.replace(/^https?:\/\//, '')
  const slash = bare.indexOf('/')
  const hostPart = (slash < 0 ? bare : bare.slice(0, slash)).toLowerCase()
  const pathPart = slash < 0 ? '/' : bare.slice(slash)

  if (/[?#]/.test(bare)) throw invalid('it must not contain a query or fragment')
  const includesApex = /^\*[^.]/.test(hostPart)
  const name = hostPart.replace(/^\*\.?/, '').replace(/:\d+$/, '')
  if (name.includes('*')) throw invalid('in the host, * may stand only at the start')
  if (!HOST.test(name)) throw invalid(`"${name}" is not a host name`)
  const open = pathPart.endsWith('*')
  const path = open ? pathPart.slice(0, -1) : pathPart
  if (path.includes('*')) throw invalid('in the path, * may stand only at the end')

  return { host: hostPart.startsWith('*') ? `*.${name}` : name, includesApex, path, open }
}

/** The hosts a pattern takes, as claims: its host, and the bare name for `*example.com`. */
export function claimsOf({ host, includesApex }: RoutePattern): string[] {
  return includesApex ? [host, host.slice(2)] : [host]
}

const HOST =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
