import { createUpstream, type UpstreamTarget } from '../../routes/gateway/upstream.ts'
import { Exchange } from '../../routes/policies/exchange.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import { limitBody } from '../../src/incoming.ts'

interface TestEnv {
  readonly UPSTREAM: Fetcher
  /** `options` and `settings` of the upstream, as JSON. */
  readonly SETUP: string
}

/** A gateway with one upstream. */
export default {
  async fetch(given, env): Promise<Response> {
    const request = limitBody(given)
    if (!request) return new Response('too large', { status: 413 })
    const services = {
      ...createLocalServices(),
      fetch: (input: Request | string, init?: RequestInit) => env.UPSTREAM.fetch(input, init),
    }
    upstream ??= make(env.SETUP)
    const exchange = new Exchange({ request, nowMs: Date.now(), services })
    if (given.headers.has('x-raw')) exchange.rawBody = 'wanted'
    return upstream(exchange)
  },
} satisfies ExportedHandler<TestEnv>

let upstream: UpstreamTarget | undefined

function make(setup: string): UpstreamTarget {
  const { options, settings } = JSON.parse(setup)
  return createUpstream(options, settings)
}
