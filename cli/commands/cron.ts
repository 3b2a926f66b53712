import { type Client, createClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

interface Schedule {
  readonly cron: string
  readonly created_on?: string
  readonly modified_on?: string
}

const list: Command = {
  name: 'cron list',
  options: ACCOUNT_OPTION,
  summary: "List every script's cron triggers",
  async run({ options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const triggers = await readTriggers(client, account.id)
    const rows = triggers.map(({ script, cron, modified_on }) => [script, cron, modified_on ?? ''])
    output.table(triggers, ['SCRIPT', 'CRON', 'MODIFIED'], rows, 'No cron triggers.')
  },
}

const run: Command = {
  name: 'cron run',
  args: ['script', 'cron?'],
  options: ACCOUNT_OPTION,
  summary: "Run a script's scheduled() now, and say how it ended",
  async run({ args, options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const path = `/accounts/${account.id}/scripts/${encodeURIComponent(String(args.script))}/cron`
    const body = args.cron ? { cron: args.cron } : {}
    const result = (await client.skerry('POST', path, body)) as { outcome: string; error?: string }
    const isOk = result.outcome === 'ok'
    const text = result.error ? `${result.outcome}: ${result.error}` : result.outcome
    output.result(result, [output.paint(isOk ? 'good' : 'bad', text)])
    return isOk ? 0 : 1
  },
}

async function readTriggers(client: Client, accountId: string): Promise<(Schedule & { script: string })[]> {
  const base = `/accounts/${accountId}/workers/scripts`
  const scripts = (await client.cloudflare('GET', base)) as { id: string }[]
  const triggers: (Schedule & { script: string })[] = []
  for (const { id } of scripts) {
    const path = `${base}/${encodeURIComponent(id)}/schedules`
    const { schedules } = (await client.cloudflare('GET', path)) as { schedules: Schedule[] }
    for (const schedule of schedules) triggers.push({ script: id, ...schedule })
  }
  return triggers
}

/** `skerry cron …` */
export const cronCommands: readonly Command[] = [list, run]
