import { Failure } from '../../host/failure.ts'
import { type Client, createClient, findAccount } from '../client.ts'
import type { Command, CommandInput, OptionSpec, Output } from '../command.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

interface ApiKey {
  readonly id: string
  readonly prefix: string
  readonly name: string
  readonly owner: string
  readonly scopes: readonly string[]
  readonly metadata: Readonly<Record<string, string>>
  readonly status: string
  readonly created_on: string
  readonly expires_on: string | null
  /** Only in the answer to its creation. */
  readonly key?: string
  /** In the answer to a rotation: the old key. */
  readonly replaces?: ApiKey
}

interface Page {
  readonly api_keys: readonly ApiKey[]
  readonly next_cursor: string | null
}

type Options = Readonly<Record<string, OptionSpec>>

const FIELD_OPTIONS: Options = {
  scopes: { type: 'string', help: '<scopes>  what it may do, with commas between' },
  metadata: { type: 'string', help: '<key=value,…>  notes, which functions see' },
  expires: { type: 'string', help: '<when>  in how long ("90d"), a date, or "never"' },
}

const create: Command = {
  name: 'api-key create',
  summary: 'Make an API key for a caller; it is shown once',
  options: {
    name: { type: 'string', help: '<name>  what it is for', required: true },
    owner: { type: 'string', help: '<owner>  whose it is' },
    ...FIELD_OPTIONS,
    ...ACCOUNT_OPTION,
  },
  async run(input) {
    const { client, path } = await findKeys(input)
    const { name, owner } = input.options
    const body = { name, ...(owner !== undefined && { owner }), ...fieldsOf(input.options) }
    const key = (await client.skerry('POST', path, body)) as ApiKey
    input.output.result(key, [String(key.key)])
  },
}

const list: Command = {
  name: 'api-key list',
  summary: 'List API keys, without their text',
  options: {
    owner: { type: 'string', help: '<owner>  only those of this owner' },
    ...ACCOUNT_OPTION,
  },
  async run(input) {
    const { client, path } = await findKeys(input)
    const keys = await readAll(client, path, input.options.owner)
    const rows = keys.map(key => [
      key.id,
      `${key.prefix}…`,
      key.name,
      key.owner,
      key.scopes.join(' '),
      key.status,
      key.expires_on ?? 'never',
    ])
    const headings = ['ID', 'KEY', 'NAME', 'OWNER', 'SCOPES', 'STATUS', 'EXPIRES']
    input.output.table(keys, headings, rows, 'No API keys. Make one with `skerry api-key create`.')
  },
}

const show: Command = {
  name: 'api-key show',
  args: ['id'],
  summary: 'Show an API key, without its text',
  options: ACCOUNT_OPTION,
  async run(input) {
    const { client, path } = await findKeys(input)
    printKey(input.output, (await client.skerry('GET', path)) as ApiKey)
  },
}

const update: Command = {
  name: 'api-key update',
  args: ['id'],
  summary: 'Change an API key’s name, scopes, metadata or expiry, at once',
  options: {
    name: { type: 'string', help: '<name>  what it is for' },
    ...FIELD_OPTIONS,
    ...ACCOUNT_OPTION,
  },
  async run(input) {
    const { name } = input.options
    const body = { ...(name !== undefined && { name }), ...fieldsOf(input.options) }
    if (Object.keys(body).length === 0) {
      throw new Failure('Nothing to change: give --name, --scopes, --metadata or --expires.', 2)
    }
    const { client, path } = await findKeys(input)
    printKey(input.output, (await client.skerry('PATCH', path, body)) as ApiKey)
  },
}

const rotate: Command = {
  name: 'api-key rotate',
  args: ['id'],
  summary: 'Make a new API key in the place of one, which stays good for a while',
  options: {
    overlap: {
      type: 'string',
      help: '<duration>  how long the old one stays good; default 24h, at most 90d',
    },
    expires: {
      type: 'string',
      help: '<when>  of the new one: "90d", a date, or "never"; default: its lifetime',
    },
    ...ACCOUNT_OPTION,
  },
  async run(input) {
    const { overlap } = input.options
    const body = { ...(overlap !== undefined && { overlap }), ...fieldsOf(input.options) }
    const { client, path } = await findKeys(input)
    const key = (await client.skerry('POST', `${path}/rotate`, body)) as ApiKey
    // The note goes to people alone: what is printed is the key, also in `$(…)`.
    if (!input.output.json) console.error(`The old key is good until ${key.replaces?.expires_on}.`)
    input.output.result(key, [String(key.key)])
  },
}

const revoke: Command = {
  name: 'api-key revoke',
  args: ['id'],
  summary: 'Make an API key worthless, at once',
  options: ACCOUNT_OPTION,
  async run(input) {
    const { client, path } = await findKeys(input)
    const key = (await client.skerry('POST', `${path}/revoke`)) as ApiKey
    input.output.result(key, [`Revoked ${key.id} (${key.name}).`])
  },
}

const remove: Command = {
  name: 'api-key delete',
  args: ['id'],
  summary: 'Delete an API key; a revoked one stays in the list, a deleted one doesn’t',
  options: ACCOUNT_OPTION,
  async run(input) {
    const { client, path } = await findKeys(input)
    await client.skerry('DELETE', path)
    input.output.result({ id: input.args.id, deleted: true }, [`Deleted ${input.args.id}.`])
  },
}

/** Where the API has the account's keys, or the one that a command names. */
async function findKeys(input: CommandInput): Promise<{ client: Client; path: string }> {
  const { args, options, env, cwd } = input
  const client = createClient(env, cwd)
  const account = await findAccount(client, accountOf(options, env))
  const path = `/accounts/${account.id}/api-keys`
  return { client, path: args.id === undefined ? path : `${path}/${encodeURIComponent(args.id)}` }
}

async function readAll(client: Client, path: string, owner: string | boolean | undefined): Promise<ApiKey[]> {
  const query = new URLSearchParams({ limit: '1000', ...(typeof owner === 'string' && { owner }) })
  const keys: ApiKey[] = []
  for (;;) {
    const page = (await client.skerry('GET', `${path}?${query}`)) as Page
    keys.push(...page.api_keys)
    if (page.next_cursor === null) return keys
    query.set('cursor', page.next_cursor)
  }
}

/** The fields of a request's body that options stand for. */
function fieldsOf({ scopes, metadata, expires }: CommandInput['options']): Record<string, unknown> {
  return {
    ...(scopes !== undefined && { scopes: splitList(String(scopes)) }),
    ...(metadata !== undefined && { metadata: readMetadata(String(metadata)) }),
    ...(expires !== undefined && readExpiry(String(expires))),
  }
}

function readMetadata(text: string): Record<string, string> {
  const entries = splitList(text).map((pair): [string, string] => {
    const equals = pair.indexOf('=')
    if (equals > 0) return [pair.slice(0, equals), pair.slice(equals + 1)]
    throw new Failure(`--metadata has "${pair}", but must be key=value, with commas between.`, 2)
  })
  return Object.fromEntries(entries)
}

/** A date has dashes where a duration has none. */
function readExpiry(text: string): Record<string, unknown> {
  if (text === 'never') return { expires_on: null }
  return text.includes('-') ? { expires_on: text } : { expires_in: text }
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map(part => part.trim())
    .filter(Boolean)
}

function printKey(output: Output, key: ApiKey): void {
  const width = Math.max(...Object.keys(key).map(name => name.length))
  const lines = Object.entries(key).map(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return `${output.paint('dim', name.padEnd(width))}  ${name === 'status' ? paintStatus(text, output) : text}`
  })
  output.result(key, lines)
}

function paintStatus(status: string, { paint }: Output): string {
  return paint(status === 'active' ? 'good' : 'bad', status)
}

/** `skerry api-key …` */
export const apiKeyCommands: readonly Command[] = [create, list, show, update, rotate, revoke, remove]
