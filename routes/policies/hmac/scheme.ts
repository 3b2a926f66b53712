/** How one provider of webhooks signs its messages. */
export interface Scheme {
  /** As in `provider = "github"`. */
  readonly provider: string
  /** Where the signature is, in lower case: whether it is there tells whether a request is signed at all. */
  readonly header: string
  readonly hash: Hash
  /** Whether the same message coming twice can be told from a second one: something signed is different each time. */
  readonly isUnique: boolean
  /**
   * What the headers say of the signature.
   *
   * @returns `undefined` if there is no signature; a sentence if it isn't of this scheme's form
   */
  read(request: Request): SignedMessage | string | undefined
  /** The key's bytes. @returns `undefined` if the secret isn't of this scheme's form */
  toKey(secret: string): Uint8Array<ArrayBuffer> | undefined
}

/** The hash functions of HMAC as WebCrypto names them. */
export type Hash = 'SHA-256' | 'SHA-384' | 'SHA-512'

/** A signature and what it is said to be of: `before`, then the body, then `after`. */
export interface SignedMessage {
  /** Any of them may be the right one: providers send several while a secret is being replaced. */
  readonly signatures: readonly Uint8Array[]
  readonly before: string
  readonly after: string
  /** When it was signed, in milliseconds since the epoch. */
  readonly timestampMs?: number
  /** What the provider calls the message. Signed too. */
  readonly id?: string
}

/** How many signatures of one message are looked at. */
export const MAX_SIGNATURES = 16

/** How long a header with signatures may be, in characters. */
export const MAX_HEADER_LENGTH = 4096

/** The bytes of hex digits in either case; `undefined` if there is anything else. */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0 || text.length > MAX_HEADER_LENGTH || !/^[0-9a-f]*$/i.test(text)) return undefined
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** The bytes of Base64 text, of either alphabet, with or without padding; `undefined` if there is anything else. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length > MAX_HEADER_LENGTH || !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return undefined
  try {
    return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), char => char.charCodeAt(0))
  } catch {
    return undefined
  }
}

/**
 * The time of a decimal Unix timestamp; `undefined` if it isn't one. Its length is fixed (10 digits of seconds, 13 of
 * milliseconds: until the year 2286), so that no digit of a body can be taken for one of the timestamp's.
 */
export function parseTimestamp(text: string, unit: 's' | 'ms' = 's'): number | undefined {
  if (!(unit === 's' ? /^\d{10}$/ : /^\d{13}$/).test(text)) return undefined
  return unit === 's' ? Number(text) * 1000 : Number(text)
}

/** The UTF-8 bytes of a text, as a key. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text))
}
