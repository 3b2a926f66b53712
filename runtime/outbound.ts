import { connect } from 'cloudflare:sockets'
import { WorkerEntrypoint } from 'cloudflare:workers'
import { breathe } from '../bindings/breath.ts'
import { SkerryError } from '../src/core/errors.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { EdgeEnv } from '../src/env.ts'
import { type EgressRules, endpointOf, parseEndpoint, refusalOf, toEgressRules } from './egress-rules.ts'
import { OutboundMeter } from './outbound-meter.ts'

/** Answers a subrequest for a host that this platform serves; `undefined` = not ours. */
export type InternalDispatch = (
  request: Request,
  env: EdgeEnv,
  ctx: ExecutionContext,
) => Promise<Response> | undefined

/** Registers what answers subrequests for hosts that this platform serves. It never serves the control plane. */
export function setInternalDispatch(dispatch: InternalDispatch): void {
  internalDispatch = dispatch
}

let internalDispatch: InternalDispatch | undefined

/**
 * A function's way out: the `globalOutbound` of every isolate.
 *
 * Everything the function sends ends up here: `fetch()`, each hop of a redirect, WebSockets, `connect()`. Only
 * public addresses are reachable unless the operator allows private ones; the control plane never is.
 * docs/egress.md says what each host can enforce.
 */
export class Outbound extends WorkerEntrypoint<EdgeEnv, { accountId: string; script: string }> {
  /**
   * Carries a subrequest out, or to the function it is for.
   *
   * @throws SkerryError ERR_EGRESS_REFUSED, ERR_EGRESS_FAILED, ERR_SUBREQUEST_LIMIT
   */
  override async fetch(request: Request): Promise<Response> {
    // What is refused, or for a function of this process, needs no I/O: without end, it would keep all from it.
    const breath = breathe(this.ctx.props.accountId)
    if (breath) await breath
    const leave = meter.enter(`${this.ctx.props.accountId}/${this.ctx.props.script}`, Date.now())
    try {
      const internal = internalDispatch?.(dropClaims(request), this.env, this.ctx)
      return await (internal ?? fetchOutside(request, this.env))
    } finally {
      leave()
    }
  }

  /**
   * Carries a TCP connection out. A refused one is closed before a byte is sent; the runtime leaves no way to
   * hand the function a reason, so it goes to the platform's log.
   */
  override async connect(socket: Socket): Promise<void> {
    const { accountId, script } = this.ctx.props
    try {
      const breath = breathe(accountId)
      if (breath) await breath
      const leave = meter.enter(`${accountId}/${script}`, Date.now())
      try {
        await connectOutside(socket, this.env)
      } finally {
        leave()
      }
    } catch (error) {
      console.warn(`${accountId}/${script}: ${error instanceof Error ? error.message : error}`)
      await socket.close()
    }
  }
}

const meter = new OutboundMeter({
  concurrency: LIMITS.outboundConcurrency,
  burst: LIMITS.outboundBurst,
  perSecond: LIMITS.outboundPerSecond,
})

async function fetchOutside(request: Request, env: EdgeEnv): Promise<Response> {
  const url = new URL(request.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refuse('fetch', url.protocol, 'only http: and https: are supported')
  }
  const refusal = refusalOf(endpointOf(url), rulesOf(env))
  if (refusal) throw refuse('fetch', url.host, refusal)

  // `manual`, so that every hop of a redirect is a subrequest of the function's own, and comes through here.
  const outgoing = new Request(request, { redirect: 'manual' })
  outgoing.headers.set('cf-worker', env.SKERRY_DOMAIN ?? 'localhost')
  try {
    return await wayOut(env).fetch(outgoing)
  } catch (error) {
    throw explainFailure(error, url)
  }
}

async function connectOutside(socket: Socket, env: EdgeEnv): Promise<void> {
  // For an accepted socket this is the address that the function named.
  const address = (await socket.opened).localAddress ?? ''
  const endpoint = parseEndpoint(address)
  if (!endpoint) throw refuse('connect', address, 'it is not host:port')
  // As on Cloudflare: a function is no mail server.
  if (endpoint.port === 25) throw refuse('connect', address, 'port 25 is closed to functions')
  const refusal = refusalOf(endpoint, rulesOf(env))
  if (refusal) throw refuse('connect', address, refusal)

  const options: SocketOptions = { secureTransport: 'off', allowHalfOpen: true }
  const target = wayOut(env).connect(`${endpoint.host}:${endpoint.port}`, options)
  try {
    await target.opened
  } catch (error) {
    throw new SkerryError('ERR_EGRESS_FAILED', `connect to ${address} failed: ${textOf(error)}`, {
      cause: error,
    })
  }
  // Either side may stop sending first; the other direction goes on until it ends too.
  await Promise.allSettled([socket.readable.pipeTo(target.writable), target.readable.pipeTo(socket.writable)])
  await target.close()
}

/** With private egress even a public name may resolve to a private address, so everything takes that way. */
function wayOut(env: EdgeEnv): Pick<Fetcher, 'fetch' | 'connect'> {
  return env.INTRANET ?? env.INTERNET ?? PLAIN
}

/** Where the host has no network services of its own: the Worker's own way out, called without a `this`. */
const PLAIN: Pick<Fetcher, 'fetch' | 'connect'> = {
  fetch: (input: RequestInfo | URL, init?: RequestInit) => fetch(input, init),
  connect: (address, options) => connect(address, options),
}

/** `cf.clientIp` is how the gateway learns a client's address: a function must not choose what another one sees. */
function dropClaims(request: Request): Request {
  if (!request.cf || !('clientIp' in request.cf)) return request
  const { clientIp: _, ...cf } = request.cf as Record<string, unknown>
  return new Request(request, { cf: cf as CfProperties })
}

/** The environment of a process never changes, so its rules are made once. */
function rulesOf(env: EdgeEnv): EgressRules {
  rules ??= toEgressRules(env)
  return rules
}

let rules: EgressRules | undefined

function refuse(verb: 'fetch' | 'connect', place: string, why: string): SkerryError {
  const wayOutOfIt = why === 'it is not a public address' ? ' The operator can allow private addresses.' : ''
  return new SkerryError('ERR_EGRESS_REFUSED', `${verb} to ${place} was refused: ${why}.${wayOutOfIt}`)
}

/**
 * What can be told of a connection that didn't come about. The runtime says little: `Network connection lost.`
 * for a refused or broken one, `internal error; reference = …` for a name that doesn't resolve, an address that
 * the network service doesn't allow, and TLS; only its log has the cause.
 */
function explainFailure(error: unknown, url: URL): unknown {
  const text = textOf(error)
  const [, reference] = /^internal error; reference = (\w+)/.exec(text) ?? []
  if (reference) {
    const tls = url.protocol === 'https:' ? ', or TLS failed' : ''
    const why = `the name does not resolve to a public address, or does not resolve${tls}`
    const detail = `fetch to ${url.host} failed: ${why}. The platform log has the cause under ${reference}.`
    return new SkerryError('ERR_EGRESS_FAILED', detail, { cause: error })
  }
  if (text !== 'Network connection lost.') return error
  const detail = `fetch to ${url.host} failed: the connection was refused or broke off. ${text}`
  return Object.assign(new SkerryError('ERR_EGRESS_FAILED', detail, { cause: error }), { retryable: true })
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
