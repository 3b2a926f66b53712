import { ERRORS, type ErrorCode } from './errors.ts'

/** Members that a problem has beside the fixed ones, such as `errors`; JSON. */
export type ProblemExtensions = Readonly<Record<string, unknown>> & {
  readonly [Name in keyof Problem]?: never
}

/** A failure as RFC 9457 has it, with our stable code. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly remedy: string
  readonly code: ErrorCode
  readonly request_id: string
}

/**
 * The body of an answer that says what failed: problem JSON of the table's words.
 *
 * @param detail what happened this time: the value, the bound, the way out
 * @param extensions members of its own, behind the fixed ones
 */
export function toProblem(
  code: ErrorCode,
  detail: string,
  requestId: string,
  extensions?: ProblemExtensions,
): Problem {
  const { status, remedy } = ERRORS[code]
  return {
    type: `urn:skerry:error:${code}`,
    title: titleOf(code),
    status,
    detail,
    remedy,
    code,
    request_id: requestId,
    ...extensions,
  }
}

/** What an answer with a failure says in its headers: a 503 that may pass soon, when to come back. */
export function retryHeaders(code: ErrorCode): Record<string, string> {
  const { status, retryable } = ERRORS[code]
  return retryable && status === 503 ? { 'retry-after': '1' } : {}
}

function titleOf(code: ErrorCode): string {
  const words = code.slice('ERR_'.length).toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/**
 * A failure as an answer, with the request's id in `skerry-request-id`; a 503 that may pass soon says so in
 * `Retry-After`, unless `headers` know better.
 */
export function problemResponse(
  code: ErrorCode,
  detail: string,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
  extensions?: ProblemExtensions,
): Response {
  const problem = toProblem(code, detail, requestId, extensions)
  return new Response(`${JSON.stringify(problem)}\n`, {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      'skerry-request-id': requestId,
      ...retryHeaders(code),
      ...headers,
    },
  })
}
