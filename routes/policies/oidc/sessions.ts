import type { Exchange } from '../exchange.ts'
import type { Identity } from '../identity.ts'
import { TokenCache } from '../jwt/token-cache.ts'
import { findUnmet } from './allow.ts'
import { CookieNames, parseCookies } from './cookies.ts'
import type { OidcOptions } from './options.ts'
import type { Sealer } from './seal.ts'
import { endOf, parseSession, type Session, toIdentity } from './session.ts'

/** A session as a request presented it: decrypted, and not over. */
export interface HeldSession {
  readonly session: Session
  readonly identity: Identity
  /** The claim of `allow` that doesn't hold; `undefined` if all do. */
  readonly unmet: string | undefined
  /** It was encrypted with a secret that is on its way out. */
  readonly isOld: boolean
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** Sessions in cookies: how they are read and written. */
export class Sessions {
  readonly #options: OidcOptions
  readonly #name: string
  readonly #sealer: Sealer
  readonly #secureNames: CookieNames
  readonly #plainNames: CookieNames
  /** Opened ones by their text, as decrypting costs a promise and more. */
  readonly #opened = new TokenCache<HeldSession>({ maxBytes: 4_000_000, maxEntries: 2000 })

  constructor(options: OidcOptions, name: string, sealer: Sealer) {
    this.#options = options
    this.#name = name
    this.#sealer = sealer
    this.#secureNames = new CookieNames(name, true)
    this.#plainNames = new CookieNames(name, false)
  }

  /** The names of cookies where the request came to: other ones over https than over http. */
  namesFor({ url }: Request): CookieNames {
    return (this.#options.redirect_uri ?? url).startsWith('https:') ? this.#secureNames : this.#plainNames
  }

  /** Whether the request brings a session, right or wrong. */
  isPresented(request: Request): boolean {
    const header = request.headers.get('cookie')
    const { session } = this.namesFor(request)
    // Most requests without one have no such text in their cookies at all.
    return !!header?.includes(session) && parseCookies(header).some(([name]) => name === session)
  }

  /** The request's session; `undefined` if there is none, it is over or was not made here. A promise if it is new here. */
  read({ request, nowMs, trace }: Exchange): HeldSession | undefined | Promise<HeldSession | undefined> {
    const header = request.headers.get('cookie')
    const names = this.namesFor(request)
    if (!header?.includes(names.session)) return undefined
    const text = names.readSession(parseCookies(header))
    if (text === undefined) return undefined
    return this.#opened.get(text, nowMs) ?? this.#open(text, nowMs, trace)
  }

  /**
   * The cookies of a session. The ID token, whose only use is at the logout, is left out if it doesn't fit.
   *
   * @returns values of `Set-Cookie`; `undefined` if the claims are too large
   */
  async write(session: Session, { request, nowMs }: Exchange): Promise<string[] | undefined> {
    const names = this.namesFor(request)
    const cookies = parseCookies(request.headers.get('cookie'))
    const maxAge = (endOf(session, this.#options) - nowMs) / 1000
    const text = await this.#sealer.seal('session', session)
    const written = names.writeSession(text, maxAge, cookies)
    if (written || session.idToken === undefined) return written
    const { idToken: _, ...smaller } = session
    return names.writeSession(await this.#sealer.seal('session', smaller), maxAge, cookies)
  }

  /** A session as policies use it. */
  hold(session: Session, isOld = false): HeldSession {
    const { allow, roles_claim: rolesClaim } = this.#options
    return {
      session,
      identity: toIdentity(session, this.#name, rolesClaim),
      unmet: findUnmet(allow, session.claims),
      isOld,
      expiresAtMs: endOf(session, this.#options),
    }
  }

  async #open(text: string, nowMs: number, trace: Exchange['trace']): Promise<HeldSession | undefined> {
    const opened = await this.#sealer.open('session', text)
    const session = opened && parseSession(opened.value)
    if (!session) {
      trace?.note('The session can not be read: it was changed, or made with another secret or policy.')
      return undefined
    }
    const held = this.hold(session, opened.isOld)
    if (held.expiresAtMs <= nowMs) {
      trace?.note('The session is over.', { since: new Date(held.expiresAtMs).toISOString() })
      return undefined
    }
    // The text, what it held, and the objects around both.
    this.#opened.set(text, held, 4 * text.length + 1000)
    return held
  }
}
