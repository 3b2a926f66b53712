import { decodeHex, parseTimestamp, type Scheme, utf8 } from './scheme.ts'

const HEADER = 'x-slack-signature'
const TIMESTAMP_HEADER = 'x-slack-request-timestamp'
const PREFIX = 'v0='

/**
 * Slack: `X-Slack-Signature: v0=<hex>` over `v0:<timestamp>:<body>`, with `X-Slack-Request-Timestamp`.
 *
 * @see https://docs.slack.dev/authentication/verifying-requests-from-slack
 */
export const slack: Scheme = {
  provider: 'slack',
  header: HEADER,
  hash: 'SHA-256',
  isUnique: true,
  read({ headers }) {
    const text = headers.get(HEADER)
    if (text === null) return undefined
    const signature = text.startsWith(PREFIX) ? decodeHex(text.slice(PREFIX.length)) : undefined
    if (!signature) return 'X-Slack-Signature must be "v0=" and 64 hex digits.'
    const timestamp = headers.get(TIMESTAMP_HEADER) ?? ''
    const timestampMs = parseTimestamp(timestamp)
    if (timestampMs === undefined) {
      return 'X-Slack-Request-Timestamp must be seconds since 1970, 10 digits.'
    }
    return { signatures: [signature], before: `v0:${timestamp}:`, after: '', timestampMs }
  },
  toKey: utf8,
}
