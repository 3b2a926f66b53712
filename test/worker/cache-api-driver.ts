import { type AnyCache, cases } from './cache-api-cases.ts'

/**
 * A Worker that tries every call of the Cache API and says what came of each, as JSON. It runs on Miniflare's caches
 * and on ours; `test/contract/cache-api.test.ts` compares.
 */
export default {
  async fetch(request): Promise<Response> {
    const only = new URL(request.url).searchParams.get('only')
    const results: [string, unknown][] = []
    for (const [name, run] of Object.entries(cases)) {
      if (only && name !== only) continue
      const url = `http://cache.example/${encodeURIComponent(name)}`
      try {
        const outcome = await run(url, caches.default as unknown as AnyCache)
        results.push([name, JSON.parse(JSON.stringify(outcome ?? null).replaceAll(url, '<url>'))])
      } catch (error) {
        results.push([name, { failed: String(error) }])
      }
    }
    return Response.json(results)
  },
} satisfies ExportedHandler
