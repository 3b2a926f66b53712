import { type Context, Hono } from 'hono'
import type {
  InstanceInfo,
  InstanceSummary,
  StepInfo,
  WorkflowInfo,
} from '../../../bindings/workflow/types.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import { invalidWorkflow, refuseOthers } from '../cloudflare/workflows-fields.ts'
import { parseCommand, parseQuery } from '../cloudflare/workflows-instances-input.ts'
import { ask, readInfo, readInfos, requireWorkflow } from '../cloudflare/workflows-scope.ts'
import { toJson, toTime } from '../cloudflare/workflows-show.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'

/**
 * Workflows and their instances; mounted at `/api/v1/accounts/:account/workflows`. `:workflow` is an id, or
 * a name.
 */
export const workflows = new Hono<Api>()

workflows.get('/', async c => {
  const { registry } = c.var.account
  const [all, binders] = await Promise.all([
    registry.listResources('workflow'),
    registry.listBinders('workflow'),
  ])
  const known = await readInfos(c, all)
  return c.json(known.map(({ workflow, info }) => toWorkflow(workflow, info, binders)))
})

workflows.get('/:workflow', async c => {
  const workflow = await requireWorkflow(c)
  const [info, binders] = await Promise.all([
    readInfo(c, workflow),
    c.var.account.registry.listBinders('workflow'),
  ])
  return c.json(toWorkflow(workflow, info, binders))
})

/** A page, newest first: `?status=`, `?limit=` (1 to 100, else 20), `?cursor=` of the page before. */
workflows.get('/:workflow/instances', async c => {
  const workflow = await requireWorkflow(c)
  const query = parseQuery(c, readLimit(c))
  const { instances, total, cursor } = await ask(c, workflow, object => object.list(query))
  return c.json({ instances: instances.map(toSummary), total, cursor: cursor ?? null })
})

workflows.get('/:workflow/instances/:id', async c => {
  const workflow = await requireWorkflow(c)
  return c.json(toInstance(await ask(c, workflow, object => object.describe(c.req.param('id')))))
})

/** `{"command": "pause"}`, or resume, restart or terminate. @returns the instance, in short */
workflows.post('/:workflow/instances/:id/command', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const id = c.req.param('id')
  const { command, from } = parseCommand(await readJsonObject(c), 'command')
  await ask(c, workflow, object => object.command(id, command, from))
  const { status } = await ask(c, workflow, object => object.status(id))
  return c.json({ id, status })
})

/** `{"type": …, "payload": …}` */
workflows.post('/:workflow/instances/:id/events', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const id = c.req.param('id')
  const body = await readJsonObject(c)
  refuseOthers(body, '', ['type', 'payload'])
  const event = { type: stringField(body, 'type'), payload: body.payload }
  await ask(c, workflow, object => object.sendEvent(id, event))
  return c.json({ id })
})

const DEFAULT_LIMIT = 20
const MAX_LIMIT = 100

function readLimit(c: Context<Api>): number {
  const text = c.req.query('limit') ?? String(DEFAULT_LIMIT)
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit
  throw invalidWorkflow(`\`limit\` is "${text.slice(0, 40)}". It must be an integer from 1 to ${MAX_LIMIT}.`)
}

function toWorkflow(
  { id, name, object, created_on }: ResourceRecord,
  {
    script,
    className,
    schedules,
    stepLimit,
    concurrency,
    retention,
    counts,
    modifiedMs,
    versions,
  }: WorkflowInfo,
  binders: readonly { readonly script: string; readonly object: string }[],
) {
  return {
    id,
    name,
    script,
    class_name: className,
    version_id: versions[0]?.id ?? null,
    schedules: schedules ?? [],
    step_limit: stepLimit ?? null,
    concurrency: concurrency ?? null,
    success_retention_ms: retention?.successMs ?? null,
    error_retention_ms: retention?.errorMs ?? null,
    binders: binders.filter(binder => binder.object === object).map(binder => binder.script),
    counts,
    created_on,
    modified_on: timestamp(modifiedMs),
  }
}

function toSummary(instance: InstanceSummary) {
  const { id, status, trigger, versionId, createdMs, modifiedMs, startedMs, endedMs } = instance
  return {
    id,
    status,
    trigger,
    version_id: versionId,
    created_on: timestamp(createdMs),
    modified_on: timestamp(modifiedMs),
    started_on: toTime(startedMs),
    ended_on: toTime(endedMs),
  }
}

function toInstance(instance: InstanceInfo) {
  const { params, output, error, held, steps } = instance
  return {
    ...toSummary(instance),
    params: toJson(params),
    output: toJson(output),
    error: error ?? null,
    held: held ? { error: held.error, until: timestamp(held.untilMs) } : null,
    steps: steps.map(toStep),
  }
}

function toStep(step: StepInfo) {
  const { type, name, count, startMs, endMs, dueMs, success, output, error, config, eventType } = step
  return {
    type,
    name,
    count,
    started_on: timestamp(startMs),
    ended_on: toTime(endMs),
    due_on: toTime(dueMs),
    success: success ?? null,
    output: toJson(output),
    error: error ?? null,
    ...(config !== undefined && { config }),
    ...(eventType !== undefined && { event_type: eventType }),
    ...(step.attempts && {
      attempts: step.attempts.map(attempt => ({
        started_on: timestamp(attempt.startMs),
        ended_on: toTime(attempt.endMs),
        error: attempt.error ?? null,
      })),
    }),
  }
}
