import type { QuotaRequest } from '../../src/core/permits.ts'
import type { Env } from '../../src/env.ts'
import worker from '../../src/worker.ts'

export * from '../../src/worker.ts'

/** The whole platform in one process, and a way to spend units of quotas. */
export default {
  async fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/-/spend') {
      return worker.fetch(request as Request<unknown, IncomingRequestCfProperties>, env, ctx)
    }
    const { accountId, ...spent } = await request.json<QuotaRequest & { accountId: string }>()
    return Response.json(await ctx.exports.State.spendQuota(accountId, spent))
  },
} satisfies ExportedHandler<Env>
