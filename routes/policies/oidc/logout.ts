import type { Exchange } from '../exchange.ts'
import { parseCookies } from './cookies.ts'
import type { OidcOptions } from './options.ts'
import { page, redirectTo } from './pages.ts'
import type { Provider } from './provider.ts'
import { isSameOrigin } from './return-to.ts'
import type { Sessions } from './sessions.ts'

/** What a logout is made with. */
export interface LogoutParts {
  readonly options: OidcOptions
  readonly provider: Provider
  readonly sessions: Sessions
  /** The one that browsers know this site by. */
  readonly origin: string
}

/**
 * Ends the session here, then sends the browser to the provider to end it there too.
 *
 * Another site can't do that to somebody: a link from there gets a page that asks, a form from there is refused.
 *
 * @see OpenID Connect RP-Initiated Logout 1.0
 */
export async function answerLogout(exchange: Exchange, parts: LogoutParts): Promise<Response> {
  const { request } = exchange
  const { options, origin, sessions } = parts
  const isPrefetch = request.headers.get('sec-purpose')?.includes('prefetch') ?? false
  if (!isSameOrigin(request, origin) || isPrefetch) {
    exchange.trace?.note('The request does not come from this site.', { method: request.method })
    if (request.method === 'POST') {
      return exchange.refuse('ERR_CROSS_SITE', 'A logout must come from a page of this site.')
    }
    const step = { label: 'Log out', href: options.paths.logout, method: 'POST' } as const
    return page(200, 'Log out?', 'Another page wants to log you out.', [step])
  }
  const cookies = sessions.namesFor(request).removeSession(parseCookies(request.headers.get('cookie')))
  const held = await sessions.read(exchange)
  const to = held
    ? await findLogoutUrl(exchange, parts, held.session.idToken)
    : new URL(options.post_logout, origin).href
  exchange.trace?.note('The session ends.', { wasLoggedIn: held !== undefined })
  return redirectTo(to, exchange.isDryRun ? [] : cookies, request.method === 'POST' ? 303 : 302)
}

async function findLogoutUrl(
  exchange: Exchange,
  { options, provider, origin }: LogoutParts,
  idToken: string | undefined,
): Promise<string> {
  const home = new URL(options.post_logout, origin).href
  try {
    const url = await provider.endSessionEndpoint(exchange.services)
    if (!url) return home
    if (idToken) url.searchParams.set('id_token_hint', idToken)
    url.searchParams.set('client_id', options.client_id)
    url.searchParams.set('post_logout_redirect_uri', home)
    return url.href
  } catch {
    // Who can't be reached can't keep anybody logged in here.
    exchange.trace?.note('The provider can not be asked where its logout is.')
    return home
  }
}
