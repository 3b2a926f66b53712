import ipaddr from 'ipaddr.js'

/**
 * How far away a host is.
 *
 * `public`: an address of the internet, or a name that may resolve to one. `private`: a network of one's own.
 * `loopback`: this machine. `never`: addresses nobody has a reason to call from a function: unspecified,
 * link-local, multicast, reserved, and the places where clouds keep a machine's credentials.
 */
export type Reach = 'public' | 'private' | 'loopback' | 'never'

/**
 * Whether a function may reach a host without the operator's leave.
 *
 * A name that is not known to be local counts as public: what it resolves to is not known here, and must be
 * checked by what opens the connection. Text that is no host is not public.
 */
export function isPublicAddress(host: string): boolean {
  return reachOf(host) === 'public'
}

/**
 * How far away a host is, from its text alone.
 *
 * @param host a name, an IPv4 address in any spelling that URLs allow (`0x7f.1`, `2130706433`), an IPv6 address
 *   with or without brackets; IPv4 addresses inside IPv6 ones (mapped, NAT64) are judged as what they are
 */
export function reachOf(host: string): Reach {
  const canonical = canonicalHost(host)
  if (canonical === undefined) return 'never'
  if (ipaddr.IPv4.isIPv4(canonical)) return reachOfIPv4(ipaddr.IPv4.parse(canonical))
  if (canonical.startsWith('[')) return reachOfIPv6(ipaddr.IPv6.parse(canonical.slice(1, -1)))
  return reachOfName(canonical)
}

/** A host as URLs spell it: lower case, dotted IPv4, shortest IPv6 in brackets, no dot at the end. `undefined` = not a host. */
export function canonicalHost(host: string): string | undefined {
  const bare = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  // Zones (`fe80::1%eth0`) and whatever else would end the authority are no part of a host.
  if (bare === '' || /[\s%/?#@\\]|:\d*$/.test(bare)) return undefined
  const url = URL.parse(`http://${bare}/`)
  return url?.hostname.replace(/\.$/, '') || undefined
}

/**
 * Networks that the host's ways out must deny after resolving a name, private egress or not: what workerd's
 * own `public` and `private` let through though it is {@link Reach} `never`, or private behind NAT64.
 *
 * @see docs/egress.md
 */
export const DENIED_NETWORKS: readonly string[] = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '168.63.129.16/32',
  '192.0.0.0/24',
  '198.18.0.0/15',
  '::/128',
  'fe80::/10',
  'fd00:ec2::254/128',
  'fd20:ce::254/128',
  '2002::/16',
  '64:ff9b::a00:0/104',
  '64:ff9b::6440:0/106',
  '64:ff9b::7f00:0/104',
  '64:ff9b::a9fe:0/112',
  '64:ff9b::ac10:0/108',
  '64:ff9b::c0a8:0/112',
]

function reachOfIPv4(address: ipaddr.IPv4): Reach {
  if (METADATA.has(address.toString())) return 'never'
  switch (address.range()) {
    case 'unicast':
      return 'public'
    case 'private':
    case 'carrierGradeNat':
      return 'private'
    case 'loopback':
      return 'loopback'
    default:
      return 'never'
  }
}

function reachOfIPv6(address: ipaddr.IPv6): Reach {
  if (METADATA.has(address.toString())) return 'never'
  const embedded = embeddedIPv4(address)
  if (embedded) return reachOfIPv4(embedded)
  switch (address.range()) {
    case 'unicast':
      // Everything else is unassigned: https://www.iana.org/assignments/ipv6-address-space
      return address.match(GLOBAL_UNICAST) ? 'public' : 'never'
    case 'uniqueLocal':
      return 'private'
    case 'loopback':
      return 'loopback'
    default:
      return 'never'
  }
}

/**
 * The IPv4 address that a packet would end up at: mapped (RFC 4291) and NAT64 (RFC 6052) addresses. 6to4 and
 * Teredo embed one too, but have no public use any more (RFC 7526): they stay `never`.
 */
function embeddedIPv4(address: ipaddr.IPv6): ipaddr.IPv4 | undefined {
  if (!address.isIPv4MappedAddress() && !address.match(NAT64)) return undefined
  return new ipaddr.IPv4(address.toByteArray().slice(12))
}

function reachOfName(name: string): Reach {
  if (METADATA.has(name)) return 'never'
  const top = name.slice(name.lastIndexOf('.') + 1)
  if (top === 'localhost') return 'loopback'
  // A name of one label is looked up in the machine's own search domains.
  if (!name.includes('.') || LOCAL_TOPS.has(top) || name.endsWith('.home.arpa')) return 'private'
  return 'public'
}

const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3')
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')

/** Top-level names that the public DNS never serves: RFC 6762, ICANN's `internal`, and common router defaults. */
const LOCAL_TOPS = new Set(['local', 'internal', 'localdomain', 'lan', 'intranet', 'home', 'corp'])

/** Where clouds serve a machine's credentials, beside 169.254.0.0/16. Azure's is an address of the public internet. */
const METADATA = new Set([
  '100.100.100.200',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
  'metadata',
  'metadata.google.internal',
  'metadata.goog',
  'metadata.azure.internal',
  'instance-data',
  'instance-data.ec2.internal',
])
