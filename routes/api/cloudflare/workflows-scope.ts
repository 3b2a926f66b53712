import type { Context } from 'hono'
import { describe } from '../../../bindings/fields.ts'
import { WORKFLOW_LIMITS } from '../../../bindings/workflow/limits.ts'
import { isWorkflowName } from '../../../bindings/workflow/names.ts'
import { workflowObject } from '../../../bindings/workflow/stub.ts'
import type { WorkflowCalls, WorkflowInfo, WorkflowSettings } from '../../../bindings/workflow/types.ts'
import { type ErrorCode, SkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { ExportRef } from '../../../src/core/manifest.ts'
import { scriptNotFound } from '../../../src/registry/failures.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { invalidWorkflow } from './workflows-fields.ts'

/** A workflow's object. Spelt out, because RPC's own types have no word for a value of any type. */
export type WorkflowObject = {
  [Name in keyof WorkflowCalls]: (
    ...args: Parameters<WorkflowCalls[Name]>
  ) => Promise<ReturnType<WorkflowCalls[Name]>>
}

/** The workflow of the path's `:workflow`, by name or id. @throws ERR_WORKFLOW_NOT_FOUND */
export async function requireWorkflow(c: Context<Api>): Promise<ResourceRecord> {
  const wanted = c.req.param('workflow') ?? ''
  const found = await c.var.account.registry.findResource('workflow', wanted)
  if (found) return found
  throw workflowNotFound(wanted)
}

/** Asks the object of a workflow; what it refuses is said in codes of ours. @throws ERR_WORKFLOW_* */
export async function ask<T>(
  c: Context<Api>,
  { object }: Pick<ResourceRecord, 'object'>,
  call: (workflow: WorkflowObject) => Promise<T>,
): Promise<T> {
  try {
    return await call(workflowObject(c.env, c.var.account.id, object) as unknown as WorkflowObject)
  } catch (error) {
    throw toRefusal(error)
  }
}

/**
 * What a workflow's object knows of it.
 *
 * @throws ERR_WORKFLOW_NOT_FOUND, also where a removal was not finished
 */
export async function readInfo(c: Context<Api>, workflow: ResourceRecord): Promise<WorkflowInfo> {
  const info = await ask(c, workflow, object => object.info())
  if (info) return info
  throw workflowNotFound(workflow.name)
}

/** The workflows whose objects know them, in the order given. */
export async function readInfos(
  c: Context<Api>,
  workflows: readonly ResourceRecord[],
): Promise<{ workflow: ResourceRecord; info: WorkflowInfo }[]> {
  const infos = await Promise.all(workflows.map(workflow => ask(c, workflow, object => object.info())))
  return workflows.flatMap((workflow, i) => {
    const info = infos[i]
    return info ? [{ workflow, info }] : []
  })
}

/**
 * Makes a workflow. Its object is set up first: a workflow that is there is whole. One whose name somebody
 * else takes meanwhile is taken back, as its schedules would go on.
 *
 * @throws ERR_WORKFLOW_INVALID, ERR_RESOURCE_TAKEN
 */
export async function createWorkflow(
  c: Context<Api>,
  name: string,
  settings: WorkflowSettings,
): Promise<ResourceRecord> {
  if (!isWorkflowName(name)) {
    throw invalidWorkflow(
      `The workflow's name is ${describe(name)}. Use at most ${WORKFLOW_LIMITS.nameChars} letters, digits, dashes and underscores, and no dash first.`,
    )
  }
  const workflow = {
    kind: 'workflow' as const,
    id: crypto.randomUUID(),
    name,
    object: createHexId(),
    created_on: timestamp(Date.now()),
  }
  await ask(c, workflow, object => object.configure(name, settings))
  try {
    return await c.var.account.registry.createResource(workflow)
  } catch (error) {
    await ask(c, workflow, object => object.remove())
    throw error
  }
}

/**
 * Refuses a class that isn't one of a workflow, in none of the script's versions that may run: the latest,
 * and those that are deployed.
 *
 * @throws ERR_SCRIPT_NOT_FOUND, ERR_WORKFLOW_CLASS_MISSING
 */
export async function requireClass(c: Context<Api>, script: string, className: string): Promise<void> {
  const { registry } = c.var.account
  const latest = await registry.latestVersion(script)
  if (!latest) throw scriptNotFound()
  if (exportsWorkflow(latest.manifest.exports, className)) return
  const [deployment] = await registry.listDeployments(script, 1)
  for (const { version_id: id } of deployment?.versions ?? []) {
    const version = await registry.getVersion(script, id)
    if (version && exportsWorkflow(version.manifest.exports, className)) return
  }
  throw new SkerryError(
    'ERR_WORKFLOW_CLASS_MISSING',
    `The Worker "${script}" exports no class "${className}" that extends WorkflowEntrypoint. Export it from the main module, and deploy the Worker.`,
  )
}

/** Whether a class of a workflow is among the exports. */
export function exportsWorkflow(exports: readonly ExportRef[], className: string): boolean {
  return exports.some(({ name, kind }) => name === className && kind === 'workflow')
}

function workflowNotFound(wanted: string): SkerryError {
  return new SkerryError('ERR_WORKFLOW_NOT_FOUND', `Workflow "${wanted}" does not exist.`)
}

/** An error of the object: by the code in its message, or by its name, which may be in the message too. */
function toRefusal(error: unknown): unknown {
  const { name, message } = error instanceof Error ? error : new Error()
  if (message === 'instance.not_found') {
    return new SkerryError('ERR_WORKFLOW_INSTANCE_NOT_FOUND', 'Instance does not exist.', { cause: error })
  }
  if (message.endsWith('instance.not_found')) {
    return new SkerryError('ERR_WORKFLOW_INSTANCE_NOT_FOUND', 'Instance does not exist', { cause: error })
  }
  const [, prefix, reason, words = ''] = REFUSAL.exec(message) ?? []
  const isRefusal = reason === undefined && (prefix !== undefined || name === 'WorkflowError')
  const code = isRefusal ? 'ERR_WORKFLOW_INVALID' : REFUSALS.get(reason ?? '')
  return code ? new SkerryError(code, words, { cause: error }) : error
}

const REFUSAL = /^(WorkflowError: )?(?:\(([a-z._]+)\) )?([\s\S]*)$/

/** By the codes that the object's messages begin with. */
const REFUSALS: ReadonlyMap<string, ErrorCode> = new Map([
  ['workflow.not_found', 'ERR_WORKFLOW_NOT_FOUND'],
  ['workflow.full', 'ERR_WORKFLOW_FULL'],
  ['body', 'ERR_WORKFLOW_INVALID'],
  ['instance.invalid_id', 'ERR_WORKFLOW_INVALID'],
  ['instance.invalid_event_type', 'ERR_WORKFLOW_INVALID'],
  ['instance.already_exists', 'ERR_WORKFLOW_INSTANCE_EXISTS'],
  ['instance.cannot_resume', 'ERR_WORKFLOW_INSTANCE_STATE'],
  ['instance.cannot_terminate', 'ERR_WORKFLOW_INSTANCE_STATE'],
  ['instance.cannot_restart', 'ERR_WORKFLOW_INSTANCE_STATE'],
])
