import type { Exchange, Trace } from '../routes/policies/exchange.ts'
import {
  type ExplainNote,
  TRACE_HEADER,
  TRACE_TTL_SECONDS,
  type TraceRecord,
  traceKeyOf,
} from './core/explain.ts'
import { RecentMap } from './core/recent-map.ts'
import { destinationOf } from './destination.ts'
import { explainCandidates, explainTarget } from './explain.ts'
import { askState } from './roles.ts'
import { handleRoute, type RouteCall } from './route-request.ts'

/**
 * Serves a request that carries an operator's token as any other, and keeps the record of every decision: the same
 * that `explain` gives, of what really happened. A token that isn't good changes nothing.
 */
export async function handleTraced(given: RouteCall): Promise<Response> {
  const token = given.request.headers.get(TRACE_HEADER) ?? ''
  const request = new Request(given.request)
  request.headers.delete(TRACE_HEADER)
  const call = { ...given, request }
  if (!(await isGood(token, call))) return handleRoute(call)

  const notes = new Notebook()
  return handleRoute({
    ...call,
    trace: notes,
    onServed: (exchange, response) => keepRecord(call, toRecord(call, exchange, response, notes)),
  })
}

/** What was noted, by the place of the policy that noted it. */
class Notebook implements Trace {
  readonly byPlace: ExplainNote[][] = []
  #place = 0

  enter(place: number): void {
    this.#place = place
    this.byPlace[place] ??= []
  }

  note(finding: string, values: Readonly<Record<string, unknown>> = {}): void {
    this.byPlace[this.#place]?.push({ finding, values: JSON.stringify(values) })
  }
}

function toRecord(
  { compiled, request }: RouteCall,
  exchange: Exchange,
  response: Response,
  { byPlace }: Notebook,
): TraceRecord {
  const { host, path } = destinationOf(request.url)
  const { identity, version, answeredBy, clientIp, requestId, nowMs } = exchange
  const policies = compiled.policies.map(({ name, type }, place) => {
    const verdict = place === answeredBy ? 'answered' : byPlace[place] ? 'passed' : 'not reached'
    return { name, type, verdict, notes: byPlace[place] ?? [] } as const
  })
  const answered = compiled.policies[answeredBy]
  return {
    requestId,
    at: new Date(nowMs).toISOString(),
    method: request.method,
    durationMs: Date.now() - nowMs,
    host,
    path,
    clientIp,
    candidates: explainCandidates(compiled.accountId, host, path, request),
    route: compiled.name,
    policies,
    ...(identity && { identity: JSON.stringify(identity) }),
    ...(answered ? { target: `policy ${answered.name}` } : explainTarget(compiled, version)),
    status: response.status,
  }
}

/** After the answer: it must not wait for this, nor fail with it. */
function keepRecord({ compiled, env, ctx }: RouteCall, record: TraceRecord): void {
  const kept = askState(env, ctx.exports, state =>
    state.putRecord(
      compiled.accountId,
      traceKeyOf(record.requestId),
      JSON.stringify(record),
      TRACE_TTL_SECONDS,
    ),
  )
  ctx.waitUntil(kept.catch(() => {}))
}

/** Whether a token is for the route's account; the state role is asked once for each. */
async function isGood(token: string, { compiled, env, ctx }: RouteCall): Promise<boolean> {
  const nowMs = Date.now()
  let known = tokens.get(token)
  if (!known) {
    const found = await askState(env, ctx.exports, state => state.verifyTraceToken(token)).catch(
      () => undefined,
    )
    known = found ?? { accountId: '', untilMs: nowMs + REMEMBER_BAD_MS }
    tokens.set(token, known)
  }
  if (known.untilMs <= nowMs) {
    tokens.delete(token)
    return false
  }
  return known.accountId === compiled.accountId
}

const tokens = new RecentMap<string, { readonly accountId: string; readonly untilMs: number }>(1000)
const REMEMBER_BAD_MS = 5000
