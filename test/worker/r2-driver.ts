import { type R2, r2Cases } from './r2-cases.ts'
import { seeR2 } from './r2-see.ts'

/**
 * A Worker that tries every call of an R2 binding and says what came of each, as JSON. It runs on the native
 * binding and on ours; `test/contract/r2.test.ts` compares.
 */
export default {
  async fetch(request, env): Promise<Response> {
    const only = new URL(request.url).searchParams.get('only')
    const results: [string, unknown][] = []
    for (const [index, [name, run]] of Object.entries(r2Cases).entries()) {
      if (only && !name.includes(only)) continue
      const prefix = `case${index}-`
      results.push([name, await seeR2(() => run(env.R2, (key = 'key') => prefix + key))])
    }
    return Response.json(results)
  },
} satisfies ExportedHandler<{ readonly R2: R2 }>
