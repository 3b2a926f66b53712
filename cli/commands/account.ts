import { createClient } from '../client.ts'
import type { Command } from '../command.ts'

interface Account {
  readonly id: string
  readonly name: string
  readonly workers_domain: string
  readonly default: boolean
}

const create: Command = {
  name: 'account create',
  args: ['name'],
  summary: 'Make an account: its scripts, data and tokens are its own',
  async run({ args, env, cwd, output }) {
    const account = (await createClient(env, cwd).skerry('POST', '/accounts', { name: args.name })) as Account
    output.result(account, [`${account.id}  functions answer below ${account.workers_domain}`])
  },
}

const list: Command = {
  name: 'account list',
  summary: 'List accounts',
  async run({ env, cwd, output }) {
    const accounts = (await createClient(env, cwd).skerry('GET', '/accounts')) as Account[]
    const rows = accounts.map(({ id, name, workers_domain, default: isDefault }) => [
      id,
      name,
      workers_domain,
      isDefault ? 'default' : '',
    ])
    output.table(accounts, ['ID', 'NAME', 'DOMAIN', ''], rows, 'No accounts.')
  },
}

/** `skerry account …` */
export const accountCommands: readonly Command[] = [create, list]
