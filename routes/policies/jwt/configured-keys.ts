import { SkerryError } from '../../../src/core/errors.ts'
import { ALGORITHMS, ASYMMETRIC } from './algorithms.ts'
import { decodeBase64Url } from './encoding.ts'
import { type Jwk, parseJwk, parseSecret, type VerificationKey } from './keys.ts'
import { parsePem } from './pem.ts'

/** Keys as they are written in the gateway file. */
export interface ConfiguredKeys {
  readonly keys?: string | Jwk | readonly (string | Jwk)[] | undefined
  readonly secret?: string | readonly string[] | undefined
  readonly secret_encoding: 'text' | 'hex' | 'base64'
  readonly algorithms?: readonly string[] | undefined
}

/**
 * The keys that a gateway file itself has, `undefined` if it has none.
 *
 * @throws SkerryError ERR_GATEWAY_FILE for a key that can't be used, and says why
 */
export function parseConfiguredKeys(options: ConfiguredKeys): readonly VerificationKey[] | undefined {
  const { keys, secret } = options
  if (secret !== undefined) return listOf(secret).map(each => parseConfiguredSecret(each, options))
  if (keys === undefined) return undefined
  return listOf(keys).map((each, index) => {
    const jwk = typeof each === 'string' ? parsePem(each) : each
    if (typeof jwk !== 'string' && jwk.kty === 'oct') {
      throw new SkerryError(
        'ERR_GATEWAY_FILE',
        'A secret does not belong in "keys": write secret = "secret:NAME".',
      )
    }
    const key = typeof jwk === 'string' ? jwk : parseJwk(jwk)
    if (typeof key !== 'string') return key
    throw new SkerryError('ERR_GATEWAY_FILE', `keys[${index}] can not be used: ${key}.`)
  })
}

/**
 * The algorithms that tokens may use: those that were named, else all with public keys, or HS256 where there is a
 * secret.
 *
 * @throws SkerryError ERR_GATEWAY_FILE where a key of another family would be taken for a secret
 */
export function chooseAlgorithms({ algorithms, secret }: ConfiguredKeys): ReadonlySet<string> {
  const wanted = algorithms ?? (secret === undefined ? ASYMMETRIC : ['HS256'])
  const family =
    secret === undefined ? ASYMMETRIC : [...ALGORITHMS.keys()].filter(alg => alg.startsWith('HS'))
  const stranger = wanted.find(alg => !family.includes(alg))
  if (stranger === undefined) return new Set(wanted)
  const why = secret === undefined ? 'needs a "secret"' : 'needs a public key, and there is a "secret"'
  throw new SkerryError('ERR_GATEWAY_FILE', `algorithms: ${stranger} ${why}.`)
}

function parseConfiguredSecret(text: string, options: ConfiguredKeys): VerificationKey {
  const bytes = decodeSecret(text, options.secret_encoding)
  const key = bytes ? parseSecret(bytes) : `it is not written as ${options.secret_encoding}`
  if (typeof key === 'string')
    throw new SkerryError('ERR_GATEWAY_FILE', `The secret can not be used: ${key}.`)
  const unfit = [...chooseAlgorithms(options)].find(alg => !key.fits(alg))
  if (unfit === undefined) return key
  const { minSecretBytes = 0 } = ALGORITHMS.get(unfit) ?? {}
  throw new SkerryError(
    'ERR_GATEWAY_FILE',
    `The secret is too short: ${unfit} needs ${minSecretBytes} bytes.`,
  )
}

function decodeSecret(text: string, encoding: 'text' | 'hex' | 'base64'): Uint8Array | undefined {
  if (encoding === 'text') return new TextEncoder().encode(text)
  if (encoding === 'base64') {
    return decodeBase64Url(text.replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_'))
  }
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) return undefined
  return Uint8Array.from(text.match(/../g) ?? [], pair => Number.parseInt(pair, 16))
}

function listOf<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T]
}
