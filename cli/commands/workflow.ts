import type { Command, CommandInput } from '../command.ts'
import { ACCOUNT_OPTION, connectTo } from './script.ts'

interface WorkflowInfo {
  readonly id: string
  readonly name: string
  readonly script: string
  readonly class_name: string
  readonly schedules: readonly string[]
  readonly step_limit: number | null
  readonly binders: readonly string[]
  readonly counts: Readonly<Record<string, number>>
  readonly created_on: string
  readonly modified_on: string
}

interface Failure {
  readonly name: string
  readonly message: string
}

interface Summary {
  readonly id: string
  readonly status: string
  readonly trigger: string
  readonly version_id: string
  readonly created_on: string
  readonly started_on: string | null
  readonly ended_on: string | null
}

interface Instance extends Summary {
  readonly params: unknown
  readonly output: unknown
  readonly error: Failure | null
  readonly held: { readonly error: string; readonly until: string } | null
  readonly steps: readonly Step[]
}

interface Step {
  readonly type: string
  readonly name: string
  readonly count: number
  readonly started_on: string
  readonly ended_on: string | null
  readonly due_on: string | null
  readonly success: boolean | null
  readonly output: unknown
  readonly error: Failure | null
  readonly event_type?: string
  readonly attempts?: readonly { readonly error: Failure | null }[]
}

const list: Command = {
  name: 'workflow list',
  options: ACCOUNT_OPTION,
  summary: 'List the workflows and how many instances they have',
  async run(input) {
    const { client, base } = await connect(input)
    const workflows = (await client.skerry('GET', base)) as WorkflowInfo[]
    const rows = workflows.map(workflow => [
      workflow.name,
      workflow.script,
      workflow.class_name,
      describeCounts(workflow),
      workflow.schedules.join(', '),
      workflow.binders.join(', '),
    ])
    const headings = ['WORKFLOW', 'SCRIPT', 'CLASS', 'INSTANCES', 'SCHEDULES', 'BOUND BY']
    input.output.table(workflows, headings, rows, 'No workflows.')
  },
}

const show: Command = {
  name: 'workflow show',
  args: ['workflow'],
  options: ACCOUNT_OPTION,
  summary: 'Show what a workflow runs, and its instances by status',
  async run(input) {
    const { client, path } = await connect(input)
    const workflow = (await client.skerry('GET', path)) as WorkflowInfo
    const lines = [
      `${workflow.name} (${workflow.id})`,
      `runs        ${workflow.class_name} of ${workflow.script}`,
      `instances   ${describeCounts(workflow)}`,
      `schedules   ${workflow.schedules.join(', ') || 'none'}`,
      `bound by    ${workflow.binders.join(', ') || 'none'}`,
      ...(workflow.step_limit === null ? [] : [`steps       at most ${workflow.step_limit}`]),
      `created     ${workflow.created_on}, last deployed ${workflow.modified_on}`,
    ]
    input.output.result(workflow, lines)
  },
}

const instances: Command = {
  name: 'workflow instances',
  args: ['workflow'],
  options: {
    ...ACCOUNT_OPTION,
    status: { type: 'string', help: '<status> only those: queued, running, waiting, paused, errored, …' },
    limit: { type: 'string', help: '<count> how many, 1 to 100; default 20' },
    cursor: { type: 'string', help: '<cursor> of the page before' },
  },
  summary: "List a workflow's instances, newest first",
  async run(input) {
    const { client, path } = await connect(input)
    const { status, limit, cursor } = input.options
    const query = new URLSearchParams()
    for (const [name, value] of Object.entries({ status, limit, cursor })) {
      if (value !== undefined) query.set(name, String(value))
    }
    const page = (await client.skerry('GET', `${path}/instances?${query}`)) as {
      instances: readonly Summary[]
      total: number
      cursor: string | null
    }
    const rows = [
      ...page.instances.map(({ id, status: now, trigger, created_on, ended_on }) => [
        ...[id, now, trigger, created_on, ended_on ?? ''],
      ]),
      ...(page.cursor ? [[`… more: --cursor ${page.cursor}`, '', '', '', '']] : []),
    ]
    input.output.table(page, ['ID', 'STATUS', 'TRIGGER', 'CREATED', 'ENDED'], rows, 'No instances.')
  },
}

const instance: Command = {
  name: 'workflow instance',
  args: ['workflow', 'id'],
  options: ACCOUNT_OPTION,
  summary: 'Show an instance with its steps',
  async run(input) {
    const { client, path } = await connect(input)
    const id = encodeURIComponent(String(input.args.id))
    const found = (await client.skerry('GET', `${path}/instances/${id}`)) as Instance
    const lines = [
      `${found.id}: ${found.status}`,
      `made        ${found.created_on}, by ${found.trigger}`,
      ...(found.started_on ? [`started     ${found.started_on}`] : []),
      ...(found.ended_on ? [`ended       ${found.ended_on}`] : []),
      `params      ${shorten(found.params)}`,
      ...(found.output === null ? [] : [`output      ${shorten(found.output)}`]),
      ...(found.error ? [`error       ${describeFailure(found.error)}`] : []),
      ...(found.held ? [`held        until ${found.held.until}: ${found.held.error}`] : []),
      ...found.steps.map(describeStep),
    ]
    input.output.result(found, lines)
  },
}

const connect = (input: CommandInput) => connectTo('workflows', input.args.workflow, input)

function describeCounts({ counts }: WorkflowInfo): string {
  const parts = Object.entries(counts).map(([status, count]) => `${count} ${status}`)
  return parts.join(', ') || 'none'
}

function describeStep(step: Step): string {
  const outcome = step.success === null ? 'under way' : step.success ? 'done' : 'failed'
  const words = [
    `${step.name}-${step.count}`,
    step.event_type ? `${step.type} ${step.event_type}` : step.type,
    step.success === null && step.due_on ? `${outcome} until ${step.due_on}` : outcome,
    ...(step.attempts && step.attempts.length > 1 ? [`${step.attempts.length} attempts`] : []),
    ...(step.error ? [describeFailure(step.error)] : []),
    ...(step.success && step.output !== null ? [shorten(step.output)] : []),
  ]
  return `step        ${words.join(', ')}`
}

function describeFailure({ name, message }: Failure): string {
  return `${name}: ${message}`
}

function shorten(value: unknown): string {
  const line = (JSON.stringify(value) ?? 'null').replaceAll(/\s+/g, ' ')
  return line.length > 80 ? `${line.slice(0, 79)}…` : line
}

/** `skerry workflow …` */
export const workflowCommands: readonly Command[] = [list, show, instances, instance]
