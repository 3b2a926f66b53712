import { cachePolicy } from '../../routes/policies/cache/index.ts'
import { compressPolicy } from '../../routes/policies/compress.ts'
import { Exchange } from '../../routes/policies/exchange.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { runPolicies } from '../../routes/policies/run.ts'

/** A reverse proxy that is nothing but the policy `cache`, in front of the server that ORIGIN names. */

interface Env {
  /** `http://127.0.0.1:8000` */
  readonly ORIGIN: string
  /** The policy's options, as JSON. */
  readonly OPTIONS: string
  /** Answers are compressed before they are stored. */
  readonly COMPRESS?: string
}

const local = createLocalServices()
let phases: ReturnType<typeof createPhase>[] | undefined

export default {
  fetch(request: Request, env: Env, ctx: ExecutionContext): Response | Promise<Response> {
    phases ??= [
      createPhase(cachePolicy, JSON.parse(env.OPTIONS)),
      ...(env.COMPRESS ? [createPhase(compressPolicy, {})] : []),
    ]
    const services = {
      ...local,
      cache: { ...local.cache, knowsRawBodies: true },
      waitUntil: (promise: Promise<unknown>) => ctx.waitUntil(promise),
    }
    const exchange = new Exchange({ request, nowMs: Date.now(), services, route: 'suite' })
    return runPolicies(phases, exchange, async asked => {
      const sent = asked.takeRequest()
      const { pathname, search } = new URL(sent.url)
      try {
        const response = await fetch(new Request(env.ORIGIN + pathname + search, sent), {
          ...(asked.rawBody && { encodeResponseBody: 'manual' as const }),
        })
        if (asked.rawBody && response.headers.has('content-encoding')) asked.rawBody = 'given'
        return response
      } catch (error) {
        return asked.refuse('ERR_EGRESS_FAILED', String(error))
      }
    })
  },
}
