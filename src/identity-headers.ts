import { SignJWT } from 'jose'
import type { Exchange } from '../routes/policies/exchange.ts'
import type { Identity } from '../routes/policies/identity.ts'

/**
 * Puts the headers of an exchange's identity in: IDENTITY_HEADERS.
 *
 * @param secret the route's, at least 32 bytes
 * @param ttlSeconds how long the proof is good; signed anew when half of it is over
 */
export function addIdentityHeaders(
  exchange: Exchange,
  secret: string,
  ttlSeconds: number,
): void | Promise<void> {
  const { identity } = exchange
  if (!identity) return
  const held = proofs.get(identity)
  if (held && held.audience === exchange.route && held.secret === secret && held.renewAtMs > exchange.nowMs) {
    for (const [name, value] of held.headers) exchange.requestHeaders.set(name, value)
    return
  }
  return sign(exchange, identity, secret, ttlSeconds)
}

async function sign(
  exchange: Exchange,
  identity: Identity,
  secret: string,
  ttlSeconds: number,
): Promise<void> {
  const nowSeconds = Math.floor(exchange.nowMs / 1000)
  const { type, policy, subject, scopes, roles } = identity
  const proof = await new SignJWT({ scope: scopes.join(' '), roles, policy, type })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuer('skerry')
    .setSubject(subject)
    .setAudience(exchange.route)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ttlSeconds)
    .sign(new TextEncoder().encode(secret))
  const headers: [string, string][] = [
    ['skerry-subject', toHeaderValue(subject)],
    ['skerry-identity', proof],
  ]
  if (scopes.length > 0) headers.push(['skerry-scopes', toHeaderValue(scopes.join(' '))])
  if (roles.length > 0) headers.push(['skerry-roles', toHeaderValue(roles.join(' '))])
  for (const [name, value] of headers) exchange.requestHeaders.set(name, value)
  const renewAtMs = exchange.nowMs + ttlSeconds * 500
  proofs.set(identity, { headers, audience: exchange.route, secret, renewAtMs })
}

interface Proof {
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly audience: string
  readonly secret: string
  readonly renewAtMs: number
}

/** The last one of each identity: policies that remember whom they verified give the same object again. */
const proofs = new WeakMap<Identity, Proof>()

/** Header values are latin-1 without control characters; anything else is percent-encoded. */
function toHeaderValue(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, character => encodeURIComponent(character))
}
