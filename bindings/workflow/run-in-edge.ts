import type { RunRequest } from '../../src/core/invoker.ts'
import type { StateEnv } from '../../src/env.ts'
import { anyEdge } from '../../src/roles.ts'

/**
 * Has any edge do a run, until it is over or the signal ends it. By a request, as its end is the end of whatever the
 * run does: a call by RPC would go on.
 *
 * @returns why it is over without an outcome, if it is, and nobody ended it
 */
export async function runInEdge(
  env: StateEnv,
  exports: Cloudflare.Exports,
  run: RunRequest,
  ended: AbortSignal,
): Promise<string | undefined> {
  try {
    const edge = await anyEdge(env, exports)
    const body = JSON.stringify(run)
    const answer = await edge.fetch('http://edge/workflow', { method: 'POST', body, signal: ended })
    return answer.ok ? undefined : `the edge answered ${answer.status}`
  } catch (error) {
    return ended.aborted ? undefined : String(error)
  }
}
