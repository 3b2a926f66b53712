import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding } from '../fields.ts'
import type { RateLimitProps } from './entrypoint.ts'

/** A rate limit: `limit({ key })` → `{ success }`. Bindings with the same `namespace_id` share counters. */
export const rateLimit: BindingKind<'ratelimit'> = {
  type: 'ratelimit',
  parse: (input, name) => {
    const { limit, period } = (input.simple ?? {}) as Record<string, unknown>
    if (typeof limit !== 'number' || !Number.isInteger(limit) || limit < 1) {
      throw invalidBinding(
        name,
        `\`simple.limit\` is ${describe(limit)}. It must be an integer of at least 1.`,
      )
    }
    if (period !== 10 && period !== 60) {
      throw invalidBinding(name, `\`simple.period\` is ${describe(period)}. It must be 10 or 60 (seconds).`)
    }
    return { type: 'ratelimit', name, namespace_id: namespaceOf(input, name), simple: { limit, period } }
  },
  bind: (spec, scope) => {
    const props: RateLimitProps = {
      scope: `${scope.accountId}:${spec.namespace_id}`,
      limit: spec.simple.limit,
      periodSeconds: spec.simple.period,
    }
    return scope.exports.RateLimitEntrypoint({ props })
  },
}

function namespaceOf(input: Readonly<Record<string, unknown>>, name: string): string {
  const { namespace_id: id } = input
  if (typeof id === 'number' && Number.isInteger(id)) return String(id)
  if (typeof id === 'string' && id !== '') return id
  throw invalidBinding(
    name,
    `\`namespace_id\` is ${describe(id)}. It must be a non-empty string, such as "1001".`,
  )
}
