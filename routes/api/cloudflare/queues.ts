import { type Context, Hono } from 'hono'
import { parseSettings } from '../../../bindings/queue/settings.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { readJsonObject, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'
import { paginate, respondResult } from './envelope.ts'
import { adoptQueues } from './queues-adopt.ts'
import { queueConsumers } from './queues-consumers.ts'
import { queueMessages } from './queues-messages.ts'
import {
  createQueue,
  objectOf,
  readQueue,
  requireFreeName,
  requireQueue,
  toMetrics,
  toQueue,
} from './queues-scope.ts'

/**
 * Queues; mounted at `/accounts/:account/queues`. `:queue` is an id, or a name.
 *
 * @see https://developers.cloudflare.com/api/resources/queues/
 */
export const queues = new Hono<Api>()

/** With `name`, repeated for several: those only. */
queues.get('/', async c => {
  const names = c.req.queries('name')
  if (names) await adoptQueues(c)
  const { registry } = c.var.account
  const [all, binders] = await Promise.all([registry.listResources('queue'), registry.listBinders('queue')])
  const { items, info } = paginate(c, names ? all.filter(({ name }) => names.includes(name)) : all)
  const show = async (queue: ResourceRecord) => toQueue(queue, await objectOf(c, queue).show(), binders)
  return respondResult(c, await Promise.all(items.map(show)), info)
})

queues.post('/', async c => {
  requireRole(c, 'deployer')
  const body = await readJsonObject(c)
  const queue = await createQueue(c, stringField(body, 'queue_name'), parseSettings(body.settings))
  return respondResult(c, await readQueue(c, queue))
})

queues.get('/:queue', async c => respondResult(c, await readQueue(c, await requireQueue(c))))

/** Changes the settings that are named, and the name. */
queues.on(['PATCH', 'PUT'], '/:queue', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const body = await readJsonObject(c)
  const settings = parseSettings(body.settings)
  const name = body.queue_name === undefined ? queue.name : stringField(body, 'queue_name')
  if (name !== queue.name) {
    await requireFreeName(c, name)
    await c.var.account.registry.renameResource('queue', queue.id, name)
  }
  await objectOf(c, queue).configure(name, settings)
  return respondResult(c, await readQueue(c, { ...queue, name }))
})

/** Deletes its messages too. They go first: what has no name any more must not be delivered. */
queues.delete('/:queue', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  await objectOf(c, queue).remove()
  await c.var.account.registry.deleteResource('queue', queue.id)
  return respondResult(c, null)
})

queues.post('/:queue/purge', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const { delete_messages_permanently: isMeant } = await readJsonObject(c)
  if (isMeant === true) await objectOf(c, queue).purge()
  return respondPurged(c)
})

queues.get('/:queue/purge', async c => {
  await requireQueue(c)
  return respondPurged(c)
})

queues.get('/:queue/metrics', async c => {
  return respondResult(c, toMetrics(await objectOf(c, await requireQueue(c)).metrics()))
})

queues.route('/:queue/consumers', queueConsumers)
queues.route('/:queue/messages', queueMessages)

/** A purge is over when it is answered. */
function respondPurged(c: Context<Api>): Response {
  const now = timestamp(Date.now())
  return respondResult(c, { started_at: now, completed: now })
}
