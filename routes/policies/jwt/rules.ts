import type { RequiredClaim } from './claims.ts'

/** `claims` of the options as a list to be checked. */
export function requiredClaims(
  claims: Readonly<Record<string, string | number | boolean | readonly (string | number | boolean)[]>>,
): RequiredClaim[] {
  return Object.entries(claims).map(([path, value]) => {
    if (value === true) return { path, values: true }
    return { path, values: typeof value === 'object' ? value : [value] }
  })
}

/** An option that may be one or several, as a list. */
export function toList<T>(value: T | readonly T[] | undefined): readonly T[] | undefined {
  if (value === undefined) return undefined
  return Array.isArray(value) ? value : [value as T]
}
