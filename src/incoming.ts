import { clientIpOf } from './core/client-ip.ts'
import { SkerryError } from './core/errors.ts'
import { LIMITS } from './core/limits.ts'
import { RESERVED_HEADERS } from './core/reserved-headers.ts'
import type { EdgeVersion } from './core/routing.ts'
import type { EdgeEnv } from './env.ts'

/**
 * The request as the function may see it.
 *
 * The very same object where nothing must change. Headers that only the platform may set are taken out if the
 * client sent them; they and a full `request.cf` are put in for code that mentions them.
 */
export function prepareRequest(request: Request, version: EdgeVersion, env: EdgeEnv): Request {
  const { reads } = version
  const forged = !STRIPPING_HOSTS.includes(env.SKERRY_HOST_KIND) && hasReserved(request.headers)
  if (!forged && !reads.cf && !reads.clientHeaders) return request

  const prepared = new Request(request, reads.cf ? { cf: toCf(request, env) } : undefined)
  if (forged) stripReserved(prepared.headers)
  if (reads.clientHeaders && env.SKERRY_HOST_KIND !== 'cloudflare')
    setClientHeaders(prepared.headers, request)
  return prepared
}

/**
 * Holds the body to its limit: by its announced length, or by counting where none is announced.
 *
 * A counted body that exceeds the limit aborts the call it goes to, with ERR_BODY_TOO_LARGE.
 *
 * @returns `undefined` if the announced length is too large
 */
export function limitBody(request: Request): Request | undefined {
  if (request.method === 'GET' || request.method === 'HEAD') return request
  const announced = request.headers.get('content-length')
  if (announced !== null) return Number(announced) <= LIMITS.requestBodyBytes ? request : undefined
  if (!request.body) return request
  const overflow = new AbortController()
  const body = request.body.pipeThrough(countBytes(LIMITS.requestBodyBytes, overflow))
  return new Request(request, { body, signal: overflow.signal })
}

function countBytes(limit: number, overflow: AbortController): TransformStream<Uint8Array, Uint8Array> {
  let seen = 0
  return new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      seen += chunk.byteLength
      if (seen <= limit) {
        controller.enqueue(chunk)
        return
      }
      overflow.abort(
        new SkerryError('ERR_BODY_TOO_LARGE', `The request's body exceeds the limit of ${limit} bytes.`),
      )
      // A stream that fails looks to another isolate as if it had ended (workerd 2026-11-17): the function would
      // take what it got for the whole. So it neither goes on nor ends.
      return new Promise(() => {})
    },
  })
}

/** Hosts that take reserved headers out before a request gets here: seven look-ups cost 3 % of the throughput. */
const STRIPPING_HOSTS: readonly (string | undefined)[] = ['self-host', 'cloudflare']

function hasReserved(headers: Headers): boolean {
  for (const name of RESERVED_HEADERS) if (headers.has(name)) return true
  return false
}

/** Takes out what only the platform may say. */
export function stripReserved(headers: Headers): void {
  for (const name of RESERVED_HEADERS) headers.delete(name)
}

function setClientHeaders(headers: Headers, request: Request): void {
  const ip = clientIpOf(request.cf)
  headers.set('cf-connecting-ip', ip)
  headers.set('x-real-ip', ip)
  const forwarded = headers.get('x-forwarded-for')
  headers.set('x-forwarded-for', forwarded ? `${forwarded}, ${ip}` : ip)
  const scheme = request.url.startsWith('https') ? 'https' : 'http'
  headers.set('x-forwarded-proto', scheme)
  headers.set('cf-visitor', `{"scheme":"${scheme}"}`)
  headers.set('cf-ray', createRay())
}

/** 16 hex digits and the place, as Cloudflare's ray ids. */
function createRay(): string {
  return `${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}-${COLO}`
}

/** Cloudflare's codes are airports; this one is none. */
const COLO = 'SKR'

/** What is known of the connection in Cloudflare's terms; a server of one's own knows no geography. */
function toCf(request: Request, env: EdgeEnv): IncomingRequestCfProperties {
  const { clientIp: _, ...given } = (request.cf ?? {}) as Record<string, unknown>
  if (env.SKERRY_HOST_KIND === 'cloudflare' || 'colo' in given)
    return given as unknown as IncomingRequestCfProperties
  return { ...CF, ...given } as unknown as IncomingRequestCfProperties
}

const CF = {
  colo: COLO,
  country: 'XX',
  continent: '',
  city: '',
  region: '',
  regionCode: '',
  postalCode: '',
  metroCode: '',
  timezone: 'UTC',
  latitude: '0',
  longitude: '0',
  asn: 0,
  asOrganization: '',
  httpProtocol: 'HTTP/1.1',
  tlsVersion: '',
  tlsCipher: '',
  clientTcpRtt: 0,
  clientAcceptEncoding: '',
  requestPriority: '',
  isEUCountry: '',
}
