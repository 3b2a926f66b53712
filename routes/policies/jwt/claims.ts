import { expired, invalid, type TokenFailure } from './token-failure.ts'

/** What the claims of a token must say. */
export interface ClaimRules {
  /** `iss` must be one of these. `undefined` = it isn't looked at. */
  readonly issuers: readonly string[] | undefined
  /** `aud` must name one of these. `undefined` = a token that names an audience is refused; `false` = it isn't looked at. */
  readonly audiences: readonly string[] | false | undefined
  /** How far clocks may be apart, in seconds. */
  readonly leewaySeconds: number
  /** Whether a token without `exp` is refused. */
  readonly requireExpiry: boolean
  /** How old a token may be by its `iat`, in seconds. `undefined` = `iat` may be missing. */
  readonly maxAgeSeconds: number | undefined
  /** Claims by name or path, and what each must be. */
  readonly required: readonly RequiredClaim[]
}

/** A claim that must be there. `true`: it is neither `false` nor `null`. Else it equals, or has as a member, one of the values. */
export interface RequiredClaim {
  readonly path: string
  readonly values: readonly (string | number | boolean)[] | true
}

/**
 * Checks what a token says against what is expected of it.
 *
 * @param nowMs milliseconds since the epoch
 * @returns until when it is good, in milliseconds since the epoch, or why it isn't
 * @see RFC 7519 §4.1
 */
export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  nowMs: number,
): { readonly expiresAtMs: number } | TokenFailure {
  const wrong = wrongType(claims) ?? wrongParty(claims, rules)
  if (wrong) return invalid(wrong)
  const { iat, nbf, exp } = claims as { iat?: number; nbf?: number; exp?: number }
  const { leewaySeconds, maxAgeSeconds } = rules
  const now = nowMs / 1000

  if (exp === undefined && rules.requireExpiry)
    return invalid('The token has no "exp": it would never expire.')
  if (exp !== undefined && now >= exp + leewaySeconds) return expired('The token has expired.')
  if (nbf !== undefined && now < nbf - leewaySeconds) return invalid('The token is not valid yet ("nbf").')
  if (iat !== undefined && now < iat - leewaySeconds) return invalid('The token is from the future ("iat").')
  if (maxAgeSeconds !== undefined) {
    if (iat === undefined) return invalid('The token has no "iat", so its age is not known.')
    if (now >= iat + maxAgeSeconds + leewaySeconds) {
      return expired(`The token is older than ${maxAgeSeconds} seconds.`)
    }
  }
  const missing = rules.required.find(claim => !isMet(claim, claims))
  if (missing) return invalid(`The token lacks what is expected of its claim "${missing.path}".`)

  const ends = Math.min(exp ?? Infinity, maxAgeSeconds === undefined ? Infinity : (iat ?? 0) + maxAgeSeconds)
  return { expiresAtMs: (ends + leewaySeconds) * 1000 }
}

/** A claim by its name, or by its path if there is none of that name: `realm_access.roles`. */
export function readClaim(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  // A claim's name may itself hold dots (`https://example.com/team`).
  if (Object.hasOwn(claims, path)) return claims[path]
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

/** A claim as a list of words: of a text those between blanks, of a list those members that are texts. */
export function wordsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.split(' ').filter(word => word !== '')
  return Array.isArray(value) ? value.filter(word => typeof word === 'string') : []
}

/**
 * What a token may do, from wherever providers put it: `scope` (RFC 8693 §4.2), `scp`, `scopes`, `permissions`.
 *
 * @param path the claim to use instead
 */
export function scopesOf(claims: Readonly<Record<string, unknown>>, path?: string): string[] {
  if (path !== undefined) return wordsOf(readClaim(claims, path))
  return [...new Set(SCOPE_CLAIMS.flatMap(name => wordsOf(claims[name])))]
}

function wrongType(claims: Readonly<Record<string, unknown>>): string | undefined {
  for (const name of TEXT_CLAIMS) {
    if (claims[name] !== undefined && typeof claims[name] !== 'string')
      return `The claim "${name}" is no text.`
  }
  for (const name of TIME_CLAIMS) {
    // A number too large for a double, as JSON may hold, has become infinite.
    if (claims[name] !== undefined && !Number.isFinite(claims[name])) return `The claim "${name}" is no time.`
  }
  const { aud } = claims
  const isAudience =
    aud === undefined ||
    typeof aud === 'string' ||
    (Array.isArray(aud) && aud.every(each => typeof each === 'string'))
  return isAudience ? undefined : 'The claim "aud" is neither a text nor a list of texts.'
}

function wrongParty(
  { iss, aud }: Readonly<Record<string, unknown>>,
  { issuers, audiences }: ClaimRules,
): string | undefined {
  if (issuers && !issuers.includes(iss as string)) return 'The token is of another issuer ("iss").'
  if (audiences === false) return undefined
  if (!audiences)
    return aud === undefined ? undefined : 'The token is for an audience, and none is set here ("aud").'
  const named = typeof aud === 'string' ? [aud] : ((aud ?? []) as readonly string[])
  return named.some(each => audiences.includes(each))
    ? undefined
    : 'The token is for another audience ("aud").'
}

function isMet({ path, values }: RequiredClaim, claims: Readonly<Record<string, unknown>>): boolean {
  const value = readClaim(claims, path)
  if (values === true) return value !== undefined && value !== null && value !== false
  const held: readonly unknown[] = Array.isArray(value) ? value : [value]
  return held.some(each => values.includes(each as string))
}

const TEXT_CLAIMS = ['iss', 'sub', 'jti'] as const
const TIME_CLAIMS = ['exp', 'nbf', 'iat'] as const
const SCOPE_CLAIMS = ['scope', 'scp', 'scopes', 'permissions'] as const
