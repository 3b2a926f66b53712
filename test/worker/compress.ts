import { compressPolicy } from '../../routes/policies/compress.ts'
import { Exchange } from '../../routes/policies/exchange.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { runPolicies } from '../../routes/policies/run.ts'

const phase = createPhase(compressPolicy, {})

/** Answers with a body of the type and length in the query, through the policy; `x-*` headers become the answer's. */
export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const headers = new Headers({ 'content-type': searchParams.get('type') ?? 'text/plain' })
    for (const [name, value] of request.headers) if (name.startsWith('x-')) headers.set(name.slice(2), value)
    const body = 'skerry '.repeat(Number(searchParams.get('words') ?? 1000))
    const sent = searchParams.has('stream') ? new Blob([body]).stream() : body
    const exchange = new Exchange({ request, nowMs: Date.now(), services: createLocalServices() })
    const status = Number(searchParams.get('status') ?? 200)
    return runPolicies([phase], exchange, () => new Response(sent, { status, headers }))
  },
}
