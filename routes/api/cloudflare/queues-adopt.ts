import type { Context } from 'hono'
import { checkQueueName } from '../../../bindings/queue/kind.ts'
import { ROLES } from '../../../src/registry/tokens.ts'
import type { Api } from '../context.ts'
import { createQueue } from './queues-scope.ts'

/**
 * Makes the queues that a deploy asks for and that don't exist: wrangler ends a deploy whose queues it can't find,
 * before it uploads anything. 4.164 asks for those that consumers name; those of producers it makes by itself, unless
 * run with `--no-x-provision`: then it asks for them too.
 *
 * Its question is the same for `wrangler deploy` and `wrangler queues info`: `GET /queues?name=…`. They differ in
 * one thing, as seen in wrangler 4.164: before a deploy it pages through the list, and `page` is appended to the names
 * it looks for (`?name=a&name=b&page=1`); commands that look for a queue ask for a page and append the name
 * (`?page=1&name=a`). Where a version asks otherwise, nothing is made, and the deploy ends as on Cloudflare. Any other
 * client's question, and one that comes without the right to make queues, is a question only.
 */
export async function adoptQueues(c: Context<Api>): Promise<void> {
  if (!isDeploy(c)) return
  const { registry } = c.var.account
  for (const name of c.req.queries('name') ?? []) {
    if (checkQueueName(name) || (await registry.findResource('queue', name))) continue
    await createQueue(c, name)
  }
}

/** The same for a dead letter queue, which wrangler doesn't ask for: Cloudflare refuses consumers with a missing one. */
export async function adoptDeadLetterQueue(c: Context<Api>, name: string): Promise<void> {
  if (c.env.SKERRY_ADOPT === '0') return
  if (!(await c.var.account.registry.findResource('queue', name))) await createQueue(c, name)
}

function isDeploy(c: Context<Api>): boolean {
  if (c.env.SKERRY_ADOPT === '0') return false
  if (!c.req.header('user-agent')?.startsWith('wrangler/')) return false
  if (ROLES.indexOf(c.var.principal.role) < ROLES.indexOf('deployer')) return false
  const keys = [...new URL(c.req.url).searchParams.keys()]
  return keys[0] === 'name' && keys.at(-1) === 'page'
}
