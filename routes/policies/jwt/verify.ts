import { ALGORITHMS, type Algorithm } from './algorithms.ts'
import { type ClaimRules, checkClaims } from './claims.ts'
import { parseJsonObject, splitCompact } from './encoding.ts'
import type { KeyChoice, KeyProblem, VerificationKey } from './keys.ts'
import { invalid, isFailure, type TokenFailure } from './token-failure.ts'

/** A JOSE header whose `alg`, `kid` and `typ` are what they should be; the rest is as it came, and is not used. */
export interface JwsHeader {
  readonly alg: string
  readonly kid?: string
  readonly typ?: string
  readonly [name: string]: unknown
}

/** Which signatures are taken. */
export interface JwsRules {
  /** The `alg`s that may be used; `none` is never among them. */
  readonly algorithms: ReadonlySet<string>
  /** How long a token may be, in bytes. */
  readonly maxBytes: number
}

/** Which tokens are taken. */
export interface JwtRules extends JwsRules, ClaimRules {
  /** What the header's `typ` may be, in lower case without `application/`; a token without `typ` passes if `''` is there. */
  readonly types: ReadonlySet<string>
}

/** A token whose structure has been checked, and nothing else: who signed it is not known yet. */
export interface ParsedJws {
  readonly header: JwsHeader
  readonly payload: Uint8Array
  readonly signature: Uint8Array
  readonly signingInput: string
}

/** A token that was signed with this key. */
export interface VerifiedJws extends ParsedJws {
  readonly key: VerificationKey
}

/** A token that was signed with this key and is good now, until a certain time. */
export interface VerifiedJwt {
  readonly header: JwsHeader
  readonly claims: Readonly<Record<string, unknown>>
  readonly key: VerificationKey
  /** Milliseconds since the epoch; leeway included. `Infinity` = never. */
  readonly expiresAtMs: number
}

/** Where the keys for a token come from. `issuer` is what the token says, not yet believed. */
export type FindKeys = (header: JwsHeader, issuer: string | undefined) => KeyChoice | Promise<KeyChoice>

/**
 * Verifies a JWT: its structure, signature and claims, in this order.
 *
 * Keys come from `find` alone: what a token says about keys in `jwk`, `jku`, `x5u` or `x5c` is not looked at.
 *
 * @param nowMs milliseconds since the epoch
 * @returns the token, or why it isn't taken
 * @throws whatever `find` throws
 * @see RFC 7519 §7.2, RFC 8725
 */
export async function verifyJwt(
  token: string,
  rules: JwtRules,
  find: FindKeys,
  nowMs: number,
): Promise<VerifiedJwt | TokenFailure> {
  const jws = parseJws(token, rules)
  if (isFailure(jws)) return jws
  const wrongType = checkType(jws.header.typ, rules.types)
  if (wrongType) return invalid(wrongType)
  const claims = parseJsonObject(jws.payload)
  if (!claims) return invalid('The claims of the token are no JSON object, or have a name twice.')
  const issuer = typeof claims.iss === 'string' ? claims.iss : undefined
  const verified = await verifySignature(jws, header => find(header, issuer))
  if (isFailure(verified)) return verified
  const checked = checkClaims(claims, rules, nowMs)
  if (isFailure(checked)) return checked
  return { header: jws.header, claims, key: verified.key, expiresAtMs: checked.expiresAtMs }
}

/** Verifies the signature of a compact JWS, whatever its payload is. */
export async function verifyJws(
  token: string,
  rules: JwsRules,
  find: (header: JwsHeader) => KeyChoice | Promise<KeyChoice>,
): Promise<VerifiedJws | TokenFailure> {
  const jws = parseJws(token, rules)
  return isFailure(jws) ? jws : verifySignature(jws, find)
}

/** Reads a compact JWS as far as that needs no key: one spelling, a header that is understood, an `alg` that is allowed. */
export function parseJws(token: string, { algorithms, maxBytes }: JwsRules): ParsedJws | TokenFailure {
  if (token.length > maxBytes)
    return invalid(`The token has ${token.length} bytes; at most ${maxBytes} are taken.`)
  const parts = splitCompact(token)
  if (typeof parts === 'string') return invalid(`The token ${parts}.`)
  const header = parseJsonObject(parts.header)
  if (!header) return invalid('The header of the token is no JSON object, or has a name twice.')
  const wrong = checkHeader(header, algorithms)
  return wrong ? invalid(wrong) : { ...parts, header: header as JwsHeader }
}

function checkHeader(
  header: Readonly<Record<string, unknown>>,
  algorithms: ReadonlySet<string>,
): string | undefined {
  const { alg, kid, typ, crit, b64 } = header
  if (typeof alg !== 'string') return 'The header of the token has no "alg".'
  if (!algorithms.has(alg) || !ALGORITHMS.has(alg)) {
    return `The "alg" of the token, ${show(alg)}, is not one of ${[...algorithms].join(', ')}.`
  }
  if (kid !== undefined && typeof kid !== 'string') return 'The "kid" of the token is no text.'
  if (typ !== undefined && typeof typ !== 'string') return 'The "typ" of the token is no text.'
  // An extension that must be understood (RFC 7515 §4.1.11): none is. `b64` changes what is signed (RFC 7797).
  if (crit !== undefined) return 'The token needs an extension ("crit") that is not supported.'
  if (b64 !== undefined && b64 !== true) return 'The payload of the token is not encoded ("b64").'
  return undefined
}

/** Kinds of tokens can't be taken for each other (RFC 8725 §3.11). */
function checkType(typ: string | undefined, types: ReadonlySet<string>): string | undefined {
  const kind = (typ ?? '').toLowerCase().replace(/^application\//, '')
  if (types.has(kind)) return undefined
  const wanted = [...types].filter(each => each !== '').join(', ')
  return `The token is of the type ${show(typ ?? '')}; ${wanted} is taken.`
}

async function verifySignature(
  jws: ParsedJws,
  find: (header: JwsHeader) => KeyChoice | Promise<KeyChoice>,
): Promise<VerifiedJws | TokenFailure> {
  const found = find(jws.header)
  const choice = found instanceof Promise ? await found : found
  if ('problem' in choice) return invalid(describeProblem(choice.problem, jws.header))
  for (const key of choice.keys) if (await isSignedWith(key, jws)) return { ...jws, key }
  return invalid('The signature of the token is wrong.')
}

async function isSignedWith(
  key: VerificationKey,
  { header, signature, signingInput }: ParsedJws,
): Promise<boolean> {
  const { signatureBytes, verifyAs } = ALGORITHMS.get(header.alg) as Algorithm
  // Each algorithm has one length of signatures; DER and padded forms are other spellings (RFC 7518 §3.4).
  if (!key.fits(header.alg) || (signatureBytes > 0 && signature.length !== signatureBytes)) return false
  try {
    const cryptoKey = key.cryptoKey(header.alg)
    const ready = cryptoKey instanceof Promise ? await cryptoKey : cryptoKey
    return await crypto.subtle.verify(verifyAs, ready, signature, utf8.encode(signingInput))
  } catch {
    // A key that is none, such as a point off its curve, verifies nothing.
    return false
  }
}

function describeProblem(problem: KeyProblem, { alg, kid }: JwsHeader): string {
  if (problem === 'issuer') return 'The token is of another issuer ("iss").'
  const named = kid === undefined ? 'no "kid"' : `the "kid" ${show(kid)}`
  return problem === 'unknown'
    ? `The token has ${named}; the issuer has no such key for ${alg}.`
    : `The token has ${named}; the issuer has several such keys for ${alg}.`
}

/** A text of a stranger, for a message. */
const show = (text: string): string => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)

const utf8 = new TextEncoder()
