import { runCases } from './analytics-cases.ts'

interface NativeEnv {
  readonly ENGINE: { writeDataPoint(...args: readonly unknown[]): unknown }
  readonly SINK: Fetcher
}

/** Runs the cases on the runtime's own binding; `/written` is what it wrote. */
export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === '/written') return env.SINK.fetch(request)
    return Response.json(runCases(env.ENGINE))
  },
} satisfies ExportedHandler<NativeEnv>
