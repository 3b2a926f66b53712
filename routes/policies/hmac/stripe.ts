import { decodeHex, MAX_HEADER_LENGTH, MAX_SIGNATURES, parseTimestamp, type Scheme, utf8 } from './scheme.ts'

const HEADER = 'stripe-signature'

/**
 * Stripe: `Stripe-Signature: t=<timestamp>,v1=<hex>` over `<timestamp>.<body>`; several `v1` while a secret is being
 * replaced, other schemes (`v0`) are passed over. The secret is used as it is, `whsec_` included.
 *
 * @see https://docs.stripe.com/webhooks#verify-manually
 */
export const stripe: Scheme = {
  provider: 'stripe',
  header: HEADER,
  hash: 'SHA-256',
  isUnique: true,
  read({ headers }) {
    const text = headers.get(HEADER)
    if (text === null) return undefined
    if (text.length > MAX_HEADER_LENGTH)
      return `Stripe-Signature has ${text.length} characters; at most ${MAX_HEADER_LENGTH} are allowed.`
    const timestamps: string[] = []
    const signatures: Uint8Array[] = []
    for (const part of text.split(',')) {
      const equals = part.indexOf('=')
      const key = part.slice(0, equals).trim()
      const value = part.slice(equals + 1).trim()
      if (key === 't') timestamps.push(value)
      if (key !== 'v1') continue
      const signature = decodeHex(value)
      if (signature) signatures.push(signature)
    }
    const [timestamp = ''] = timestamps
    const timestampMs = parseTimestamp(timestamp)
    // Of two timestamps one might be checked and the other signed.
    if (timestamps.length !== 1 || timestampMs === undefined) {
      return 'Stripe-Signature must have one "t=" with seconds since 1970, 10 digits.'
    }
    if (signatures.length === 0 || signatures.length > MAX_SIGNATURES) {
      return `Stripe-Signature must have 1 to ${MAX_SIGNATURES} "v1=" with 64 hex digits.`
    }
    return { signatures, before: `${timestamp}.`, after: '', timestampMs }
  },
  toKey: utf8,
}
