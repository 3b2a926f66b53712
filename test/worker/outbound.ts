import { WorkerEntrypoint } from 'cloudflare:workers'
import { Outbound as OutboundEntrypoint, setInternalDispatch } from '../../runtime/outbound.ts'
import type { EdgeEnv } from '../../src/env.ts'

export { OutboundEntrypoint as Outbound }

interface TestEnv extends EdgeEnv {
  readonly NETWORK: Fetcher
}

/** An internet with one site of our own; everything else goes to the real, restricted network. */
export class FakeInternet extends WorkerEntrypoint<TestEnv> {
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.hostname !== 'site.example') return this.env.NETWORK.fetch(request)
    if (url.pathname === '/redirect') return Response.redirect(url.searchParams.get('to') ?? '', 302)
    if (url.pathname === '/socket') return echoSocket()
    return Response.json({
      method: request.method,
      headers: [...request.headers],
      body: await request.text(),
    })
  }
}

setInternalDispatch(request =>
  new URL(request.url).hostname === 'other.localhost'
    ? Promise.resolve(Response.json({ internal: request.url, cf: request.cf ?? null }))
    : undefined,
)

/** Runs the posted function; `/socket` is a WebSocket that echoes. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    if (new URL(request.url).pathname === '/socket') return echoSocket()
    const code = await request.text()
    const exports = ctx.exports as unknown as {
      Outbound(options: { props: { accountId: string; script: string } }): Fetcher
    }
    const worker = env.LOADER.get(code, () => ({
      compatibilityDate: '2026-11-01',
      mainModule: 'main.js',
      modules: { 'main.js': functionOf(code) },
      globalOutbound: exports.Outbound({ props: { accountId: 'account', script: 'script' } }),
    }))
    return worker.getEntrypoint().fetch('http://function.localhost/')
  },
} satisfies ExportedHandler<TestEnv>

/** A function that answers with what `code` returns, or with what it throws. */
function functionOf(code: string): string {
  return `import { connect } from 'cloudflare:sockets'
    const run = async () => { ${code} }
    export default { fetch: () => run().then(
      value => Response.json({ value }),
      error => Response.json({ error: { name: error.name, message: error.message, retryable: error.retryable } })) }`
}

function echoSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair()
  server.accept()
  server.addEventListener('message', ({ data }) => server.send(`echo ${data}`))
  return new Response(null, { status: 101, webSocket: client })
}
