import { Hono } from 'hono'
import { HOST_KINDS, type HostKind, type Limit } from '../../../src/core/limit.ts'
import { LIMIT_TABLE } from '../../../src/core/limits.ts'
import type { Api } from '../context.ts'

/**
 * `/api/v1/limits`, for anyone: every limit as it is here, who enforces it on each host, and `this_host`: who
 * does here. Where the operator can set it, `set_by` says how, with its `default`.
 */
export const limits = new Hono<Api>()

limits.get('/', c => {
  const host = HOST_KINDS.find(kind => kind === c.env.SKERRY_HOST_KIND) ?? 'dev'
  const variables = c.env as unknown as Variables
  const shown = Object.entries(LIMIT_TABLE).map(([name, limit]) => [name, toJson(limit, host, variables)])
  return c.json({ host, limits: Object.fromEntries(shown) })
})

type Variables = Readonly<Record<string, unknown>>

function toJson(limit: Limit, host: HostKind, variables: Variables) {
  const { enforcedBy, setBy, value, valueOn, ...described } = limit
  return {
    value: readSetting(limit, variables) ?? valueOn?.[host] ?? value,
    ...described,
    ...(valueOn && { value_on: valueOn }),
    this_host: enforcedBy[host],
    enforced_by: enforcedBy,
    ...(setBy && { set_by: { ...setBy, default: value } }),
  }
}

/** What the operator has set; a value out of bounds is none. */
function readSetting({ setBy }: Limit, variables: Variables): number | undefined {
  const text = setBy && variables[setBy.variable]
  if (!setBy || !text) return undefined
  const number = Number(text)
  return number >= setBy.min && number <= setBy.max ? number : undefined
}
