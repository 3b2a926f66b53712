import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import {
  type ExplainRequest,
  type Explanation,
  TRACE_HEADER,
  type TraceRecord,
  traceKeyOf,
} from '../../../src/core/explain.ts'
import { canonicalAddress } from '../../../src/core/networks.ts'
import { accountRecords } from '../../../src/registry/stubs.ts'
import { signTraceToken } from '../../../src/registry/trace-tokens.ts'
import { anyEdge } from '../../../src/roles.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'

/** What would become of a request, and why. Mounted at `/accounts/:account`. */
export const explain = new Hono<Api>()

/** `{ method, url, headers?, client_ip? }`; nothing is called, spent or stored. */
explain.post('/explain', async c => {
  const request = toRequest(await readJsonObject(c))
  const edge = await anyEdge(c.env, c.executionCtx.exports as Cloudflare.Exports)
  return c.json(toJson(await edge.explain(c.var.account.id, request)))
})

/**
 * A token for the request header `skerry-trace`: `{ minutes? }`, 1 to 1440. Requests to the account's routes that
 * carry it are served as ever, and their records kept for an hour.
 */
explain.post('/traces', async c => {
  requireRole(c, 'admin')
  const { minutes = 60 } = await readJsonObject(c)
  if (typeof minutes !== 'number' || !Number.isInteger(minutes) || minutes < 1 || minutes > 1440) {
    throw new SkerryError(
      'ERR_API_BODY',
      `The field "minutes" must be a whole number from 1 to 1440, not ${JSON.stringify(minutes)}.`,
    )
  }
  const untilMs = Date.now() + minutes * 60_000
  const token = await signTraceToken(c.var.account.id, untilMs, c.env.MASTER_KEY)
  return c.json({ header: TRACE_HEADER, token, expires_on: new Date(untilMs).toISOString() }, 201)
})

/** The record of a request that carried such a token, by the `skerry-request-id` of its answer. */
explain.get('/traces/:request', async c => {
  const id = c.req.param('request')
  const text = await accountRecords(c.env, c.var.account.id).get(traceKeyOf(id))
  if (text === undefined) {
    throw new SkerryError(
      'ERR_API_NOT_FOUND',
      `There is no record of a request "${id}": they are kept for an hour.`,
    )
  }
  const { requestId, durationMs, ...record } = JSON.parse(text) as TraceRecord
  return c.json({ request_id: requestId, duration_ms: durationMs, ...toJson(record) })
})

function toRequest(body: Readonly<Record<string, unknown>>): ExplainRequest {
  const method = body.method === undefined ? 'GET' : stringField(body, 'method')
  const text = stringField(body, 'url')
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new SkerryError(
      'ERR_API_BODY',
      `The field "url" must be an absolute http: or https: URL, not "${text}".`,
    )
  }
  const headers = toHeaders(body.headers)
  if (body.client_ip === undefined) return check({ method, url: text, headers })
  const clientIp = canonicalAddress(stringField(body, 'client_ip'))
  if (clientIp !== undefined) return check({ method, url: text, headers, clientIp })
  throw new SkerryError(
    'ERR_API_BODY',
    `The field "client_ip" must be an IP address, not "${body.client_ip}".`,
  )
}

/** As the platform's own listener would take it. @throws ERR_API_BODY */
function check(request: ExplainRequest): ExplainRequest {
  try {
    new Request(request.url, {
      method: request.method,
      headers: request.headers.map(([name, value]) => [name, value]),
    })
    return request
  } catch (cause) {
    throw new SkerryError('ERR_API_BODY', `No such request can be made: ${(cause as Error).message}`, {
      cause,
    })
  }
}

/** A table of texts, or, for headers that are there several times, a list of pairs. */
function toHeaders(value: unknown): (readonly [string, string])[] {
  const entries: unknown[] = Array.isArray(value) ? value : Object.entries(value ?? {})
  return entries.map(entry => {
    if (Array.isArray(entry) && entry.length === 2 && entry.every(text => typeof text === 'string')) {
      return [String(entry[0]), String(entry[1])] as const
    }
    throw new SkerryError(
      'ERR_API_BODY',
      'The field "headers" must be a table of texts, or a list of pairs of texts.',
    )
  })
}

/** Values are JSON texts on our own way, and JSON here. */
function toJson({ clientIp, identity, policies, ...explanation }: Explanation) {
  return {
    ...explanation,
    client_ip: clientIp,
    ...(identity !== undefined && { identity: JSON.parse(identity) as unknown }),
    policies: policies.map(({ notes, ...policy }) => ({
      ...policy,
      notes: notes.map(({ finding, values }) => ({ finding, values: JSON.parse(values) as unknown })),
    })),
  }
}
