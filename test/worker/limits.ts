import { Exchange } from '../../routes/policies/exchange.ts'
import { idempotencyPolicy } from '../../routes/policies/idempotency/index.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { quotaPolicy } from '../../routes/policies/quota.ts'
import { rateLimitPolicy } from '../../routes/policies/rate-limit/index.ts'
import { runPolicies } from '../../routes/policies/run.ts'
import type { Env } from '../../src/env.ts'
import { createServices } from '../../src/services.ts'

export { Edge } from '../../src/edge.ts'
export { Limiter } from '../../src/registry/limiter.ts'
export { Records } from '../../src/registry/records.ts'
export { State } from '../../src/state.ts'

const by = 'header:x-caller'
const PHASES = {
  '/rate': createPhase(rateLimitPolicy, { limit: 400, window: '1m', by }),
  '/quota': createPhase(quotaPolicy, { limit: 3000, by }),
  '/once': createPhase(idempotencyPolicy, { by: 'all' }),
}
let served = 0

/** One edge with the platform's services; the target asks the state role too, on behalf of its own request. */
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    const services = createServices('a', env, ctx, {
      apiKeys: { find: () => undefined },
      cache: {} as never,
    })
    const exchange = new Exchange({ request, nowMs: Date.now(), services })
    return runPolicies([PHASES[pathname as '/rate']], exchange, async asked => {
      await services.records.get('anything')
      served++
      return new Response(`${served} ${await asked.takeRequest().text()}`, { status: 201 })
    })
  },
} satisfies ExportedHandler<Env>
