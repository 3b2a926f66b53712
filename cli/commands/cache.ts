import { Failure } from '../../host/failure.ts'
import { createClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'

const purge: Command = {
  name: 'cache purge',
  summary: 'Make the caches of all edges forget stored responses',
  options: {
    everything: { type: 'boolean', help: 'all of them' },
    url: { type: 'string', help: '<urls>  those of these URLs, with spaces between' },
    prefix: { type: 'string', help: '<prefixes>  those below these, such as example.com/images' },
    host: { type: 'string', help: '<hosts>  those of these hosts; *.example.com for all below one' },
    tag: { type: 'string', help: '<tags>  those with these in Cache-Tag, with commas between' },
    account: { type: 'string', help: '<account>  id or name' },
  },
  async run({ options, env, cwd, output }) {
    const { everything, url, prefix, host, tag, account } = options
    const body = {
      ...(everything === true && { everything: true }),
      ...listed('urls', url, /\s+/),
      ...listed('prefixes', prefix, /[\s,]+/),
      ...listed('hosts', host, /[\s,]+/),
      ...listed('tags', tag, /,/),
    }
    if (Object.keys(body).length === 0) {
      throw new Failure('Say what to purge: --url, --prefix, --host, --tag or --everything.', 2)
    }
    const client = createClient(env, cwd)
    const { id } = await findAccount(
      client,
      account === undefined ? env.CLOUDFLARE_ACCOUNT_ID : String(account),
    )
    const result = (await client.skerry('POST', `/accounts/${id}/cache/purge`, body)) as {
      purged: readonly { kind: string; value?: string }[]
    }
    const lines = result.purged.map(
      ({ kind, value }) => `Purged ${value === undefined ? kind : `${kind} ${value}`}.`,
    )
    output.result(result, lines)
  },
}

function listed(
  field: string,
  given: string | boolean | undefined,
  separator: RegExp,
): Record<string, string[]> {
  const values = String(given ?? '')
    .split(separator)
    .map(value => value.trim())
    .filter(value => value !== '')
  return values.length > 0 ? { [field]: values } : {}
}

/** `skerry cache …` */
export const cacheCommands: readonly Command[] = [purge]
