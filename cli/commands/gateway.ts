import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Failure } from '../../host/failure.ts'
import { type Answer, type Client, createClient, findAccount } from '../client.ts'
import type { Command, CommandInput, OptionSpec } from '../command.ts'
import { DEFAULT_FILE, formatOf, type LocalFile, readGatewayFile } from '../gateway-file.ts'
import {
  countChanges,
  describeChanges,
  describeIssues,
  type ShownChange,
  type ShownIssue,
} from '../gateway-output.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

/** What the platform says of a file that it takes. */
interface Applied {
  readonly revision: number
  readonly applied: boolean
  readonly changes: readonly ShownChange[]
  readonly warnings: readonly ShownIssue[]
}

interface Revision {
  readonly revision: number
  readonly format: string
  readonly author: string
  readonly message: string
  readonly created_on: string
}

const MESSAGE: Readonly<Record<string, OptionSpec>> = {
  message: { type: 'string', help: '<text>  why, for the history', short: 'm' },
}

const check: Command = {
  name: 'gateway check',
  args: ['file?'],
  options: ACCOUNT_OPTION,
  summary: 'Say what is wrong with a gateway file, and where',
  async run(input) {
    const file = readGatewayFile(input.cwd, input.args.file)
    const answer = await put(await findGateway(input), file, '?dry_run=1')
    const applied = report(input, file, answer)
    if (!applied) return 1
    input.output.result(applied, [...warningsOf(input, file, applied), `${file.name} is right.`])
    return 0
  },
}

const diff: Command = {
  name: 'gateway diff',
  args: ['file?'],
  options: ACCOUNT_OPTION,
  summary: 'Show what applying a gateway file would change',
  async run(input) {
    const file = readGatewayFile(input.cwd, input.args.file)
    const answer = await put(await findGateway(input), file, '?dry_run=1')
    const applied = report(input, file, answer)
    if (!applied) return 1
    const { changes } = applied
    input.output.result(applied, [
      ...warningsOf(input, file, applied),
      ...describeChanges(changes, input.output),
      countChanges(changes),
    ])
    return 0
  },
}

const apply: Command = {
  name: 'gateway apply',
  args: ['file?'],
  options: {
    ...MESSAGE,
    revision: {
      type: 'string',
      help: '<number>  the revision the file was made from; default: what is in force',
    },
    force: { type: 'boolean', help: 'replace whatever is in force, whoever applied it meanwhile' },
    ...ACCOUNT_OPTION,
  },
  summary: 'Put a gateway file in force: all of it, or nothing if anything is wrong',
  async run(input) {
    const { options, output } = input
    const file = readGatewayFile(input.cwd, input.args.file)
    const gateway = await findGateway(input)
    const expected = options.force
      ? '*'
      : `"${toRevision(options.revision) ?? (await currentRevision(gateway))}"`
    const query =
      options.message === undefined ? '' : `?message=${encodeURIComponent(String(options.message))}`
    const applied = report(input, file, await put(gateway, file, query, { 'if-match': expected }))
    if (!applied) return 1
    output.result(applied, [
      ...warningsOf(input, file, applied),
      ...describeChanges(applied.changes, output),
      applied.applied
        ? `Applied as revision ${applied.revision}.`
        : `Nothing to apply: revision ${applied.revision} is the same.`,
    ])
    return 0
  },
}

const pull: Command = {
  name: 'gateway pull',
  args: ['file?'],
  options: {
    revision: { type: 'string', help: '<number>  an earlier one in place of what is in force' },
    force: { type: 'boolean', help: 'overwrite a file that is different' },
    ...ACCOUNT_OPTION,
  },
  summary: 'Write the gateway file that is in force, as it was applied',
  async run({ args, options, output, ...rest }) {
    const name = args.file ?? DEFAULT_FILE
    const gateway = await findGateway({ options, ...rest })
    const wanted = toRevision(options.revision)
    const revision = wanted ?? (await currentRevision(gateway))
    const path = revision === 0 ? gateway.path : `${gateway.path}/history/${revision}`
    const headers = { accept: formatOf(name) === 'toml' ? 'application/toml' : 'application/json' }
    const isToml = formatOf(name) === 'toml'
    const answer = await gateway.client.send('GET', isToml ? path : `${path}?source=1`, { headers })
    if (answer.status !== 200) throw failureOf(answer, toJson(answer))
    if (!answer.headers.get('content-type')?.includes(formatOf(name))) {
      throw new Failure(`Revision ${revision} is TOML; pull it into a file that ends in .toml.`)
    }
    const target = resolve(rest.cwd, name)
    const isDifferent = existsSync(target) && readFileSync(target, 'utf8') !== answer.text
    if (isDifferent && !options.force) {
      throw new Failure(
        `${name} exists and is different; --force overwrites it, \`skerry gateway diff\` compares.`,
      )
    }
    writeFileSync(target, answer.text)
    output.result({ revision, file: name }, [`Wrote revision ${revision} to ${name}.`])
    return 0
  },
}

const history: Command = {
  name: 'gateway history',
  options: ACCOUNT_OPTION,
  summary: 'List the gateway files that were applied, newest first',
  async run(input) {
    const { client, path } = await findGateway(input)
    const revisions = (await client.skerry('GET', `${path}/history`)) as Revision[]
    const rows = revisions.map(({ revision, created_on, author, message }, i) => [
      `${revision}${i === 0 ? ' *' : ''}`,
      created_on.replace(/\.\d+Z$/, 'Z'),
      author,
      message,
    ])
    input.output.table(
      revisions,
      ['REVISION', 'APPLIED', 'BY', 'MESSAGE'],
      rows,
      'No gateway file was applied yet.',
    )
    return 0
  },
}

const rollback: Command = {
  name: 'gateway rollback',
  args: ['revision'],
  options: { ...MESSAGE, ...ACCOUNT_OPTION },
  summary: 'Put an earlier gateway file in force again, as a new revision',
  async run(input) {
    const { client, path } = await findGateway(input)
    const revision = toRevision(input.args.revision)
    const body = { revision, ...(input.options.message !== undefined && { message: input.options.message }) }
    const applied = (await client.skerry('POST', `${path}/rollback`, body)) as Applied
    input.output.result(applied, [
      ...describeChanges(applied.changes, input.output),
      `Revision ${revision} is in force again, as revision ${applied.revision}.`,
    ])
    return 0
  },
}

/** Where the API has an account's gateway. */
export interface GatewayPath {
  readonly client: Client
  readonly path: string
}

/** The gateway of the account that a command's options or the environment name. */
export async function findGateway({
  options,
  env,
  cwd,
}: Pick<CommandInput, 'options' | 'env' | 'cwd'>): Promise<GatewayPath> {
  const client = createClient(env, cwd)
  const account = await findAccount(client, accountOf(options, env))
  return { client, path: `/accounts/${account.id}/gateway` }
}

function put(
  { client, path }: GatewayPath,
  { body }: LocalFile,
  query: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return client.send('PUT', path + query, { body, headers })
}

async function currentRevision({ client, path }: GatewayPath): Promise<number> {
  return ((await client.skerry('GET', path)) as { revision: number }).revision
}

/** What was answered; if the file is wrong, that is printed. @throws Failure for everything else */
function report(input: CommandInput, file: LocalFile, answer: Answer): Applied | undefined {
  const body = toJson(answer)
  if (answer.status === 200) return body as unknown as Applied
  const issues = body.issues as readonly ShownIssue[] | undefined
  if (!issues) throw failureOf(answer, body)
  const { output } = input
  const lines = describeIssues(file.name, file.text, issues, output)
  const problems = Number(body.problems ?? issues.length)
  const count = problems === 1 ? '1 problem' : `${problems} problems`
  output.result(body, [...lines, `${count}; nothing was changed.`])
  return undefined
}

function warningsOf({ output }: CommandInput, file: LocalFile, { warnings }: Applied): string[] {
  return describeIssues(file.name, file.text, warnings, output, 'dim')
}

function failureOf({ status }: Answer, body: Readonly<Record<string, unknown>>): Failure {
  return new Failure(body.detail ? `${body.detail} [${body.code}]` : `The platform answered ${status}.`)
}

function toJson({ status, text }: Answer): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    throw new Failure(`The platform answered ${status} with something that is not JSON: is it Skerry?`)
  }
}

function toRevision(text: string | boolean | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(String(text))) return Number(text)
  throw new Failure(`A revision is a whole number, not "${text}"; \`skerry gateway history\` lists them.`, 2)
}

/** `skerry gateway …` */
export const gatewayCommands: readonly Command[] = [check, diff, apply, pull, history, rollback]
