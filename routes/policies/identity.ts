/**
 * Who calls, as a policy verified it. It reaches the function as `ctx.props.identity`, which a caller can't forge.
 */
export interface Identity {
  /** The type of the policy that verified it: `jwt`, `api-key`, `oidc`, `basic`, `hmac`, `mtls`, …; `anonymous` = nobody in particular. */
  readonly type: string
  /** The name of that policy in the gateway file. */
  readonly policy: string
  /** The `sub` of a token, the id of a key, a user's name: unique within the policy. */
  readonly subject: string
  /** What it may do, as its token or key says. */
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** Whatever else is known: a token's claims, a key's owner and metadata. JSON. */
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * A value of an identity by its path: `sub`, `scopes`, `claims.team`; a bare name that is none of the fields is
 * a claim (`jwt.sub` and `jwt.team` of `by` in a rate limit mean the same). `undefined` if there is none.
 */
export function readIdentity(identity: Identity | undefined, path: string): unknown {
  if (!identity) return undefined
  const [first = '', ...rest] = path.split('.')
  if (rest.length === 0) {
    if (first === 'sub' || first === 'subject') return identity.subject
    if (first === 'type' || first === 'policy' || first === 'scopes' || first === 'roles')
      return identity[first]
  }
  const names = first === 'claims' ? rest : [first, ...rest]
  let value: unknown = identity.claims
  // A claim's name may itself hold dots (`https://example.com/team`).
  if (Object.hasOwn(identity.claims, names.join('.'))) return identity.claims[names.join('.')]
  for (const name of names) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
