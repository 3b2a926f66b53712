import { clientIpOf } from '../../src/core/client-ip.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import { createRequestId } from '../../src/core/ids.ts'
import { type ProblemExtensions, problemResponse } from '../../src/core/problem.ts'
import { HeaderEdits } from './header-edits.ts'
import type { Identity } from './identity.ts'
import type { Services } from './services.ts'

/** What an exchange is made from. */
export interface ExchangeInit {
  readonly request: Request
  /** Milliseconds since the epoch. */
  readonly nowMs: number
  readonly services: Services
  /** The route's name in the gateway file; in a stand-alone Worker whatever tells its routes apart. */
  readonly route?: string
  /** What the route's `:name`s stand for, as they are in the path, undecoded. */
  readonly params?: Readonly<Record<string, string>>
  readonly trace?: Trace
  readonly isDryRun?: boolean
  readonly clientIp?: string
}

/** Where policies say why they decided as they did, for `explain`. */
export interface Trace {
  /** One finding of the policy that runs, as a sentence, with the values it used. Never a secret or a whole credential. */
  note(finding: string, values?: Readonly<Record<string, unknown>>): void
  /** The policy at this place of the route's list is about to be asked; what is noted from now on is its. */
  enter?(place: number): void
}

/**
 * One request on its way through the policies of its route.
 *
 * Policies change headers through `requestHeaders` and `responseHeaders`: what they ask for is applied once, and
 * where nobody asks the messages pass untouched, as each copy costs 6–18 % of the throughput.
 */
export class Exchange {
  /** The client's request; a policy that changes more than headers puts another in its place. */
  request: Request
  /** When it arrived: milliseconds since the epoch. */
  readonly nowMs: number
  readonly services: Services
  readonly route: string
  readonly params: Readonly<Record<string, string>>
  /** Present when somebody wants to know why. */
  readonly trace: Trace | undefined
  /** Nothing is to be called, spent, stored or changed: only the decision is wanted. */
  readonly isDryRun: boolean
  /** Who calls, once a policy has found out. */
  identity: Identity | undefined
  /** The place in the route's list of the policy that answered; -1 = the target did, or has yet to. */
  answeredBy = -1
  /**
   * `wanted`: a policy keeps the answer's body, so the target is to leave it as it is on the wire, with its content
   * coding (`encodeResponseBody: 'manual'`). `given`: it did, and it has one; a runtime would decode it otherwise.
   */
  rawBody: 'wanted' | 'given' | undefined
  /** The client has its answer already; this asks the target for later. */
  isBackground = false
  /** Which version of the function is wanted: a version's id or tag. Set by the canary split. */
  version: string | undefined
  #clientIp: string | undefined
  #requestId: string | undefined
  #url: URL | undefined
  #urlText: string | undefined
  #requestHeaders: HeaderEdits | undefined
  #responseHeaders: HeaderEdits | undefined

  constructor(init: ExchangeInit) {
    this.request = init.request
    this.nowMs = init.nowMs
    this.services = init.services
    this.route = init.route ?? ''
    this.params = init.params ?? NO_PARAMS
    this.trace = init.trace
    this.isDryRun = init.isDryRun ?? false
    this.#clientIp = init.clientIp
  }

  /** The client's address, without port; behind trusted proxies the one they tell (the policy `ip` or the file's `trusted_proxies`). */
  get clientIp(): string {
    this.#clientIp ??= clientIpOf(this.request.cf, this.request.headers.get('cf-connecting-ip'))
    return this.#clientIp
  }

  set clientIp(ip: string) {
    this.#clientIp = ip
  }

  /** The request's URL, parsed when first asked for. Not to be changed: to change it, replace `request`. */
  get url(): URL {
    if (this.#urlText !== this.request.url) {
      this.#urlText = this.request.url
      this.#url = new URL(this.request.url)
    }
    return this.#url as URL
  }

  /** 32 hex digits; names the exchange in answers and logs. */
  get requestId(): string {
    this.#requestId ??= createRequestId()
    return this.#requestId
  }

  /** Changes to the request's headers, applied before it goes to the target. */
  get requestHeaders(): HeaderEdits {
    this.#requestHeaders ??= new HeaderEdits()
    return this.#requestHeaders
  }

  /** Whether what the target gets differs from `request`. */
  get changesRequest(): boolean {
    return this.#requestHeaders !== undefined && !this.#requestHeaders.isEmpty
  }

  /** Changes to the response's headers, applied to whatever answer goes out: refusals too. */
  get responseHeaders(): HeaderEdits {
    this.#responseHeaders ??= new HeaderEdits()
    return this.#responseHeaders
  }

  /** The request with the changes asked for so far; those are then done. */
  takeRequest(): Request {
    const edits = this.#requestHeaders
    if (!edits || edits.isEmpty) return this.request
    this.#requestHeaders = undefined
    this.request = new Request(this.request)
    edits.applyTo(this.request.headers)
    return this.request
  }

  /** The response with the changes asked for so far; those are then done. */
  finish(response: Response): Response {
    const edits = this.#responseHeaders
    if (!edits || edits.isEmpty) return response
    this.#responseHeaders = undefined
    return withHeaders(response, edits)
  }

  /**
   * Keeps the exchange as it is: for a policy that asks the rest of the route more than once, as policies behind it
   * would otherwise make their changes again to what they have changed.
   *
   * @returns puts it back as it was. The request's body isn't kept.
   */
  keep(): () => void {
    const { request, identity, version } = this
    const requestHeaders = this.#requestHeaders?.copy()
    const responseHeaders = this.#responseHeaders?.copy()
    return () => {
      this.request = request
      this.identity = identity
      this.version = version
      this.#requestHeaders = requestHeaders?.copy()
      this.#responseHeaders = responseHeaders?.copy()
    }
  }

  /**
   * The same exchange with another request, without the changes to headers asked for so far: for a policy that asks
   * the rest of the route on its own account, and must tell what policies behind it change.
   */
  fork(request: Request): Exchange {
    const { nowMs, services, route, params, trace, isDryRun } = this
    const fork = new Exchange({
      request,
      nowMs,
      services,
      route,
      params,
      isDryRun,
      clientIp: this.clientIp,
      ...(trace && { trace }),
    })
    fork.identity = this.identity
    fork.version = this.version
    fork.isBackground = this.isBackground
    fork.#requestId = this.requestId
    return fork
  }

  /**
   * An answer of the platform's own: problem JSON of the code, with this exchange's request id.
   *
   * @param extensions members of the problem beside the fixed ones
   */
  refuse(
    code: ErrorCode,
    detail: string,
    headers?: Record<string, string>,
    extensions?: ProblemExtensions,
  ): Response {
    return problemResponse(code, detail, this.requestId, headers, extensions)
  }
}

/** The same response with other headers. WebSockets survive it. */
export function withHeaders(response: Response, edits: HeaderEdits): Response {
  const changed = new Response(response.body, response)
  edits.applyTo(changed.headers)
  return changed
}

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({})
