import ipaddr from 'ipaddr.js'
import * as v from 'valibot'
import { sha256Hex } from '../../src/core/ids.ts'
import type { Exchange } from './exchange.ts'
import { readIdentity } from './identity.ts'
import { parseCookies } from './oidc/cookies.ts'

const SOURCE =
  /^(all|ip|api-key|route|host|path|(?:jwt|identity|claims)\.[^\s,]{1,200}|header:[\w!#$%&'*+.^`|~-]{1,100}|cookie:[\w!#$%&'*+.^`|~-]{1,100})$/

const source = v.pipe(
  v.string(),
  v.regex(
    SOURCE,
    'It must be "ip", "api-key", "identity.sub", "identity.<claim>", "jwt.<claim>", "header:<name>", "cookie:<name>", "route", "host", "path" or "all".',
  ),
)

/** By what callers are told apart: one thing, or several that together make a caller. */
export const bySchema = v.union([
  source,
  v.pipe(
    v.array(source),
    v.minLength(1, 'The list must not be empty.'),
    v.maxLength(5, 'At most 5 can be combined.'),
  ),
])

/** What stands in for a value that a request doesn't have. */
export const missingSchema = v.picklist(['ip', 'shared'])

/** One thing that callers are told apart by. */
interface Source {
  /** As in the options. */
  readonly name: string
  /** Its values may be credentials: shown and stored as digests only. */
  readonly isSecret: boolean
  read(exchange: Exchange): string | undefined
}

/**
 * Tells callers apart, for policies that count or remember something for each.
 *
 * A request without the value, such as one without identity, goes by its address: so nobody gets around a limit by
 * leaving something out, and callers without the value don't use up each other's share.
 */
export class Partition {
  readonly #sources: readonly Source[]
  readonly #byIp: boolean

  constructor(by: string | readonly string[], missing: 'ip' | 'shared' = 'ip') {
    this.#sources = (typeof by === 'string' ? [by] : by).map(toSource)
    this.#byIp = missing === 'ip'
  }

  /** The caller's key, for this isolate's memory alone: values are in it as they are. May be long. */
  keyOf(exchange: Exchange): string {
    const [only, ...others] = this.#sources
    if (only && others.length === 0) return this.#part(only, exchange)
    let key = ''
    for (const source of this.#sources) {
      const part = this.#part(source, exchange)
      // With its length in front, no part can pass for two.
      key += `${part.length}:${part}`
    }
    return key
  }

  /**
   * The caller in words, the same for the same caller only: `identity.sub=customers/ann ip=203.0.113.7`. Values that
   * may be credentials, or are long, are digests.
   */
  async describe(exchange: Exchange): Promise<string> {
    const parts = this.#sources.map(source => this.#describePart(source, exchange))
    return (await Promise.all(parts)).join(' ')
  }

  async #describePart(source: Source, exchange: Exchange): Promise<string> {
    const value = source.read(exchange)
    if (value === undefined) return this.#byIp ? `ip=${networkOf(exchange.clientIp)}` : `${source.name}=-`
    const { name } = source
    if (value === '') return name
    if (source.isSecret || value.length > MAX_SHOWN_CHARS) return `${name}=sha256:${await sha256Hex(value)}`
    return `${name}=${encodeURIComponent(value.toWellFormed()).replaceAll('%2F', '/').replaceAll('%3A', ':')}`
  }

  /** A mark in front tells a value from what stands in for one. */
  #part(source: Source, exchange: Exchange): string {
    const value = source.read(exchange)
    if (value !== undefined) return `=${value}`
    return this.#byIp ? `?${networkOf(exchange.clientIp)}` : '-'
  }
}

/** An address that one caller has: an IPv6 caller mostly has a whole /64 of them. */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip
  if (!ipaddr.IPv6.isValid(ip)) return ip
  const address = ipaddr.IPv6.parse(ip)
  if (address.isIPv4MappedAddress()) return address.toIPv4Address().toString()
  const network = address.parts.slice(0, 4).map(part => part.toString(16))
  return `${network.join(':')}::/64`
}

function toSource(name: string): Source {
  if (name.startsWith('header:')) {
    const header = name.slice('header:'.length)
    return { name, isSecret: true, read: ({ request }) => request.headers.get(header) ?? undefined }
  }
  if (name.startsWith('cookie:')) {
    const cookie = name.slice('cookie:'.length)
    const read: Source['read'] = ({ request }) =>
      parseCookies(request.headers.get('cookie')).find(([found]) => found === cookie)?.[1]
    return { name, isSecret: true, read }
  }
  const plain = PLAIN[name]
  if (plain) return { name, isSecret: false, read: plain }
  const [kind = '', ...path] = name.split('.')
  return toIdentitySource(name, kind, kind === 'claims' ? name : path.join('.'))
}

/** Of a subject, the policy that verified it is a part: `ann` of one identity provider is not `ann` of another. */
function toIdentitySource(name: string, kind: string, path: string): Source {
  const isSubject = path === 'sub' || path === 'subject'
  return {
    name,
    isSecret: false,
    read({ identity }) {
      if (!identity || identity.type === 'anonymous') return undefined
      if (kind === 'jwt' && !TOKEN_TYPES.has(identity.type)) return undefined
      if (isSubject) return identity.subject === '' ? undefined : `${identity.policy}/${identity.subject}`
      const value = readIdentity(identity, path)
      if (value === undefined || value === null || value === '') return undefined
      return `${identity.policy}/${typeof value === 'string' ? value : JSON.stringify(value)}`
    },
  }
}

const PLAIN: Readonly<Record<string, Source['read']>> = {
  all: () => '',
  ip: ({ clientIp }) => networkOf(clientIp),
  'api-key': ({ identity }) =>
    identity?.type === 'api-key' ? `${identity.policy}/${identity.subject}` : undefined,
  route: ({ route }) => route,
  host: ({ url }) => url.host,
  path: ({ url }) => url.pathname,
}

/** Types of policies whose identities come with a token's claims. */
const TOKEN_TYPES = new Set(['jwt', 'oidc', 'introspection'])
/** Longer ones are digests: names of counters stay readable. */
const MAX_SHOWN_CHARS = 128
