import type { Context } from 'hono'
import { latestProcesses } from '../../../src/observe/processes.ts'
import type { RouteMetrics } from '../../../src/observe/route-metrics.ts'
import { edgeRoles } from '../../../src/roles.ts'
import type { Api } from '../context.ts'

/**
 * What was counted, as OpenMetrics text: every process on its own line, as its counters begin anew with it. A token
 * of one account sees that account's routes and no processes.
 *
 * @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
export async function respondMetrics(c: Context<Api>): Promise<Response> {
  const own = new Set(c.var.accounts.map(({ id }) => id))
  const found = await askEdges(edgeRoles(c.env, c.executionCtx.exports as Cloudflare.Exports))
  const metrics = found.map(({ process, routes }) => ({
    process,
    routes: routes.filter(({ accountId }) => own.has(accountId)),
  }))
  const lines = toRouteLines(metrics)
  if (c.var.principal.accountId === undefined) lines.push(...toProcessLines())
  return c.body(`${[...lines, '# EOF'].join('\n')}\n`, 200, {
    'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8',
    'cache-control': 'no-store',
  })
}

/** What the edges that answer in time have counted. */
async function askEdges(edges: ReturnType<typeof edgeRoles>): Promise<readonly RouteMetrics[]> {
  const late = scheduler.wait(ANSWER_MS).then(() => undefined)
  const answers = await Promise.all(
    edges.map(edge => Promise.race([edge.metrics().catch(() => undefined), late])),
  )
  return answers.flatMap(answer => (answer ? [answer] : []))
}

const ANSWER_MS = 1000

type Labels = Readonly<Record<string, string>>

function toRouteLines(metrics: readonly RouteMetrics[]): string[] {
  const requests: string[] = []
  const seconds: string[] = []
  const answers: string[] = []
  for (const { process, routes } of metrics) {
    for (const { accountId: account, route, statuses, durationMs, answered } of routes) {
      const labels = { account, route, process }
      const all = statuses.reduce((sum, count) => sum + count, 0)
      for (const [digit, count] of statuses.entries()) {
        if (count > 0)
          requests.push(line('skerry_route_requests_total', { ...labels, status: `${digit}xx` }, count))
      }
      seconds.push(line('skerry_route_duration_seconds_count', labels, all))
      seconds.push(line('skerry_route_duration_seconds_sum', labels, durationMs / 1000))
      for (const { policy, times } of answered) {
        answers.push(line('skerry_policy_answers_total', { ...labels, policy }, times))
      }
    }
  }
  return [
    ...family('skerry_route_requests', 'counter', 'Answers of gateway routes, by the class of their status.'),
    ...requests,
    ...family(
      'skerry_route_duration_seconds',
      'summary',
      'From the arrival of a request to the head of its response.',
      'seconds',
    ),
    ...seconds,
    ...family(
      'skerry_policy_answers',
      'counter',
      'Requests that a policy answered itself: refusals, cached responses, preflights.',
    ),
    ...answers,
  ]
}

function toProcessLines(): string[] {
  const processes = latestProcesses()?.processes ?? []
  const gauge = (
    name: string,
    help: string,
    unit: string | undefined,
    read: (each: Process) => number | undefined,
  ) => [
    ...family(name, 'gauge', help, unit),
    ...processes.flatMap(each => {
      const value = read(each)
      return value === undefined ? [] : [line(name, { process: each.name }, value)]
    }),
  ]
  return [
    ...gauge(
      'skerry_process_memory_bytes',
      'Resident memory.',
      'bytes',
      ({ rss_bytes }) => rss_bytes ?? undefined,
    ),
    ...gauge(
      'skerry_process_isolates',
      'Functions’ isolates that are loaded.',
      undefined,
      ({ isolates }) => isolates ?? undefined,
    ),
    ...family('skerry_process_restarts', 'counter', 'Starts after the first one.'),
    ...processes.map(({ name, restarts }) =>
      line('skerry_process_restarts_total', { process: name }, restarts),
    ),
  ]
}

type Process = NonNullable<ReturnType<typeof latestProcesses>>['processes'][number]

function family(name: string, type: string, help: string, unit?: string): string[] {
  return [`# TYPE ${name} ${type}`, ...(unit ? [`# UNIT ${name} ${unit}`] : []), `# HELP ${name} ${help}`]
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(text)}"`)
  return `${name}{${pairs.join(',')}} ${value}`
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
