import type { BatchResult, InvocationTarget, Invoker } from '../../src/core/invoker.ts'
import type { QueueBatch } from '../../src/core/queue.ts'
import type { StateEnv } from '../../src/env.ts'
import { anyEdge } from '../../src/roles.ts'
import { QUEUE_LIMITS } from './limits.ts'

/**
 * Runs a batch in its Worker, on any edge. Never rejects: without an edge it was `skipped`; without an outcome
 * after 15 minutes, or when the edge is lost meanwhile, it has failed.
 *
 * @param batch makes the event, once there is an edge
 */
export async function runBatch(
  env: StateEnv,
  exports: Cloudflare.Exports,
  target: InvocationTarget,
  batch: () => QueueBatch,
): Promise<BatchResult> {
  let invoker: Invoker
  try {
    invoker = (await anyEdge(env, exports)) as unknown as Invoker
  } catch (error) {
    return { ...NO_VERDICT, outcome: 'unknown', skipped: true, error: String(error) }
  }
  const { promise: late, resolve } = Promise.withResolvers<BatchResult>()
  const timer = setTimeout(
    () => resolve(failed(`no outcome within ${QUEUE_LIMITS.runMs / 60_000} minutes`)),
    QUEUE_LIMITS.runMs,
  )
  try {
    return await Promise.race([invoker.runQueue(target, batch()), late])
  } catch (error) {
    // It may have run, in part or whole.
    return failed(String(error))
  } finally {
    clearTimeout(timer)
  }
}

const NO_VERDICT = { ackAll: false, retryBatch: { retry: false }, explicitAcks: [], retryMessages: [] }

function failed(error: string): BatchResult {
  return { ...NO_VERDICT, skipped: false, outcome: 'canceled', error }
}
