import { Exchange } from '../../routes/policies/exchange.ts'
import { POLICY_KINDS } from '../../routes/policies/kinds.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { runPolicies } from '../../routes/policies/run.ts'

const phases = new Map<string, Phase>()

/**
 * Answers through the policies in `x-policies`, a list of `[type, options]`: what the path says. Policies live as
 * long as the isolate.
 */
export default {
  async fetch(request: Request, _env: unknown, ctx: ExecutionContext): Promise<Response> {
    const wanted = JSON.parse(request.headers.get('x-policies') ?? '[]') as [string, object][]
    const services = {
      ...createLocalServices(),
      waitUntil: (promise: Promise<unknown>) => ctx.waitUntil(promise),
    }
    const exchange = new Exchange({ request, nowMs: Date.now(), services })
    const { pathname } = exchange.url
    return runPolicies(wanted.map(phaseOf), exchange, asked => answer(pathname, asked.takeRequest()))
  },
}

function phaseOf([type, options]: [string, object]): Phase {
  const key = JSON.stringify([type, options])
  let phase = phases.get(key)
  const kind = POLICY_KINDS.get(type)
  if (!kind) throw new Error(`There is no policy ${type}.`)
  if (!phase) {
    phase = createPhase(kind, options)
    phases.set(key, phase)
  }
  return phase
}

let failures = 0

async function answer(path: string, request: Request): Promise<Response> {
  const headers = { 'x-target': 'asked', etag: '"a"' }
  if (path === '/socket') return accept()
  if (path === '/unchanged') return new Response(null, { status: 304, headers })
  if (path === '/stream') return new Response(slowly(), { headers })
  // Every other time.
  if (path === '/fails' && ++failures % 2 === 1) return new Response('', { status: 503 })
  if (path === '/text') return new Response('skerry '.repeat(1000), { headers })
  const seen = [request.method, request.headers.get('content-length'), await request.text()]
  return new Response(JSON.stringify(seen), { headers })
}

function accept(): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  server.addEventListener('message', ({ data }) => server.send(`echo ${data}`))
  return new Response(null, { status: 101, webSocket: client })
}

/** Two pieces, the second of which comes only after the first was read. */
function slowly(): ReadableStream {
  let pieces = 0
  return new ReadableStream(
    {
      async pull(controller) {
        pieces++
        if (pieces === 2) await new Promise(resolve => setTimeout(resolve, 50))
        controller.enqueue(new TextEncoder().encode(`piece ${pieces};`))
        if (pieces === 2) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}
