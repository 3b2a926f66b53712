import type { Context } from 'hono'
import { describe } from '../../../bindings/fields.ts'
import type {
  InstanceCommand,
  InstanceQuery,
  InstanceStatus,
  NewInstance,
  RestartPoint,
} from '../../../bindings/workflow/types.ts'
import type { Api } from '../context.ts'
import { type Fields, invalidWorkflow, refuseOthers, toFields } from './workflows-fields.ts'

/** Which instances a query asks for. @throws ERR_WORKFLOW_INVALID */
export function parseQuery(c: Context<Api>, limit: number): InstanceQuery {
  const { status, date_start: from, date_end: until, cursor, direction: order } = c.req.query()
  if (status !== undefined && !isStatus(status)) {
    throw invalidWorkflow(`\`status\` is ${describe(status)}. It must be one of ${STATUSES.join(', ')}.`)
  }
  if (order !== undefined && order !== 'asc' && order !== 'desc') {
    throw invalidWorkflow(`\`direction\` is ${describe(order)}. It must be "asc" or "desc".`)
  }
  if (cursor !== undefined && !/^\d{1,15}$/.test(cursor)) {
    throw invalidWorkflow(`\`cursor\` is ${describe(cursor)}. Use the cursor of the page before, or none.`)
  }
  return {
    limit,
    ...(status !== undefined && { status }),
    ...(from !== undefined && { fromMs: parseDate(from, 'date_start') }),
    ...(until !== undefined && { untilMs: parseDate(until, 'date_end') }),
    ...(cursor !== undefined && { cursor }),
    ...(order !== undefined && { order }),
  }
}

/**
 * What an instance is to do, and for `restart` where it begins.
 *
 * @param field what the body calls the command
 * @throws ERR_WORKFLOW_INVALID
 */
export function parseCommand(body: Fields, field: string): { command: InstanceCommand; from?: RestartPoint } {
  refuseOthers(body, '', [field, 'from', 'rollback'])
  const command = COMMANDS.find(name => name === body[field])
  if (!command) {
    throw invalidWorkflow(
      `\`${field}\` is ${describe(body[field])}. It must be one of ${COMMANDS.join(', ')}.`,
    )
  }
  if (body.rollback) {
    throw invalidWorkflow('`rollback` is not supported: nothing that steps did is undone. Leave it out.')
  }
  if (body.from === undefined) return { command }
  if (command !== 'restart') throw invalidWorkflow(`\`from\` is for restart only, not for ${command}.`)
  return { command, from: parseRestartPoint(body.from) }
}

function parseRestartPoint(input: unknown): RestartPoint {
  const { name, count, type } = toFields(input, 'from', ['name', 'count', 'type'])
  if (typeof name !== 'string' || name === '') {
    throw invalidWorkflow(`\`from.name\` is ${describe(name)}. Name a step.`)
  }
  if (count !== undefined && !(typeof count === 'number' && Number.isSafeInteger(count) && count >= 1)) {
    throw invalidWorkflow(`\`from.count\` is ${describe(count)}. It must be an integer of at least 1.`)
  }
  const stepType = STEP_TYPES.find(known => known === type)
  if (type !== undefined && !stepType) {
    throw invalidWorkflow(`\`from.type\` is ${describe(type)}. It must be one of ${STEP_TYPES.join(', ')}.`)
  }
  return { name, ...(count !== undefined && { count }), ...(stepType && { type: stepType }) }
}

/**
 * A new instance, as a body asks for it; its values are the workflow's to check.
 *
 * @throws ERR_WORKFLOW_INVALID
 */
export function parseNewInstance(body: Fields): NewInstance {
  refuseOthers(body, '', ['instance_id', 'params', 'instance_retention'])
  const { instance_id: id, params, instance_retention: kept } = body
  if (kept === undefined) return { id, params }
  const names = ['success_retention', 'error_retention']
  const { success_retention: successRetention, error_retention: errorRetention } = toFields(
    kept,
    'instance_retention',
    names,
  )
  return { id, params, retention: { successRetention, errorRetention } }
}

function parseDate(text: string, name: string): number {
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw invalidWorkflow(`\`${name}\` is ${describe(text)}. It must be a date such as 2026-01-31T13:00:00Z.`)
}

function isStatus(text: string): text is InstanceStatus {
  return (STATUSES as readonly string[]).includes(text)
}

const COMMANDS = ['pause', 'resume', 'restart', 'terminate'] as const
const STEP_TYPES = ['do', 'sleep', 'waitForEvent'] as const
const STATUSES = [
  'queued',
  'running',
  'paused',
  'errored',
  'terminated',
  'complete',
  'waiting',
  'waitingForPause',
] as const satisfies readonly InstanceStatus[]
