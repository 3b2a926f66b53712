import { type CompiledGateway, type CompiledRoute, compileGateway } from '../routes/gateway/compile.ts'
import { normalisePath } from '../routes/gateway/path.ts'
import { scriptHostsOf } from '../routes/gateway/script-hosts.ts'
import { GatewayTable } from '../routes/gateway/table.ts'
import type { AccountChanges } from './core/routing.ts'

/** What a gateway file says of a request to one of its hosts. */
export type FoundRoute =
  | {
      readonly kind: 'route'
      readonly compiled: CompiledRoute
      readonly params: Readonly<Record<string, string>>
      /** The path that the route was found by, where it isn't the one that came in. */
      readonly path: string | undefined
    }
  /** Routes of its path want other methods: nothing else may take it, least of all without their policies. */
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  /** Its path can be read in more than one way; `reason` is to be put after "The path has ". */
  | { readonly kind: 'refused'; readonly reason: string }

/** This process's gateway routes, of all accounts. */
export const gatewayTable = new GatewayTable<CompiledRoute>()

/**
 * The route that takes a request; `undefined` = none does.
 *
 * @param host lower case, without port
 * @param path as it came in, without query
 */
export function findRoute(host: string, path: string, request: Request): FoundRoute | undefined {
  if (gatewayTable.isEmpty) return undefined
  const paths = gatewayTable.paths(host)
  if (!paths) return undefined
  const normal = normalisePath(path, paths)
  if (normal.refused !== undefined) return { kind: 'refused', reason: normal.refused }
  const match = matchPreflight(host, normal.path, request) ?? gatewayTable.match(host, normal.path, request)
  if (!match) {
    const allowed = gatewayTable.allowedMethods(host, normal.path, request)
    return allowed && { kind: 'method', allowed }
  }
  const { value, params } = match
  return { kind: 'route', compiled: value, params, path: normal.isChanged ? normal.path : undefined }
}

/**
 * Where a preflight leads: to the route of the request that it asks for, if that route's policies answer preflights.
 * By its own method it would find none, or one that knows nothing of it.
 */
function matchPreflight(host: string, path: string, request: Request) {
  if (request.method !== 'OPTIONS') return undefined
  const { headers, url } = request
  const method = headers.get('access-control-request-method')
  if (method === null || !headers.has('origin')) return undefined
  const match = gatewayTable.match(host, path, { method, headers, url })
  return match?.value.policies.some(({ type }) => type === 'cors') ? match : undefined
}

/** The gateway file of an account as this edge runs it. */
export function gatewayOf(accountId: string): CompiledGateway | undefined {
  return accounts.get(accountId)?.gateway
}

/**
 * Takes the gateway file of changes in: makes its policies, lays its routes. A file that can't be laid is logged, and
 * the one before stays in force; it was checked when it was applied, so that is our fault.
 *
 * @returns which scripts answer on their own host; `undefined` = as before
 */
export function applyGateway(changes: AccountChanges): ((script: string) => boolean) | undefined {
  const { accountId, from, to, gateway: snapshot, workersDomain } = changes
  const held = accounts.get(accountId)
  if ((held && to < held.to) || (!snapshot && from !== 0)) return undefined
  if (!snapshot || snapshot.revision === 0) {
    accounts.set(accountId, { to, gateway: undefined })
    gatewayTable.set(accountId, undefined, { workersDomain, paths: NO_PATHS })
    return () => true
  }
  try {
    const gateway = compileGateway(accountId, snapshot, held?.gateway)
    const { document, routes } = gateway
    gatewayTable.set(
      accountId,
      routes.map(compiled => ({ route: compiled.route, value: compiled })),
      { workersDomain, paths: document.paths },
    )
    accounts.set(accountId, { to, gateway })
    return scriptHostsOf(document)
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    console.error(JSON.stringify({ level: 'error', gateway: accountId, error: message }))
    return undefined
  }
}

const NO_PATHS = { case: 'sensitive', trailing_slash: 'ignore', encoded_slashes: 'refuse' } as const

const accounts = new Map<string, { readonly to: number; readonly gateway: CompiledGateway | undefined }>()
