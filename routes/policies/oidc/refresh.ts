import { toSkerryError } from '../../../src/core/errors.ts'
import type { Exchange } from '../exchange.ts'
import type { OidcOptions } from './options.ts'
import type { Provider } from './provider.ts'
import { type Sealer, sha256Text } from './seal.ts'
import { parseSession, type Session, toSession } from './session.ts'

/** What came of a refresh: the new session, `kept` as it was, or `over`: the provider doesn't know it any more. */
export type Refreshed = Session | 'kept' | 'over'

/** What refreshes are made with. */
export interface RefreshParts {
  readonly name: string
  readonly options: OidcOptions
  readonly provider: Provider
  readonly sealer: Sealer
}

/**
 * Asks the provider whether a session still holds, with its refresh token.
 *
 * Of all requests that come with the same token, on all edges, one asks: many providers take a refresh token that
 * comes twice for a stolen one, and end the session. The others go on with what they have; those that come later with
 * the old cookie get the new session from a record, encrypted as the cookie is.
 */
export async function refreshSession(
  session: Session,
  exchange: Exchange,
  { name, options, provider, sealer }: RefreshParts,
): Promise<Refreshed> {
  const { refreshToken = '' } = session
  const { services } = exchange
  const { records } = services
  const key = `oidc:${name}:refresh:${await sha256Text(refreshToken)}`
  try {
    const { claimed, value } = await records.claim(key, UNDERWAY, RETRY_SECONDS)
    if (!claimed) return await readOutcome(value, sealer)
  } catch {
    return 'kept'
  }
  const work = askProvider(session, exchange, { name, options, provider, sealer }, key)
  // Who goes away now must not take the new token with him: the old one may be spent already.
  services.waitUntil(work.catch(() => {}))
  return work
}

async function askProvider(
  session: Session,
  exchange: Exchange,
  { options, provider, sealer }: RefreshParts,
  key: string,
): Promise<Refreshed> {
  const { services, trace } = exchange
  const { records } = services
  const startedAtMs = Date.now()
  try {
    const tokens = await provider.refresh(services, session.refreshToken ?? '')
    const nowMs = exchange.nowMs + Date.now() - startedAtMs
    const verified =
      'reason' in tokens
        ? tokens
        : tokens.idToken
          ? await provider.verify(
              services,
              tokens.idToken,
              { nonce: undefined, subject: session.sub, accessToken: tokens.accessToken },
              nowMs,
            )
          : { claims: session.claims, subject: session.sub }
    if ('reason' in tokens || 'reason' in verified) {
      trace?.note('The provider has ended the session.', { reason: 'reason' in tokens ? tokens.reason : '' })
      await records.put(key, OVER, KEPT_SECONDS).catch(() => {})
      return 'over'
    }
    const renewed = toSession(tokens, verified, options, nowMs, session)
    trace?.note('The session was refreshed.')
    await records.put(key, await sealer.seal('record', renewed), KEPT_SECONDS).catch(() => {})
    return renewed
  } catch (error) {
    // The session was good until now: it ends by its own time, and the provider is asked again after a while.
    trace?.note('The provider can not be asked whether the session still holds.', {
      cause: toSkerryError(error)?.message ?? String(error),
    })
    return 'kept'
  }
}

async function readOutcome(value: string, sealer: Sealer): Promise<Refreshed> {
  if (value === UNDERWAY) return 'kept'
  if (value === OVER) return 'over'
  const opened = await sealer.open('record', value)
  return (opened && parseSession(opened.value)) ?? 'over'
}

const UNDERWAY = '0'
const OVER = '1'
/** How long nobody else asks, while one does or after it failed. */
const RETRY_SECONDS = 30
/** How long an old cookie finds the new session. */
const KEPT_SECONDS = 300
