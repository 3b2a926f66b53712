import * as v from 'valibot'
import { SkerryError, toSkerryError } from '../../../src/core/errors.ts'
import type { Exchange } from '../exchange.ts'
import { type CookieNames, parseCookies, setCookie } from './cookies.ts'
import type { OidcOptions } from './options.ts'
import { redirectTo, refuseWith, withCookies } from './pages.ts'
import type { Provider } from './provider.ts'
import { resolveReturnTo } from './return-to.ts'
import { randomText, type Sealer, sha256Text } from './seal.ts'
import { toSession } from './session.ts'
import type { Sessions } from './sessions.ts'

/** What a login must know again when the provider sends the browser back: in a cookie of its own, encrypted. */
const pendingSchema = v.object({
  state: v.string(),
  nonce: v.string(),
  /** PKCE's. */
  verifier: v.string(),
  returnTo: v.string(),
  redirectUri: v.string(),
  untilMs: v.number(),
})
type Pending = v.InferOutput<typeof pendingSchema>

/** What logins are made with. */
export interface LoginParts {
  readonly name: string
  readonly options: OidcOptions
  readonly provider: Provider
  readonly sealer: Sealer
  readonly sessions: Sessions
  /** The policy's own paths, which no login leads back to. */
  readonly ownPaths: ReadonlySet<string>
}

/**
 * Logins by the authorization code flow with PKCE.
 *
 * Each login has its own cookie, so that several tabs don't disturb each other; its name begins with the time, so that
 * the oldest ones can make room. A callback counts only in the browser that began it (the cookie), once (the record),
 * and with what the provider gave for this very login (`nonce`, PKCE).
 *
 * @see OpenID Connect Core 1.0 §3.1, RFC 7636, RFC 9207, RFC 9700 §4
 */
export class Logins {
  readonly #parts: LoginParts

  constructor(parts: LoginParts) {
    this.#parts = parts
  }

  /** Sends the browser to the provider. @param returnTo a path with query, a stranger's */
  async begin(exchange: Exchange, returnTo: string | null): Promise<Response> {
    const { options, provider, sealer, sessions, ownPaths } = this.#parts
    try {
      const url = await provider.authorizationEndpoint(exchange.services)
      if (exchange.isDryRun) {
        exchange.trace?.note('A browser would be sent to log in.', { to: url.origin + url.pathname })
        return redirectTo(url.href, [])
      }
      const id = `${Math.floor(exchange.nowMs / 1000).toString(36)}${randomText(6)}`
      const redirectUri = redirectUriOf(options, exchange)
      const pending: Pending = {
        state: `${id}.${randomText(16)}`,
        nonce: randomText(16),
        verifier: randomText(32),
        returnTo: resolveReturnTo(returnTo, new URL(redirectUri).origin, ownPaths),
        redirectUri,
        untilMs: exchange.nowMs + options.login_seconds * 1000,
      }
      await this.#setParameters(url, pending)
      const names = sessions.namesFor(exchange.request)
      const sealed = await sealer.seal('login', pending)
      exchange.trace?.note('The browser is sent to log in.', {
        to: url.origin + url.pathname,
        returnTo: pending.returnTo,
      })
      return redirectTo(url.href, [
        setCookie(names.login(id), sealed, options.login_seconds, names.isSecure),
        ...makeRoom(names, parseCookies(exchange.request.headers.get('cookie'))),
      ])
    } catch (error) {
      return refuseProvider(exchange, error)
    }
  }

  /** Ends a login: the provider has sent the browser back. */
  async finish(exchange: Exchange): Promise<Response> {
    if (exchange.isDryRun) {
      exchange.trace?.note('This is where logins end. In a dry run none does.')
      return redirectTo(`${originOf(this.#parts.options, exchange)}/`, [])
    }
    const answer = readAnswer(exchange.url.searchParams)
    const [id = ''] = answer?.state.split('.', 1) ?? []
    const names = this.#parts.sessions.namesFor(exchange.request)
    const pending = answer && (await this.#readPending(exchange, names, id, answer.state))
    if (!pending) {
      exchange.trace?.note('No login of this browser has this state.')
      const { login_seconds: seconds } = this.#parts.options
      return refuseWith(
        exchange,
        'ERR_LOGIN_STATE',
        `This login was begun in another browser or more than ${seconds} seconds ago, or has ended already.`,
        { steps: [{ label: 'Start again', href: '/' }] },
      )
    }
    const response = await this.#conclude(exchange, answer, pending)
    return withCookies(response, [names.remove(names.login(id))])
  }

  async #conclude(exchange: Exchange, answer: ProviderAnswer, pending: Pending): Promise<Response> {
    const { options, provider, sessions } = this.#parts
    const { services } = exchange
    const startedAtMs = Date.now()
    try {
      const wrong = await this.#checkAnswer(exchange, answer)
      if (wrong) return refuseLogin(exchange, wrong, pending)
      const tokens = await provider.redeem(services, answer.code ?? '', pending.verifier, pending.redirectUri)
      if ('reason' in tokens) return refuseLogin(exchange, tokens.reason, pending)
      if (!tokens.idToken) return refuseLogin(exchange, 'The provider gave no ID token.', pending)
      // The token is younger than the request, so it isn't held against the request's time.
      const nowMs = exchange.nowMs + Date.now() - startedAtMs
      const expected = { nonce: pending.nonce, subject: undefined, accessToken: tokens.accessToken }
      const verified = await provider.verify(services, tokens.idToken, expected, nowMs)
      if ('reason' in verified) return refuseLogin(exchange, verified.reason, pending)
      const held = sessions.hold(toSession(tokens, verified, options, exchange.nowMs))
      if (held.unmet !== undefined) return refuseAccess(exchange, held.unmet)
      const cookies = await sessions.write(held.session, exchange)
      if (!cookies)
        return refuseLogin(
          exchange,
          'The claims are too many for a cookie: name those that are needed in "claims".',
          pending,
        )
      exchange.trace?.note('The login succeeded.', { subject: verified.subject })
      return redirectTo(pending.returnTo, cookies)
    } catch (error) {
      return refuseProvider(exchange, error)
    }
  }

  /** What is wrong with the provider's answer itself. Claims its state: from then on it has been used. */
  async #checkAnswer(
    exchange: Exchange,
    { iss, error, code, state }: ProviderAnswer,
  ): Promise<string | undefined> {
    const { name, options, provider } = this.#parts
    const { records } = exchange.services
    const key = `oidc:${name}:state:${await sha256Text(state)}`
    const { claimed } = await records.claim(key, '1', options.login_seconds).catch(cause => {
      throw new SkerryError('ERR_STATE_UNAVAILABLE', 'Logins can not be recorded just now.', { cause })
    })
    if (!claimed) return 'This answer of the provider came before.'
    // Whose answer it is: another provider's could carry a code that is none of ours (RFC 9207 §2.4).
    if (iss !== undefined && iss !== options.issuer) return 'The answer is of another provider ("iss").'
    if (iss === undefined && (await provider.namesItself(exchange.services))) {
      return 'The answer does not say which provider it is of ("iss"), though this one always does.'
    }
    if (error !== undefined)
      return `The provider answered "${/^[a-z_]{1,64}$/.test(error) ? error : 'an error'}".`
    return code === undefined ? 'The provider gave no code.' : undefined
  }

  async #readPending(
    exchange: Exchange,
    names: CookieNames,
    id: string,
    state: string,
  ): Promise<Pending | undefined> {
    const name = names.login(id)
    const cookies = parseCookies(exchange.request.headers.get('cookie'))
    const text = cookies.find(([each]) => each === name)?.[1]
    const opened = text === undefined ? undefined : await this.#parts.sealer.open('login', text)
    const parsed = v.safeParse(pendingSchema, opened?.value)
    if (!parsed.success) return undefined
    const { untilMs, redirectUri } = parsed.output
    const isOurs =
      parsed.output.state === state && redirectUri === redirectUriOf(this.#parts.options, exchange)
    return isOurs && exchange.nowMs < untilMs ? parsed.output : undefined
  }

  async #setParameters(url: URL, { state, nonce, verifier, redirectUri }: Pending): Promise<void> {
    const { options } = this.#parts
    const parameters = {
      ...options.authorize_params,
      response_type: 'code',
      client_id: options.client_id,
      redirect_uri: redirectUri,
      scope: options.scopes.join(' '),
      state,
      nonce,
      code_challenge: await sha256Text(verifier),
      code_challenge_method: 'S256',
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  }
}

/** The origin that browsers know this site by. */
export function originOf({ redirect_uri: uri }: OidcOptions, exchange: Exchange): string {
  return uri === undefined ? exchange.url.origin : new URL(uri).origin
}

function redirectUriOf(options: OidcOptions, exchange: Exchange): string {
  return options.redirect_uri ?? `${exchange.url.origin}${options.paths.callback}`
}

/** The provider can't be asked, or our own records can't: nobody is let in then. */
function refuseProvider(exchange: Exchange, error: unknown): Response {
  const known = toSkerryError(error)
  if (!known) throw error
  exchange.trace?.note('The login can not go on.', { cause: known.message })
  return known.code === 'ERR_IDENTITY_PROVIDER'
    ? refuseWith(exchange, known.code, 'The identity provider can not be reached just now.')
    : refuseWith(exchange, known.code, known.detail)
}

/** Somebody is logged in who may not come here. */
export function refuseAccess(exchange: Exchange, claim: string): Response {
  exchange.trace?.note('A claim is not as "allow" wants it.', { claim })
  return refuseWith(exchange, 'ERR_ACCESS_REFUSED', 'You are logged in, but may not use this site.')
}

/** Why is for the operator: what the page says would otherwise be an attacker's to choose. */
function refuseLogin(exchange: Exchange, reason: string, { returnTo }: Pending): Response {
  exchange.trace?.note('The login failed.', { reason })
  console.warn(JSON.stringify({ level: 'warn', policy: 'oidc', request_id: exchange.requestId, reason }))
  return refuseWith(exchange, 'ERR_LOGIN_FAILED', 'The identity provider did not confirm the login.', {
    steps: [{ label: 'Try again', href: returnTo }],
  })
}

interface ProviderAnswer {
  readonly state: string
  readonly code: string | undefined
  readonly iss: string | undefined
  readonly error: string | undefined
}

/** `undefined` for an answer that can be read in two ways: a parameter comes twice. */
function readAnswer(params: URLSearchParams): ProviderAnswer | undefined {
  const names = ['state', 'code', 'iss', 'error'] as const
  if (names.some(name => params.getAll(name).length > 1)) return undefined
  const state = params.get('state')
  if (!state || state.length > 200) return undefined
  const get = (name: string) => params.get(name) ?? undefined
  return { state, code: get('code'), iss: get('iss'), error: get('error') }
}

/** Removes the oldest logins under way, so that cookies of logins that nobody ended can't grow without end. */
function makeRoom(names: CookieNames, cookies: readonly [string, string][]): string[] {
  const ids = names.loginIds(cookies)
  return ids.slice(0, Math.max(0, ids.length - MAX_LOGINS + 1)).map(id => names.remove(names.login(id)))
}

/** Logins under way in one browser. */
const MAX_LOGINS = 5
