import { SkerryError, toSkerryError } from './core/errors.ts'
import { problemResponse } from './core/problem.ts'

/**
 * A failure as RFC 9457 problem JSON, with our stable `code` and the request's id; a 503 that may pass soon says
 * so in `Retry-After`, unless `headers` know better.
 *
 * @param requestId repeated in the `skerry-request-id` header
 */
export function respondProblem(
  error: SkerryError,
  requestId: string,
  headers: Record<string, string> = {},
): Response {
  return problemResponse(error.code, error.detail, requestId, headers)
}

/** Whatever was thrown, as one of our errors; what is not ours says nothing of its cause, which goes to the log. */
export function toKnownError(error: unknown, requestId: string): SkerryError {
  const known = toSkerryError(error)
  if (known) return known
  console.error(JSON.stringify({ level: 'error', request_id: requestId, error: describe(error) }))
  return new SkerryError('ERR_INTERNAL', 'The platform failed to handle the request.', { cause: error })
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error)
}
