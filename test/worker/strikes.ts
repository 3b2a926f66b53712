import type { Env } from '../../src/env.ts'
import { recordStrike } from '../../src/registry/strike-report.ts'
import worker from '../../src/worker.ts'

export * from '../../src/worker.ts'

/** The whole platform in one process, and beside it what only the supervisor reaches. */
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    if (pathname === '/-/strikes') {
      try {
        return Response.json(await recordStrike(env, await request.json()))
      } catch (error) {
        return new Response(String(error), { status: 400 })
      }
    }
    if (pathname === '/-/changes') return Response.json(await ctx.exports.State.changesSince({}))
    if (pathname === '/-/scheduled') {
      const target = await request.json<{ accountId: string; script: string }>()
      const event = { cron: '* * * * *', scheduledTime: 0 }
      return Response.json(await ctx.exports.Edge.runScheduled(target, event))
    }
    return worker.fetch(request as Request<unknown, IncomingRequestCfProperties>, env, ctx)
  },
} satisfies ExportedHandler<Env>
