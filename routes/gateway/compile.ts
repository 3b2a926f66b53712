import { clientAddress } from '../../src/core/client-address.ts'
import { clientIpOf } from '../../src/core/client-ip.ts'
import type { GatewaySnapshot } from '../../src/core/gateway.ts'
import { NetworkSet } from '../../src/core/networks.ts'
import type { Exchange } from '../policies/exchange.ts'
import { POLICY_KINDS } from '../policies/kinds.ts'
import type { Phase, PolicyKind } from '../policies/policy.ts'
import type { GatewayDocument, GatewayRoute } from './document.ts'
import { type CompiledPolicy, PolicyMaker, REFUSE, reportFailure } from './policy-maker.ts'
import { nameRoutes } from './route-names.ts'
import { withSecrets } from './secrets.ts'
import { respondFixed, respondRedirect } from './targets.ts'
import { createUpstream } from './upstream.ts'

/** A route, ready to be run. */
export interface CompiledRoute {
  readonly accountId: string
  readonly name: string
  /** As written, with secrets in the place of their references. */
  readonly route: GatewayRoute
  /** What holds for all routes of the file. */
  readonly gateway: GatewaySettings
  /** Answers, unless the target is a function. */
  readonly answer: Answer | undefined
  readonly policies: readonly CompiledPolicy[]
  /** Those of `policies`, in order. */
  readonly phases: readonly Phase[]
}

/** Answers an exchange that all policies let through. */
export type Answer = (exchange: Exchange) => Response | Promise<Response>

/** What holds for all routes of a file. */
export interface GatewaySettings {
  /** Policies and upstreams may reach private addresses. */
  readonly allowPrivate: boolean
  /** Proxies that are believed. */
  readonly trusted: NetworkSet
  /** The client's address behind the proxies that the file trusts; `undefined` = who is connected. */
  clientIpOf(request: Request, peer: string | undefined): string | undefined
}

/** A gateway file, ready to be run. */
export interface CompiledGateway {
  readonly revision: number
  readonly document: GatewayDocument
  readonly routes: readonly CompiledRoute[]
}

/**
 * Makes the policies of a gateway file, and of each route the list that it runs.
 *
 * Policies that are as in `before` are taken over with all that they have counted and stored. One that can't be
 * made (the file was checked, so that is our fault) refuses every request: never is a route served without it.
 */
export function compileGateway(
  accountId: string,
  snapshot: GatewaySnapshot,
  before?: CompiledGateway,
  kinds: ReadonlyMap<string, PolicyKind<unknown>> = POLICY_KINDS,
): CompiledGateway {
  const document = JSON.parse(snapshot.document) as GatewayDocument
  const known = before && makersOf.get(before)
  const maker = new PolicyMaker(document, snapshot.secrets, known, kinds)
  const gateway = toSettings(snapshot, document)
  const names = nameRoutes(document.routes)
  const routes = document.routes.map((written, index): CompiledRoute => {
    const policies = written.use.map(name => maker.make(name))
    const phases = policies.map(({ phase }) => phase)
    const shared = { accountId, name: names[index] ?? `route-${index}`, gateway, policies }
    try {
      const route = withSecrets(written, snapshot.secrets) as GatewayRoute
      return { ...shared, route, phases, answer: toAnswer(route, gateway) }
    } catch (error) {
      reportFailure(shared.name, error)
      return { ...shared, route: written, phases: [REFUSE], answer: undefined }
    }
  })
  const compiled = { revision: snapshot.revision, document, routes }
  makersOf.set(compiled, maker)
  return compiled
}

/** What a compiled file was made with, for the next one. */
const makersOf = new WeakMap<CompiledGateway, PolicyMaker>()

function toSettings(snapshot: GatewaySnapshot, { trusted_proxies }: GatewayDocument): GatewaySettings {
  const trusted = new NetworkSet(trusted_proxies)
  return {
    allowPrivate: snapshot.allowPrivate,
    trusted,
    clientIpOf(request, peer) {
      // Each property of a request that is read is made by the runtime, at a microsecond or more.
      if (trusted.isEmpty) return peer
      const { cf, headers } = request
      const told = { xForwardedFor: headers.get('x-forwarded-for'), forwarded: headers.get('forwarded') }
      return clientAddress(peer ?? clientIpOf(cf, headers.get('cf-connecting-ip')), trusted, told)
    },
  }
}

function toAnswer(
  { upstream, redirect, respond, rewrite }: GatewayRoute,
  { trusted }: GatewaySettings,
): Answer | undefined {
  if (upstream !== undefined) return createUpstream(upstream, { rewrite, trusted })
  if (redirect !== undefined) return exchange => respondRedirect(redirect, exchange)
  if (respond !== undefined) return () => respondFixed(respond)
  return undefined
}
