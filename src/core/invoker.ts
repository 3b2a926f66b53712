import type { EventResult } from './outcome.ts'

/** The function an event is for: its deployed version is chosen when the event runs. */
export interface InvocationTarget {
  readonly accountId: string
  readonly script: string
}

/** A cron tick. */
export interface ScheduledEvent {
  /** The expression as its owner wrote it. */
  readonly cron: string
  /** Milliseconds since the epoch, on a whole minute. */
  readonly scheduledTime: number
}

/**
 * Runs events in an edge. Crons and queues live in the state role, which never runs users' code: they know
 * only this interface. Implemented by `src/edge.ts`, reached through `roles.ts`.
 */
export interface Invoker {
  /** Runs a function's `scheduled()` and waits for it and its `waitUntil`. Rejects only when no edge could run it: then retry. */
  runScheduled(target: InvocationTarget, event: ScheduledEvent): Promise<EventResult>
}
