/** An account's gateway file as edges hold it. */
export interface GatewaySnapshot {
  /** Counts up with each apply and rollback; 0 = there is no file. */
  readonly revision: number
  /** The checked document, as JSON text (routes/gateway/document.ts); references to secrets are still in it. */
  readonly document: string
  /** Policies and upstreams may reach private addresses: an admin of the whole platform applied it. */
  readonly allowPrivate: boolean
  /** The texts of the secrets that it refers to, by name. In memory only: never logged, never written. */
  readonly secrets: Readonly<Record<string, string>>
}

/** An API key, never its text. */
export interface ApiKey {
  readonly id: string
  /** The first characters of its text, to recognise it by. */
  readonly prefix: string
  readonly name: string
  readonly owner: string
  readonly scopes: readonly string[]
  /** The operator's own notes; the function sees them. */
  readonly metadata: Readonly<Record<string, string>>
  /** Milliseconds since the epoch; 0 = never. */
  readonly expiresAtMs: number
  readonly revokedAtMs: number
}

/** An API key as edges hold it, by which they recognise it. */
export interface EdgeApiKey extends ApiKey {
  /** SHA-256 of its text: 64 hex digits. */
  readonly hash: string
}

/** What an operator asked caches to forget. */
export type Purge = { readonly sequence: number; readonly atMs: number } & PurgeTarget

/** Which stored responses: all, those of one URL, of URLs that begin so, of a host, or that carry a `Cache-Tag`. */
export type PurgeTarget =
  | { readonly kind: 'everything' }
  | { readonly kind: 'url' | 'prefix' | 'host' | 'tag'; readonly value: string }
