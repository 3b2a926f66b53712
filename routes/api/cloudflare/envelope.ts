import type { Context } from 'hono'
import { ERRORS, type ErrorEntry, type SkerryError } from '../../../src/core/errors.ts'
import type { ExportsRemark } from '../../../src/core/object-changes.ts'
import { retryHeaders } from '../../../src/core/problem.ts'
import type { Api } from '../context.ts'

/** Paging of a list, in the form its callers expect. */
export type ResultInfo =
  | { page: number; per_page: number; count: number; total_count: number; cursor?: string }
  | { cursor: string; count: number }

/** What an answer says beside its result. */
export interface EnvelopeMessage {
  readonly code: number
  readonly message: string
}

/**
 * A successful answer in Cloudflare's envelope.
 *
 * @see https://developers.cloudflare.com/fundamentals/api/how-to/make-api-calls/
 */
export function respondResult(
  c: Context<Api>,
  result: unknown,
  info?: ResultInfo,
  messages: readonly EnvelopeMessage[] = [],
): Response {
  return c.json({ success: true, errors: [], messages, result, ...(info && { result_info: info }) })
}

/** A failure in Cloudflare's envelope: its numeric code, our stable one beside it. */
export function toEnvelope(error: SkerryError): Response {
  const { status, cloudflareCode }: ErrorEntry = ERRORS[error.code]
  const body = {
    success: false,
    errors: [{ code: cloudflareCode ?? 10013, ...describe(error), error_code: error.code }],
    messages: [],
    result: null,
  }
  // wrangler waits for as long as Retry-After says, and tries again.
  return Response.json(body, { status, headers: retryHeaders(error.code) })
}

/** Its words; for classes that aren't as declared, also those of each, from which wrangler makes a list. */
function describe(error: SkerryError): { message: string; meta?: { details: readonly ExportsRemark[] } } {
  if (error.code !== 'ERR_OBJECT_EXPORTS') return { message: error.detail }
  const details = JSON.parse(error.detail) as ExportsRemark[]
  const list = details.map(
    ({ scenario, message, suggestion }) => `[${scenario}] ${message} ${suggestion ?? ''}`,
  )
  return { message: `Durable Object exports reconciliation failed: ${list.join(' ')}`, meta: { details } }
}

/** The query's `page` (from 1) and `per_page` (default and at most `maxPerPage`). */
export function paginationOf(c: Context<Api>, maxPerPage: number): { page: number; perPage: number } {
  const page = positiveInteger(c.req.query('page')) ?? 1
  return { page, perPage: Math.min(positiveInteger(c.req.query('per_page')) ?? maxPerPage, maxPerPage) }
}

/** The page of `items` that the query asks for. */
export function paginate<T>(
  c: Context<Api>,
  items: readonly T[],
  maxPerPage = 100,
): { items: T[]; info: ResultInfo } {
  const { page, perPage } = paginationOf(c, maxPerPage)
  const slice = items.slice((page - 1) * perPage, page * perPage)
  return { items: slice, info: { page, per_page: perPage, count: slice.length, total_count: items.length } }
}

function positiveInteger(text: string | undefined): number | undefined {
  const value = Number(text)
  return text && Number.isInteger(value) && value > 0 ? value : undefined
}
