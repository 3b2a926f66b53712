import { createClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

interface Namespace {
  readonly id: string
  readonly script: string
  readonly class: string
  readonly use_sqlite: boolean
  readonly created_on: string
}

interface StoredObject {
  readonly id: string
  readonly name: string | null
  readonly created_on: string
}

const list: Command = {
  name: 'object list',
  args: ['namespace?'],
  options: ACCOUNT_OPTION,
  summary: 'List the namespaces of Durable Objects, or the objects of one',
  async run({ args, options, env, cwd, output }) {
    const client = createClient(env, cwd)
    const account = await findAccount(client, accountOf(options, env))
    const base = `/accounts/${account.id}/objects`
    if (!args.namespace) {
      const namespaces = (await client.skerry('GET', base)) as Namespace[]
      const rows = namespaces.map(({ id, script, class: name, created_on }) => [id, script, name, created_on])
      output.table(namespaces, ['NAMESPACE', 'SCRIPT', 'CLASS', 'CREATED'], rows, 'No Durable Objects.')
      return
    }
    const objects: StoredObject[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query = new URLSearchParams({ limit: '10000', ...(cursor && { cursor }) })
      const path = `${base}/${encodeURIComponent(args.namespace)}?${query}`
      const page = (await client.skerry('GET', path)) as { objects: StoredObject[]; next: string | null }
      objects.push(...page.objects)
      cursor = page.next
    }
    const rows = objects.map(({ id, name, created_on }) => [id, name ?? '', created_on])
    output.table(objects, ['OBJECT', 'NAME', 'CREATED'], rows, 'No objects.')
  },
}

/** `skerry object …` */
export const objectCommands: readonly Command[] = [list]
