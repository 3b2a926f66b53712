/** A 32-digit lower-case hex id, as Cloudflare's accounts, KV namespaces and zones have. */
export type HexId = string

declare const brand: unique symbol
/** An account's id: 32 hex digits. Branded, so that it can't be swapped with another id. */
export type AccountId = string & { readonly [brand]: 'account' }
/** A version's id: a lower-case UUID; its first 8 digits name its preview host. */
export type VersionId = string & { readonly [brand]: 'version' }
/** A deployment's id: a lower-case UUID. */
export type DeploymentId = string & { readonly [brand]: 'deployment' }

/** A new random id of 32 hex digits. */
export function createHexId(): HexId {
  return toHex(crypto.getRandomValues(new Uint8Array(16)))
}

/** Bytes as lower-case hex digits. */
export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

/** The SHA-256 of a text or of bytes, as 64 hex digits. */
export async function sha256Hex(data: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)))
}

/** A new request id: 32 hex digits, the form of a W3C trace id. */
export function createRequestId(): string {
  return crypto.randomUUID().replaceAll('-', '')
}
