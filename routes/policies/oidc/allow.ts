import { readClaim } from '../jwt/claims.ts'
import type { OidcOptions } from './options.ts'

type Claims = Readonly<Record<string, unknown>>

/**
 * The first claim of `allow` that doesn't hold; `undefined` if all do.
 *
 * An e-mail address counts only if the provider doesn't say that it is unverified: else everybody could bring one of
 * his choice.
 */
export function findUnmet(allow: OidcOptions['allow'], claims: Claims): string | undefined {
  return Object.entries(allow).find(([path, wanted]) => {
    const value = readClaim(claims, path)
    if (path === 'email' && isUnverified(claims)) return true
    const held: readonly unknown[] = Array.isArray(value) ? value : [value]
    return ![wanted].flat().some(each => held.some(one => isMatch(each, one, path === 'email')))
  })?.[0]
}

function isMatch(wanted: string | number | boolean, held: unknown, isEmail: boolean): boolean {
  if (typeof wanted !== 'string' || typeof held !== 'string') return wanted === held
  const [pattern, text] = isEmail ? [wanted.toLowerCase(), held.toLowerCase()] : [wanted, held]
  return pattern.startsWith('*') ? text.endsWith(pattern.slice(1)) : text === pattern
}

function isUnverified({ email_verified: verified }: Claims): boolean {
  return verified !== undefined && verified !== true && verified !== 'true'
}
