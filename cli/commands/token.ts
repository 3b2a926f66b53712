import { Failure } from '../../host/failure.ts'
import { createClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'

interface Token {
  readonly id: string
  readonly name: string
  readonly role: string
  readonly account_id?: string | null
  readonly created_on: string
  /** Only in the answer to its creation. */
  readonly token?: string
}

const ROLES = ['admin', 'deployer', 'viewer']

const create: Command = {
  name: 'token create',
  summary: 'Make an API token; it is shown once',
  options: {
    name: { type: 'string', help: '<name>  what it is for', required: true },
    role: { type: 'string', help: '<role>  admin, deployer or viewer', required: true },
    account: { type: 'string', help: '<account>  id or name; without it the token is for every account' },
  },
  async run({ options, env, cwd, output }) {
    const { name, role, account } = options
    if (!ROLES.includes(String(role))) {
      throw new Failure(`--role is "${role}" but must be one of ${ROLES.join(', ')}.`, 2)
    }
    const client = createClient(env, cwd)
    const accountId = account ? (await findAccount(client, String(account))).id : undefined
    const body = { name, role, ...(accountId && { account_id: accountId }) }
    const token = (await client.skerry('POST', '/tokens', body)) as Token
    output.result(token, [String(token.token)])
  },
}

const list: Command = {
  name: 'token list',
  summary: 'List API tokens, without their secrets',
  async run({ env, cwd, output }) {
    const tokens = (await createClient(env, cwd).skerry('GET', '/tokens')) as Token[]
    const rows = tokens.map(token => [
      token.id,
      token.name,
      token.role,
      token.account_id ?? 'all accounts',
      token.created_on,
    ])
    output.table(tokens, ['ID', 'NAME', 'ROLE', 'ACCOUNT', 'CREATED'], rows, 'No tokens.')
  },
}

const revoke: Command = {
  name: 'token revoke',
  args: ['id'],
  summary: 'Make an API token worthless',
  async run({ args, env, cwd, output }) {
    await createClient(env, cwd).skerry('DELETE', `/tokens/${encodeURIComponent(String(args.id))}`)
    output.result({ id: args.id, revoked: true }, [`Revoked ${args.id}.`])
  },
}

/** `skerry token …` */
export const tokenCommands: readonly Command[] = [create, list, revoke]
