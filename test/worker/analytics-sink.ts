const written: unknown[] = []

/** Takes what the runtime's own binding writes, and shows it. */
export default {
  async fetch(request) {
    if (request.method === 'GET') return Response.json(written)
    written.push(await request.json())
    return new Response()
  },
} satisfies ExportedHandler
