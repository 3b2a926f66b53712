import { encodeBase64Url } from './seal.ts'

/** What a login expects of its ID token, beyond a right signature, issuer, audience and times. */
export interface Expected {
  readonly clientId: string
  /** What the login began with. `undefined` at a refresh: there was no browser in between. */
  readonly nonce: string | undefined
  /** The subject of the session that is refreshed. */
  readonly subject: string | undefined
  /** The access token that came along. */
  readonly accessToken: string | undefined
}

/**
 * What is wrong with the claims of an ID token, one sentence; `undefined` if nothing is.
 *
 * @see OpenID Connect Core 1.0 §3.1.3.7, §3.1.3.8, §12.2
 */
export async function checkIdToken(
  claims: Readonly<Record<string, unknown>>,
  alg: string,
  { clientId, nonce, subject, accessToken }: Expected,
): Promise<string | undefined> {
  const { aud, azp, sub } = claims
  if (typeof sub !== 'string' || sub === '') return 'The ID token has no "sub".'
  if (subject !== undefined && sub !== subject) return 'The refreshed ID token is of somebody else ("sub").'
  if (Array.isArray(aud) && aud.length > 1 && azp === undefined) {
    return 'The ID token is for several audiences, and does not say which one asked for it ("azp").'
  }
  if (azp !== undefined && azp !== clientId) return 'The ID token was asked for by another client ("azp").'
  if (nonce !== undefined && claims.nonce !== nonce) return 'The ID token is of another login ("nonce").'
  const { at_hash: hash } = claims
  if (hash !== undefined && accessToken !== undefined && hash !== (await hashOf(accessToken, alg))) {
    return 'The access token is not the one that the ID token came with ("at_hash").'
  }
  return undefined
}

/** The left half of a token's hash, as base64url. */
async function hashOf(token: string, alg: string): Promise<string> {
  // Ed25519 hashes with SHA-512 itself.
  const bits = /^(?:EdDSA|Ed25519)$/.test(alg) ? '512' : alg.slice(-3)
  const digest = await crypto.subtle.digest(`SHA-${bits}`, new TextEncoder().encode(token))
  return encodeBase64Url(new Uint8Array(digest, 0, digest.byteLength / 2))
}
