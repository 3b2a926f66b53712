import { createClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

interface Database {
  readonly uuid: string
  readonly name: string
  readonly num_tables: number
  readonly file_size: number
  readonly created_at: string
}

const list: Command = {
  name: 'd1 list',
  options: ACCOUNT_OPTION,
  summary: 'List the D1 databases, with their sizes',
  async run({ options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const databases = (await client.skerry('GET', `/accounts/${account.id}/d1`)) as Database[]
    const rows = databases.map(({ name, uuid, num_tables, file_size, created_at }) => [
      ...[name, uuid, String(num_tables), `${(file_size / 1e6).toFixed(2)} MB`, created_at],
    ])
    output.table(databases, ['NAME', 'ID', 'TABLES', 'SIZE', 'CREATED'], rows, 'No D1 databases.')
  },
}

/** `skerry d1 …`; everything else is wrangler's. */
export const d1Commands: readonly Command[] = [list]
