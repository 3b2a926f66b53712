import type { Exchange } from '../exchange.ts'
import { definePolicy, type Phase, type PolicyContext, type Verdict } from '../policy.ts'
import { withoutCookies } from './cookies.ts'
import { Logins, originOf, refuseAccess } from './login.ts'
import { answerLogout } from './logout.ts'
import { type OidcOptions, oidcOptions } from './options.ts'
import { NOT_KEPT, refuseWith } from './pages.ts'
import { Provider } from './provider.ts'
import { refreshSession } from './refresh.ts'
import { isNavigation } from './return-to.ts'
import { Sealer } from './seal.ts'
import { isToBeProlonged, type Session } from './session.ts'
import { type HeldSession, Sessions } from './sessions.ts'

/** Lets only people through who have logged in at an OpenID Connect provider, with a browser. */
export const oidcPolicy = definePolicy({
  type: 'oidc',
  summary: 'Logs people in at an OpenID Connect provider, and keeps who they are in an encrypted cookie.',
  options: oidcOptions,
  create: (options, context) => new OidcPhase(options, context),
})

type OwnPath = 'callback' | 'login' | 'logout' | 'me'

class OidcPhase implements Phase {
  readonly #name: string
  readonly #options: OidcOptions
  readonly #own: ReadonlyMap<string, OwnPath>
  readonly #provider: Provider
  readonly #sealer: Sealer
  readonly #sessions: Sessions
  readonly #logins: Logins

  constructor(options: OidcOptions, { name }: PolicyContext) {
    const own = ownPathsOf(options)
    const provider = new Provider(options)
    const sealer = new Sealer([options.session_secret].flat(), [name, options.issuer, options.client_id])
    const sessions = new Sessions(options, name, sealer)
    this.#name = name
    this.#options = options
    this.#own = own
    this.#provider = provider
    this.#sealer = sealer
    this.#sessions = sessions
    this.#logins = new Logins({ name, options, provider, sealer, sessions, ownPaths: new Set(own.keys()) })
  }

  isPresented({ request }: Exchange): boolean {
    return this.#own.has(pathOf(request.url)) || this.#sessions.isPresented(request)
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const own = this.#own.get(pathOf(exchange.request.url))
    if (own) return this.#serve(own, exchange)
    const held = this.#sessions.read(exchange)
    return held instanceof Promise
      ? held.then(session => this.#decide(exchange, session))
      : this.#decide(exchange, held)
  }

  #decide(exchange: Exchange, held: HeldSession | undefined): Verdict | Promise<Verdict> {
    if (!held) return this.#requireLogin(exchange)
    const { session, isOld } = held
    const { nowMs } = exchange
    if (!exchange.isDryRun) {
      if (session.refreshAtMs !== undefined && nowMs >= session.refreshAtMs)
        return this.#refresh(exchange, held)
      if (isOld || isToBeProlonged(session, this.#options, nowMs)) {
        return this.#renew(exchange, { ...session, seenAtMs: nowMs })
      }
    }
    return this.#admit(exchange, held)
  }

  #admit(exchange: Exchange, { identity, unmet, expiresAtMs }: HeldSession): Verdict {
    if (unmet !== undefined) return refuseAccess(exchange, unmet)
    exchange.trace?.note('The session is good.', {
      subject: identity.subject,
      until: new Date(expiresAtMs).toISOString(),
    })
    exchange.identity = identity
    const names = this.#sessions.namesFor(exchange.request)
    const header = exchange.request.headers.get('cookie') ?? ''
    // Whoever has the cookie is the person: the function has no need of it, and could lose it.
    const rest = withoutCookies(header, name => names.isOwn(name))
    if (rest === undefined) exchange.requestHeaders.delete('cookie')
    else exchange.requestHeaders.set('cookie', rest)
    return undefined
  }

  async #refresh(exchange: Exchange, held: HeldSession): Promise<Verdict> {
    const parts = {
      name: this.#name,
      options: this.#options,
      provider: this.#provider,
      sealer: this.#sealer,
    }
    const refreshed = await refreshSession(held.session, exchange, parts)
    if (refreshed === 'over') return this.#requireLogin(exchange)
    return refreshed === 'kept' ? this.#admit(exchange, held) : this.#renew(exchange, refreshed)
  }

  /** Writes the session's cookies again, onto whatever answer comes. */
  async #renew(exchange: Exchange, session: Session): Promise<Verdict> {
    const held = this.#sessions.hold(session)
    const verdict = this.#admit(exchange, held)
    if (verdict) return verdict
    const cookies = (await this.#sessions.write(session, exchange)) ?? []
    for (const cookie of cookies) exchange.responseHeaders.append('set-cookie', cookie)
    exchange.trace?.note('The cookie is written again.')
    return undefined
  }

  #requireLogin(exchange: Exchange): Response | Promise<Response> {
    const { request } = exchange
    if (isNavigation(request)) {
      return this.#logins.begin(exchange, exchange.url.pathname + exchange.url.search)
    }
    exchange.trace?.note('There is no session, and nobody waits who could log in.', {
      method: request.method,
    })
    const { login } = this.#options.paths
    return exchange.refuse(
      'ERR_LOGIN_REQUIRED',
      `Nobody is logged in; ${login} in a browser begins a login.`,
      {
        ...NOT_KEPT,
        'www-authenticate': `OpenIDConnect login="${login}"`,
      },
    )
  }

  #serve(own: OwnPath, exchange: Exchange): Response | Promise<Response> {
    const { method } = exchange.request
    const isAllowed = method === 'GET' || (method === 'POST' && own === 'logout')
    if (!isAllowed) return exchange.refuse('ERR_BAD_REQUEST', `The method ${method} is of no use here.`)
    switch (own) {
      case 'callback':
        return this.#logins.finish(exchange)
      case 'login':
        return this.#logins.begin(exchange, exchange.url.searchParams.get('return_to'))
      case 'logout':
        return answerLogout(exchange, {
          options: this.#options,
          provider: this.#provider,
          sessions: this.#sessions,
          origin: originOf(this.#options, exchange),
        })
      case 'me':
        return this.#tellIdentity(exchange)
    }
  }

  async #tellIdentity(exchange: Exchange): Promise<Response> {
    const held = await this.#sessions.read(exchange)
    if (!held) {
      return exchange.refuse('ERR_LOGIN_REQUIRED', 'Nobody is logged in.', {
        ...NOT_KEPT,
        'www-authenticate': `OpenIDConnect login="${this.#options.paths.login}"`,
      })
    }
    const { identity, unmet, expiresAtMs } = held
    if (unmet !== undefined) return refuseWith(exchange, 'ERR_ACCESS_REFUSED', 'You may not use this site.')
    const { subject, scopes, roles, claims } = identity
    const expiresAt = new Date(expiresAtMs).toISOString()
    return Response.json(
      { subject, scopes, roles, claims, expires_at: expiresAt },
      { headers: { ...NOT_KEPT, 'x-content-type-options': 'nosniff' } },
    )
  }
}

function ownPathsOf({ paths, redirect_uri: redirectUri }: OidcOptions): Map<string, OwnPath> {
  const callback = redirectUri === undefined ? paths.callback : new URL(redirectUri).pathname
  return new Map<string, OwnPath>([
    [paths.login, 'login'],
    [paths.logout, 'logout'],
    [paths.me, 'me'],
    [callback, 'callback'],
  ])
}

/** The path alone, cut out of a URL without parsing it. */
function pathOf(url: string): string {
  const start = url.indexOf('/', url.indexOf('://') + 3)
  if (start === -1) return '/'
  const end = url.indexOf('?', start)
  return url.slice(start, end === -1 ? undefined : end)
}
