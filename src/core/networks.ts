import ipaddr from 'ipaddr.js'

/**
 * An address as comparable words: a number for IPv4, a text of eight 16-bit units for IPv6, so that `<` orders
 * addresses of a family. IPv4 addresses inside IPv6 ones (`::ffff:192.0.2.1`) are IPv4.
 */
export type AddressKey = number | string

/**
 * Reads an address as it stands in configuration and headers: dotted IPv4 of four decimal parts, or IPv6.
 *
 * Stricter than URLs are: `0x7f.1`, `127.1`, `010.0.0.1`, zones (`fe80::1%eth0`) and brackets are no address here, for
 * programs differ in what they take them for.
 */
export function parseAddress(text: string): AddressKey | undefined {
  if (!text.includes(':')) return parseIPv4(text)
  if (text.length > MAX_IPV6_CHARS || text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined
  // What is dotted at the end must be as strict as the rest.
  const dotted = text.includes('.') ? text.slice(text.lastIndexOf(':') + 1) : undefined
  if (dotted !== undefined && parseIPv4(dotted) === undefined) return undefined
  const { parts } = ipaddr.IPv6.parse(text)
  const [a, b, c, d, e, mark, high = 0, low = 0] = parts
  if (!a && !b && !c && !d && !e && mark === 0xffff) return high * 0x1_0000 + low
  return String.fromCharCode(...parts)
}

/** The spelling of an address that equal addresses share: dotted IPv4, IPv6 as RFC 5952 has it; `undefined` if it is none. */
export function canonicalAddress(text: string): string | undefined {
  const key = parseAddress(text)
  if (typeof key === 'number') return formatIPv4(key)
  return key === undefined ? undefined : ipaddr.IPv6.parse(text).toRFC5952String()
}

/** The first and last address of a network. */
interface Range {
  readonly first: AddressKey
  readonly last: AddressKey
}

/** Why a text is no network, as a sentence; `undefined` if it is one. */
export function networkProblem(text: string): string | undefined {
  const parsed = parseNetwork(text)
  return typeof parsed === 'string' ? parsed : undefined
}

/**
 * Addresses and networks, to be asked whether an address is among them: sorted ranges, so that ten thousand of them
 * cost as little as ten.
 *
 * `0.0.0.0/0` is every IPv4 address, `::/0` every IPv6 one; neither holds the other's.
 */
export class NetworkSet {
  readonly #v4: readonly Range[]
  readonly #v6: readonly Range[]

  /** @throws RangeError for what {@link networkProblem} has a sentence for */
  constructor(networks: readonly string[]) {
    const ranges = networks.map(text => {
      const parsed = parseNetwork(text)
      if (typeof parsed === 'string') throw new RangeError(parsed)
      return parsed
    })
    this.#v4 = merge(ranges.filter(({ first }) => typeof first === 'number'))
    this.#v6 = merge(ranges.filter(({ first }) => typeof first === 'string'))
  }

  get isEmpty(): boolean {
    return this.#v4.length === 0 && this.#v6.length === 0
  }

  /** Whether an address is in one of the networks. Text that is no address is in none. */
  has(address: string): boolean {
    const key = parseAddress(address)
    return key !== undefined && this.hasKey(key)
  }

  /** The same of an address that was read before. */
  hasKey(key: AddressKey): boolean {
    const ranges = typeof key === 'number' ? this.#v4 : this.#v6
    let low = 0
    let high = ranges.length - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const { first, last } = ranges[middle] as Range
      if (key < first) high = middle - 1
      else if (key > last) low = middle + 1
      else return true
    }
    return false
  }
}

/** Four parts of 0 to 255 without leading zeros, read by hand: this is on the way of each request. */
function parseIPv4(text: string): number | undefined {
  if (text.length < 7 || text.length > 15) return undefined
  let address = 0
  let part = -1
  let parts = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === DOT) {
      if (part < 0 || ++parts > 4) return undefined
      address = address * 256 + part
      part = -1
    } else if (code >= ZERO && code <= NINE && part !== 0) {
      part = (part < 0 ? 0 : part * 10) + code - ZERO
      if (part > 255) return undefined
    } else return undefined
  }
  return parts === 4 && part >= 0 ? address * 256 + part : undefined
}

function formatIPv4(address: number): string {
  return [24, 16, 8, 0].map(shift => Math.floor(address / 2 ** shift) % 256).join('.')
}

/** The network's range, or why it is none. */
function parseNetwork(text: string): Range | string {
  const slash = text.indexOf('/')
  const address = slash < 0 ? text : text.slice(0, slash)
  const key = parseAddress(address)
  if (key === undefined) {
    return `"${text.slice(0, 60)}" is no address or network: write it as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32.`
  }
  // The prefix of `::ffff:10.0.0.0/104` counts bits of the IPv6 address.
  const offset = typeof key === 'number' && address.includes(':') ? 96 : 0
  const bits = typeof key === 'number' ? 32 : 128
  const prefix = slash < 0 ? bits + offset : parsePrefix(text.slice(slash + 1))
  if (prefix === undefined || prefix - offset > bits || prefix < offset) {
    return `The prefix of "${text.slice(0, 60)}" must be a number from ${offset} to ${bits + offset}.`
  }
  const range = typeof key === 'number' ? rangeOfIPv4(key, prefix - offset) : rangeOfIPv6(key, prefix)
  if (range.first === key) return range
  const network = typeof range.first === 'number' ? formatIPv4(range.first) : formatIPv6(range.first)
  return `"${text}" has bits set beyond its prefix: write ${network}/${prefix - offset} for the network, or the address alone.`
}

function parsePrefix(text: string): number | undefined {
  return /^(0|[1-9]\d{0,2})$/.test(text) ? Number(text) : undefined
}

function rangeOfIPv4(address: number, prefix: number): Range {
  const size = 2 ** (32 - prefix)
  const first = address - (address % size)
  return { first, last: first + size - 1 }
}

function rangeOfIPv6(address: string, prefix: number): Range {
  let first = ''
  let last = ''
  for (let i = 0; i < 8; i++) {
    const free = 0xffff >> Math.min(16, Math.max(0, prefix - i * 16))
    const part = address.charCodeAt(i)
    first += String.fromCharCode(part & ~free)
    last += String.fromCharCode(part | free)
  }
  return { first, last }
}

function formatIPv6(key: string): string {
  return new ipaddr.IPv6([...key].map(unit => unit.charCodeAt(0))).toRFC5952String()
}

/** In order, and without those that lie in others: then at most one can hold an address. */
function merge(ranges: readonly Range[]): Range[] {
  const sorted = ranges.toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  const merged: Range[] = []
  for (const range of sorted) {
    const before = merged.at(-1)
    if (!before || range.first > before.last) merged.push(range)
    else if (range.last > before.last) merged[merged.length - 1] = { first: before.first, last: range.last }
  }
  return merged
}

const DOT = 0x2e
const ZERO = 0x30
const NINE = 0x39

/** `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255` */
const MAX_IPV6_CHARS = 45
