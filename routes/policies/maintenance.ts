import * as v from 'valibot'
import { NetworkSet } from '../../src/core/networks.ts'
import { durationSecondsBetween } from './duration.ts'
import { networkList } from './networks-option.ts'
import { definePolicy, type Phase } from './policy.ts'

const options = v.strictObject({
  enabled: v.pipe(v.optional(v.boolean(), true), v.description('`false` lets everybody through.')),
  message: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(2000)), 'This service is being worked on; try again later.'),
    v.description('What callers read.'),
  ),
  html: v.pipe(
    v.optional(v.pipe(v.string(), v.maxLength(65_536))),
    v.description('A page for browsers, in place of problem JSON.'),
  ),
  retry_after: v.pipe(
    v.optional(durationSecondsBetween(1, 604_800), 300),
    v.description('When to come back: `Retry-After`.'),
  ),
  allow: v.pipe(
    v.optional(networkList, []),
    v.description('Addresses and networks that get through, to look at the work.'),
  ),
})

type MaintenanceOptions = v.InferOutput<typeof options>

/** Answers 503 for the time that a service is being worked on. */
export const maintenancePolicy = definePolicy({
  type: 'maintenance',
  summary: 'Answers 503 while a service is being worked on.',
  options,
  create: options => toPhase(options),
})

function toPhase({ enabled, message, html, retry_after, allow }: MaintenanceOptions): Phase {
  if (!enabled) return {}
  const allowed = new NetworkSet(allow)
  const retryAfter = String(Math.ceil(retry_after))
  return {
    request(exchange) {
      if (!allowed.isEmpty && allowed.has(exchange.clientIp)) {
        exchange.trace?.note('The address may pass during maintenance.', { ip: exchange.clientIp })
        return undefined
      }
      exchange.trace?.note('The service is in maintenance.')
      const wantsPage = exchange.request.headers.get('accept')?.includes('text/html')
      if (html === undefined || !wantsPage) {
        return exchange.refuse('ERR_MAINTENANCE', message, { 'retry-after': retryAfter })
      }
      return new Response(html, {
        status: 503,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'retry-after': retryAfter,
          'cache-control': 'no-store',
          'skerry-request-id': exchange.requestId,
        },
      })
    },
  }
}
