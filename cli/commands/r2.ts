import { type Client, createClient, findAccount } from '../client.ts'
import type { Command, CommandInput } from '../command.ts'
import { ACCOUNT_OPTION, accountOf } from './script.ts'

interface Bucket {
  readonly name: string
  readonly objects: number
  readonly bytes: number
  readonly uploads: number
  readonly created_on: string
}

interface ObjectPage {
  readonly objects: readonly { readonly key: string; readonly size: number; readonly last_modified: string }[]
  readonly prefixes: readonly string[]
  readonly cursor: string | null
}

const list: Command = {
  name: 'r2 list',
  options: ACCOUNT_OPTION,
  summary: 'List R2 buckets with what they hold',
  async run(input) {
    const { client, path } = await findBuckets(input)
    const buckets = (await client.skerry('GET', path)) as Bucket[]
    const rows = buckets.map(({ name, objects, bytes, created_on }) => [
      ...[name, String(objects), String(bytes), created_on],
    ])
    const headings = ['NAME', 'OBJECTS', 'BYTES', 'CREATED']
    input.output.table(buckets, headings, rows, 'No buckets. Make one with `wrangler r2 bucket create`.')
  },
}

const objects: Command = {
  name: 'r2 objects',
  args: ['bucket'],
  options: {
    ...ACCOUNT_OPTION,
    prefix: { type: 'string', help: '<prefix>  only keys that begin so' },
    delimiter: {
      type: 'string',
      help: '<text>  keys with this after the prefix become one line, as folders',
    },
    limit: { type: 'string', help: '<n>  1 to 1000; default 1000' },
    cursor: { type: 'string', help: '<cursor>  go on after the page before' },
  },
  summary: 'List the objects of an R2 bucket, by key',
  async run(input) {
    const { client, path } = await findBuckets(input)
    const { args, options, output } = input
    const query = new URLSearchParams()
    for (const name of ['prefix', 'delimiter', 'limit', 'cursor']) {
      if (typeof options[name] === 'string') query.set(name, options[name])
    }
    const place = `${path}/${encodeURIComponent(String(args.bucket))}/objects?${query}`
    const page = (await client.skerry('GET', place)) as ObjectPage
    const rows = [
      ...page.prefixes.map(prefix => [prefix, '', '']),
      ...page.objects.map(({ key, size, last_modified }) => [key, String(size), last_modified]),
      ...(page.cursor ? [[`… more: --cursor ${page.cursor}`, '', '']] : []),
    ]
    output.table(page, ['KEY', 'BYTES', 'MODIFIED'], rows, 'No objects.')
  },
}

/** Where our own API has an account's buckets. */
async function findBuckets({
  options,
  env,
  cwd,
}: Pick<CommandInput, 'options' | 'env' | 'cwd'>): Promise<{ client: Client; path: string }> {
  const client = createClient(env, cwd)
  const account = await findAccount(client, accountOf(options, env))
  return { client, path: `/accounts/${account.id}/buckets` }
}

/** `skerry r2 …` */
export const r2Commands: readonly Command[] = [list, objects]
