import { isIP } from 'node:net'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { LIMIT_TABLE } from '../src/core/limits.ts'
import { Failure } from './failure.ts'
import type { LogFormat } from './log.ts'

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
  /** SKERRY_PROCESSES: 1 = every role in one process; more = one for state, the others edges, and one for users' objects besides. Default: cores + 1. */
  readonly processes: number
  /** SKERRY_LOG: `text`, or `json` for one JSON object a line. Default text. */
  readonly log: LogFormat
  /** SKERRY_ALLOW_PRIVATE_EGRESS: functions may reach private addresses. Default false. */
  readonly allowPrivateEgress: boolean
  /** SKERRY_STRIKES: so many strikes put a function in quarantine; 0 = never. 0 to 20, default 3. */
  readonly strikes: number
  /** SKERRY_STRIKE_WINDOW_SECONDS: within how long. 1 to 86400, default 600. */
  readonly strikeWindowSeconds: number
  /** SKERRY_QUARANTINE_SECONDS: how long the first quarantine lasts. 1 to 86400, default 3600. */
  readonly quarantineSeconds: number
  /** SKERRY_TURN_MS: how long a function may compute without a pause, unless its project says. 10 to 300000, default 500 or what is the most. */
  readonly turnMs: number
  /** SKERRY_TURN_MAX_MS: the most that a project may say. 10 to 300000, default 30000. */
  readonly turnMaxMs: number
  /** SKERRY_ISOLATES: how many isolates an edge keeps. 10 to 200, default 70: what is ended isn't all given back. */
  readonly isolates: number
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
    processes: parseProcesses(env.SKERRY_PROCESSES || String(availableParallelism() + 1)),
    log: parseLogFormat(env.SKERRY_LOG || 'text'),
    allowPrivateEgress: parseSwitch('SKERRY_ALLOW_PRIVATE_EGRESS', env.SKERRY_ALLOW_PRIVATE_EGRESS || '0'),
    strikes: parseLimit('strikes', env.SKERRY_STRIKES),
    strikeWindowSeconds: parseLimit('strikeWindowSeconds', env.SKERRY_STRIKE_WINDOW_SECONDS),
    quarantineSeconds: parseLimit('quarantineSeconds', env.SKERRY_QUARANTINE_SECONDS),
    ...parseTurns(env),
    isolates: parseLimit('isolates', env.SKERRY_ISOLATES),
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

function parseProcesses(text: string): number {
  const count = Number(text)
  if (/^\d{1,3}$/.test(text) && count >= 1 && count <= MAX_PROCESSES) return count
  const expected = `a whole number from 1 (everything in one process) to ${MAX_PROCESSES}`
  throw badValue('SKERRY_PROCESSES', text, expected, '3 (one for state, two edges)')
}

const MAX_PROCESSES = 65

function parseLogFormat(text: string): LogFormat {
  if (text === 'text' || text === 'json') return text
  throw badValue('SKERRY_LOG', text, 'text or json', 'json')
}

function parseSwitch(name: string, text: string): boolean {
  if (text === '0' || text === '1') return text === '1'
  throw badValue(name, text, '0 or 1', '1')
}

/** A limit that the operator may set: its variable, default and bounds are in the table of limits. */
function parseLimit(
  name: 'strikes' | 'strikeWindowSeconds' | 'quarantineSeconds' | 'turnMs' | 'turnMaxMs' | 'isolates',
  text: string | undefined,
): number {
  const { value, setBy } = LIMIT_TABLE[name]
  if (!text) return value
  const number = Number(text)
  if (/^\d{1,9}$/.test(text) && number >= setBy.min && number <= setBy.max) return number
  throw badValue(setBy.variable, text, `a whole number from ${setBy.min} to ${setBy.max}`, String(value))
}

/** A default above the most is a mistake; the one that nobody chose gives way. */
function parseTurns(env: Variables): Pick<HostOptions, 'turnMs' | 'turnMaxMs'> {
  const turnMaxMs = parseLimit('turnMaxMs', env.SKERRY_TURN_MAX_MS)
  const turnMs = parseLimit('turnMs', env.SKERRY_TURN_MS)
  if (turnMs <= turnMaxMs) return { turnMs, turnMaxMs }
  if (!env.SKERRY_TURN_MS) return { turnMs: turnMaxMs, turnMaxMs }
  const expected = `at most SKERRY_TURN_MAX_MS, which is ${turnMaxMs}`
  throw badValue('SKERRY_TURN_MS', env.SKERRY_TURN_MS, expected, String(turnMaxMs))
}

function badValue(name: string, value: string, expected: string, example: string): Failure {
  return new Failure(`${name} is ${JSON.stringify(value)} but must be ${expected}, e.g. ${example}.`, 2)
}
