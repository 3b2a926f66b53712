import { decodeBase64Url } from '../jwt/encoding.ts'

/** What a sealed text is for: one that was made for something else doesn't open. */
export type Purpose = 'session' | 'login' | 'record'

/** What a sealed text held. */
export interface Opened {
  readonly value: unknown
  /** It was sealed with a secret that is on its way out: seal it again. */
  readonly isOld: boolean
}

/**
 * Encrypts what browsers and shared records keep for us, so that they can neither read nor change nor move it.
 *
 * AES-256-GCM with random 96-bit nonces; a key for each secret and purpose, by HKDF-SHA-256. `scope` goes into the
 * keys: what one policy or client sealed is noise to another, whatever its secret.
 */
export class Sealer {
  readonly #secrets: readonly string[]
  readonly #scope: readonly string[]
  /** Filled when first needed. Not promises: one that several requests wait for ends with the request that made it. */
  readonly #keys = new Map<string, CryptoKey>()

  constructor(secrets: readonly string[], scope: readonly string[]) {
    this.#secrets = secrets
    this.#scope = scope
  }

  /** A value as a text of letters, digits, `-` and `_`: with the first secret. */
  async seal(purpose: Purpose, value: unknown): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
    const plain = new TextEncoder().encode(JSON.stringify(value))
    const key = await this.#key(purpose, 0)
    const sealed = new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plain))
    const bytes = new Uint8Array(IV_BYTES + sealed.length)
    bytes.set(iv)
    bytes.set(sealed, IV_BYTES)
    return encodeBase64Url(bytes)
  }

  /** The value; `undefined` if nobody who has one of the secrets sealed it for this purpose. */
  async open(purpose: Purpose, text: string): Promise<Opened | undefined> {
    const bytes = decodeBase64Url(text)
    if (!bytes || bytes.length <= IV_BYTES) return undefined
    const iv = bytes.slice(0, IV_BYTES)
    const sealed = bytes.slice(IV_BYTES)
    for (let i = 0; i < this.#secrets.length; i++) {
      const key = await this.#key(purpose, i)
      try {
        const plain = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)
        return { value: JSON.parse(new TextDecoder().decode(plain)), isOld: i > 0 }
      } catch {
        // Another secret's, or somebody else's.
      }
    }
    return undefined
  }

  async #key(purpose: Purpose, index: number): Promise<CryptoKey> {
    const name = `${purpose} ${index}`
    const known = this.#keys.get(name)
    if (known) return known
    const utf8 = new TextEncoder()
    const material = await crypto.subtle.importKey('raw', utf8.encode(this.#secrets[index]), 'HKDF', false, [
      'deriveKey',
    ])
    const info = utf8.encode(JSON.stringify([purpose, ...this.#scope]))
    const key = await crypto.subtle.deriveKey(
      { name: 'HKDF', hash: 'SHA-256', salt: utf8.encode('skerry oidc 1'), info },
      material,
      { name: 'AES-GCM', length: 256 },
      false,
      ['encrypt', 'decrypt'],
    )
    this.#keys.set(name, key)
    return key
  }
}

/** Bytes as base64url without padding. */
export function encodeBase64Url(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Random bytes as base64url. */
export function randomText(bytes: number): string {
  return encodeBase64Url(crypto.getRandomValues(new Uint8Array(bytes)))
}

/** The SHA-256 of a text as base64url: PKCE's `S256`, and keys of records. */
export async function sha256Text(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return encodeBase64Url(new Uint8Array(digest))
}

const IV_BYTES = 12
