import { canonicalHost, type Reach, reachOf } from '../src/core/addresses.ts'

/** A place on the network, as a function named it. */
export interface Endpoint {
  /** As URLs spell it; IPv6 in brackets. */
  readonly host: string
  readonly port: number
}

/** What a host lets functions reach. */
export interface EgressRules {
  /** The operator allows private addresses and loopback. */
  readonly intranet: boolean
  /** The platform's own hosts: functions never reach the control plane. */
  readonly platformHosts: ReadonlySet<string>
  /** Where the control plane listens on this machine. */
  readonly listensOn: readonly Endpoint[]
}

/** The part of an edge's environment that says what functions may reach; src/env.ts documents it. */
export interface EgressEnv {
  readonly SKERRY_DOMAIN?: string
  readonly SKERRY_URL?: string
  readonly SKERRY_LISTENS_ON?: string
  readonly INTRANET?: unknown
}

/** The rules that an edge's environment asks for. */
export function toEgressRules(env: EgressEnv): EgressRules {
  const url = env.SKERRY_URL ? URL.parse(env.SKERRY_URL) : null
  const listensOn = (env.SKERRY_LISTENS_ON ?? '').split(',').flatMap(text => parseEndpoint(text.trim()) ?? [])
  const urlPort = url ? portOf(url) : undefined
  const hosts = [env.SKERRY_DOMAIN ?? 'localhost', ...(url ? [url.hostname] : [])]
  return {
    intranet: env.INTRANET !== undefined,
    platformHosts: new Set(hosts.flatMap(host => canonicalHost(host) ?? [])),
    listensOn: listensOn.length > 0 || !urlPort ? listensOn : [{ host: '127.0.0.1', port: urlPort }],
  }
}

/**
 * Why a function may not reach an endpoint, as the end of a sentence; `undefined` if it may try.
 *
 * Judges the text only. What a name resolves to is checked by the network service that opens the connection,
 * where the host has one: see docs/egress.md.
 */
export function refusalOf(endpoint: Endpoint, rules: EgressRules): string | undefined {
  const host = canonicalHost(endpoint.host)
  if (host === undefined) return 'it is not an address'
  const reach = reachOf(host)
  // `localhost` is the whole machine: there the port decides.
  const isPlatformHost = reach !== 'loopback' && rules.platformHosts.has(host)
  if (isPlatformHost || isOwnListener({ host, port: endpoint.port }, reach, rules)) {
    return 'it is the control plane of this platform'
  }
  if (reach === 'public') return undefined
  if (reach === 'never') return 'it is not a public address, and can not be allowed'
  return rules.intranet ? undefined : 'it is not a public address'
}

function isOwnListener(
  { host, port }: Endpoint,
  reach: Reach,
  { listensOn, intranet }: EgressRules,
): boolean {
  if (listensOn.some(own => own.port === port && own.host === host)) return true
  // The machine has more names and loopback addresses than can be listed, and with private egress nobody checks
  // what a name resolves to: then the port alone decides, unless it is one that everybody uses.
  const isAddress = /^\[|^[\d.]+$/.test(host)
  const mayBeThisMachine = reach === 'loopback' || reach === 'private' || (intranet && !isAddress)
  return mayBeThisMachine && port !== 80 && port !== 443 && listensOn.some(own => own.port === port)
}

/** The place a URL names, with the default port of its scheme. */
export function endpointOf(url: URL): Endpoint {
  return { host: url.hostname, port: portOf(url) }
}

/** Reads `host:port` as `connect()` takes it; `undefined` if it isn't that. */
export function parseEndpoint(text: string): Endpoint | undefined {
  const [, host, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? []
  const canonical = host && canonicalHost(host)
  const port = Number(digits)
  return canonical && port > 0 && port < 65_536 ? { host: canonical, port } : undefined
}

function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80)
}
