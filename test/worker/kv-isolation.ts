/** A function that does with its KV binding what a request says, so that two of them can be played against each other. */
export default {
  async fetch(request, env): Promise<Response> {
    const { method, args } = (await request.json()) as {
      method: 'get' | 'put' | 'delete' | 'list'
      args: unknown[]
    }
    try {
      const call = env.KV[method] as (...args: unknown[]) => Promise<unknown>
      const result = await call(
        ...args.map(arg => (arg === '<endless stream>' ? createEndlessStream() : arg)),
      )
      return Response.json({ ok: result instanceof Map ? [...result] : (result ?? null) })
    } catch (error) {
      return Response.json({ error: (error as Error).message })
    }
  },
} satisfies ExportedHandler<{ KV: KVNamespace }>

function createEndlessStream(): ReadableStream {
  return new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(1024 * 1024)) })
}
