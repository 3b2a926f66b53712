import { canonicalHost } from './addresses.ts'

/**
 * Whether a `Host` header names one host, and every reader the same: a name or address, with or without port.
 *
 * RFC 9110 section 7.2 wants others refused with 400. They are where readers differ: `a@b` is a user at a host to URL
 * parsers, `a/b` a host and the beginning of a path, `a, b` two lines of which one reader takes the first, another the
 * last. Of the characters that names may have by RFC 3986, only those that DNS names have, and underscores, pass;
 * upper case, a dot at the end and an empty port do too. With the look-up of the
 * header, 0.4 µs of the 110 of a request.
 */
export function isHost(text: string): boolean {
  if (text.length > MAX_HOST_CHARS) return false
  if (PLAIN.test(text) && !text.includes('--')) return true
  // Addresses, names that end in a number (URL parsers take them for addresses) or are spelt in Punycode.
  const [, host = '', port = ''] = /^(\[[\da-f:.]{2,45}\]|[\w.-]+)(?::(\d{0,5}))?$/i.exec(text) ?? []
  return !/^$|^\.|\.\./.test(host) && Number(port) < 65_536 && canonicalHost(host) !== undefined
}

/** Labels of which the last begins with a letter, and a port that can't be too high: nearly all hosts. */
const PLAIN = /^(?:[\w-]+\.)*[a-z][\w-]*\.?(?::\d{0,4})?$/i

/** A DNS name has 253 characters at most, and a dot; a port has five digits. */
const MAX_HOST_CHARS = 254 + 6
