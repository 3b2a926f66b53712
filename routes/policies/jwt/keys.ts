import { ALGORITHMS, sameAlgorithm } from './algorithms.ts'
import { decodeBase64Url } from './encoding.ts'
import { weaknessOfRsaKey } from './weak-keys.ts'

/** A JSON Web Key as it was written (RFC 7517). */
export type Jwk = Readonly<Record<string, unknown>>

/** The keys with which a token may have been signed, to be tried in order; or why there is none. */
export type KeyChoice = { readonly keys: readonly VerificationKey[] } | { readonly problem: KeyProblem }

/** `unknown`: no key fits. `ambiguous`: several fit, and the token doesn't say which. `issuer`: nobody's keys are asked. */
export type KeyProblem = 'unknown' | 'ambiguous' | 'issuer'

/** A key that verifies signatures, and the algorithms that it is bound to: a public RSA key is never taken for an HMAC secret. */
export class VerificationKey {
  /** What tokens call it by; `undefined` fits any name. */
  readonly kid: string | undefined
  /** Tells it from every other key: its text, so it isn't to be shown. */
  readonly fingerprint: string
  /** `false` once its provider has withdrawn it. */
  isCurrent = true
  readonly #algorithms: readonly string[]
  readonly #material: JsonWebKey | Uint8Array
  readonly #imported = new Map<string, CryptoKey>()

  constructor(kid: string | undefined, algorithms: readonly string[], material: JsonWebKey | Uint8Array) {
    this.kid = kid
    this.#algorithms = algorithms
    this.#material = material
    this.fingerprint = JSON.stringify([
      kid,
      algorithms,
      material instanceof Uint8Array ? [...material] : material,
    ])
  }

  /** Whether tokens with this `alg` may have been signed with it. */
  fits(alg: string): boolean {
    return this.#algorithms.includes(alg)
  }

  get isSecret(): boolean {
    return this.#material instanceof Uint8Array
  }

  /** The key for WebCrypto. Rejects for a key that isn't one, such as a point that is not on its curve. */
  cryptoKey(alg: string): CryptoKey | Promise<CryptoKey> {
    return this.#imported.get(alg) ?? this.#import(alg)
  }

  async #import(alg: string): Promise<CryptoKey> {
    const { importAs } = ALGORITHMS.get(alg) as { importAs: SubtleCryptoImportKeyAlgorithm }
    const material = this.#material
    const key =
      material instanceof Uint8Array
        ? await crypto.subtle.importKey('raw', material, importAs, false, ['verify'])
        : await crypto.subtle.importKey('jwk', material as never, importAs, false, ['verify'])
    this.#imported.set(alg, key)
    return key
  }
}

/**
 * A key from a JWK, or what is wrong with it. Keys for encryption, private, weak and incomplete ones are refused.
 *
 * @see RFC 7517 §4, RFC 7518 §6
 */
export function parseJwk(jwk: Jwk): VerificationKey | string {
  const { kid, use, key_ops: keyOps, alg } = jwk
  if (kid !== undefined && typeof kid !== 'string') return '"kid" must be a text'
  if (use !== undefined && use !== 'sig') return `it is not for signatures: "use" is ${JSON.stringify(use)}`
  if (keyOps !== undefined && !(Array.isArray(keyOps) && keyOps.includes('verify'))) {
    return 'it is not for verifying: "key_ops" lacks "verify"'
  }
  if (jwk.d !== undefined || jwk.p !== undefined || jwk.priv !== undefined) return 'it is a private key'
  const material = materialOf(jwk)
  if (typeof material === 'string') return material
  const able = algorithmsFor(material)
  if (able.length === 0) return tooShort(material)
  const algorithms = alg === undefined ? able : able.filter(each => sameAlgorithm(each, alg))
  if (algorithms.length === 0) return `its "alg", ${JSON.stringify(alg)}, is not one that it can verify`
  return new VerificationKey(kid, algorithms, material)
}

/** A secret for HMAC. It must be as long as the hash: 32 bytes for HS256, 48 for HS384, 64 for HS512 (RFC 7518 §3.2). */
export function parseSecret(secret: Uint8Array): VerificationKey | string {
  const algorithms = algorithmsFor(secret)
  return algorithms.length > 0 ? new VerificationKey(undefined, algorithms, secret) : tooShort(secret)
}

/**
 * The keys that a token with this header may have been signed with.
 *
 * A `kid` names exactly one key. Where none has that name, those without any name are tried. A token without a
 * `kid` is verified with the one key that fits, or with all if none of them has a name.
 */
export function chooseKeys(
  keys: readonly VerificationKey[],
  header: { readonly alg: string; readonly kid?: string },
): KeyChoice {
  const fitting = keys.filter(key => key.fits(header.alg))
  const nameless = fitting.filter(key => key.kid === undefined).slice(0, MAX_TRIES)
  if (header.kid === undefined) {
    if (fitting.length === 1) return { keys: fitting }
    if (fitting.length === 0) return { problem: 'unknown' }
    return nameless.length === fitting.length ? { keys: nameless } : { problem: 'ambiguous' }
  }
  const named = fitting.filter(key => key.kid === header.kid)
  if (named.length === 1) return { keys: named }
  if (named.length > 1) return { problem: 'ambiguous' }
  return nameless.length > 0 ? { keys: nameless } : { problem: 'unknown' }
}

/** What WebCrypto needs of a JWK and nothing else: whatever else is written in it can't change what the key is. */
function materialOf(jwk: Jwk): JsonWebKey | Uint8Array | string {
  switch (jwk.kty) {
    case 'RSA': {
      const [n, e] = [bytesOf(jwk.n), bytesOf(jwk.e)]
      if (!n || !e) return '"n" and "e" must be base64url'
      return weaknessOfRsaKey(n, e) ?? { kty: 'RSA', n: String(jwk.n), e: String(jwk.e) }
    }
    case 'EC': {
      const size = CURVE_BYTES.get(jwk.crv)
      if (size === undefined) return '"crv" must be P-256, P-384 or P-521'
      if (bytesOf(jwk.x)?.length !== size || bytesOf(jwk.y)?.length !== size) {
        return `"x" and "y" must be ${size} bytes each, as base64url`
      }
      return { kty: 'EC', crv: String(jwk.crv), x: String(jwk.x), y: String(jwk.y) }
    }
    case 'OKP':
      if (jwk.crv !== 'Ed25519') return '"crv" must be Ed25519'
      if (bytesOf(jwk.x)?.length !== 32) return '"x" must be 32 bytes, as base64url'
      return { kty: 'OKP', crv: 'Ed25519', x: String(jwk.x) }
    case 'oct':
      return bytesOf(jwk.k) ?? '"k" must be base64url'
    default:
      return '"kty" must be RSA, EC or OKP'
  }
}

function algorithmsFor(material: JsonWebKey | Uint8Array): string[] {
  const able: string[] = []
  for (const [alg, { kty, crv, minSecretBytes }] of ALGORITHMS) {
    if (material instanceof Uint8Array) {
      if (kty === 'oct' && material.length >= minSecretBytes) able.push(alg)
    } else if (kty === material.kty && crv === material.crv) able.push(alg)
  }
  return able
}

const tooShort = (material: JsonWebKey | Uint8Array): string =>
  `the secret has ${(material as Uint8Array).length} bytes; HS256 needs 32 or more, HS384 48, HS512 64`

const bytesOf = (value: unknown): Uint8Array | undefined =>
  typeof value === 'string' && value !== '' ? decodeBase64Url(value) : undefined

const CURVE_BYTES: ReadonlyMap<unknown, number> = new Map([
  ['P-256', 32],
  ['P-384', 48],
  ['P-521', 66],
])

/** How many keys without a name are tried for one token. */
const MAX_TRIES = 8
