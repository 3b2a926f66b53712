/** What was counted of a route since this process started. */
export interface RouteCounts {
  readonly accountId: string
  readonly route: string
  /** Answers by the first digit of their status, 1 to 5; index 0 is unused. */
  readonly statuses: number[]
  /** Milliseconds from arrival to response head, summed. */
  durationMs: number
  /** How often each of the route's policies gave the answer itself: a refusal, a cached response; by the policy's name. */
  readonly answered: Map<string, number>
}

/** What one process has counted. */
export interface RouteMetrics {
  /** Its name, such as `edge-0`. */
  readonly process: string
  readonly routes: readonly (Omit<RouteCounts, 'answered'> & {
    readonly answered: readonly { readonly policy: string; readonly times: number }[]
  })[]
}

/** What of a route is counted: who it is, and its policies' names in order. */
export interface CountedRoute {
  readonly accountId: string
  readonly name: string
  readonly policies: readonly { readonly name: string }[]
}

/**
 * Counts an answer. Plain additions: this is on every request's way.
 *
 * @param answeredBy the place of the policy that answered; -1 = the target
 */
export function countRoute(
  route: CountedRoute,
  answeredBy: number,
  status: number,
  durationMs: number,
): void {
  let counts = counted.get(route)
  if (!counts) {
    counts = findCounts(route)
    counted.set(route, counts)
  }
  const digit = (status / 100) | 0
  counts.statuses[digit] = (counts.statuses[digit] ?? 0) + 1
  counts.durationMs += durationMs
  const policy = answeredBy < 0 ? undefined : route.policies[answeredBy]
  if (policy) counts.answered.set(policy.name, (counts.answered.get(policy.name) ?? 0) + 1)
}

/** The counts of all routes that were asked for since this process started, for another process. */
export function readRouteMetrics(process: string): RouteMetrics {
  const routes = [...byName.values()].map(({ answered, ...counts }) => ({
    ...counts,
    answered: [...answered].map(([policy, times]) => ({ policy, times })),
  }))
  return { process, routes }
}

/** A route of a new revision goes on counting where the one of its name was. */
function findCounts({ accountId, name }: CountedRoute): RouteCounts {
  const key = `${accountId}/${name}`
  let counts = byName.get(key)
  if (!counts) {
    counts = { accountId, route: name, statuses: [0, 0, 0, 0, 0, 0], durationMs: 0, answered: new Map() }
    byName.set(key, counts)
  }
  return counts
}

const byName = new Map<string, RouteCounts>()
const counted = new WeakMap<CountedRoute, RouteCounts>()
