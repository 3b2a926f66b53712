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

/** What `run()` of a workflow gets. */
export interface WorkflowEvent {
  readonly payload: unknown
  /** When the instance was made. */
  readonly timestamp: Date
  readonly instanceId: string
  readonly workflowName: string
  /** What made it, if a schedule did. */
  readonly schedule?: { readonly cron: string; readonly scheduledTime: number }
}

/** How a run of a workflow ended. */
export type RunOutcome =
  | { readonly outcome: 'complete'; readonly output: unknown }
  | { readonly outcome: 'errored'; readonly error: { readonly name: string; readonly message: string } }
  /** It was not run, or not to its end, for no fault of its code: it is run again. */
  | { readonly outcome: 'skipped'; readonly error: string }

/** Which run an edge is to do, as the body of a request: ending the request ends the run, whatever it is doing. */
export interface RunRequest extends InvocationTarget {
  readonly className: string
  /** Of the instance: it chooses the version. */
  readonly instanceId: string
  /** The id of the workflow's object, and what it calls the run: by these the edge asks for its `RunLink`. */
  readonly object: string
  readonly token: string
}

/** What ties a run to its instance. */
export interface RunLink {
  readonly event: WorkflowEvent
  /** Its engine, which the code calls back. */
  readonly step: unknown
  /** Takes the outcome in; on disk when it resolves. */
  finish(outcome: RunOutcome): Promise<void>
}

/**
 * Runs events in an edge. Crons, queues and workflows live in the state role, which never runs users' code: they know
 * only this interface. Implemented by `src/edge.ts`, reached through `roles.ts`.
 */
export interface Invoker {
  /** Runs a function's `scheduled()` and waits for it and its `waitUntil`. Rejects only when no edge could run it: then retry. */
  runScheduled(target: InvocationTarget, event: ScheduledEvent): Promise<EventResult>
  /** Runs a function's `queue()` on a batch, likewise. The verdict counts whatever the outcome. */
  runQueue(target: InvocationTarget, batch: QueueBatch): Promise<BatchResult>
  /** Does the run that the request's body names, a `RunRequest`, for as long as the request lasts. */
  fetch(request: Request): Promise<Response>
}
