import { ASYMMETRIC } from '../jwt/algorithms.ts'
import { fetchJson, isSafeUrl, providerError } from '../jwt/fetch-json.ts'
import { KeySet, type ProviderMetadata } from '../jwt/key-set.ts'
import type { Ways } from '../jwt/refreshed.ts'
import { isFailure } from '../jwt/token-failure.ts'
import { type JwtRules, verifyJwt } from '../jwt/verify.ts'
import { checkIdToken, type Expected } from './id-token.ts'
import type { OidcOptions } from './options.ts'

/** What a provider gives for a code or a refresh token. Only types have been checked. */
export interface TokenAnswer {
  readonly idToken: string | undefined
  readonly accessToken: string | undefined
  readonly refreshToken: string | undefined
  readonly expiresInSeconds: number | undefined
  readonly scope: string | undefined
}

/** What has been verified of an ID token. */
export interface VerifiedIdToken {
  readonly claims: Readonly<Record<string, unknown>>
  readonly subject: string
}

/** A refusal, as a sentence for the operator. */
export interface Refused {
  readonly reason: string
}

/**
 * The identity provider, as this client sees it: its metadata, its token endpoint, its ID tokens.
 *
 * Every method rejects with SkerryError ERR_IDENTITY_PROVIDER when the provider can't be reached or doesn't answer as
 * it should.
 *
 * @see OpenID Connect Core 1.0, RFC 6749, RFC 7636, RFC 9700
 */
export class Provider {
  readonly #options: OidcOptions
  readonly #keys: KeySet
  readonly #rules: JwtRules

  constructor(options: OidcOptions) {
    this.#options = options
    this.#keys = new KeySet({
      issuer: options.issuer,
      timeoutMs: options.timeout * 1000,
      allowHttp: options.allow_http,
    })
    this.#rules = {
      algorithms: new Set(ASYMMETRIC),
      maxBytes: 16_384,
      types: new Set(['', 'jwt', 'id_token+jwt']),
      issuers: [options.issuer],
      audiences: [options.client_id],
      leewaySeconds: options.leeway,
      requireExpiry: true,
      maxAgeSeconds: undefined,
      required: [],
    }
  }

  /** Whether the provider's answers name it (RFC 9207): then one that doesn't is refused. */
  async namesItself(ways: Ways): Promise<boolean> {
    const metadata = await this.#keys.metadata(ways)
    return metadata.authorization_response_iss_parameter_supported === true
  }

  /** Where a login begins. */
  async authorizationEndpoint(ways: Ways): Promise<URL> {
    const metadata = await this.#keys.metadata(ways)
    const methods = metadata.code_challenge_methods_supported
    // A provider that says what it can do, and can't do S256, would take codes that were stolen.
    if (Array.isArray(methods) && !methods.includes('S256')) {
      throw providerError(
        this.#options.issuer,
        'does not support PKCE with S256 (code_challenge_methods_supported)',
      )
    }
    return this.#endpoint(metadata, 'authorization_endpoint')
  }

  /** Where a logout goes on; `undefined` if the provider has no such place. */
  async endSessionEndpoint(ways: Ways): Promise<URL | undefined> {
    const metadata = await this.#keys.metadata(ways)
    return metadata.end_session_endpoint === undefined
      ? undefined
      : this.#endpoint(metadata, 'end_session_endpoint')
  }

  /** Trades a code for tokens. The verifier proves that who began the login ends it. */
  redeem(ways: Ways, code: string, verifier: string, redirectUri: string): Promise<TokenAnswer | Refused> {
    return this.#ask(ways, {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri,
    })
  }

  /** Trades a refresh token for new tokens. */
  refresh(ways: Ways, refreshToken: string): Promise<TokenAnswer | Refused> {
    return this.#ask(ways, { grant_type: 'refresh_token', refresh_token: refreshToken })
  }

  /** Verifies an ID token: signature, issuer, audience and times, then what this login expects of it. */
  async verify(
    ways: Ways,
    idToken: string,
    expected: Omit<Expected, 'clientId'>,
    nowMs: number,
  ): Promise<VerifiedIdToken | Refused> {
    const verified = await verifyJwt(idToken, this.#rules, header => this.#keys.find(header, ways), nowMs)
    if (isFailure(verified)) return { reason: verified.detail }
    const { claims, header } = verified
    const wrong = await checkIdToken(claims, header.alg, { ...expected, clientId: this.#options.client_id })
    return wrong ? { reason: wrong } : { claims, subject: String(claims.sub) }
  }

  async #ask(ways: Ways, parameters: Record<string, string>): Promise<TokenAnswer | Refused> {
    const metadata = await this.#keys.metadata(ways)
    const { href } = this.#endpoint(metadata, 'token_endpoint')
    const body = new URLSearchParams(parameters)
    const headers = this.#authenticate(metadata, body)
    const bounds = { timeoutMs: this.#options.timeout * 1000, maxBytes: 262_144 }
    const { status, json } = await fetchJson(ways, href, bounds, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      body: body.toString(),
    })
    if (json) return toTokenAnswer(json)
    // What a client did wrong is told by 400 or 401 (RFC 6749 §5.2); anything else may pass.
    if (status === 400 || status === 401) return { reason: `The token endpoint answered ${status}.` }
    throw providerError(href, `answered ${status}`)
  }

  /** @see RFC 6749 §2.3.1 */
  #authenticate(metadata: ProviderMetadata, body: URLSearchParams): Record<string, string> {
    const { client_id: id, client_secret: secret } = this.#options
    if (secret === undefined) {
      body.set('client_id', id)
      return {}
    }
    const methods = metadata.token_endpoint_auth_methods_supported
    if (Array.isArray(methods) && !methods.includes('client_secret_basic')) {
      body.set('client_id', id)
      body.set('client_secret', secret)
      return {}
    }
    const encode = (text: string) => new URLSearchParams([['', text]]).toString().slice(1)
    return { authorization: `Basic ${btoa(`${encode(id)}:${encode(secret)}`)}` }
  }

  #endpoint(metadata: ProviderMetadata, name: string): URL {
    const value = metadata[name]
    if (typeof value !== 'string' || !isSafeUrl(value, this.#options.allow_http)) {
      throw providerError(this.#options.issuer, `has metadata without a "${name}" that is an https: URL`)
    }
    return new URL(value)
  }
}

function toTokenAnswer(json: Readonly<Record<string, unknown>>): TokenAnswer {
  const text = (name: string) => {
    const value = json[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const expiresIn = Number(json.expires_in)
  return {
    idToken: text('id_token'),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    expiresInSeconds: expiresIn > 0 && Number.isFinite(expiresIn) ? expiresIn : undefined,
    scope: text('scope'),
  }
}
