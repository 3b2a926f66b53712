/**
 * The key for signatures of one kind, HMAC with SHA-256: derived from the master key, so that nothing needs to be
 * stored.
 *
 * @param masterKey base64 of 32 bytes
 * @param purpose makes it another key than those of other kinds
 */
export async function deriveSigningKey(masterKey: string, purpose: string): Promise<CryptoKey> {
  const secret = Uint8Array.from(atob(masterKey), character => character.charCodeAt(0))
  const raw = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey'])
  const info = new TextEncoder().encode(purpose)
  return crypto.subtle.deriveKey(
    { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info },
    raw,
    { name: 'HMAC', hash: 'SHA-256', length: 256 },
    false,
    ['sign', 'verify'],
  )
}
