import { toEnvelope } from '../routes/api/cloudflare/envelope.ts'
import type { RouteMatch } from '../routes/table.ts'
import { enter, leave, trackBody } from './board.ts'
import { isHost } from './core/host.ts'
import { createRequestId } from './core/ids.ts'
import { LIMITS } from './core/limits.ts'
import { destinationOf } from './destination.ts'
import { findRoute } from './edge-gateway.ts'
import { prepareTable, table } from './edge-table.ts'
import type { Env } from './env.ts'
import { handleFound, hashOf } from './found-route.ts'
import {
  handleRequest,
  respondAsterisk,
  respondBadHost,
  respondBodyTooLarge,
  respondNoRoute,
  respondUrlTooLong,
} from './gateway.ts'
import { limitBody } from './incoming.ts'
import { respondProblem, toKnownError } from './respond.ts'
import { askState, CARRIER_HEADER, isAway, stateRole, stateUnavailable } from './roles.ts'

/** Serves a client's request: hosts with something deployed are the data plane, the platform's own hosts the control plane. */
export async function listen(given: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  let slot: number | undefined
  let response: Response | undefined
  try {
    const filling = prepareTable(env, ctx)
    if (filling) await filling
    const { url } = given
    const { authority, host, path } = destinationOf(url)
    const found = findRoute(host, path, given)
    const match = found ? undefined : table.match(host, path)
    const badHost = findBadHost(given, authority, match)
    const atOnce =
      found && badHost === undefined && isBare(given) && url.length <= LIMITS.urlBytes
        ? handleFound(found, given, env, ctx)
        : undefined
    if (atOnce instanceof Response && countAnswer() !== 0) return atOnce
    slot = enter(given, found ? hashOf(found) : (match?.target.hash ?? 0))
    const request = trackBody(given, slot)
    if (atOnce) response = await atOnce
    else if (badHost !== undefined) response = respondBadHost(badHost)
    else if (url.length > LIMITS.urlBytes) response = respondUrlTooLong(url.length)
    else if (found) response = await handleFound(found, request, env, ctx)
    else if (match) response = await handleRequest(request, match, env, ctx)
    else if (isPlatformHost(host, env)) response = await handlePlatform(request, env, ctx)
    else if (host.endsWith('*')) response = respondAsterisk(given.method)
    else response = respondNoRoute(host)
  } catch (error) {
    const requestId = createRequestId()
    const known = toKnownError(isAway(error) ? stateUnavailable(error) : error, requestId)
    // Cloudflare's clients expect its envelope.
    const isTheirs = destinationOf(given.url).path.startsWith('/client/v4')
    response = isTheirs ? toEnvelope(known) : respondProblem(known, requestId)
  }
  if (slot !== undefined) leave(slot, response)
  return response
}

/** A request that ends with its head, so that nothing of it can be left on its connection. */
function isBare({ method, body }: Request): boolean {
  return (method === 'GET' || method === 'HEAD') && body === null
}

/**
 * Which of an edge's answers given at once, without anything being waited for, this is: 0 for one in eight, which
 * the board is told of. Nobody waits for the others when a function hangs, and what the board says of their
 * connection stays true; to note them all would cost 5 % of a cached answer.
 */
function countAnswer(): number {
  answers = (answers + 1) & 7
  return answers
}

let answers = 0

/**
 * A `Host` that RFC 9110 section 7.2 wants refused; `undefined` if it is one host's.
 *
 * The URL shows all of them but those with a slash, whose end looks like the beginning of the path. To ask for the
 * header costs 7 % of the throughput of a function called by GET, so there it isn't asked for: all that the
 * platform decides, it decides by the URL, and a client may ask for any path.
 */
function findBadHost(request: Request, authority: string, match: RouteMatch | undefined): string | undefined {
  // `OPTIONS *` comes as `http://host*`.
  const name = authority.endsWith('*') ? authority.slice(0, -1) : authority
  if (!isHost(name)) return authority
  if (match && (request.method === 'GET' || request.method === 'HEAD')) return undefined
  const asked = request.headers.get('host')
  return asked === null || isHost(asked) ? undefined : asked
}

/** The control plane is the state role's; what reaches it is held to the same size as everything else. */
async function handlePlatform(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  const isObject = request.method === 'PUT' && OBJECT_PATH.test(request.url)
  const limited = isObject ? limitBody(request, LIMITS.r2UploadBytes) : limitBody(request)
  if (!limited) return respondBodyTooLarge()
  if (request.method === 'GET' || request.method === 'HEAD') {
    return askState(env, ctx.exports, state => state.fetch(limited))
  }
  // What changes something is sent once, so rather wait until state is there.
  await askState(env, ctx.exports, async state => state.ping())
  const carried = new Request(limited)
  carried.headers.set(CARRIER_HEADER, env.SKERRY_PROCESS ?? '')
  return stateRole(env, ctx.exports).fetch(carried)
}

/** Uploads of R2 objects may be larger than what functions take. */
const OBJECT_PATH = /^https?:\/\/[^/]+\/client\/v4\/accounts\/[^/]+\/r2\/buckets\/[^/]+\/objects\//

/** The apex of the platform's domain, and bare addresses. */
function isPlatformHost(host: string, env: Env): boolean {
  return host === (env.SKERRY_DOMAIN ?? 'localhost') || host.startsWith('[') || /^[\d.]+$/.test(host)
}
