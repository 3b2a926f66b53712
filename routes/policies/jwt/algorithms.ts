/** How WebCrypto is to verify one `alg`. */
export interface Algorithm {
  /** The type of key that it needs: no other is ever taken for it. */
  readonly kty: 'RSA' | 'EC' | 'OKP' | 'oct'
  readonly crv: string | undefined
  readonly importAs: SubtleCryptoImportKeyAlgorithm
  readonly verifyAs: SubtleCryptoSignAlgorithm
  /** What length a signature must have; 0 = that of the key. */
  readonly signatureBytes: number
  /** Of HMAC: as long as the hash (RFC 7518 §3.2). */
  readonly minSecretBytes: number
}

/** Every `alg` that can be verified (RFC 7518, RFC 8037, RFC 9864). There is no `none`. */
export const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ['RS256', rsa(256, 0)],
  ['RS384', rsa(384, 0)],
  ['RS512', rsa(512, 0)],
  ['PS256', rsa(256, 32)],
  ['PS384', rsa(384, 48)],
  ['PS512', rsa(512, 64)],
  ['ES256', ecdsa('P-256', 256, 64)],
  ['ES384', ecdsa('P-384', 384, 96)],
  ['ES512', ecdsa('P-521', 512, 132)],
  ['EdDSA', eddsa()],
  ['Ed25519', eddsa()],
  ['HS256', hmac(256)],
  ['HS384', hmac(384)],
  ['HS512', hmac(512)],
])

/** Those with a public key. */
export const ASYMMETRIC: readonly string[] = [...ALGORITHMS.keys()].filter(alg => !alg.startsWith('HS'))

/** Whether two names mean the same algorithm: `EdDSA` is the older name of `Ed25519` for keys of that curve. */
export function sameAlgorithm(a: unknown, b: unknown): boolean {
  return a === b || (isEddsa(a) && isEddsa(b))
}

const isEddsa = (name: unknown): boolean => name === 'EdDSA' || name === 'Ed25519'

function rsa(bits: number, saltLength: number): Algorithm {
  const name = saltLength > 0 ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5'
  return {
    kty: 'RSA',
    crv: undefined,
    importAs: { name, hash: `SHA-${bits}` },
    verifyAs: saltLength > 0 ? { name, saltLength } : { name },
    signatureBytes: 0,
    minSecretBytes: 0,
  }
}

function ecdsa(crv: string, bits: number, signatureBytes: number): Algorithm {
  return {
    kty: 'EC',
    crv,
    importAs: { name: 'ECDSA', namedCurve: crv },
    verifyAs: { name: 'ECDSA', hash: `SHA-${bits}` },
    signatureBytes,
    minSecretBytes: 0,
  }
}

function eddsa(): Algorithm {
  const name = { name: 'Ed25519' }
  return { kty: 'OKP', crv: 'Ed25519', importAs: name, verifyAs: name, signatureBytes: 64, minSecretBytes: 0 }
}

function hmac(bits: number): Algorithm {
  return {
    kty: 'oct',
    crv: undefined,
    importAs: { name: 'HMAC', hash: `SHA-${bits}` },
    verifyAs: { name: 'HMAC' },
    signatureBytes: bits / 8,
    minSecretBytes: bits / 8,
  }
}
