import { toInstanceError } from '../bindings/workflow/failures.ts'
import type { RunLink, RunOutcome, WorkflowEvent } from '../src/core/invoker.ts'
import { isAway } from '../src/roles.ts'

/** Runs `run()` of a workflow's class in a function's isolate, to its end. */
export async function runWorkflow(
  worker: WorkerStub,
  className: string,
  { event, step }: Pick<RunLink, 'event' | 'step'>,
): Promise<RunOutcome> {
  try {
    const entrypoint = worker.getEntrypoint(className) as unknown as WorkflowClass
    return { outcome: 'complete', output: await entrypoint.run(event, step) }
  } catch (error) {
    // The isolate ended itself, or could not be made; or a version runs that hasn't the class, as after a rollback.
    if (isAway(error) || isClassMissing(error)) return { outcome: 'skipped', error: String(error) }
    return { outcome: 'errored', error: toInstanceError(error) }
  }
}

/** By workerd's words (2026-11-17). */
function isClassMissing(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Worker has no such entrypoint: ')
}

interface WorkflowClass {
  run(event: WorkflowEvent, step: unknown): Promise<unknown>
}
