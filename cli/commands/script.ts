import { type Client, createClient, findAccount } from '../client.ts'
import type { Command, CommandInput, OptionSpec, Output } from '../command.ts'

interface ScriptListing {
  readonly id: string
  readonly created_on?: string
  readonly modified_on?: string
}

interface Quarantine {
  readonly until: string
  readonly reason: string
}

interface Strike {
  readonly at: string
  readonly kind: string
  readonly version_id: string
  readonly detail: string
}

/** `--account`, for commands that work in one account. */
export const ACCOUNT_OPTION: Readonly<Record<string, OptionSpec>> = {
  account: {
    type: 'string',
    help: '<account>  id or name; default CLOUDFLARE_ACCOUNT_ID, else the default account',
  },
}

const list: Command = {
  name: 'script list',
  options: ACCOUNT_OPTION,
  summary: 'List deployed scripts',
  async run({ options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const scripts = (await client.cloudflare(
      'GET',
      `/accounts/${account.id}/workers/scripts`,
    )) as ScriptListing[]
    const rows = scripts.map(script => [script.id, script.modified_on ?? ''])
    output.table(scripts, ['NAME', 'MODIFIED'], rows, 'No scripts. Deploy one with `wrangler deploy`.')
  },
}

const show: Command = {
  name: 'script show',
  args: ['name'],
  options: ACCOUNT_OPTION,
  summary: 'Show what is deployed of a script',
  async run({ args, options, env, cwd, output }) {
    const { client, path } = await findScript({ args, options, env, cwd })
    const summary = (await client.skerry('GET', path)) as object
    output.result(summary, toLines(summary, output))
  },
}

const release: Command = {
  name: 'script release',
  args: ['name'],
  options: ACCOUNT_OPTION,
  summary: 'End a script’s quarantine and forget its strikes',
  async run({ args, options, env, cwd, output }) {
    const { client, path } = await findScript({ args, options, env, cwd })
    const summary = await client.skerry('POST', `${path}/release`, {})
    output.result(summary, [`Released ${args.name}: it is called again.`])
  },
}

/** Where our own API has the script that a command names. */
const findScript = (input: Pick<CommandInput, 'args' | 'options' | 'env' | 'cwd'>) =>
  connectTo('scripts', input.args.name, input)

/** A line a field; a quarantine stands out, and strikes have a line each. */
function toLines(summary: object, { paint }: Output): string[] {
  const width = Math.max(...Object.keys(summary).map(key => key.length))
  return Object.entries(summary).flatMap(([key, value]) =>
    toTexts(key, value).map((text, i) => {
      const label = paint('dim', (i === 0 ? key : '').padEnd(width))
      return `${label}  ${key === 'quarantine' && value ? paint('bad', text) : text}`
    }),
  )
}

function toTexts(key: string, value: unknown): string[] {
  if (key === 'quarantine') {
    const quarantine = value as Quarantine | null
    return [quarantine ? `until ${quarantine.until}: ${quarantine.reason}` : 'no']
  }
  if (key === 'strikes') {
    const strikes = value as Strike[]
    if (strikes.length === 0) return ['none']
    return strikes.map(({ at, kind, version_id, detail }) =>
      [at, kind, version_id, detail].join('  ').trimEnd(),
    )
  }
  return [typeof value === 'string' ? value : JSON.stringify(value)]
}

const remove: Command = {
  name: 'script delete',
  args: ['name'],
  options: ACCOUNT_OPTION,
  summary: 'Delete a script with all its versions',
  async run({ args, options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const path = `/accounts/${account.id}/workers/services/${encode(args.name)}?force=true`
    await client.cloudflare('DELETE', path)
    output.result({ name: args.name, deleted: true }, [`Deleted ${args.name}.`])
  },
}

/** The API's paths, in the account that a command names, of all that it has of a kind, and of the one that it names. */
export async function connectTo(
  kind: string,
  name: string | undefined,
  { options, env, cwd }: Pick<CommandInput, 'options' | 'env' | 'cwd'>,
): Promise<{ client: Client; base: string; path: string }> {
  const client = createClient(env, cwd)
  const account = await findAccount(client, accountOf(options, env))
  const base = `/accounts/${account.id}/${kind}`
  return { client, base, path: `${base}/${encode(name)}` }
}

/** The account that a command's options or the environment name. */
export function accountOf(
  options: Readonly<Record<string, string | boolean | undefined>>,
  env: NodeJS.ProcessEnv,
): string | undefined {
  return typeof options.account === 'string' ? options.account : env.CLOUDFLARE_ACCOUNT_ID || undefined
}

function encode(name: string | undefined): string {
  return encodeURIComponent(String(name))
}

/** `skerry script …` */
export const scriptCommands: readonly Command[] = [list, show, release, remove]
