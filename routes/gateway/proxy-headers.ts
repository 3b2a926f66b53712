import { addHop } from '../../src/core/loop.ts'
import { CLOUDFLARE_HEADERS } from '../../src/core/reserved-headers.ts'

/** What is told to an upstream of a request's way here. */
export interface Way {
  /** Who is connected to us, without port. */
  readonly peer: string
  /** The operator trusts what the peer says of those before it. */
  readonly isTrusted: boolean
  /** The client's address: the peer's, or what trusted proxies say. */
  readonly clientIp: string
  /** `http` or `https`: how the peer is connected to us. */
  readonly scheme: string
  /** The host that was asked, with its port if it has one. */
  readonly host: string
}

/**
 * A request's headers as an upstream may see them (RFC 9110 section 7.6).
 *
 * Headers of the connection are gone, those that `Connection` names too; `Via` and `CDN-Loop` have one entry more.
 * `Forwarded`, `X-Forwarded-*` and `X-Real-IP` say what we know; what the client says there is taken over only if
 * the peer is a trusted proxy. What policies set in one of them stays.
 *
 * @param sent what came in; `asked`, where policies changed headers, what they made of it
 */
export function toUpstreamHeaders(asked: Headers, sent: Headers, way: Way): Headers {
  const headers = new Headers(asked)
  const isWebSocket = headers.get('upgrade')?.toLowerCase() === 'websocket'
  deleteHopByHop(headers)
  for (const name of REQUEST_ONLY) headers.delete(name)
  if (isWebSocket) headers.set('upgrade', 'websocket')

  const isClients = (name: string) => asked === sent || asked.get(name) === sent.get(name)
  for (const name of CLOUDFLARE_HEADERS) if (isClients(name)) headers.delete(name)
  const told = new Headers()
  for (const [name, value] of sent) {
    if (!isForwarding(name) || !isClients(name)) continue
    headers.delete(name)
    if (way.isTrusted) told.set(name, value)
  }
  for (const [name, value] of forwardingOf(way, told)) if (!headers.has(name)) headers.set(name, value)
  headers.append('via', VIA)
  headers.set('cdn-loop', addHop(headers.get('cdn-loop')))
  return headers
}

/** Takes the headers of the connection out. @returns whether there were any */
export function deleteHopByHop(headers: Headers): boolean {
  let found = false
  const listed = headers.get('connection')
  if (listed) {
    for (const name of listed.split(',')) {
      const token = name.trim().toLowerCase()
      // A client must not take out what the platform and the target rely on.
      if (TOKEN.test(token) && !END_TO_END.has(token)) headers.delete(token)
    }
  }
  for (const name of HOP_BY_HOP) {
    if (!headers.has(name)) continue
    headers.delete(name)
    found = true
  }
  return found
}

function isForwarding(name: string): boolean {
  return name === 'forwarded' || name === 'x-real-ip' || name.startsWith('x-forwarded-')
}

/** @param told what a trusted peer says; empty if it isn't one */
function forwardingOf({ peer, clientIp, scheme, host, isTrusted }: Way, told: Headers): Headers {
  const headers = new Headers(told)
  const from = isTrusted ? peer : clientIp
  const node = from.includes(':') ? `"[${from}]"` : from
  const element = `for=${TOKEN.test(from) || from.includes(':') ? node : 'unknown'};host="${quote(host)}";proto=${scheme}`
  headers.append('forwarded', element)
  headers.append('x-forwarded-for', from)
  if (!told.has('x-forwarded-proto')) headers.set('x-forwarded-proto', scheme)
  if (!told.has('x-forwarded-host')) headers.set('x-forwarded-host', host)
  headers.set('x-real-ip', clientIp)
  return headers
}

const quote = (text: string): string => text.replace(/[\\"]/g, '\\$&')

const VIA = '1.1 skerry'
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/

/** RFC 9110 section 7.6.1, and what is only said between neighbours. */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const

/** Of requests: said to us, or made anew by the runtime from the URL, the body and the WebSocket. */
const REQUEST_ONLY = [
  'host',
  'content-length',
  'expect',
  'http2-settings',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
] as const

/** What a `Connection` header can't take out, whatever it says: attacks remove credentials or the client's address so. */
const END_TO_END: ReadonlySet<string> = new Set([
  'authorization',
  'cache-control',
  'cdn-loop',
  'content-encoding',
  'content-length',
  'content-type',
  'cookie',
  'forwarded',
  'host',
  'origin',
  'set-cookie',
  'skerry-identity',
  'skerry-roles',
  'skerry-scopes',
  'skerry-subject',
  'via',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
])
