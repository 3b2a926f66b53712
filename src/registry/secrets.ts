import { toHex } from '../core/ids.ts'
import type { Binding, SecretBinding, StoredBinding } from '../core/manifest.ts'

/**
 * Encrypts a secret for storage: AES-256-GCM with a random 96-bit nonce; the binding's name is authenticated
 * with it, so that ciphertexts can't be swapped between names.
 *
 * @param masterKey base64 of 32 bytes
 */
export async function sealSecret(name: string, text: string, masterKey: string): Promise<SecretBinding> {
  const { key, keyId } = await importKey(masterKey)
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const sealed = await crypto.subtle.encrypt(
    { name: 'AES-GCM', iv, additionalData: encode(name) },
    key,
    encode(text),
  )
  const bytes = new Uint8Array([...iv, ...new Uint8Array(sealed)])
  return { type: 'secret_text', name, ciphertext: bytes.toBase64(), keyId }
}

/** Opens the secrets among stored bindings. @throws Error if one was sealed with another master key */
export async function openBindings(
  bindings: readonly StoredBinding[],
  masterKey: string,
): Promise<Binding[]> {
  return Promise.all(
    bindings.map(async (binding): Promise<Binding> => {
      if (binding.type !== 'secret_text') return binding
      return { type: 'secret_text', name: binding.name, text: await openSecret(binding, masterKey) }
    }),
  )
}

async function openSecret({ name, ciphertext, keyId }: SecretBinding, masterKey: string): Promise<string> {
  const current = await importKey(masterKey)
  if (keyId !== current.keyId) {
    throw new Error(
      `the secret "${name}" was sealed with the master key ${keyId}, this platform has ${current.keyId}`,
    )
  }
  const bytes = Uint8Array.fromBase64(ciphertext)
  const algorithm = { name: 'AES-GCM', iv: bytes.slice(0, 12), additionalData: encode(name) }
  return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, current.key, bytes.slice(12)))
}

interface MasterKey {
  readonly key: CryptoKey
  /** The first 8 hex digits of its hash. */
  readonly keyId: string
}

async function importKey(masterKey: string): Promise<MasterKey> {
  const known = keys.get(masterKey)
  if (known) return known
  const raw = Uint8Array.fromBase64(masterKey)
  if (raw.byteLength !== 32) throw new Error(`MASTER_KEY must be base64 of 32 bytes, not ${raw.byteLength}`)
  const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['encrypt', 'decrypt'])
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', raw))
  const imported = { key, keyId: toHex(digest).slice(0, 8) }
  keys.set(masterKey, imported)
  return imported
}

const keys = new Map<string, MasterKey>()
const encode = (text: string) => new TextEncoder().encode(text)
