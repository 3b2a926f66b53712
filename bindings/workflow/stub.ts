import type { StateEnv } from '../../src/env.ts'
import type { Workflow } from './object.ts'
import type { WorkflowCalls } from './types.ts'

/** A workflow, by the id of its object. */
export function workflowObject(
  env: StateEnv,
  accountId: string,
  object: string,
): DurableObjectStub<Workflow> {
  return env.WORKFLOW.get(env.WORKFLOW.idFromName(`${accountId}/${object}`))
}

/** A call of a workflow's object, as it goes from process to process. */
export interface WorkflowCall {
  readonly method: keyof WorkflowCalls
  readonly args: readonly unknown[]
}

/** Those that functions make by their binding. */
const METHODS: ReadonlySet<keyof WorkflowCalls> = new Set([
  'create',
  'createBatch',
  'find',
  'status',
  'command',
  'sendEvent',
  'deleteInstances',
])

/** Carries out a call that came from a function. */
export async function callWorkflow(
  env: StateEnv,
  accountId: string,
  object: string,
  { method, args }: WorkflowCall,
): Promise<unknown> {
  if (!METHODS.has(method)) throw new TypeError(`a workflow has no call "${method}"`)
  const calls = workflowObject(env, accountId, object) as unknown as Record<string, Call>
  return calls[method]?.(...args)
}

type Call = (...args: readonly unknown[]) => Promise<unknown>
