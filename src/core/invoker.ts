import type { EventResult } from './outcome.ts'
import type { BatchVerdict, QueueBatch } from './queue.ts'

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

/** How a batch ended: `explicitAcks` and `retryMessages` count also when the handler threw. */
export interface BatchResult extends BatchVerdict {
  readonly outcome: EventResult['outcome']
  /** The function was not called: the attempt doesn't count, and the batch is tried again. */
  readonly skipped?: boolean
  readonly error?: string
}

/**
 * Runs events in an edge. Crons and queues live in the state role, which never runs users' code: they know
 * only this interface. Implemented by `src/edge.ts`, reached through `roles.ts`.
 */
export interface Invoker {
  /** Runs a function's `scheduled()` and waits for it and its `waitUntil`. Rejects only when no edge could run it: then retry. */
  runScheduled(target: InvocationTarget, event: ScheduledEvent): Promise<EventResult>
  /** Runs a function's `queue()` on a batch, likewise. The verdict counts whatever the outcome. */
  runQueue(target: InvocationTarget, batch: QueueBatch): Promise<BatchResult>
}
