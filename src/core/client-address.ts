import { canonicalAddress, type NetworkSet, parseAddress } from './networks.ts'
import { lastElementStart } from './quoted-list.ts'

/** Which header tells of hops; `auto`: X-Forwarded-For, or Forwarded where only that is there. */
export type ForwardedSource = 'auto' | 'x-forwarded-for' | 'forwarded'

/** What tells of a request's way here. */
export interface ForwardedHeaders {
  /** `X-Forwarded-For`, several lines joined by commas. */
  readonly xForwardedFor: string | null
  /** `Forwarded` (RFC 7239), several lines joined by commas. */
  readonly forwarded: string | null
}

/**
 * The client's address behind trusted proxies: from the peer on, each trusted hop is asked whom it had the request
 * from, until one that isn't trusted. That one is the client: what it says of others may be made up.
 *
 * What can't be read (a name, `unknown`, an obfuscated identifier, broken quotes) ends the walk, and the last address
 * that could be read is the answer. Where both headers are there, `auto` believes X-Forwarded-For alone: proxies
 * that write only `Forwarded` often let a client's X-Forwarded-For through, so with those say `forwarded`.
 *
 * @param peer who is connected to us, without port
 * @returns IPv4 dotted, IPv6 as RFC 5952 has it; `peer` as it is if that is no address
 */
export function clientAddress(
  peer: string,
  trusted: NetworkSet,
  headers: ForwardedHeaders,
  source: ForwardedSource = 'auto',
): string {
  if (!trusted.has(peer)) return canonicalAddress(peer) ?? peer
  const hops = hopsOf(headers, source)
  let client = peer
  for (let walked = 0; walked < MAX_HOPS; walked++) {
    const hop = hops()
    if (hop === undefined) break
    const address = parseNode(hop)
    if (address === undefined) break
    client = address
    if (!trusted.has(address)) break
  }
  return canonicalAddress(client) ?? client
}

/** The text of each hop, nearest first; `undefined` = no more, or none that can be read. */
function hopsOf({ xForwardedFor, forwarded }: ForwardedHeaders, source: ForwardedSource) {
  if (source === 'forwarded' || (source === 'auto' && xForwardedFor === null)) {
    return forwardedHops(forwarded ?? '')
  }
  return plainHops(xForwardedFor ?? '')
}

function plainHops(list: string): () => string | undefined {
  let end = list.length
  return () => {
    if (end < 0) return undefined
    const comma = end === 0 ? -1 : list.lastIndexOf(',', end - 1)
    const hop = list.slice(comma + 1, end).trim()
    end = comma
    return hop
  }
}

/** The `for` of each element of a `Forwarded` header, the last one first. */
function forwardedHops(list: string): () => string | undefined {
  let end = list.length
  return () => {
    if (end < 0) return undefined
    const start = lastElementStart(list, end)
    if (start === undefined) return undefined
    const element = list.slice(start, end)
    end = start - 1
    return parseElement(element)
  }
}

/** The value of `for` in `for=192.0.2.60;proto=http;by="_edge"`, if all of it is well formed and there is one `for`. */
function parseElement(element: string): string | undefined {
  let node: string | undefined
  const text = element.trim()
  let end = 0
  while (end < text.length) {
    PAIR.lastIndex = end
    const match = PAIR.exec(text)
    if (!match) return undefined
    const [whole, name = '', token, quoted = ''] = match
    end += whole.length
    if (end < text.length && text[end] !== ';') return undefined
    end += 1
    if (name.toLowerCase() !== 'for') continue
    if (node !== undefined) return undefined
    node = token ?? quoted.replace(/\\(.)/g, '$1')
  }
  return node
}

/** An address with or without port: `192.0.2.1:80`, `[2001:db8::1]:80`, `2001:db8::1`; what it names, without port. */
function parseNode(text: string): string | undefined {
  if (text.length > MAX_NODE_CHARS) return undefined
  const [, bracketed, dotted] = /^\[([^\]]+)\](?::[\w.-]+)?$|^([\d.]+)(?::[\w.-]+)?$/.exec(text) ?? []
  const address = bracketed ?? dotted ?? text
  return parseAddress(address) === undefined ? undefined : address
}

/** `token=token` or `token="quoted"`: RFC 7230's tokens, and unquoted colons and brackets, which many proxies write. */
const PAIR = /([\w!#$%&'*+.^`|~-]+)=(?:([\w!#$%&'*+.^`|~:[\]-]+)|"((?:[^"\\]|\\.)*)")/y

/** More hops than any way has: a loop of proxies must not make us walk for long. */
const MAX_HOPS = 32
/** An IPv6 address in brackets, with a port. */
const MAX_NODE_CHARS = 60
