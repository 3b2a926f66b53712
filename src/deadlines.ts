import { SkerryError } from './core/errors.ts'
import { LIMITS } from './core/limits.ts'

/** A call that must not be waited for longer than LIMITS.wallClockMs. */
export interface WatchedCall {
  /** The function's name, for the message. */
  readonly name: string
  readonly startedAtMs: number
  /** Called with ERR_FUNCTION_TIMEOUT when the call is late. */
  readonly reject: (error: SkerryError) => void
}

/**
 * Watches a call until `unwatch`. A late one is rejected within a quarter of a second.
 *
 * One timer watches all calls of the process: a timer for each would take 5 % of the throughput (measured). It
 * belongs to the request that happened to start it and outlives its answer by `waitUntil`; promises may be
 * rejected across requests. Calls come in the order of their deadlines, as the limit is the same for all.
 */
export function watch(call: WatchedCall, ctx: ExecutionContext): void {
  calls.add(call)
  // Where a host cuts `waitUntil` short, the next call notices and starts anew.
  if (call.startedAtMs - sweptAtMs < ABANDONED_MS) return
  sweptAtMs = call.startedAtMs
  ctx.waitUntil(sweep())
}

/** Ends the watch over a call: it is over. */
export function unwatch(call: WatchedCall): void {
  calls.delete(call)
}

const SWEEP_MS = 250
const ABANDONED_MS = 8 * SWEEP_MS

const calls = new Set<WatchedCall>()
let sweptAtMs = 0

async function sweep(): Promise<void> {
  while (calls.size > 0) {
    await scheduler.wait(SWEEP_MS)
    sweptAtMs = Date.now()
    for (const call of calls) {
      if (sweptAtMs - call.startedAtMs < LIMITS.wallClockMs) break
      calls.delete(call)
      call.reject(new SkerryError('ERR_FUNCTION_TIMEOUT', describeTimeout(call)))
    }
  }
  sweptAtMs = 0
}

function describeTimeout({ name }: WatchedCall): string {
  return `The function "${name}" did not answer within ${LIMITS.wallClockMs / 1000} seconds.`
}
