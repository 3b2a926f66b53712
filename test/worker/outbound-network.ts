/** Fetches through the restricted network without any check of ours, and answers with what it throws. */
export default {
  async fetch(request, env): Promise<Response> {
    const url = new URL(request.url).searchParams.get('url') ?? ''
    return env.INTERNET.fetch(url).catch((error: Error) => new Response(error.message))
  },
} satisfies ExportedHandler<{ INTERNET: Fetcher }>
