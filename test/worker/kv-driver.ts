import { cases, type DriverEnv } from './kv-cases.ts'
import { see } from './kv-see.ts'

/**
 * A Worker that tries every call of a KV binding and says what came of each, as JSON. It runs on the native
 * binding and on ours; `test/contract/kv.test.ts` compares.
 */
export default {
  async fetch(request, env): Promise<Response> {
    const only = new URL(request.url).searchParams.get('only')
    const results: [string, unknown][] = []
    for (const [name, run] of Object.entries(cases)) {
      if (!only || name === only) results.push([name, await see(() => run(env.KV, env))])
    }
    return Response.json(results)
  },
} satisfies ExportedHandler<DriverEnv>
