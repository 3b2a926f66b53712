import { parseCron } from '../../../bindings/cron/expression.ts'
import { describe } from '../../../bindings/fields.ts'
import { toMs } from '../../../bindings/workflow/duration.ts'
import { WORKFLOW_LIMITS } from '../../../bindings/workflow/limits.ts'
import type { Retention, WorkflowSettings } from '../../../bindings/workflow/types.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import { type Fields, invalidWorkflow, isGiven, refuseOthers, toFields } from './workflows-fields.ts'

/**
 * What a workflow is to run and how, from the body that wrangler sends at a deploy. What isn't named gets
 * its default.
 *
 * @throws ERR_WORKFLOW_INVALID, ERR_CRON_INVALID, ERR_CRON_LIMIT
 */
export function parseSettings(body: Fields): WorkflowSettings {
  refuseOthers(body, '', FIELDS)
  if (isGiven(body.jurisdiction)) {
    throw invalidWorkflow(
      '`jurisdiction` is not supported: all is kept on the machines that the platform runs on. Remove it.',
    )
  }
  const { limits, concurrency, default_retention: retention } = body
  const stepLimit = readInteger(
    toFields(limits, 'limits', ['steps']),
    'limits.',
    'steps',
    WORKFLOW_LIMITS.maxSteps,
  )
  const runs = toFields(concurrency, 'concurrency', ['limit'])
  const limit = readInteger(runs, 'concurrency.', 'limit', Number.MAX_SAFE_INTEGER)
  return {
    script: readText(body, 'script_name', 'Name a Worker of the account.'),
    className: readText(body, 'class_name', 'Name a class that the Worker exports.'),
    ...(stepLimit !== undefined && { stepLimit }),
    ...(limit !== undefined && { concurrency: limit }),
    ...(isGiven(retention) && { retention: parseRetention(retention) }),
    ...(isGiven(body.schedules) && { schedules: parseSchedules(body.schedules) }),
  }
}

const FIELDS = [
  'script_name',
  'class_name',
  'limits',
  'concurrency',
  'schedules',
  'default_retention',
  'jurisdiction',
]

function parseSchedules(input: unknown): string[] {
  if (!Array.isArray(input))
    throw invalidWorkflow(`\`schedules\` is ${describe(input)}. It must be an array.`)
  const crons = input.map((item, index) => {
    const { cron } = toFields(item, `schedules[${index}]`, ['cron'])
    if (typeof cron === 'string') return parseCron(cron).text
    throw invalidWorkflow(`\`schedules[${index}].cron\` is ${describe(cron)}. It must be a cron expression.`)
  })
  const schedules = [...new Set(crons)]
  if (schedules.length <= LIMITS.cronsPerScript) return schedules
  throw new SkerryError(
    'ERR_CRON_LIMIT',
    `The workflow has ${schedules.length} schedules; at most ${LIMITS.cronsPerScript} are allowed.`,
  )
}

function parseRetention(input: unknown): Partial<Retention> {
  const fields = toFields(input, 'default_retention', ['success_retention', 'error_retention'])
  const successMs = readDuration(fields, 'success_retention')
  const errorMs = readDuration(fields, 'error_retention')
  return { ...(successMs !== undefined && { successMs }), ...(errorMs !== undefined && { errorMs }) }
}

function readDuration(fields: Fields, name: string): number | undefined {
  const value = fields[name]
  if (!isGiven(value)) return undefined
  const ms = toMs(value)
  if (ms !== undefined && ms > 0 && ms <= WORKFLOW_LIMITS.retentionMs) return ms
  throw invalidWorkflow(
    `\`default_retention.${name}\` is ${describe(value)}. It must be a number of milliseconds or a text such as "3 days", of at most ${WORKFLOW_LIMITS.retentionMs / DAY_MS} days.`,
  )
}

const DAY_MS = 86_400_000

function readText(fields: Fields, name: string, hint: string): string {
  const value = fields[name]
  if (typeof value === 'string' && value !== '' && value.length <= MAX_TEXT_CHARS) return value
  throw invalidWorkflow(`\`${name}\` is ${describe(value)}. ${hint}`)
}

const MAX_TEXT_CHARS = 255

function readInteger(fields: Fields, place: string, name: string, max: number): number | undefined {
  const value = fields[name]
  if (!isGiven(value)) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  const bound = max === Number.MAX_SAFE_INTEGER ? 'of at least 1' : `from 1 to ${max}`
  throw invalidWorkflow(`\`${place}${name}\` is ${describe(value)}. It must be an integer ${bound}.`)
}
