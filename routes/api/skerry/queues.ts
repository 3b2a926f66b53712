import { type Context, Hono } from 'hono'
import type { QueueStatus } from '../../../bindings/queue/object.ts'
import { invalid, readInteger } from '../../../bindings/queue/settings.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { objectOf, requireQueue } from '../cloudflare/queues-scope.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'

/** Queues with what waits in them; mounted at `/api/v1/accounts/:account/queues`. `:queue` is an id, or a name. */
export const queues = new Hono<Api>()

queues.get('/', async c => {
  const { registry } = c.var.account
  const [all, binders] = await Promise.all([registry.listResources('queue'), registry.listBinders('queue')])
  const show = async (queue: ResourceRecord) => toQueue(queue, await objectOf(c, queue).show(), binders)
  return c.json(await Promise.all(all.map(show)))
})

queues.get('/:queue', async c => {
  const queue = await requireQueue(c)
  const [status, binders] = await Promise.all([
    objectOf(c, queue).show(),
    c.var.account.registry.listBinders('queue'),
  ])
  return c.json(toQueue(queue, status, binders))
})

/** The oldest messages, `?limit=` of them, 10 if not given: what is under way included. */
queues.get('/:queue/messages', async c => {
  requireRole(c, 'deployer')
  const limit = Number(c.req.query('limit') ?? DEFAULT_PEEK)
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PEEK) {
    throw invalid(`\`limit\` is "${c.req.query('limit')}". It must be an integer from 1 to ${MAX_PEEK}.`)
  }
  return c.json(await objectOf(c, await requireQueue(c)).peek(limit))
})

/** Sends dead letters back to the queues they died in, or those that wait to the queue that is named. */
queues.post('/:queue/redrive', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const body = await readJsonObject(c)
  const limit = readInteger(body, 'limit', 1, MAX_REDRIVE) ?? MAX_REDRIVE
  const target = body.to === undefined ? undefined : await requireTarget(c, queue, stringField(body, 'to'))
  return c.json({ redriven: await objectOf(c, queue).redrive(limit, target) })
})

queues.post('/:queue/purge', async c => {
  requireRole(c, 'deployer')
  return c.json({ purged: await objectOf(c, await requireQueue(c)).purge() })
})

/** Stops and starts delivery: `{"paused": true}`. */
queues.put('/:queue/pause', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const { paused } = await readJsonObject(c)
  if (typeof paused !== 'boolean') throw invalid('`paused` must be true or false.')
  const status = await objectOf(c, queue).configure(queue.name, { delivery_paused: paused })
  return c.json(toQueue(queue, status, await c.var.account.registry.listBinders('queue')))
})

const DEFAULT_PEEK = 10
const MAX_PEEK = 100
const MAX_REDRIVE = 10_000

async function requireTarget(c: Context<Api>, from: ResourceRecord, name: string): Promise<string> {
  const found = await c.var.account.registry.findResource('queue', name)
  if (found && found.id !== from.id) return found.name
  throw invalid(
    found
      ? `\`to\` is the queue itself, "${name}".`
      : `\`to\` is "${name}", which is no queue of the account.`,
  )
}

function toQueue(
  { id, name, object, created_on }: ResourceRecord,
  { metrics, ...status }: QueueStatus,
  binders: readonly { readonly script: string; readonly object: string }[],
) {
  const producers = binders.filter(binder => binder.object === object).map(({ script }) => script)
  return {
    id,
    name,
    created_on,
    ...status,
    producers,
    backlog_count: metrics.backlogCount,
    backlog_bytes: metrics.backlogBytes,
    oldest_message_ms: metrics.oldestMessageTimestamp || null,
  }
}
