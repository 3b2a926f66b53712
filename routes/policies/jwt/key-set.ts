import { type FetchedJson, fetchJson, isSafeUrl, providerError } from './fetch-json.ts'
import { chooseKeys, type Jwk, type KeyChoice, parseJwk, type VerificationKey } from './keys.ts'
import { type Fetched, Refreshed, type Ways } from './refreshed.ts'

/** Where a provider's keys are, and how long they are believed. */
export interface KeySetOptions {
  /** The URL of its JWK Set. Without it the issuer's metadata name it. */
  readonly jwksUrl?: string | undefined
  /** The provider. Required without `jwksUrl`; its metadata must call it exactly this. */
  readonly issuer?: string | undefined
  /** How long keys are good when the answer has no `max-age`. Default 600. */
  readonly ttlSeconds?: number
  /** How long keys go on being used while the provider can't be reached, from when they were fetched. Default 86,400. */
  readonly maxStaleSeconds?: number
  /** How soon the provider may be asked again for a key that it didn't have, or after a failure. Default 30. */
  readonly cooldownSeconds?: number
  /** Default 5,000 for each of the requests. */
  readonly timeoutMs?: number
  /** Default 262,144 for each of the answers. */
  readonly maxBytes?: number
  /** Whether `http:` may be used for hosts other than this machine. Default `false`. */
  readonly allowHttp?: boolean
}

/** A provider's metadata: what OpenID Connect Discovery and RFC 8414 define. Only `issuer` has been checked. */
export type ProviderMetadata = Readonly<Record<string, unknown>>

/**
 * The public keys of an identity provider: fetched when first needed, kept, and fetched again when they grow old or
 * a token names one that isn't there.
 *
 * One fetch at a time, however many requests wait for it. While the provider is down its keys stay good up to
 * `maxStaleSeconds`. Names that nobody knows cost one fetch per `cooldownSeconds` together. Secrets, private keys
 * and weak keys in a published set are left out.
 *
 * @see RFC 7517 §5, OpenID Connect Discovery 1.0 §4, RFC 8414 §3
 */
export class KeySet {
  /** What it is the set of: the issuer or the URL. */
  readonly name: string
  readonly #options: KeySetOptions & { readonly timeoutMs: number; readonly maxBytes: number }
  readonly #keys: Refreshed<readonly VerificationKey[]>
  readonly #metadata: Refreshed<ProviderMetadata>
  #published: readonly VerificationKey[] = []
  #leftOut: readonly string[] = []

  /** @param now milliseconds since the epoch */
  constructor(options: KeySetOptions, now: () => number = Date.now) {
    this.name = options.issuer ?? options.jwksUrl ?? ''
    this.#options = {
      ...options,
      timeoutMs: options.timeoutMs ?? 5000,
      maxBytes: options.maxBytes ?? 262_144,
    }
    const bounds = {
      maxStaleSeconds: options.maxStaleSeconds ?? 86_400,
      cooldownSeconds: options.cooldownSeconds ?? 30,
      // Metadata may take two requests, keys one more.
      patienceMs: this.#options.timeoutMs * 4,
    }
    this.#keys = new Refreshed(services => this.#fetchKeys(services), bounds, now)
    this.#metadata = new Refreshed(services => this.#fetchMetadata(services), bounds, now)
  }

  /** Whether there are keys that may be used: none before the first fetch, nor when the provider was away for too long. */
  get isUsable(): boolean {
    return this.#keys.held !== undefined
  }

  /** Why keys that the provider publishes aren't used, one sentence each. */
  get leftOut(): readonly string[] {
    return this.#leftOut
  }

  /**
   * The keys that a token with this header may have been signed with. A promise only if the provider has to be
   * asked; keys past their time are used, and fetched again meanwhile.
   *
   * @throws SkerryError ERR_IDENTITY_PROVIDER, as a rejection, when it isn't known and can't be asked
   */
  find(
    header: { readonly alg: string; readonly kid?: string },
    services: Ways,
  ): KeyChoice | Promise<KeyChoice> {
    const keys = this.#keys.get(services)
    if (keys instanceof Promise) return keys.then(fetched => chooseKeys(fetched, header))
    const choice = chooseKeys(keys, header)
    if (!('problem' in choice) || choice.problem !== 'unknown') return choice
    if (this.#keys.mayAskAgain || this.#keys.isUnderway) {
      return this.#keys.refresh(services).then(fetched => chooseKeys(fetched, header))
    }
    // The provider was just asked: it has no such key, or it didn't answer, and then nobody knows.
    return this.#keys.failure ? Promise.reject(this.#keys.failure.error) : choice
  }

  /** Fetches the keys again in the background if they are past their time. Cheap: for every request. */
  keepFresh(services: Ways): void {
    this.#keys.keepFresh(services)
  }

  /**
   * The provider's metadata, kept like its keys. Needs an `issuer`.
   *
   * @throws SkerryError ERR_IDENTITY_PROVIDER, as a rejection
   */
  metadata(services: Ways): ProviderMetadata | Promise<ProviderMetadata> {
    return this.#metadata.get(services)
  }

  async #fetchKeys(services: Ways): Promise<Fetched<readonly VerificationKey[]>> {
    const url = this.#options.jwksUrl ?? (await this.#jwksUri(services))
    const { status, json, headers } = await this.#ask(services, url)
    if (!json) throw providerError(url, `answered ${status}; its keys are expected there`)
    if (!Array.isArray(json.keys))
      throw providerError(url, 'answered without "keys"; a JWK Set is expected there')
    this.#replace(json.keys.slice(0, MAX_KEYS))
    return { value: this.#published, lifetimeSeconds: this.#lifetimeSeconds(headers) }
  }

  /** Keys that are still published stay the same objects, so that what was verified with them stays verified. */
  #replace(published: readonly unknown[]): void {
    const before = new Map(this.#published.map(key => [key.fingerprint, key]))
    const found = new Map<string, VerificationKey>()
    const leftOut: string[] = []
    for (const [index, jwk] of published.entries()) {
      const key = parsePublished(jwk)
      if (typeof key === 'string') leftOut.push(`Key ${describeKey(jwk, index)} is not used: ${key}.`)
      else found.set(key.fingerprint, before.get(key.fingerprint) ?? key)
    }
    for (const [fingerprint, key] of before) if (!found.has(fingerprint)) key.isCurrent = false
    this.#published = [...found.values()]
    this.#leftOut = leftOut
  }

  async #jwksUri(services: Ways): Promise<string> {
    const { jwks_uri: uri } = await this.metadata(services)
    if (typeof uri !== 'string' || !isSafeUrl(uri, this.#options.allowHttp)) {
      throw providerError(this.name, 'has metadata without a "jwks_uri" that is an https: URL')
    }
    return uri
  }

  async #fetchMetadata(services: Ways): Promise<Fetched<ProviderMetadata>> {
    const { issuer = '' } = this.#options
    let lastStatus = 0
    for (const url of metadataUrls(issuer)) {
      const { status, json, headers } = await this.#ask(services, url)
      lastStatus = status
      if (!json) continue
      // An issuer that speaks for another could have its own keys taken for the other's (OpenID Connect Discovery §4.3).
      if (json.issuer !== issuer) {
        throw providerError(url, `says that the issuer is ${JSON.stringify(json.issuer)}, not "${issuer}"`)
      }
      return { value: json, lifetimeSeconds: this.#lifetimeSeconds(headers) }
    }
    throw providerError(
      issuer,
      `has no metadata in /.well-known (status ${lastStatus}); name its keys' URL with "jwks"`,
    )
  }

  #lifetimeSeconds(headers: Headers): number {
    return lifetimeSeconds(headers, this.#options.ttlSeconds ?? 600)
  }

  async #ask(services: Ways, url: string): Promise<FetchedJson> {
    if (isSafeUrl(url, this.#options.allowHttp)) return fetchJson(services, url, this.#options)
    throw providerError(url, 'is not an https: URL; "allow_http" allows others')
  }
}

/**
 * Where an issuer's metadata may be: appended to it, as OpenID Connect has it, then with the well-known part between
 * its host and its path, as RFC 8414 has it.
 */
export function metadataUrls(issuer: string): string[] {
  const url = URL.parse(issuer)
  if (!url) return []
  if (url.search !== '' || url.hash !== '') return []
  const path = url.pathname.replace(/\/$/, '')
  return [
    `${url.origin}${path}/.well-known/openid-configuration`,
    `${url.origin}/.well-known/oauth-authorization-server${path}`,
  ]
}

/** How long an answer is good: its `max-age` within a minute and an hour, a minute if it isn't to be kept, else the default. */
export function lifetimeSeconds(headers: Headers, defaultSeconds: number): number {
  const control = headers.get('cache-control')?.slice(0, 512).toLowerCase() ?? ''
  if (/\bno-(?:store|cache)\b/.test(control)) return MIN_LIFETIME_SECONDS
  const [, maxAge] = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(control) ?? []
  if (maxAge === undefined) return defaultSeconds
  return Math.min(Math.max(Number(maxAge), MIN_LIFETIME_SECONDS), MAX_LIFETIME_SECONDS)
}

function parsePublished(jwk: unknown): VerificationKey | string {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'it is no JSON object'
  // What everybody can fetch is no secret: taken for one, it would let anybody sign.
  return (jwk as Jwk).kty === 'oct' ? 'what is published can not be a secret' : parseJwk(jwk as Jwk)
}

function describeKey(jwk: unknown, index: number): string {
  const kid = (jwk as { kid?: unknown } | null)?.kid
  return typeof kid === 'string' ? JSON.stringify(kid.slice(0, 100)) : String(index)
}

const MIN_LIFETIME_SECONDS = 60
const MAX_LIFETIME_SECONDS = 3600
const MAX_KEYS = 100
