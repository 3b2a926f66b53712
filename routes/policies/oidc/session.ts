import * as v from 'valibot'
import type { Identity } from '../identity.ts'
import { readClaim } from '../jwt/claims.ts'
import type { OidcOptions } from './options.ts'
import type { TokenAnswer, VerifiedIdToken } from './provider.ts'

const sessionSchema = v.object({
  sub: v.string(),
  claims: v.record(v.string(), v.unknown()),
  scopes: v.array(v.string()),
  /** When the login ended. Milliseconds since the epoch, as all times here. */
  startedAtMs: v.number(),
  /** When the cookie was written: at most a tenth of `idle_seconds` before the last request. */
  seenAtMs: v.number(),
  /** From when on the refresh token is to be used. */
  refreshAtMs: v.optional(v.number()),
  refreshToken: v.optional(v.string()),
  /** For the provider's logout: whose session to end. Left out where it doesn't fit. */
  idToken: v.optional(v.string()),
})

/** Who is logged in. Lives in the browser alone, encrypted. */
export type Session = v.InferOutput<typeof sessionSchema>

/** A session from what a cookie held; `undefined` if it is none. */
export function parseSession(value: unknown): Session | undefined {
  const parsed = v.safeParse(sessionSchema, value)
  return parsed.success ? parsed.output : undefined
}

/** The session of a login that has just ended, or of one that was refreshed. */
export function toSession(
  tokens: TokenAnswer,
  verified: VerifiedIdToken,
  options: OidcOptions,
  nowMs: number,
  before?: Session,
): Session {
  const refreshToken = tokens.refreshToken ?? before?.refreshToken
  const idToken = tokens.idToken ?? before?.idToken
  return {
    sub: verified.subject,
    claims: tokens.idToken || !before ? keptClaims(verified.claims, options.claims) : before.claims,
    scopes: tokens.scope?.split(' ').filter(Boolean) ?? before?.scopes ?? options.scopes,
    startedAtMs: before?.startedAtMs ?? nowMs,
    seenAtMs: nowMs,
    ...(idToken && { idToken }),
    ...(refreshToken && {
      refreshToken,
      // A minute before the end, so that the provider is asked while the old token is still good.
      refreshAtMs: nowMs + Math.max(30, (tokens.expiresInSeconds ?? 3600) - 60) * 1000,
    }),
  }
}

/** When a session ends if nothing more is heard of it. */
export function endOf({ startedAtMs, seenAtMs }: Session, options: OidcOptions): number {
  const absolute = startedAtMs + options.session_seconds * 1000
  return options.idle_seconds === undefined
    ? absolute
    : Math.min(absolute, seenAtMs + options.idle_seconds * 1000)
}

/** Whether the cookie is to be written again so that the session goes on: not more often than needed. */
export function isToBeProlonged({ seenAtMs }: Session, options: OidcOptions, nowMs: number): boolean {
  return options.idle_seconds !== undefined && nowMs - seenAtMs >= options.idle_seconds * 100
}

/** Who calls, for the function. */
export function toIdentity(session: Session, policy: string, rolesClaim: string): Identity {
  const roles = readClaim(session.claims, rolesClaim)
  return {
    type: 'oidc',
    policy,
    subject: session.sub,
    scopes: session.scopes,
    // A role may have a blank in its name, so a text is one role.
    roles: [roles].flat().filter(role => typeof role === 'string'),
    claims: session.claims,
  }
}

function keptClaims(
  claims: Readonly<Record<string, unknown>>,
  wanted: readonly string[] | undefined,
): Record<string, unknown> {
  const isKept = (name: string) =>
    wanted ? wanted.includes(name) || name === 'sub' : !PROTOCOL_CLAIMS.has(name)
  return Object.fromEntries(Object.entries(claims).filter(([name]) => isKept(name)))
}

/** What an ID token says about itself, not about a person. */
const PROTOCOL_CLAIMS = new Set([
  'aud',
  'exp',
  'iat',
  'nbf',
  'nonce',
  'azp',
  'at_hash',
  'c_hash',
  's_hash',
  'jti',
  'sid',
  'typ',
])
