import { DurableObject } from 'cloudflare:workers'
import { runCases } from './analytics-cases.ts'
import caches from './cache-api-driver.ts'
import d1 from './d1-driver.ts'
import kv from './kv-driver.ts'
import objects from './object-driver.ts'
import queue from './queue-driver.ts'
import r2 from './r2-driver.ts'
import workflow from './workflow-driver.ts'

export { Plain, Quiet, Tried } from './object-driver.ts'
export { Flow } from './workflow-driver.ts'

/** Keeps what the consumer of queues got, wherever it ran. */
export class Ledger extends DurableObject {
  add(key: string, lines: readonly unknown[]): void {
    this.ctx.storage.kv.put(key, [...this.read(key), ...lines])
  }
  read(key: string): unknown[] {
    return this.ctx.storage.kv.get<unknown[]>(key) ?? []
  }
  clear(key: string): void {
    this.ctx.storage.kv.delete(key)
  }
}

interface AnalyticsEnv {
  readonly ENGINE: Parameters<typeof runCases>[0]
  /** Where the runtime's own binding writes; it has none but there. */
  readonly SINK?: Fetcher
}

const analytics = {
  async fetch(request: Request, { ENGINE, SINK }: AnalyticsEnv): Promise<Response> {
    const isAsked = new URL(request.url).pathname.endsWith('/written')
    return isAsked && SINK ? SINK.fetch(request) : Response.json(runCases(ENGINE))
  },
}

const drivers = { analytics, caches, d1, kv, objects, queue, r2, workflow } as unknown as Readonly<
  Record<string, { fetch: (request: Request, env: unknown, ctx: ExecutionContext) => Promise<Response> }>
>

/**
 * All drivers as one Worker, bound to everything: `/<kind>` tries every call of that binding.
 * `test/e2e/contract.test.ts` deploys it to each host and compares.
 */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const [, kind = ''] = new URL(request.url).pathname.split('/')
    const driver = drivers[kind]
    if (!driver) return new Response(null, { status: 404 })
    const { readable, writable } = new IdentityTransformStream()
    ctx.waitUntil(answer(writable, () => driver.fetch(request, env, ctx)))
    return new Response(readable)
  },
  queue: queue.queue,
} satisfies ExportedHandler<Parameters<typeof queue.queue>[1]>

/**
 * Answers with the text of a response, or of what went wrong, which is no JSON. The answer begins at once, with a
 * blank line: all cases of a kind may take a busy machine longer than the gateway waits for an answer's beginning.
 */
async function answer(to: WritableStream<Uint8Array>, run: () => Promise<Response>): Promise<void> {
  const writer = to.getWriter()
  const encoder = new TextEncoder()
  await writer.write(encoder.encode('\n'))
  const text = await run()
    .then(response => response.text())
    .catch(String)
  await writer.write(encoder.encode(text))
  await writer.close()
}
