import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { Failure } from './failure.ts'

/** How `skerry up` and `skerry dev` run; each field is one environment variable. */
export interface HostOptions {
  /** SKERRY_HOST: the address to listen on, an IP or a name that resolves to one. Default 127.0.0.1. */
  readonly host: string
  /** SKERRY_PORT: 0 to 65535; 0 = any free port. Default 8787. */
  readonly port: number
  /** SKERRY_DATA_DIR, absolute. Default `./.skerry`. */
  readonly dataDir: string
  /** SKERRY_DOMAIN: the platform's own name; functions answer below it. Default `localhost`. */
  readonly domain: string
  /** SKERRY_URL: where clients reach the platform, if not at `http://<domain>:<port>` (behind a proxy). */
  readonly url: string | undefined
  /** SKERRY_ADMIN_TOKEN: never written to disk. Absent: made at the first start and kept. */
  readonly adminToken: string | undefined
  /** SKERRY_ADOPT: resources that an upload names are created if they don't exist. Default true. */
  readonly adopt: boolean
  /** SKERRY_ALLOW_PRIVATE_EGRESS: functions may reach private addresses. Default false. */
  readonly allowPrivateEgress: boolean
}

type Variables = Readonly<Record<string, string | undefined>>

/**
 * Reads the options from environment variables; an empty variable counts as absent.
 *
 * @throws Failure with exit code 2, which names the variable, its value and the fix
 */
export function resolveHostOptions(env: Variables, cwd: string, defaultDataDir = '.skerry'): HostOptions {
  return Object.freeze({
    host: parseHost(env.SKERRY_HOST || '127.0.0.1'),
    port: parsePort(env.SKERRY_PORT || '8787'),
    dataDir: resolve(cwd, env.SKERRY_DATA_DIR || defaultDataDir),
    domain: parseDomain(env.SKERRY_DOMAIN || 'localhost'),
    url: env.SKERRY_URL ? parseUrl(env.SKERRY_URL) : undefined,
    adminToken: env.SKERRY_ADMIN_TOKEN ? parseToken(env.SKERRY_ADMIN_TOKEN) : undefined,
    adopt: parseSwitch('SKERRY_ADOPT', env.SKERRY_ADOPT || '1'),
    allowPrivateEgress: parseSwitch('SKERRY_ALLOW_PRIVATE_EGRESS', env.SKERRY_ALLOW_PRIVATE_EGRESS || '0'),
  })
}

/** The address at which this machine reaches a server that listens on `host`: a wildcard becomes loopback. */
export function toLocalAddress(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  return host === '::' ? '::1' : host
}

/** `http://<address>:<port>` as this machine reaches the server; IPv6 in brackets. */
export function toLocalUrl(host: string, port: number): string {
  const address = toLocalAddress(host)
  return `http://${isIP(address) === 6 ? `[${address}]` : address}:${port}`
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/

function parseHost(text: string): string {
  if (isIP(text) || HOST_NAME.test(text)) return text
  throw badValue('SKERRY_HOST', text, 'an IP address or host name without port', '127.0.0.1 or 0.0.0.0')
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw badValue('SKERRY_PORT', text, 'a whole number from 0 to 65535', '8787, or 0 for any free port')
}

function parseDomain(text: string): string {
  const name = text.toLowerCase()
  // An IP address can't have subdomains, and functions live on those.
  if (HOST_NAME.test(name) && !isIP(name)) return name
  throw badValue('SKERRY_DOMAIN', text, 'a host name, without scheme, port or path', 'workers.example.com')
}

function parseUrl(text: string): string {
  const url = URL.parse(text)
  const bare = url && url.pathname === '/' && !url.search && !url.hash && !url.username && !url.password
  if (bare && /^https?:$/.test(url.protocol)) return url.origin
  throw badValue('SKERRY_URL', text, 'an http or https URL without path', 'https://workers.example.com')
}

function parseToken(text: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text
  // The value is a secret: said by its length only.
  throw badValue(
    'SKERRY_ADMIN_TOKEN',
    `(${text.length} characters)`,
    'printable ASCII without spaces',
    'the output of `openssl rand -hex 32`',
  )
}

function parseSwitch(name: string, text: string): boolean {
  if (text === '0' || text === '1') return text === '1'
  throw badValue(name, text, '0 or 1', '1')
}

function badValue(name: string, value: string, expected: string, example: string): Failure {
  return new Failure(`${name} is ${JSON.stringify(value)} but must be ${expected}, e.g. ${example}.`, 2)
}
