import type { Place } from './core/admission.ts'
import { SkerryError } from './core/errors.ts'
import { LIMITS } from './core/limits.ts'

/** A call that must not be waited for longer than LIMITS.wallClockMs. */
export interface WatchedCall {
  /** The function's name, for the message. */
  readonly name: string
  readonly startedAtMs: number
  /** Fails with ERR_FUNCTION_TIMEOUT when the call is late. */
  readonly place: Place
}

/**
 * Watches a call until its place is given back. A late one fails within a quarter of a second.
 *
 * One timer watches all calls of the process: a timer for each would take 5 % of the throughput (measured). It
 * belongs to the request that happened to start it and outlives its answer by `waitUntil`; promises may be
 * rejected across requests.
 */
export function watch(call: WatchedCall, ctx: ExecutionContext): void {
  calls.push(call)
  // Where a host cuts `waitUntil` short, the next call notices and starts anew.
  if (call.startedAtMs - sweptAtMs < ABANDONED_MS) return
  sweptAtMs = call.startedAtMs
  ctx.waitUntil(sweep())
}

const SWEEP_MS = 250
const ABANDONED_MS = 8 * SWEEP_MS

// An array: to put a call into a Set and take it out again costs 1.5 % more.
let calls: WatchedCall[] = []
let sweptAtMs = 0

async function sweep(): Promise<void> {
  while (calls.length > 0) {
    await scheduler.wait(SWEEP_MS)
    sweptAtMs = Date.now()
    const lateMs = sweptAtMs - LIMITS.wallClockMs
    const late = calls.filter(call => !call.place.isOver && call.startedAtMs <= lateMs)
    calls = calls.filter(call => !call.place.isOver && call.startedAtMs > lateMs)
    for (const call of late) {
      call.place.fail(new SkerryError('ERR_FUNCTION_TIMEOUT', describeTimeout(call)))
    }
  }
  sweptAtMs = 0
}

function describeTimeout({ name }: WatchedCall): string {
  return `The function "${name}" did not answer within ${LIMITS.wallClockMs / 1000} seconds.`
}
