import { sha256Hex } from './ids.ts'

/** What a key's text is kept as. */
export interface ApiKeySecret {
  /** The whole text, to be shown once and never kept. */
  readonly text: string
  /** The first characters, to recognise it by. */
  readonly prefix: string
  /** SHA-256 of the text: 64 hex digits. */
  readonly hash: string
}

/**
 * A new API key's text: `sk_`, 30 random base62 characters (178 bits), and 6 of a checksum, so that a key that was
 * mistyped or cut off is refused without being looked up, and scanners of source code can tell one for certain.
 */
export async function createApiKeySecret(): Promise<ApiKeySecret> {
  const body = randomBase62(RANDOM_CHARS)
  const text = `${PREFIX}${body}${checksum(body)}`
  return { text, prefix: text.slice(0, SHOWN_CHARS), hash: await sha256Hex(text) }
}

/** Whether a text has the form of our keys but a wrong checksum. Keys made elsewhere have no checksum that could be wrong. */
export function isMistypedApiKey(text: string): boolean {
  if (text.length !== TEXT_CHARS || !text.startsWith(PREFIX)) return false
  for (let i = PREFIX.length; i < TEXT_CHARS; i++) if (!ALPHABET.includes(text.charAt(i))) return false
  const body = text.slice(PREFIX.length, PREFIX.length + RANDOM_CHARS)
  return checksum(body) !== text.slice(PREFIX.length + RANDOM_CHARS)
}

/** Without the bias that a remainder has: bytes from 248 on are thrown away. */
function randomBase62(length: number): string {
  let text = ''
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length))) {
      if (byte < 248 && text.length < length) text += ALPHABET.charAt(byte % 62)
    }
  }
  return text
}

/** CRC-32 (ISO 3309) in base62. No secret, and no protection: only against slips. */
function checksum(body: string): string {
  let crc = 0xffffffff
  for (let i = 0; i < body.length; i++) {
    crc ^= body.charCodeAt(i)
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  let rest = (crc ^ 0xffffffff) >>> 0
  let text = ''
  for (let i = 0; i < CHECKSUM_CHARS; i++) {
    text = ALPHABET.charAt(rest % 62) + text
    rest = Math.floor(rest / 62)
  }
  return text
}

const PREFIX = 'sk_'
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_CHARS = 30
/** 62⁶ > 2³². */
const CHECKSUM_CHARS = 6
const TEXT_CHARS = PREFIX.length + RANDOM_CHARS + CHECKSUM_CHARS
/** `sk_` and 6 characters: a thousand keys have a thousand of them. 36 bits of 178 are given away. */
const SHOWN_CHARS = 9
