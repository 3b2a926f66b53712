import { decodeHex, type Scheme, utf8 } from './scheme.ts'

const HEADER = 'x-hub-signature-256'
const PREFIX = 'sha256='

/**
 * GitHub: `X-Hub-Signature-256: sha256=<hex>` over the body. Neither time nor id is signed: a message that is sent
 * again can't be told from a replayed one. Also what Gitea, Forgejo and Meta's platforms send.
 *
 * @see https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export const github: Scheme = {
  provider: 'github',
  header: HEADER,
  hash: 'SHA-256',
  isUnique: false,
  read({ headers }) {
    const text = headers.get(HEADER)
    if (text === null) return undefined
    const signature = text.startsWith(PREFIX) ? decodeHex(text.slice(PREFIX.length)) : undefined
    if (!signature) return 'X-Hub-Signature-256 must be "sha256=" and 64 hex digits.'
    return { signatures: [signature], before: '', after: '' }
  },
  toKey: utf8,
}
