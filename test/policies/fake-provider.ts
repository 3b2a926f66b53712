import { createHash } from 'node:crypto'
import { type CryptoKey, exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { Services } from '../../routes/policies/services.ts'

export const ISSUER = 'https://id.test/realm'
export const CLIENT_ID = 'shop'
export const CLIENT_SECRET = 'the secret of the shop: +/&%'

interface Grant {
  readonly challenge: string | null
  readonly nonce: string | null
  readonly redirectUri: string
  readonly claims: Record<string, unknown>
}

/** How a test makes the provider behave otherwise. */
export interface Behaviour {
  isDown?: boolean
  metadata?: Record<string, unknown>
  /** More claims of ID tokens, or others. */
  claims?: Record<string, unknown>
  /** Signs with a key that isn't published. */
  signsWithAnotherKey?: boolean
  answersWithoutIss?: boolean
  tokens?: Record<string, unknown>
  expiresIn?: number
  /** Refuses every refresh token. */
  endsSessions?: boolean
  tokenStatus?: number
}

/**
 * A fake OpenID Connect provider, in memory: discovery, keys, login, tokens, logout. It is as strict as a good one:
 * codes and refresh tokens count once, PKCE and the redirect URI must fit, clients must authenticate.
 */
export class FakeProvider {
  behaviour: Behaviour = {}
  /** What was asked of it, as `POST /token`. */
  readonly asked: string[] = []
  readonly now: () => number
  readonly issuer: string
  readonly #codes = new Map<string, Grant>()
  readonly #refreshTokens = new Map<string, Grant>()
  #serial = 0
  #keys: Promise<[CryptoKey, Record<string, unknown>, CryptoKey]> | undefined

  constructor(now: () => number, issuer = ISSUER) {
    this.now = now
    this.issuer = issuer
  }

  /** In the place of `services.fetch`. */
  readonly fetch: Services['fetch'] = async (input, init) => {
    const request = new Request(input as string, init as RequestInit)
    const { pathname } = new URL(request.url)
    this.asked.push(`${request.method} ${pathname}`)
    if (this.behaviour.isDown) throw new TypeError('connection refused')
    if (pathname === '/realm/.well-known/openid-configuration') return Response.json(this.#metadata())
    if (pathname === '/realm/jwks') return Response.json({ keys: [(await this.#keyPair())[1]] })
    if (pathname === '/realm/token') return this.#token(request)
    return new Response('not found', { status: 404 })
  }

  /**
   * A person logs in: what the browser does at the authorization endpoint.
   *
   * @param user claims of the person
   * @returns where the browser is sent back to
   */
  authorize(location: string, user: Record<string, unknown> = { sub: 'ann' }): string {
    const { origin, pathname, searchParams: params } = new URL(location)
    if (origin + pathname !== `${this.issuer}/authorize`) throw new Error(`${location} is not the login`)
    if (params.get('client_id') !== CLIENT_ID || params.get('response_type') !== 'code') {
      throw new Error(`${location} is no request of this client`)
    }
    const redirectUri = params.get('redirect_uri') ?? ''
    const code = `code-${++this.#serial}`
    this.#codes.set(code, {
      challenge: params.get('code_challenge'),
      nonce: params.get('nonce'),
      redirectUri,
      claims: user,
    })
    const back = new URL(redirectUri)
    back.searchParams.set('code', code)
    back.searchParams.set('state', params.get('state') ?? '')
    if (!this.behaviour.answersWithoutIss) back.searchParams.set('iss', this.issuer)
    return back.href
  }

  async #token(request: Request): Promise<Response> {
    if (this.behaviour.tokenStatus) return new Response('', { status: this.behaviour.tokenStatus })
    const params = new URLSearchParams(await request.text())
    if (!this.#isClient(request, params)) return Response.json({ error: 'invalid_client' }, { status: 401 })
    const refused = () => Response.json({ error: 'invalid_grant' }, { status: 400 })
    if (params.get('grant_type') === 'refresh_token') {
      const token = params.get('refresh_token') ?? ''
      const grant = this.#refreshTokens.get(token)
      if (!grant || this.behaviour.endsSessions) return refused()
      this.#refreshTokens.delete(token)
      return this.#grant({ ...grant, nonce: null })
    }
    const code = params.get('code') ?? ''
    const grant = this.#codes.get(code)
    this.#codes.delete(code)
    const verifier = params.get('code_verifier')
    const challenge = verifier && createHash('sha256').update(verifier).digest('base64url')
    // A verifier for a code without a challenge: somebody took the challenge out (RFC 9700 §4.8.2).
    if (!grant || grant.challenge !== challenge || grant.redirectUri !== params.get('redirect_uri'))
      return refused()
    return this.#grant(grant)
  }

  async #grant(grant: Grant): Promise<Response> {
    const { claims, tokens, expiresIn = 300, signsWithAnotherKey } = this.behaviour
    const [key, jwk, otherKey] = await this.#keyPair()
    const accessToken = `access-${++this.#serial}`
    const refreshToken = `refresh-${this.#serial}`
    this.#refreshTokens.set(refreshToken, grant)
    const now = Math.floor(this.now() / 1000)
    const idToken = await new SignJWT({
      iss: this.issuer,
      aud: CLIENT_ID,
      iat: now,
      exp: now + 300,
      ...(grant.nonce !== null && { nonce: grant.nonce }),
      at_hash: createHash('sha256').update(accessToken).digest().subarray(0, 16).toString('base64url'),
      ...grant.claims,
      ...claims,
    })
      .setProtectedHeader({ alg: 'ES256', kid: String(jwk.kid), typ: 'JWT' })
      .sign(signsWithAnotherKey ? otherKey : key)
    return Response.json({
      token_type: 'Bearer',
      access_token: accessToken,
      id_token: idToken,
      refresh_token: refreshToken,
      expires_in: expiresIn,
      ...tokens,
    })
  }

  #isClient(request: Request, params: URLSearchParams): boolean {
    const methods = this.#metadata().token_endpoint_auth_methods_supported
    const posted = params.get('client_secret')
    if (Array.isArray(methods) && methods.includes('client_secret_post')) return posted === CLIENT_SECRET
    const encode = (text: string) => new URLSearchParams({ a: text }).toString().slice(2)
    const basic = btoa(`${encode(CLIENT_ID)}:${encode(CLIENT_SECRET)}`)
    return posted === null && request.headers.get('authorization') === `Basic ${basic}`
  }

  #metadata(): Record<string, unknown> {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      end_session_endpoint: `${this.issuer}/logout`,
      code_challenge_methods_supported: ['S256', 'plain'],
      authorization_response_iss_parameter_supported: true,
      ...this.behaviour.metadata,
    }
  }

  #keyPair() {
    this.#keys ??= (async () => {
      const [used, other] = await Promise.all([generateKeyPair('ES256'), generateKeyPair('ES256')])
      const jwk = { ...(await exportJWK(used.publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }
      return [used.privateKey, jwk, other.privateKey]
    })()
    return this.#keys
  }
}
