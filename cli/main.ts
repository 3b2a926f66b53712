import { parseArgs } from 'node:util'
import { Failure } from '../host/failure.ts'
import { type Command, usageOf } from './command.ts'
import { accountCommands } from './commands/account.ts'
import { apiKeyCommands } from './commands/api-key.ts'
import { cacheCommands } from './commands/cache.ts'
import { cronCommands } from './commands/cron.ts'
import { d1Commands } from './commands/d1.ts'
import { doctor } from './commands/doctor.ts'
import { explain, traceCommands } from './commands/explain.ts'
import { gatewayCommands } from './commands/gateway.ts'
import { gatewaySecretCommands } from './commands/gateway-secret.ts'
import { dev, env, up } from './commands/host.ts'
import { limits } from './commands/limits.ts'
import { objectCommands } from './commands/object.ts'
import { processCommands } from './commands/process.ts'
import { queueCommands } from './commands/queue.ts'
import { r2Commands } from './commands/r2.ts'
import { scriptCommands } from './commands/script.ts'
import { tokenCommands } from './commands/token.ts'
import { workflowCommands } from './commands/workflow.ts'
import { alignColumns, createOutput } from './output.ts'

/** Every command, in the order of help. */
export const COMMANDS: readonly Command[] = [
  up,
  env,
  doctor,
  ...processCommands,
  ...scriptCommands,
  ...cronCommands,
  ...d1Commands,
  ...objectCommands,
  ...queueCommands,
  ...workflowCommands,
  ...gatewayCommands,
  ...gatewaySecretCommands,
  explain,
  ...traceCommands,
  ...tokenCommands,
  ...accountCommands,
  ...apiKeyCommands,
  ...cacheCommands,
  ...r2Commands,
  limits,
  dev,
]

/** Runs `skerry <argv>`; resolves to the exit code: 0 ok, 1 failure, 2 called wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    return await dispatch(argv)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    console.error(`error: ${error.message}`)
    return error.exitCode
  }
}

async function dispatch(argv: readonly string[]): Promise<number> {
  const words = argv.filter(arg => !arg.startsWith('-'))
  const command = COMMANDS.find(({ name }) => name.split(' ').every((word, i) => words[i] === word))
  const wantsHelp = argv.includes('--help') || argv.includes('-h')
  if (!command) {
    // Asked for, help is a result; not asked for, it is an error's explanation.
    const isAsked = wantsHelp || argv.length === 0 || words[0] === 'help'
    if (isAsked && (words.length === 0 || words[0] === 'help')) return printHelp(COMMANDS, 0)
    const nouns = COMMANDS.filter(({ name }) => name.split(' ')[0] === words[0])
    if (isAsked && nouns.length > 0) return printHelp(nouns, 0)
    throw new Failure(`There is no command \`${words.slice(0, 2).join(' ')}\`. See \`skerry --help\`.`, 2)
  }
  if (wantsHelp) return printCommandHelp(command)

  const { values, lists, positionals } = parse(command, argv)
  const given = positionals.slice(command.name.split(' ').length)
  const args = nameArguments(command, given)
  for (const [name, spec] of Object.entries(command.options ?? {})) {
    if (spec.required && values[name] === undefined) throw wrongUsage(command, `--${name} is missing.`)
  }
  const output = createOutput(values.json === true, process.env)
  const input = { args, options: values, lists, env: process.env, cwd: process.cwd(), output }
  return (await command.run(input)) ?? 0
}

interface Parsed {
  readonly values: Readonly<Record<string, string | boolean | undefined>>
  readonly lists: Readonly<Record<string, readonly string[]>>
  readonly positionals: readonly string[]
}

function parse(command: Command, argv: readonly string[]): Parsed {
  const options = { ...command.options, json: { type: 'boolean' as const } }
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
    const values: Record<string, string | boolean | undefined> = {}
    const lists: Record<string, readonly string[]> = {}
    for (const [name, value] of Object.entries(parsed.values)) {
      if (Array.isArray(value)) lists[name] = value.map(String)
      else values[name] = value
    }
    return { values, lists, positionals: parsed.positionals }
  } catch (error) {
    throw wrongUsage(command, error instanceof Error ? `${error.message}.` : String(error))
  }
}

function nameArguments(command: Command, given: readonly string[]): Record<string, string | undefined> {
  const specs = command.args ?? []
  if (given.length > specs.length) throw wrongUsage(command, `"${given[specs.length]}" is too much.`)
  const missing = specs.find((spec, i) => !spec.endsWith('?') && given[i] === undefined)
  if (missing) throw wrongUsage(command, `<${missing}> is missing.`)
  return Object.fromEntries(specs.map((spec, i) => [spec.replace('?', ''), given[i]]))
}

function wrongUsage(command: Command, problem: string): Failure {
  return new Failure(
    `${problem} Usage: skerry ${usageOf(command)}; see \`skerry ${command.name} --help\`.`,
    2,
  )
}

function printHelp(commands: readonly Command[], exitCode: number): number {
  const lines = alignColumns(commands.map(command => [`  skerry ${usageOf(command)}`, command.summary]))
  console.log(
    `Skerry: a serverless platform you own.\n\n${lines.join('\n')}\n\n` +
      'Everything that prints takes --json. `skerry <command> --help` shows its options.\n' +
      'Where: SKERRY_URL, or SKERRY_HOST and SKERRY_PORT. As whom: SKERRY_TOKEN. Data: SKERRY_DATA_DIR.',
  )
  return exitCode
}

function printCommandHelp(command: Command): number {
  const options = { ...command.options, json: { help: 'print JSON' } }
  const lines = alignColumns(Object.entries(options).map(([name, { help }]) => [`  --${name}`, help]))
  console.log(`${command.summary}.\n\nUsage: skerry ${usageOf(command)}\n\n${lines.join('\n')}`)
  return 0
}
