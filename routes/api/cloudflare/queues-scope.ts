import type { Context } from 'hono'
import { checkQueueName } from '../../../bindings/queue/kind.ts'
import type { Queue, QueueStatus } from '../../../bindings/queue/object.ts'
import { type Consumer, invalid, type QueueSettings } from '../../../bindings/queue/settings.ts'
import { queueObject } from '../../../bindings/queue/stub.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { QueueMetrics } from '../../../src/core/queue.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'

/** The queue of the path's `:queue`, by id or name. @throws ERR_QUEUE_NOT_FOUND */
export async function requireQueue(c: Context<Api>): Promise<ResourceRecord> {
  const wanted = c.req.param('queue') ?? ''
  const found = await c.var.account.registry.findResource('queue', wanted)
  if (found) return found
  throw new SkerryError('ERR_QUEUE_NOT_FOUND', `Queue "${wanted}" does not exist.`)
}

/** The object that has a queue's messages. */
export function objectOf(c: Context<Api>, { object }: ResourceRecord): DurableObjectStub<Queue> {
  return queueObject(c.env, c.var.account.id, object)
}

/**
 * Makes a queue. Its object is set up first: a queue that is there is whole.
 *
 * @throws ERR_QUEUE_INVALID, ERR_QUEUE_TAKEN
 */
export async function createQueue(
  c: Context<Api>,
  name: string,
  settings: Partial<QueueSettings> = {},
): Promise<ResourceRecord> {
  await requireFreeName(c, name)
  const queue = {
    kind: 'queue' as const,
    id: createHexId(),
    name,
    object: createHexId(),
    created_on: timestamp(Date.now()),
  }
  await objectOf(c, queue).configure(name, settings)
  return c.var.account.registry.createResource(queue)
}

/** A name that a queue may get. @throws ERR_QUEUE_INVALID, ERR_QUEUE_TAKEN */
export async function requireFreeName(c: Context<Api>, name: string): Promise<void> {
  const problem = checkQueueName(name)
  if (problem) throw invalid(`\`queue_name\` is ${problem}.`)
  if (await c.var.account.registry.findResource('queue', name)) {
    throw new SkerryError(
      'ERR_QUEUE_TAKEN',
      `Queue name '${name}' is already taken. Please use a different name and try again.`,
    )
  }
}

/** A queue as Cloudflare's API shows it. */
export function toQueue(
  { id, name, object, created_on }: ResourceRecord,
  { settings, consumers }: QueueStatus,
  binders: readonly { readonly script: string; readonly object: string }[],
) {
  const producers = binders
    .filter(binder => binder.object === object)
    .map(({ script }) => ({ type: 'worker', script }))
  return {
    queue_id: id,
    queue_name: name,
    created_on,
    modified_on: created_on,
    settings,
    producers,
    producers_total_count: producers.length,
    consumers: consumers.map(consumer => toConsumer(consumer, name)),
    consumers_total_count: consumers.length,
  }
}

/** A consumer as Cloudflare's API shows it. */
export function toConsumer(consumer: Consumer, queueName: string) {
  return { ...consumer, queue_name: queueName }
}

/** What waits in a queue, as Cloudflare's API shows it. */
export function toMetrics({ backlogCount, backlogBytes, oldestMessageTimestamp }: QueueMetrics) {
  return {
    backlog_count: backlogCount,
    backlog_bytes: backlogBytes,
    oldest_message_timestamp_ms: oldestMessageTimestamp,
  }
}

/** One queue, read whole. */
export async function readQueue(c: Context<Api>, queue: ResourceRecord) {
  const [status, binders] = await Promise.all([
    objectOf(c, queue).show(),
    c.var.account.registry.listBinders('queue'),
  ])
  return toQueue(queue, status, binders)
}

/** Takes a script that is about to be deleted from the queues whose messages it gets. */
export async function removeQueueConsumers(c: Context<Api>, script: string): Promise<void> {
  const queues = await c.var.account.registry.listResources('queue')
  await Promise.all(queues.map(queue => objectOf(c, queue).removeScript(script)))
}
