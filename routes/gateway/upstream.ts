import { clientIpOf } from '../../src/core/client-ip.ts'
import type { Exchange } from '../policies/exchange.ts'
import type { UpstreamOptions } from './document.ts'
import { toUpstreamHeaders } from './proxy-headers.ts'
import { type Server, Servers, toServer } from './servers.ts'
import { addQuery, expandTemplate, type Params } from './template.ts'
import { type CallFailure, callServer, type Outcome, type PreparedCall } from './upstream-call.ts'
import { refusalOf, respondFailure } from './upstream-refusal.ts'
import { toClientResponse } from './upstream-response.ts'

/** What a route says beside `upstream`. */
export interface UpstreamSettings {
  /** The path that the upstream sees, below the path of its URL: `:name` and `*` of the match are put in. */
  readonly rewrite?: string | undefined
  /** The file's `trusted_proxies`: whose `Forwarded` and `X-Forwarded-*` are passed on. Absent: nobody's. */
  readonly trusted?: { has(address: string): boolean } | undefined
  /** The time: milliseconds since the epoch. */
  readonly now?: () => number
}

/** Sends an exchange to an upstream. Never throws: what goes wrong is an answer of the platform's. */
export type UpstreamTarget = (exchange: Exchange, params?: Params) => Promise<Response>

/**
 * A reverse proxy to the servers of an upstream. Made once for a route's whole life: it knows which servers fail.
 *
 * Bodies stream both ways as they come, compressed or not; WebSockets pass. Redirects are the caller's to follow, and
 * those to the server itself lead back here. A request without body that may be repeated is sent once more, to
 * another server if there is one, if the first can't be reached or answers 502, 503 or 504.
 *
 * The upstream sees the `Host` of its own URL: no runtime that we run on sends another. The client's is in
 * `X-Forwarded-Host` and `Forwarded`.
 *
 * @returns what the upstream answers; ERR_UPSTREAM_FAILED, ERR_UPSTREAM_TIMEOUT, ERR_BAD_REQUEST, ERR_LOOP
 * @see docs/upstreams.md
 */
export function createUpstream(
  options: UpstreamOptions | string,
  settings: UpstreamSettings = {},
): UpstreamTarget {
  const upstream = new Upstream(options, settings)
  return (exchange, params = exchange.params) => upstream.send(exchange, params)
}

class Upstream {
  readonly #servers: Servers
  readonly #timeoutMs: number
  readonly #settings: UpstreamSettings
  readonly #now: () => number
  #reportedMs = Number.NEGATIVE_INFINITY

  constructor(options: UpstreamOptions | string, settings: UpstreamSettings) {
    const { servers, timeout_ms, max_fails, fail_seconds } =
      typeof options === 'string' ? SHORT(options) : options
    this.#timeoutMs = timeout_ms
    this.#servers = new Servers(
      servers.map(({ url, weight }) => toServer(url, weight)),
      { maxFails: max_fails, failMs: fail_seconds * 1000, trialMs: timeout_ms },
    )
    this.#settings = settings
    this.#now = settings.now ?? Date.now
  }

  async send(exchange: Exchange, params: Params): Promise<Response> {
    const sent = sentHeaders(exchange)
    const request = exchange.takeRequest()
    const refusal = refusalOf(request, exchange)
    if (refusal) return refusal

    const headers = toUpstreamHeaders(request.headers, sent, this.#wayOf(exchange))
    const path = this.#pathOf(exchange, params)
    const call = { exchange, path, headers, deadlineMs: this.#now() + this.#timeoutMs }
    let server = this.#servers.pick(this.#now())
    let outcome = await this.#call(call, server)
    const other = mayRepeat(request, outcome) ? this.#servers.pick(this.#now(), server) : server
    // To the same server again only if nothing came back: it may have closed an idle connection just then.
    if (mayRepeat(request, outcome) && (other !== server || !('response' in outcome))) {
      if ('response' in outcome) await outcome.response.body?.cancel()
      exchange.trace?.note('The server failed: the request is sent once more.', { server: server.origin })
      server = other
      outcome = await this.#call(call, server)
    }
    if (!('response' in outcome)) return respondFailure(exchange, outcome, this.#timeoutMs)
    const canMapPaths = this.#settings.rewrite === undefined
    return toClientResponse(outcome.response, server, canMapPaths, exchange.rawBody === 'given')
  }

  async #call(call: PreparedCall, server: Server): Promise<Outcome> {
    const { exchange, path } = call
    const url = toUrl(server, path)
    if (!url) return { failure: 'path' }
    exchange.trace?.note('Sent to the upstream.', { server: server.origin })
    const outcome = await callServer(url, call, this.#now)
    if ('response' in outcome ? FAILING.has(outcome.response.status) : SERVERS_FAULT.has(outcome.failure)) {
      this.#servers.failed(server, this.#now())
      this.#report(exchange, server, outcome)
    } else if ('response' in outcome) this.#servers.succeeded(server)
    return outcome
  }

  #wayOf(exchange: Exchange) {
    const { request, url, clientIp } = exchange
    const peer = clientIpOf(request.cf, clientIp)
    const isTrusted = this.#settings.trusted?.has(peer) ?? false
    const host = request.headers.get('host') ?? url.host
    return { peer, isTrusted, clientIp, scheme: url.protocol.slice(0, -1), host }
  }

  #pathOf({ url }: Exchange, params: Params): string {
    const { rewrite } = this.#settings
    return addQuery(rewrite === undefined ? url.pathname : expandTemplate(rewrite, params), url.search)
  }

  /** For the operator, who may read addresses; once a second at most, as each request fails while a server is down. */
  #report(exchange: Exchange, server: Server, outcome: Outcome): void {
    const nowMs = this.#now()
    if (nowMs - this.#reportedMs < REPORT_EVERY_MS) return
    this.#reportedMs = nowMs
    const why = 'response' in outcome ? `it answered ${outcome.response.status}` : textOf(outcome)
    const request_id = exchange.requestId
    console.warn(
      JSON.stringify({ level: 'warn', route: exchange.route, request_id, upstream: server.origin, why }),
    )
  }
}

/** What a route with nothing but a URL has. */
const SHORT = (url: string): UpstreamOptions => ({
  servers: [{ url, weight: 1 }],
  host: 'upstream',
  timeout_ms: 30_000,
  max_fails: 3,
  fail_seconds: 10,
})

/** What the client itself sent: kept for when a policy sends the exchange again, with the changes of the first time. */
function sentHeaders(exchange: Exchange): Headers {
  const known = firstHeaders.get(exchange)
  if (known) return known
  const { headers } = exchange.request
  firstHeaders.set(exchange, headers)
  return headers
}

const firstHeaders = new WeakMap<Exchange, Headers>()

/** `undefined`: dots that a URL's parser resolves would lead out of the server's path. */
function toUrl({ origin, basePath }: Server, path: string): string | undefined {
  const url = URL.parse(`${origin}${basePath}${path}`)
  return url && url.origin === origin && url.pathname.startsWith(`${basePath}/`) ? url.href : undefined
}

function mayRepeat({ method, body }: Request, outcome: Outcome): boolean {
  if (body !== null || !REPEATABLE.has(method)) return false
  return 'response' in outcome ? FAILING.has(outcome.response.status) : outcome.failure === 'connection'
}

const textOf = (outcome: CallFailure): string =>
  'error' in outcome && outcome.error instanceof Error ? outcome.error.message : outcome.failure

/** Answers of a server that can't do its work at the moment. */
const FAILING: ReadonlySet<number> = new Set([502, 503, 504])
const SERVERS_FAULT: ReadonlySet<string> = new Set(['connection', 'timeout'])
/** Idempotent: RFC 9110 section 9.2.2. */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'QUERY', 'PUT', 'DELETE'])
const REPORT_EVERY_MS = 1000
