/**
 * What is wrong with an RSA public key, if anything: fewer than 2,048 bits, an exponent that signs nothing, or a
 * modulus that can be factored because a broken chip library made it (ROCA, CVE-2017-15361).
 *
 * @param modulus and exponent: big-endian bytes
 * @see RFC 7518 §3.3; NIST SP 800-89 §5.3.3
 */
export function weaknessOfRsaKey(modulus: Uint8Array, exponent: Uint8Array): string | undefined {
  const n = toBigInt(modulus)
  const e = toBigInt(exponent)
  const bits = n.toString(2).length
  if (bits < MIN_RSA_BITS) return `it has ${bits} bits; RSA keys need ${MIN_RSA_BITS} or more`
  if (bits > MAX_RSA_BITS) return `it has ${bits} bits; at most ${MAX_RSA_BITS} are taken`
  if (e < 3n || (e & 1n) === 0n) return 'its exponent must be odd and 3 or more'
  if (hasRocaFingerprint(n)) return 'its modulus is of the kind that ROCA (CVE-2017-15361) factors'
  return undefined
}

/**
 * Primes of the broken library are `k·M + 65537^a mod M`, so the modulus is a power of 65537 for each small prime
 * that divides M. Another key is so by chance once in more than 10^8.
 */
function hasRocaFingerprint(n: bigint): boolean {
  for (const prime of SMALL_PRIMES) {
    const rest = Number(n % BigInt(prime))
    let power = 1
    do {
      if (power === rest) break
      power = (power * 65537) % prime
    } while (power !== 1)
    if (power !== rest) return false
  }
  return true
}

function toBigInt(bytes: Uint8Array): bigint {
  let hex = '0x0'
  for (const byte of bytes) hex += byte.toString(16).padStart(2, '0')
  return BigInt(hex)
}

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 16_384

const SMALL_PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
]
