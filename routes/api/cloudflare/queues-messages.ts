import { type Context, Hono } from 'hono'
import { describe } from '../../../bindings/fields.ts'
import { isDelay, QUEUE_LIMITS } from '../../../bindings/queue/limits.ts'
import { checkBatch, checkSize, type NewMessage, type SendProblem } from '../../../bindings/queue/producer.ts'
import { invalid, readInteger } from '../../../bindings/queue/settings.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { objectOf, requireQueue, toMetrics } from './queues-scope.ts'

/**
 * A queue's messages: sent, and pulled, by HTTP. Mounted at `/queues/:queue/messages`.
 *
 * @see https://developers.cloudflare.com/queues/configuration/pull-consumers/
 */
export const queueMessages = new Hono<Api>()

type Fields = Readonly<Record<string, unknown>>

queueMessages.post('/', async c => {
  const message = toMessage(await readJsonObject(c))
  return send(c, [message], checkSize(message))
})

queueMessages.post('/batch', async c => {
  const { messages: items, delay_seconds: delay } = await readJsonObject(c)
  if (!Array.isArray(items) || items.length === 0) {
    throw refused('`messages` must be an array of at least one message')
  }
  const messages = items.map(item => toMessage({ delay_seconds: delay, ...(item as Fields) }))
  return send(c, messages, checkBatch(messages))
})

queueMessages.post('/pull', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const body = await readJsonObject(c)
  const { maxBatchSize, maxVisibilityMs, defaultPullSize } = QUEUE_LIMITS
  const size = readInteger(body, 'batch_size', 1, maxBatchSize) ?? defaultPullSize
  const visibilityMs =
    readInteger(body, 'visibility_timeout_ms', 0, maxVisibilityMs) ??
    readInteger(body, 'visibility_timeout', 0, maxVisibilityMs)
  const { backlogCount, messages } = await objectOf(c, queue).pull(size, visibilityMs)
  return respondResult(c, { message_backlog_count: backlogCount, messages })
})

queueMessages.post('/ack', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const { acks, retries } = await readJsonObject(c)
  const result = await objectOf(c, queue).acknowledge(
    toLeases(acks, 'acks').map(({ leaseId }) => leaseId),
    toLeases(retries, 'retries'),
  )
  return respondResult(c, result)
})

/** The oldest, without taking them. */
queueMessages.post('/preview', async c => {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  const body = await readJsonObject(c)
  const size = readInteger(body, 'batch_size', 1, QUEUE_LIMITS.maxBatchSize) ?? defaultPreview
  return respondResult(c, { messages: await objectOf(c, queue).peek(size) })
})

const defaultPreview = 10

async function send(
  c: Context<Api>,
  messages: readonly NewMessage[],
  problem: SendProblem | undefined,
): Promise<Response> {
  requireRole(c, 'deployer')
  const queue = await requireQueue(c)
  if (problem) throw refused(`${problem.error} (${problem.code})`)
  const metrics = await objectOf(c, queue).send(messages)
  return respondResult(c, { metadata: { metrics: toMetrics(metrics) } })
}

function toMessage({ body, content_type: type = 'json', delay_seconds: delay }: Fields): NewMessage {
  const hasDelay = delay !== undefined && delay !== null
  if (hasDelay && !isDelay(delay)) {
    throw refused(
      `\`delay_seconds\` is ${describe(delay)}; it must be an integer from 0 to ${QUEUE_LIMITS.maxDelaySeconds}`,
    )
  }
  const delayed = hasDelay ? { delaySeconds: delay as number } : {}
  if (body === undefined) throw refused('`body` is missing')
  switch (type) {
    case 'json':
      return { type, body: new TextEncoder().encode(JSON.stringify(body)), ...delayed }
    case 'text':
      if (typeof body !== 'string') throw refused(`\`body\` is ${describe(body)}; text must be a string`)
      return { type, body: new TextEncoder().encode(body), ...delayed }
    case 'bytes':
      return { type, body: fromBase64(body), ...delayed }
    default:
      throw refused(`\`content_type\` is ${describe(type)}; it must be "json", "text" or "bytes"`)
  }
}

function fromBase64(body: unknown): Uint8Array {
  try {
    if (typeof body === 'string') return Uint8Array.fromBase64(body)
  } catch {
    // Said below.
  }
  throw refused(`\`body\` is ${describe(body)}; bytes must be base64`)
}

function toLeases(input: unknown, name: string): { leaseId: string; delaySeconds?: number }[] {
  if (input === undefined || input === null) return []
  if (!Array.isArray(input)) throw invalid(`\`${name}\` is ${describe(input)}. It must be an array.`)
  return input.map(item => {
    const { lease_id: leaseId, delay_seconds: delay } = (item ?? {}) as Fields
    if (typeof leaseId !== 'string') {
      throw invalid(`\`${name}\`: \`lease_id\` is ${describe(leaseId)}. It must be a string.`)
    }
    if (delay !== undefined && delay !== null && !isDelay(delay)) {
      throw invalid(
        `\`${name}\`: \`delay_seconds\` is ${describe(delay)}. It must be an integer from 0 to ${QUEUE_LIMITS.maxDelaySeconds}.`,
      )
    }
    return { leaseId, ...(isDelay(delay) && { delaySeconds: delay }) }
  })
}

function refused(problem: string): SkerryError {
  return new SkerryError('ERR_QUEUE_MESSAGE', `The message was refused: ${problem}.`)
}
