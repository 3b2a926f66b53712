import { readFileSync } from 'node:fs'
import { Failure } from '../../host/failure.ts'
import type { Command } from '../command.ts'
import { findGateway } from './gateway.ts'
import { ACCOUNT_OPTION } from './script.ts'

interface Secret {
  readonly name: string
  readonly created_on: string
  readonly modified_on: string
}

const put: Command = {
  name: 'gateway secret put',
  args: ['name'],
  options: ACCOUNT_OPTION,
  summary: 'Set a secret of the gateway to the text on standard input',
  async run(input) {
    const { client, path } = await findGateway(input)
    if (process.stdin.isTTY) process.stderr.write(`The text of ${input.args.name}, then Ctrl-D:\n`)
    // Editors and `echo` end a text with a line break that nobody means.
    const text = readFileSync(0, 'utf8').replace(/\r?\n$/, '')
    if (text === '') throw new Failure('There is no text on standard input.', 2)
    await client.skerry('PUT', `${path}/secrets/${encodeURIComponent(String(input.args.name))}`, { text })
    input.output.result({ name: input.args.name }, [
      `Set ${input.args.name}: "secret:${input.args.name}" in a gateway file stands for it.`,
    ])
    return 0
  },
}

const list: Command = {
  name: 'gateway secret list',
  options: ACCOUNT_OPTION,
  summary: "List the gateway's secrets, without their texts",
  async run(input) {
    const { client, path } = await findGateway(input)
    const secrets = (await client.skerry('GET', `${path}/secrets`)) as Secret[]
    const rows = secrets.map(({ name, modified_on }) => [name, modified_on.replace(/\.\d+Z$/, 'Z')])
    input.output.table(secrets, ['NAME', 'SET'], rows, 'The gateway has no secrets.')
    return 0
  },
}

const remove: Command = {
  name: 'gateway secret delete',
  args: ['name'],
  options: ACCOUNT_OPTION,
  summary: 'Delete a secret of the gateway; refused while its file refers to it',
  async run(input) {
    const { client, path } = await findGateway(input)
    await client.skerry('DELETE', `${path}/secrets/${encodeURIComponent(String(input.args.name))}`)
    input.output.result({ name: input.args.name, deleted: true }, [`Deleted ${input.args.name}.`])
    return 0
  },
}

/** `skerry gateway secret …` */
export const gatewaySecretCommands: readonly Command[] = [put, list, remove]
