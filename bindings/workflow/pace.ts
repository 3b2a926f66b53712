import { WORKFLOW_LIMITS } from './limits.ts'

/**
 * When an account's next step may begin, in milliseconds from now, and takes that place. The beginning of a run takes
 * as much as three steps.
 *
 * Steps are cheap for who takes them and dear for the process that keeps them, which has others to serve: deploys,
 * for one. What comes faster waits.
 */
export function takeTurn(accountId: string, what: 'step' | 'run', nowMs: number): number {
  const free = Math.max(nextFreeMs.get(accountId) ?? 0, nowMs - BURST_STEPS * TURN_MS)
  nextFreeMs.set(accountId, free + TURN_MS * (what === 'run' ? 3 : 1))
  return Math.max(0, free - nowMs)
}

/** By account; of this process, that is of all workflows. */
const nextFreeMs = new Map<string, number>()

const TURN_MS = 1000 / WORKFLOW_LIMITS.stepsPerSecond
/** So many begin at once after a rest. */
const BURST_STEPS = 50
