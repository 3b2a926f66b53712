import type { Jwk } from './keys.ts'

/**
 * A public key in PEM (`-----BEGIN PUBLIC KEY-----`) as a JWK: RSA, P-256, P-384, P-521 and Ed25519.
 *
 * @returns the JWK, or what is wrong with the text
 * @see RFC 5280 §4.1.2.7, RFC 3279 §2.3, RFC 5480, RFC 8410
 */
export function parsePem(pem: string): Jwk | string {
  const text = pem.trim()
  const [, label] = /^-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text) ?? []
  if (label === undefined) return 'it is no PEM text: "-----BEGIN PUBLIC KEY-----" must be its first line'
  if (label.endsWith('PRIVATE KEY'))
    return 'it is a private key; put the public one here: openssl pkey -pubout'
  if (label === 'CERTIFICATE') return 'it is a certificate; take its key out: openssl x509 -pubkey -noout'
  if (label !== 'PUBLIC KEY') return `it is a "${label}"; convert it: openssl rsa -RSAPublicKey_in -pubout`
  const end = text.indexOf(`-----END ${label}-----`)
  try {
    const base64 = text.slice(`-----BEGIN ${label}-----`.length, Math.max(end, 0)).replace(/\s/g, '')
    return toJwk(Uint8Array.from(atob(base64), char => char.charCodeAt(0)))
  } catch {
    return 'it is damaged: it does not hold a public key'
  }
}

function toJwk(der: Uint8Array): Jwk | string {
  const outer = new Der(new Der(der).read(SEQUENCE))
  const algorithm = new Der(outer.read(SEQUENCE))
  const kind = toHex(algorithm.read(OBJECT_IDENTIFIER))
  const [unusedBits, ...key] = outer.read(BIT_STRING)
  if (unusedBits !== 0) throw new Error('A key is whole bytes.')
  const bytes = Uint8Array.from(key)
  switch (kind) {
    case RSA: {
      const numbers = new Der(new Der(bytes).read(SEQUENCE))
      return { kty: 'RSA', n: unsigned(numbers.read(INTEGER)), e: unsigned(numbers.read(INTEGER)) }
    }
    case EC: {
      const curve = CURVES.get(toHex(algorithm.read(OBJECT_IDENTIFIER)))
      if (!curve) return 'its curve is none of P-256, P-384 and P-521'
      const size = (bytes.length - 1) / 2
      if (bytes[0] !== 4)
        return 'its point is compressed; write it uncompressed: openssl ec -conv_form uncompressed'
      return {
        kty: 'EC',
        crv: curve,
        x: base64Url(bytes.slice(1, 1 + size)),
        y: base64Url(bytes.slice(1 + size)),
      }
    }
    case ED25519:
      return { kty: 'OKP', crv: 'Ed25519', x: base64Url(bytes) }
    default:
      return 'it is no key of RSA, an elliptic curve or Ed25519'
  }
}

/** Reads one value of DER after the other. */
class Der {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** The content of the next value. Throws if it has another tag, or is cut off. */
  read(tag: number): Uint8Array {
    if (this.#next() !== tag) throw new Error('Another tag.')
    let length = this.#next()
    if (length > 0x80) {
      let bytes = length - 0x80
      for (length = 0; bytes > 0; bytes--) length = length * 256 + this.#next()
    }
    const content = this.#bytes.slice(this.#at, this.#at + length)
    if (content.length !== length) throw new Error('Cut off.')
    this.#at += length
    return content
  }

  #next(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw new Error('Cut off.')
    return byte
  }
}

/** An integer without the zero that only says that it isn't negative. */
const unsigned = (bytes: Uint8Array): string => base64Url(bytes[0] === 0 ? bytes.slice(1) : bytes)

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}

const toHex = (bytes: Uint8Array): string =>
  [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')

const [INTEGER, BIT_STRING, OBJECT_IDENTIFIER, SEQUENCE] = [0x02, 0x03, 0x06, 0x30] as const
const RSA = '2a864886f70d010101'
const EC = '2a8648ce3d0201'
const ED25519 = '2b6570'
const CURVES = new Map([
  ['2a8648ce3d030107', 'P-256'],
  ['2b81040022', 'P-384'],
  ['2b81040023', 'P-521'],
])
