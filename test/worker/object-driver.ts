import { cases, type DriverEnv } from './object-cases.ts'
import { see } from './object-see.ts'

export { Plain, Quiet, Tried } from './object-classes.ts'

/**
 * A Worker that tries every call of Durable Objects and says what came of each, as JSON. It runs on native
 * objects and on ours; `test/contract/durable-object.test.ts` compares.
 */
export default {
  async fetch(request, env): Promise<Response> {
    const only = new URL(request.url).searchParams.get('only')
    const run = async ([name, run]: [string, (env: DriverEnv) => unknown]) => [
      name,
      await see(() => run(env)),
    ]
    return Response.json(
      await Promise.all(
        Object.entries(cases)
          .filter(([name]) => !only || name === only)
          .map(run),
      ),
    )
  },
} satisfies ExportedHandler<DriverEnv>
