import type { Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import type { Api } from '../context.ts'

/** How long a browser stays signed in. */
const SESSION_SECONDS = 12 * 60 * 60

/**
 * Keeps a browser signed in with a token.
 *
 * The cookie holds the token's hash, not the token, and even that is sealed: it opens the first page and no API.
 * Each request looks the hash up again, so a revoked or replaced token is out at once.
 */
export async function startSession(c: Context<Api>, tokenHash: string): Promise<void> {
  const session = { tokenHash, expiresAtMs: Date.now() + SESSION_SECONDS * 1000 }
  const isSecure = isHttps(c)
  setCookie(c, SESSION_COOKIE, await sealSession(session, c.env.MASTER_KEY), {
    path: '/',
    httpOnly: true,
    sameSite: 'Strict',
    maxAge: SESSION_SECONDS,
    secure: isSecure,
    // Functions live on subdomains: without the prefix they could set a cookie of this name for their parent.
    ...(isSecure && { prefix: 'host' as const }),
  })
}

/** Signs the browser out. */
export function endSession(c: Context<Api>): void {
  const isSecure = isHttps(c)
  deleteCookie(c, SESSION_COOKIE, {
    path: '/',
    secure: isSecure,
    ...(isSecure && { prefix: 'host' as const }),
  })
}

/** The hash of the token that the browser signed in with; `undefined` if it didn't, or too long ago. */
export async function readSession(c: Context<Api>): Promise<string | undefined> {
  const sealed = getCookie(c, SESSION_COOKIE, 'host') ?? getCookie(c, SESSION_COOKIE)
  const session = sealed && (await openSession(sealed, c.env.MASTER_KEY))
  return session && session.expiresAtMs > Date.now() ? session.tokenHash : undefined
}

/** What the cookie says, once it is opened. */
export interface Session {
  /** As src/registry/tokens.ts makes it. */
  readonly tokenHash: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/**
 * Encrypts a session: AES-256-GCM under a key of its own, derived from the master key.
 *
 * @param masterKey base64 of 32 bytes
 */
export async function sealSession(session: Session, masterKey: string): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const plain = new TextEncoder().encode(JSON.stringify(session))
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await deriveKey(masterKey), plain)
  return new Uint8Array([...iv, ...new Uint8Array(sealed)]).toBase64({
    alphabet: 'base64url',
    omitPadding: true,
  })
}

/** The session, or `undefined` if the text was not sealed here, was changed, or is from another master key. */
export async function openSession(sealed: string, masterKey: string): Promise<Session | undefined> {
  try {
    const bytes = Uint8Array.fromBase64(sealed, { alphabet: 'base64url' })
    const algorithm = { name: 'AES-GCM', iv: bytes.slice(0, 12) }
    const plain = await crypto.subtle.decrypt(algorithm, await deriveKey(masterKey), bytes.slice(12))
    return JSON.parse(new TextDecoder().decode(plain)) as Session
  } catch {
    return undefined
  }
}

/** Over TLS as the browser sees it: a proxy in front may have ended it, but only the browser writes Origin. */
function isHttps(c: Context<Api>): boolean {
  return c.req.url.startsWith('https:') || (c.req.header('origin') ?? '').startsWith('https:')
}

async function deriveKey(masterKey: string): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', Uint8Array.fromBase64(masterKey), 'HKDF', false, [
    'deriveKey',
  ])
  const info = new TextEncoder().encode('skerry first page session')
  const algorithm = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  return crypto.subtle.deriveKey(algorithm, base, { name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])
}

const SESSION_COOKIE = 'skerry'
