import { Hono } from 'hono'
import { HOST_KINDS, type HostKind, LIMIT_TABLE, type Limit } from '../../../src/core/limits.ts'
import type { Api } from '../context.ts'

/** `/api/v1/limits`: every limit, who enforces it where, and `this_host`: who does here. For anyone. */
export const limits = new Hono<Api>()

limits.get('/', c => {
  const host = HOST_KINDS.find(kind => kind === c.env.SKERRY_HOST_KIND) ?? 'dev'
  const shown = Object.entries(LIMIT_TABLE).map(([name, limit]) => [name, toJson(limit, host)])
  return c.json({ host, limits: Object.fromEntries(shown) })
})

function toJson({ enforcedBy, setBy, value, valueOn, ...limit }: Limit, host: HostKind) {
  return {
    value: valueOn?.[host] ?? value,
    ...limit,
    ...(valueOn && { value_on: valueOn }),
    this_host: enforcedBy[host],
    enforced_by: enforcedBy,
    ...(setBy && { set_by: setBy }),
  }
}
