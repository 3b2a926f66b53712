import type { EventResult } from '../../src/core/outcome.ts'
import { type Cron, nextRun } from './expression.ts'

/** What a cron does and when: no I/O and no clock, so that tables can test it. `README.md` says why. */

const MINUTE_MS = 60_000

/** Bounds of the schedule, in milliseconds unless the name says otherwise. Enforced by `object.ts`. */
export const CRON_LIMITS = {
  /** How long after its minute a tick is still worth running, when the platform or every edge was down. */
  catchUpMs: 60 * MINUTE_MS,
  /** A run without an outcome after this time counts as ended. Cloudflare's limit for a cron invocation. */
  runMs: 15 * MINUTE_MS,
  /** Retries of a handler that failed, at most. */
  handlerRetries: 2,
  /** The pause before the first retry of a handler; doubles each time. */
  handlerBackoffMs: 2000,
  /** The same where no edge could run it: an edge that is being restarted is back in a tenth of a second. */
  platformBackoffMs: 250,
  maxBackoffMs: 5 * MINUTE_MS,
  /** While runs are under way the object wakes this often: after a crash, they start again that soon. */
  heartbeatMs: 5000,
  /** Runs started at once; the next one starts when one of them ends or is `startSlotMs` old. */
  startsAtOnce: 50,
  startSlotMs: 20,
} as const

/** What is owed for a schedule that came due. */
export interface Due {
  /** The tick to run now: the latest due one, unless it is too old. */
  readonly run?: number
  /** Ticks that are not run: from `since` (inclusive) to `until` (exclusive). */
  readonly skipped?: { readonly since: number; readonly until: number }
  /** The next tick, later than now. */
  readonly nextAt: number | null
}

/**
 * What a schedule owes whose next tick was to be at `nextAt`, now that it is `now`.
 *
 * Of the ticks that fell due the latest runs, once, if it is at most `catchUpMs` old; earlier ones are skipped.
 * `undefined` when nothing is due.
 */
export function planDue(cron: Cron, nextAt: number, now: number): Due | undefined {
  if (nextAt > now) return undefined
  // Older ticks are skipped anyway, so a year of downtime costs no more than an hour of it.
  const oldest = Math.max(nextAt, now - CRON_LIMITS.catchUpMs)
  let run: number | undefined
  let next = nextRun(cron, oldest - 1)
  while (next !== null && next <= now) {
    run = next
    next = nextRun(cron, next)
  }
  if (run === nextAt) return { run, nextAt: next }
  return { ...(run !== undefined && { run }), skipped: { since: nextAt, until: run ?? now }, nextAt: next }
}

/**
 * The next tick of a schedule, when the clock may have been set back since it was planned.
 *
 * A planned tick is kept, so that no minute fires twice, unless it lies more than `catchUpMs` behind the first
 * tick after now: only a clock that had run far ahead can have planned that.
 */
export function planAfterRestart(cron: Cron, nextAt: number, now: number): number {
  const first = nextRun(cron, now)
  return first !== null && nextAt - first > CRON_LIMITS.catchUpMs ? first : nextAt
}

/** An attempt that ended. */
export interface Attempt {
  readonly scheduledTime: number
  /** The tick that follows it. */
  readonly nextTick: number | null
  /** Earlier attempts in which the function failed. */
  readonly failures: number
  /** Earlier attempts that no edge could run. */
  readonly lost: number
  /** `lost`: the invoker rejected, so that the function may not have run at all. */
  readonly result: EventResult | 'lost'
}

/** What becomes of a run after an attempt. */
export type NextStep =
  | { readonly step: 'done' }
  /** Another attempt, not before `at`. */
  | { readonly step: 'retry'; readonly at: number }
  /** The script is gone: its schedule goes too. */
  | { readonly step: 'forget' }

/**
 * Decides whether a run is tried again. No retry starts at or after the cron's next tick, which replaces it.
 *
 * The function failed: at most `handlerRetries` times, never after `controller.noRetry()`; a function over its
 * CPU or memory limit would be again. The platform failed: until the tick is `catchUpMs` old.
 */
export function planAfter(attempt: Attempt, now: number): NextStep {
  const { result, failures, lost, scheduledTime } = attempt
  if (result !== 'lost') {
    switch (result.outcome) {
      case 'ok':
      case 'exceededCpu':
      case 'exceededMemory':
        return { step: 'done' }
      case 'scriptNotFound':
        return { step: 'forget' }
      case 'exception':
      case 'canceled':
      case 'unknown':
        if (result.noRetry || failures >= CRON_LIMITS.handlerRetries) return { step: 'done' }
        return retryAt(now + backoffMs(CRON_LIMITS.handlerBackoffMs, failures), attempt.nextTick)
      case 'loadShed':
    }
  }
  const lastAt = scheduledTime + CRON_LIMITS.catchUpMs + 1
  return retryAt(
    now + backoffMs(CRON_LIMITS.platformBackoffMs, lost),
    Math.min(attempt.nextTick ?? lastAt, lastAt),
  )
}

/** `before`: the retry must start earlier than this, or it doesn't. */
function retryAt(at: number, before: number | null): NextStep {
  return before !== null && at >= before ? { step: 'done' } : { step: 'retry', at }
}

function backoffMs(first: number, earlier: number): number {
  // 2 ** 30 × first is far over the maximum and still an exact number.
  return Math.min(first * 2 ** Math.min(earlier, 30), CRON_LIMITS.maxBackoffMs)
}

/** When the object wakes next: the earliest tick or retry, or the heartbeat while runs are under way. */
export function planWake(
  firstTick: number | null,
  firstRetry: number | null,
  underWay: number,
  now: number,
): number | undefined {
  const heartbeat = underWay > 0 ? now + CRON_LIMITS.heartbeatMs : Infinity
  const wake = Math.min(firstTick ?? Infinity, firstRetry ?? Infinity, heartbeat)
  return wake === Infinity ? undefined : wake
}
