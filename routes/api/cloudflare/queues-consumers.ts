import { type Context, Hono } from 'hono'
import { type Consumer, parseConsumer } from '../../../bindings/queue/settings.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { adoptDeadLetterQueue } from './queues-adopt.ts'
import { objectOf, requireQueue, toConsumer } from './queues-scope.ts'

/** Who gets a queue's messages. Mounted at `/queues/:queue/consumers`. */
export const queueConsumers = new Hono<Api>()

queueConsumers.get('/', async c => {
  const queue = await requireQueue(c)
  const { consumers } = await objectOf(c, queue).show()
  return respondResult(
    c,
    consumers.map(consumer => toConsumer(consumer, queue.name)),
  )
})

queueConsumers.get('/:consumer', async c => {
  const queue = await requireQueue(c)
  const { consumers } = await objectOf(c, queue).show()
  const id = c.req.param('consumer')
  const found = consumers.find(({ consumer_id }) => consumer_id === id)
  if (found) return respondResult(c, toConsumer(found, queue.name))
  throw new SkerryError('ERR_QUEUE_CONSUMER_NOT_FOUND', `The queue has no consumer "${id}".`)
})

queueConsumers.post('/', c => putConsumer(c))
queueConsumers.put('/:consumer', c => putConsumer(c, c.req.param('consumer')))

queueConsumers.delete('/:consumer', async c => {
  requireRole(c, 'deployer')
  await objectOf(c, await requireQueue(c)).removeConsumer(c.req.param('consumer'))
  return respondResult(c, null)
})

async function putConsumer(c: Context<Api>, id?: string): Promise<Response> {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const consumer = parseConsumer(await readJsonObject(c))
  await requireTarget(c, consumer)
  const set = await objectOf(c, queue).setConsumer(queue.name, consumer, id)
  return respondResult(c, toConsumer(set, queue.name))
}

/** @throws ERR_SCRIPT_NOT_FOUND, ERR_QUEUE_HANDLER_MISSING, ERR_QUEUE_NOT_FOUND */
async function requireTarget(
  c: Context<Api>,
  { script, dead_letter_queue: letters }: Pick<Consumer, 'script' | 'dead_letter_queue'>,
): Promise<void> {
  const { registry } = c.var.account
  if (script !== undefined) {
    const version = await registry.latestVersion(script)
    if (!version) {
      throw new SkerryError('ERR_SCRIPT_NOT_FOUND', 'This Worker does not exist on your account.')
    }
    const { exports, format } = version.manifest
    const main = exports.find(({ name }) => name === 'default')
    // Listeners of a script in service-worker syntax are only known when it runs.
    if (format === 'modules' && !main?.handlers.includes('queue')) {
      throw new SkerryError(
        'ERR_QUEUE_HANDLER_MISSING',
        `queue handler is missing: the Worker "${script}" exports no queue() handler.`,
      )
    }
  }
  if (letters === undefined) return
  await adoptDeadLetterQueue(c, letters)
  if (await registry.findResource('queue', letters)) return
  throw new SkerryError('ERR_QUEUE_NOT_FOUND', `Dead letter queue "${letters}" does not exist.`)
}
