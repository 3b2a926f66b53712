/** A request that is asked about. */
export interface ExplainRequest {
  readonly method: string
  /** Absolute. */
  readonly url: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Whose it would be; absent: this machine's. */
  readonly clientIp?: string
}

/** One finding of a policy. */
export interface ExplainNote {
  readonly finding: string
  /** What it was found by: a JSON object, as text. */
  readonly values: string
}

/** A route that was looked at. */
export interface ExplainCandidate {
  readonly route: string
  readonly pattern: string
  readonly matched: boolean
  /** Why it wasn't chosen: `host`, `path`, `method`, `header x`, `query x`, or `earlier`: another came before it. */
  readonly reason: string
}

/** A policy of the route, in order. */
export interface ExplainPolicy {
  readonly name: string
  readonly type: string
  /** `passed`: the request went on; `answered`: it was answered here; `failed`: the policy threw, which refuses it. */
  readonly verdict: 'passed' | 'answered' | 'failed' | 'not reached'
  readonly notes: readonly ExplainNote[]
}

/** What a request leads to, and why; made by the code that would serve it. */
export interface Explanation {
  /** As routes were matched with it. */
  readonly host: string
  readonly path: string
  readonly clientIp: string
  /** In the order in which they were tried; the ones behind the chosen one too, at most 50. */
  readonly candidates: readonly ExplainCandidate[]
  /** The gateway route that takes it; absent: none does. */
  readonly route?: string
  readonly policies: readonly ExplainPolicy[]
  /** Who calls, as JSON text; absent: nobody in particular. */
  readonly identity?: string
  /** What answers: `script orders`, `upstream https://…`, `redirect`, `respond`, `policy fair`, `nothing`. */
  readonly target: string
  /** Of a script: the version's id; `split` = drawn by its share. */
  readonly version?: string
  /** Of an answer that is given before the target: its status, and the problem's code and detail. */
  readonly status?: number
  readonly code?: string
  readonly detail?: string
}

/** The request header by which an operator's token asks for a request's record. It never reaches a target. */
export const TRACE_HEADER = 'skerry-trace'

/** What happened to a request that was really served, and why. */
export interface TraceRecord extends Explanation {
  readonly requestId: string
  /** ISO 8601. */
  readonly at: string
  readonly method: string
  readonly durationMs: number
}

/** How long a record is kept. */
export const TRACE_TTL_SECONDS = 3600

/** The key of a request's record among the account's records. */
export function traceKeyOf(requestId: string): string {
  return `trace:${requestId}`
}
