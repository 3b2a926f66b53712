import { Failure } from '../../host/failure.ts'
import type { Explanation } from '../../src/core/explain.ts'
import { createClient, findAccount } from '../client.ts'
import type { Command, Output } from '../command.ts'
import { alignColumns } from '../output.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

/** What was really served, beside what was decided. */
interface ShownTrace extends Shown {
  readonly at: string
  readonly method: string
  readonly duration_ms: number
}

/** `skerry trace token`, `skerry trace show` */
export const traceCommands: readonly Command[] = [
  {
    name: 'trace token',
    options: {
      minutes: { type: 'string', help: '<n>  how long it is good, 1 to 1440; default 60' },
      ...ACCOUNT_OPTION,
    },
    summary: 'Make a token: requests that carry it leave a record of every decision. Needs an admin token',
    async run({ options, env, cwd, output }) {
      const client = createClient(env, cwd)
      const account = await findAccount(client, accountOf(options, env))
      const { minutes } = options
      const made = (await client.skerry('POST', `/accounts/${account.id}/traces`, {
        ...(minutes !== undefined && { minutes: Number(minutes) }),
      })) as { header: string; token: string; expires_on: string }
      output.result(made, [`${made.header}: ${made.token}`, output.paint('dim', `until ${made.expires_on}`)])
      return 0
    },
  },
  {
    name: 'trace show',
    args: ['request-id'],
    options: ACCOUNT_OPTION,
    summary: 'Show the record of such a request, by the skerry-request-id of its answer',
    async run({ args, options, env, cwd, output }) {
      const client = createClient(env, cwd)
      const account = await findAccount(client, accountOf(options, env))
      const shown = (await client.skerry(
        'GET',
        `/accounts/${account.id}/traces/${encodeURIComponent(String(args['request-id']))}`,
      )) as ShownTrace
      const head = `${shown.method} at ${shown.at}, ${shown.duration_ms} ms`
      output.result(shown, [head, ...describe(shown, output)])
      return 0
    },
  },
]

/** As the API shows it: what is JSON text on the platform's own ways is JSON here. */
interface Shown extends Omit<Explanation, 'clientIp' | 'identity' | 'policies'> {
  readonly client_ip: string
  readonly identity: unknown
  readonly policies: readonly (Omit<Explanation['policies'][number], 'notes'> & {
    readonly notes: readonly {
      readonly finding: string
      readonly values: Readonly<Record<string, unknown>>
    }[]
  })[]
}

/** `skerry explain`: what would become of a request, and why. */
export const explain: Command = {
  name: 'explain',
  args: ['method', 'url'],
  options: {
    header: {
      type: 'string',
      help: "<'name: value'>  a header of the request; -H is short for it",
      multiple: true,
      short: 'H',
    },
    'client-ip': { type: 'string', help: '<address>  whose request it is to be taken for' },
    ...ACCOUNT_OPTION,
  },
  summary: 'Say which route and policies a request would meet, and why; nothing is called',
  async run({ args, options, lists, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const clientIp = options['client-ip']
    const shown = (await client.skerry('POST', `/accounts/${account.id}/explain`, {
      method: String(args.method).toUpperCase(),
      url: /^https?:\/\//.test(String(args.url)) ? args.url : `http://${args.url}`,
      headers: (lists.header ?? []).map(toHeader),
      ...(clientIp !== undefined && { client_ip: clientIp }),
    })) as Shown
    output.result(shown, describe(shown, output))
    return 0
  },
}

function toHeader(text: string): [string, string] {
  const colon = text.indexOf(':')
  if (colon < 1) throw new Failure(`The header "${text}" must be written as 'name: value'.`, 2)
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()]
}

function describe(shown: Shown, output: Output): string[] {
  return [
    ...alignColumns([
      ['host', shown.host],
      ['path', shown.path],
      ['client', shown.client_ip],
    ]),
    '',
    ...describeRoutes(shown, output),
    ...describePolicies(shown, output),
    ...(shown.identity ? [`caller   ${JSON.stringify(shown.identity)}`] : []),
    `target   ${shown.target}${shown.version ? `, version ${shown.version}` : ''}`,
    ...describeAnswer(shown, output),
  ]
}

function describeRoutes({ candidates }: Shown, { paint }: Output): string[] {
  if (candidates.length === 0) return ['routes   the gateway file has none', '']
  const rows = candidates.map(({ route, pattern, matched, reason }) => [
    matched ? '→' : ' ',
    route,
    pattern,
    matched ? 'takes it' : (REASONS[reason] ?? `its ${reason} is another`),
  ])
  const lines = alignColumns(rows)
  return ['routes', ...lines.map((line, i) => (candidates[i]?.matched ? paint('good', line) : line)), '']
}

const REASONS: Readonly<Record<string, string>> = {
  host: 'is for another host',
  path: 'is for another path',
  method: 'is for other methods',
  earlier: 'another one came before it',
}

function describePolicies({ policies }: Shown, { paint }: Output): string[] {
  if (policies.length === 0) return []
  const lines = policies.flatMap(({ name, type, verdict, notes }) => {
    const head = `  ${name} (${type}): ${verdict}`
    const isRefusal = verdict === 'answered' || verdict === 'failed'
    return [
      isRefusal ? paint('bad', head) : verdict === 'not reached' ? paint('dim', head) : head,
      ...notes.map(({ finding, values }) => `      ${finding}${describeValues(values)}`),
    ]
  })
  return ['policies', ...lines, '']
}

function describeValues(values: Readonly<Record<string, unknown>>): string {
  const pairs = Object.entries(values).map(([key, value]) => `${key}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? '' : `  ${pairs.join(' ')}`
}

function describeAnswer({ status, code, detail }: Shown, { paint }: Output): string[] {
  if (status === undefined) return []
  const line = `answer   ${status}${code ? ` ${code}` : ''}${detail ? `: ${detail}` : ''}`
  return [status >= 400 ? paint('bad', line) : line]
}
