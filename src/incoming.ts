import { clientIpOf } from './core/client-ip.ts'
import { SkerryError, toSkerryError } from './core/errors.ts'
import { LIMITS } from './core/limits.ts'
import { IDENTITY_HEADERS, RESERVED_HEADERS } from './core/reserved-headers.ts'
import type { EdgeVersion } from './core/routing.ts'
import { WatchedBody } from './core/watched-body.ts'
import type { EdgeEnv } from './env.ts'

/**
 * The request as the function may see it.
 *
 * The very same object where nothing must change. Headers that only the platform may set are taken out if the
 * client sent them; they and a full `request.cf` are put in for code that mentions them.
 *
 * @param clientIp of a request that `cleanRequest` has seen: only what the code mentions is put in
 */
export function prepareRequest(
  request: Request,
  version: EdgeVersion,
  env: EdgeEnv,
  clientIp?: string,
): Request {
  const { reads } = version
  const reserved = clientIp === undefined ? reservedOn(env) : NOTHING
  const forged = hasAny(request.headers, reserved)
  if (!forged && !reads.cf && !reads.clientHeaders) return request

  const prepared = new Request(request, reads.cf ? { cf: toCf(request, env) } : undefined)
  if (forged) strip(prepared.headers, reserved)
  if (reads.clientHeaders && env.SKERRY_HOST_KIND !== 'cloudflare')
    setClientHeaders(prepared.headers, request, clientIp ?? clientIpOf(request.cf))
  return prepared
}

/** The request without headers that only the platform may set: the very same object if the client sent none. */
export function cleanRequest(request: Request, env: EdgeEnv): Request {
  const reserved = reservedOn(env)
  if (!hasAny(request.headers, reserved)) return request
  const clean = new Request(request)
  strip(clean.headers, reserved)
  return clean
}

/**
 * Holds the body to its limit and its form: by its announced length, or by watching it where none is announced.
 *
 * A watched body that exceeds the limit, or breaks, aborts the call it goes to, with the error that
 * {@link bodyFailureOf} gives.
 *
 * @returns `undefined` if the announced length is too large
 */
export function limitBody(request: Request, maxBytes: number = LIMITS.requestBodyBytes): Request | undefined {
  const { method } = request
  const isBare = method === 'GET' || method === 'HEAD'
  if (isBare && !request.body) return request
  const announced = request.headers.get('content-length')
  if (announced !== null) return Number(announced) <= maxBytes ? request : undefined
  if (!request.body) return request
  // The runtime can't be given a body of our own for these, so nobody could say that it broke.
  if (isBare) return refused(request, `A ${method} request must announce the length of its body.`)
  const coding = request.headers.get('transfer-encoding')
  if (coding !== null && coding.trim().toLowerCase() !== 'chunked') {
    return refused(
      request,
      `The transfer coding "${coding.slice(0, 60)}" is not known here: only "chunked" is.`,
    )
  }
  return new Request(request, watchBody(request, request.body, maxBytes))
}

/** Why the call that a request of `limitBody` went to was aborted; `undefined` = not because of its body. */
export function bodyFailureOf({ signal }: Request): SkerryError | undefined {
  return signal.aborted ? toSkerryError(signal.reason) : undefined
}

function watchBody(request: Request, body: ReadableStream<Uint8Array>, limit: number) {
  const call = new AbortController()
  let seen = 0
  const watched = new WatchedBody(body, {
    onPiece(piece) {
      seen += piece.byteLength
      if (seen <= limit) return true
      call.abort(
        new SkerryError('ERR_BODY_TOO_LARGE', `The request's body exceeds the limit of ${limit} bytes.`),
      )
      return false
    },
    onBroken: () =>
      call.abort(new SkerryError('ERR_BAD_REQUEST', "The request's body broke off, or is malformed.")),
  })
  // Who watches already may have a reason of its own.
  request.signal.addEventListener('abort', () => call.abort(request.signal.reason), { once: true })
  return { body: watched.stream, signal: call.signal }
}

/** A request that fails wherever it is sent. */
function refused({ url, method }: Request, why: string): Request {
  return new Request(url, { method, signal: AbortSignal.abort(new SkerryError('ERR_BAD_REQUEST', why)) })
}

function reservedOn({ SKERRY_HOST_KIND: kind = '' }: EdgeEnv): readonly string[] {
  return RESERVED_ON[kind] ?? RESERVED_HEADERS
}

const NOTHING: readonly string[] = []

/** What is still in when a request gets here, by host: to look for all of them costs 3 % of the throughput. */
const RESERVED_ON: Readonly<Record<string, readonly string[]>> = {
  'self-host': NOTHING,
  cloudflare: IDENTITY_HEADERS,
}

function hasAny(headers: Headers, names: readonly string[]): boolean {
  for (const name of names) if (headers.has(name)) return true
  return false
}

/** Takes out what only the platform may say. */
export function stripReserved(headers: Headers): void {
  strip(headers, RESERVED_HEADERS)
}

function strip(headers: Headers, names: readonly string[]): void {
  for (const name of names) headers.delete(name)
}

function setClientHeaders(headers: Headers, request: Request, ip: string): void {
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
