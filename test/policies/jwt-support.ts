import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose'
import type { Services } from '../../routes/policies/services.ts'
import { NOW_MS } from './support.ts'

export const ISSUER = 'https://id.example.com'
export const AUDIENCE = 'orders'
/** `NOW_MS` in seconds. */
export const NOW = NOW_MS / 1000

/** A pair of keys with a name, as a provider has them. Signing is done by another library than verifying. */
export interface Signer {
  readonly kid: string
  readonly alg: string
  readonly publicJwk: Readonly<Record<string, unknown>>
  sign(
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ): Promise<string>
}

export async function makeSigner(kid: string, alg = 'ES256'): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return {
    kid,
    alg,
    publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' },
    sign: (claims, header) =>
      new SignJWT(goodClaims(claims)).setProtectedHeader({ alg, kid, ...header }).sign(privateKey),
  }
}

/** Claims of a token that is good for a minute, with others in their place; `undefined` leaves one out. */
export function goodClaims(claims: Readonly<Record<string, unknown>> = {}): JWTPayload {
  return { iss: ISSUER, aud: AUDIENCE, sub: 'ann', iat: NOW, exp: NOW + 60, ...claims } as JWTPayload
}

/** A token of any header and payload texts, with any signature. */
export function forge(
  header: unknown,
  payload: unknown,
  signature: Uint8Array | string = new Uint8Array(64),
): string {
  const text = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const end = typeof signature === 'string' ? signature : Buffer.from(signature).toString('base64url')
  return `${text(header)}.${text(payload)}.${end}`
}

/** An identity provider that isn't one: it answers from a table, counts, and can be slow, down or wrong. */
export class FakeProvider {
  readonly calls: string[] = []
  readonly waitedFor: Promise<unknown>[] = []
  readonly documents = new Map<string, () => Response | Promise<Response>>()

  /** Publishes keys with discovery. */
  publish(signers: readonly Signer[], headers: Record<string, string> = {}): this {
    const keys = signers.map(signer => signer.publicJwk)
    this.documents.set(`${ISSUER}/.well-known/openid-configuration`, () =>
      Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys`, token_endpoint: `${ISSUER}/token` }),
    )
    this.documents.set(`${ISSUER}/keys`, () => Response.json({ keys }, { headers }))
    return this
  }

  goDown(): void {
    for (const url of this.documents.keys()) {
      this.documents.set(url, () => {
        throw new TypeError('connection refused')
      })
    }
  }

  /** How often the keys were fetched. */
  get keyFetches(): number {
    return this.calls.filter(url => url.endsWith('/keys')).length
  }

  readonly services: Pick<Services, 'fetch' | 'waitUntil'> = {
    fetch: async input => {
      const url = typeof input === 'string' ? input : input.url
      this.calls.push(url)
      return (await this.documents.get(url)?.()) ?? new Response('no', { status: 404 })
    },
    waitUntil: promise => void this.waitedFor.push(promise),
  }
}

/** A promise, and what settles it. */
export function makeGate(): { readonly opened: Promise<void>; open(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  return { opened: promise, open: resolve }
}
