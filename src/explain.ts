import type { CompiledRoute } from '../routes/gateway/compile.ts'
import type { Exchange, Trace } from '../routes/policies/exchange.ts'
import type { Phase } from '../routes/policies/policy.ts'
import type {
  ExplainCandidate,
  ExplainNote,
  ExplainPolicy,
  ExplainRequest,
  Explanation,
} from './core/explain.ts'
import { destinationOf } from './destination.ts'
import { type FoundRoute, findRoute, gatewayTable } from './edge-gateway.ts'
import { table } from './edge-table.ts'
import type { EdgeEnv } from './env.ts'
import { openExchange } from './route-request.ts'

/**
 * What a request would lead to, and why: by the very table and policies that would serve it, in a dry run. No
 * target is called, nothing is spent or stored.
 *
 * @param accountId only its own routes are told of
 */
export async function explainRequest(
  accountId: string,
  asked: ExplainRequest,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<Explanation> {
  const { method, url, clientIp = '127.0.0.1' } = asked
  const headers = asked.headers.map(([name, value]): [string, string] => [name, value])
  const request = new Request(url, { method, headers, redirect: 'manual' })
  const { host, path } = destinationOf(request.url)
  const found = findRoute(host, path, request)
  const seen = { host, path: found?.kind === 'route' ? (found.path ?? path) : path, clientIp }
  const candidates = explainCandidates(accountId, seen.host, seen.path, request)
  if (found?.kind === 'route' && found.compiled.accountId === accountId) {
    const told = await explainRoute(found, request, clientIp, env, ctx)
    return { ...seen, candidates, ...told }
  }
  return { ...seen, candidates, policies: [], ...explainRest(accountId, host, path, found) }
}

/** The routes that were looked at. */
export function explainCandidates(
  accountId: string,
  host: string,
  path: string,
  request: Request,
): ExplainCandidate[] {
  const all = gatewayTable.explain(host, path, request, accountId)
  return all.slice(0, MAX_CANDIDATES).map(({ value, pattern, matched, reason = '' }) => ({
    route: value.name,
    pattern,
    matched,
    reason,
  }))
}

/** What happens to a request that no route takes. */
function explainRest(
  accountId: string,
  host: string,
  path: string,
  found: FoundRoute | undefined,
): Pick<Explanation, 'target' | 'version' | 'status' | 'code' | 'detail'> {
  if (found?.kind === 'refused') {
    return {
      target: 'nothing',
      status: 400,
      code: 'ERR_PATH_REFUSED',
      detail: `The path has ${found.reason}.`,
    }
  }
  if (found?.kind === 'method') {
    const detail = `Allowed are ${found.allowed.join(', ')}.`
    return { target: 'nothing', status: 405, code: 'ERR_METHOD_NOT_ALLOWED', detail }
  }
  const match = found ? undefined : table.match(host, path)
  if (match?.target.accountId === accountId) {
    const version = match.kind === 'preview' ? match.prefix : (match.target.sole?.id ?? 'split')
    return { target: `script ${match.target.name}`, version }
  }
  return { target: 'nothing', status: 404, code: 'ERR_ROUTE_NOT_FOUND' }
}

async function explainRoute(
  { compiled, params }: Extract<FoundRoute, { kind: 'route' }>,
  request: Request,
  clientIp: string,
  env: EdgeEnv,
  ctx: ExecutionContext,
): Promise<Omit<Explanation, 'host' | 'path' | 'candidates'>> {
  const trace = new NoteTaker()
  const exchange = openExchange({ compiled, params, request, env, ctx, clientIp, trace, isDryRun: true })
  const policies: ExplainPolicy[] = []
  let answer: Response | undefined
  for (const { name, type, phase } of compiled.policies) {
    if (answer) {
      policies.push({ name, type, verdict: 'not reached', notes: [] })
      continue
    }
    const { verdict, response } = await tryPhase(phase, exchange)
    answer = response
    policies.push({ name, type, verdict, notes: trace.take() })
  }
  const { identity, version } = exchange
  const stopped = answer && policies.find(({ verdict }) => verdict === 'answered' || verdict === 'failed')
  return {
    route: compiled.name,
    clientIp: exchange.clientIp,
    policies,
    ...(identity && { identity: JSON.stringify(identity) }),
    ...(stopped ? { target: `policy ${stopped.name}` } : explainTarget(compiled, version)),
    ...(answer && (await explainAnswer(answer))),
  }
}

/** The dry run of one policy; one that throws refuses, as it would. */
async function tryPhase(
  phase: Phase,
  exchange: Exchange,
): Promise<{ verdict: ExplainPolicy['verdict']; response: Response | undefined }> {
  try {
    const decide = phase.explain ?? phase.request
    const response = await decide?.call(phase, exchange)
    return { verdict: response ? 'answered' : 'passed', response: response ?? undefined }
  } catch {
    const response = exchange.refuse('ERR_POLICY_FAILED', 'A policy of this route failed.')
    return { verdict: 'failed', response }
  }
}

/** What a route leads to, once all policies let through. */
export function explainTarget(
  { accountId, route }: CompiledRoute,
  chosen: string | undefined,
): Pick<Explanation, 'target' | 'version'> {
  if (route.upstream !== undefined) {
    const urls =
      typeof route.upstream === 'string' ? [route.upstream] : route.upstream.servers.map(({ url }) => url)
    return { target: `upstream ${urls.join(', ')}` }
  }
  if (route.redirect !== undefined) return { target: 'redirect' }
  if (route.respond !== undefined) return { target: 'respond' }
  const script = table.script(accountId, route.script ?? '')
  const version = chosen ?? route.version ?? script?.sole?.id ?? (script ? 'split' : undefined)
  return { target: `script ${route.script}`, ...(version !== undefined && { version }) }
}

async function explainAnswer(answer: Response): Promise<Pick<Explanation, 'status' | 'code' | 'detail'>> {
  const { status, headers } = answer
  if (!headers.get('content-type')?.startsWith('application/problem+json')) {
    await answer.body?.cancel()
    return { status }
  }
  const { code, detail } = (await answer.json()) as { code?: string; detail?: string }
  return { status, ...(code && { code }), ...(detail && { detail }) }
}

class NoteTaker implements Trace {
  #notes: ExplainNote[] = []

  note(finding: string, values: Readonly<Record<string, unknown>> = {}): void {
    this.#notes.push({ finding, values: JSON.stringify(values) })
  }

  /** What was noted since the last time. */
  take(): ExplainNote[] {
    const notes = this.#notes
    this.#notes = []
    return notes
  }
}

const MAX_CANDIDATES = 50
