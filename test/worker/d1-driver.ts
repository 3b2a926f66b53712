import { cases, type Db } from './d1-cases.ts'
import { see } from './kv-see.ts'

/**
 * A Worker that tries every call of a D1 binding and says what came of each, as JSON. It runs on the native
 * binding, on Miniflare's and on ours; `test/contract/d1.test.ts` compares.
 */
export default {
  async fetch(request, env): Promise<Response> {
    const only = new URL(request.url).searchParams.get('only')
    const results: [string, unknown][] = []
    for (const [name, run] of Object.entries(cases)) {
      if (!only || name === only) results.push([name, await see(() => run(env.DB))])
    }
    return Response.json(results)
  },
} satisfies ExportedHandler<{ DB: Db }>
