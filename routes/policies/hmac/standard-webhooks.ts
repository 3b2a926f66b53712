import { decodeBase64, MAX_HEADER_LENGTH, MAX_SIGNATURES, parseTimestamp, type Scheme } from './scheme.ts'

const HEADER = 'webhook-signature'
const SECRET_PREFIX = 'whsec_'

/**
 * Standard Webhooks: `webhook-signature: v1,<base64>` over `<id>.<timestamp>.<body>`, several apart by spaces, with
 * `webhook-id` and `webhook-timestamp`. Only the symmetric `v1`; `v1a` (Ed25519) is passed over. The secret is
 * Base64, with or without `whsec_` in front.
 *
 * @see https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
 */
export const standardWebhooks: Scheme = {
  provider: 'standard-webhooks',
  header: HEADER,
  hash: 'SHA-256',
  isUnique: true,
  read({ headers }) {
    const text = headers.get(HEADER)
    if (text === null) return undefined
    if (text.length > MAX_HEADER_LENGTH)
      return `webhook-signature has ${text.length} characters; at most ${MAX_HEADER_LENGTH} are allowed.`
    const id = headers.get('webhook-id') ?? ''
    if (!/^[\x21-\x7e]{1,256}$/.test(id)) return 'webhook-id must have 1 to 256 visible characters.'
    const timestamp = headers.get('webhook-timestamp') ?? ''
    const timestampMs = parseTimestamp(timestamp)
    if (timestampMs === undefined) return 'webhook-timestamp must be seconds since 1970, 10 digits.'
    const signatures = text
      .split(' ')
      .filter(each => each.startsWith('v1,'))
      .flatMap(each => decodeBase64(each.slice('v1,'.length)) ?? [])
    if (signatures.length === 0 || signatures.length > MAX_SIGNATURES) {
      return `webhook-signature must have 1 to ${MAX_SIGNATURES} signatures "v1,<base64>", apart by spaces.`
    }
    return { signatures, before: `${id}.${timestamp}.`, after: '', timestampMs, id }
  },
  toKey(secret) {
    const key = decodeBase64(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret)
    return key && key.length > 0 ? key : undefined
  },
}
