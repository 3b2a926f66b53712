/** The three parts of a compact JWS, as they were written, and as bytes. */
export interface CompactParts {
  readonly header: Uint8Array
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  /** What the signature is over: the first two parts with their dot. */
  readonly signingInput: string
}

/**
 * Splits a compact JWS into its parts, more strictly than most: three parts of base64url without padding,
 * blanks or unused bits that are set. So a token has exactly one spelling, and what was verified is what others
 * will read.
 *
 * @returns the parts, or what is wrong, as the end of a sentence that begins with "The token"
 * @see RFC 7515 §5.2, §7.1; RFC 4648 §3.5
 */
export function splitCompact(token: string): CompactParts | string {
  const first = token.indexOf('.')
  const second = first < 0 ? -1 : token.indexOf('.', first + 1)
  if (second < 0) return 'is not a JWT: it has fewer than three parts'
  if (token.indexOf('.', second + 1) >= 0) {
    return token.split('.', 6).length === 5
      ? 'is encrypted (JWE); only signed tokens are taken'
      : 'is not a JWT: it has more than three parts'
  }
  const header = decodeBase64Url(token, 0, first)
  const payload = decodeBase64Url(token, first + 1, second)
  const signature = decodeBase64Url(token, second + 1, token.length)
  if (!header || !payload || !signature) return 'is not base64url in each of its parts'
  if (header.length === 0) return 'has no header'
  if (signature.length === 0) return 'has no signature'
  return { header, payload, signature, signingInput: token.slice(0, second) }
}

/**
 * Decodes base64url without padding, from one index of a text to another. `undefined` for characters outside of
 * the alphabet, a length that can't be, and unused bits that aren't zero.
 */
export function decodeBase64Url(text: string, start = 0, end = text.length): Uint8Array | undefined {
  const length = end - start
  const rest = length % 4
  if (rest === 1) return undefined
  const bytes = new Uint8Array((length * 3) >> 2)
  let bits = 0
  let held = 0
  let at = 0
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    const value = code < 128 ? (VALUES[code] as number) : 255
    if (value === 255) return undefined
    bits = (bits << 6) | value
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[at++] = bits >> held
      bits &= (1 << held) - 1
    }
  }
  return bits === 0 ? bytes : undefined
}

/**
 * Reads bytes as a JSON object: well-formed UTF-8, and no name twice at its top level, because readers differ in
 * which of two they believe.
 *
 * @returns `undefined` for anything else
 * @see RFC 7519 §4, RFC 8725 §2.4
 */
export function parseJsonObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  try {
    const text = utf8.decode(bytes)
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    const found = value as Record<string, unknown>
    return countNames(text) === Object.keys(found).length ? found : undefined
  } catch {
    return undefined
  }
}

/** How many members the outermost object of a JSON text was written with. The text is known to be JSON. */
function countNames(json: string): number {
  let depth = 0
  let names = 0
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i)
    if (code === QUOTE) {
      for (i++; json.charCodeAt(i) !== QUOTE; i++) if (json.charCodeAt(i) === BACKSLASH) i++
    } else if (code === COLON) {
      if (depth === 1) names++
    } else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) depth--
  }
  return names
}

const [QUOTE, BACKSLASH, COLON] = [34, 92, 58]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [123, 125, 91, 93]

/** A byte order mark is kept, so that JSON refuses it (RFC 8259 §8.1). */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Of each ASCII code what it stands for in base64url; 255 = nothing. */
const VALUES = new Uint8Array(128).fill(255)
for (const [value, letter] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  VALUES[letter.charCodeAt(0)] = value
}
