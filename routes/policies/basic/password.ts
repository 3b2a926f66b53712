import { equalBytes } from '../hmac/mac.ts'

/** A password as it is stored: plain, or PBKDF2 with SHA-256. */
export type StoredPassword =
  | { readonly kind: 'plain'; readonly text: string }
  | {
      readonly kind: 'pbkdf2'
      readonly iterations: number
      readonly salt: Uint8Array<ArrayBuffer>
      readonly hash: Uint8Array<ArrayBuffer>
    }

/**
 * Reads `pbkdf2-sha256$<iterations>$<salt>$<hash>`, with or without a `$` in front, salt and hash in base64 with or
 * without padding (also with `.` in the place of `+`, as passlib writes it); any other text is a plain password.
 *
 * @returns why it is none, as a sentence, for a hash that is wrong
 */
export function parseStoredPassword(text: string): StoredPassword | string {
  const [, scheme, count = '', salt = '', hash = ''] =
    /^\$?(pbkdf2-[\w-]*)\$([^$]*)\$([^$]*)\$([^$]*)$/.exec(text) ?? []
  if (scheme === undefined) return { kind: 'plain', text: text.normalize('NFC') }
  if (scheme !== 'pbkdf2-sha256') return `The hash "${scheme}" is not known: use pbkdf2-sha256.`
  const iterations = /^\d{1,7}$/.test(count) ? Number(count) : 0
  if (iterations < MIN_ITERATIONS || iterations > MAX_ITERATIONS) {
    return `The hash must have ${MIN_ITERATIONS} to ${MAX_ITERATIONS} iterations, not ${count.slice(0, 20)}: more would hold up everybody else's requests.`
  }
  const parts = [fromBase64(salt), fromBase64(hash)] as const
  if (!parts[0] || parts[0].length < 8) return 'The salt of the hash must be base64 of at least 8 bytes.'
  if (parts[1]?.length !== HASH_BYTES) return `The hash must be base64 of ${HASH_BYTES} bytes.`
  return { kind: 'pbkdf2', iterations, salt: parts[0], hash: parts[1] }
}

/** The stored form of a password. */
export async function hashPassword(
  password: string,
  salt = crypto.getRandomValues(new Uint8Array(16)),
  iterations = MAX_ITERATIONS,
): Promise<string> {
  const hash = await derive(password, salt, iterations)
  const [saltText, hashText] = [salt, hash].map(toBase64)
  return `pbkdf2-sha256$${iterations}$${saltText}$${hashText}`
}

/**
 * Passwords by user, to check one: takes as long for a user that there isn't, or one whose password is stored in
 * another way, as for any other.
 */
export class PasswordFile {
  readonly #users: ReadonlyMap<string, StoredPassword>
  readonly #iterations: number
  #key: Uint8Array<ArrayBuffer> | undefined

  constructor(users: ReadonlyMap<string, StoredPassword>) {
    this.#users = users
    this.#iterations = Math.max(0, ...[...users.values()].map(iterationsOf))
  }

  /** Made when first asked for: in the global scope of a Worker there is no randomness. */
  get #secret(): Uint8Array<ArrayBuffer> {
    this.#key ??= crypto.getRandomValues(new Uint8Array(32))
    return this.#key
  }

  /** Whether this is the user's password. */
  async verify(user: string, password: string): Promise<boolean> {
    const stored = this.#users.get(user) ?? NOBODY
    const isPlain = stored.kind === 'plain'
    const [given, expected] = isPlain
      ? await Promise.all([this.#digest(password), this.#digest(stored.text)])
      : [await derive(password, stored.salt, stored.iterations), stored.hash]
    const missing = this.#iterations - iterationsOf(stored)
    if (missing > 0) await derive(password, this.#secret, missing)
    const isSame = equalBytes(given, expected)
    return stored !== NOBODY && isSame
  }

  /** Of equal length whatever the password's, and under a key, so that how far two agree says nothing. */
  async #digest(password: string): Promise<Uint8Array> {
    const text = new TextEncoder().encode(password)
    const secret = this.#secret
    const bytes = new Uint8Array(secret.length + text.length)
    bytes.set(secret)
    bytes.set(text, secret.length)
    return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  }
}

async function derive(
  password: string,
  salt: Uint8Array<ArrayBuffer>,
  iterations: number,
): Promise<Uint8Array> {
  const secret = new TextEncoder().encode(password)
  const key = await crypto.subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveBits'])
  const bits = await crypto.subtle.deriveBits(
    { name: 'PBKDF2', hash: 'SHA-256', salt, iterations },
    key,
    HASH_BYTES * 8,
  )
  return new Uint8Array(bits)
}

function iterationsOf(stored: StoredPassword): number {
  return stored.kind === 'pbkdf2' ? stored.iterations : 0
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, '')
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const binary = atob(text.replaceAll('.', '+').replaceAll('-', '+').replaceAll('_', '/'))
    return Uint8Array.from(binary, character => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

const NOBODY: StoredPassword = { kind: 'plain', text: '' }
const HASH_BYTES = 32
/** Less protects no one. */
const MIN_ITERATIONS = 1000
/** 30 to 50 ms, during which the edge does nothing else; Cloudflare refuses more. */
const MAX_ITERATIONS = 100_000
