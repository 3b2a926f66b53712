import { WorkerEntrypoint } from 'cloudflare:workers'
import { SkerryError } from '../../src/core/errors.ts'
import type { QueueMetrics } from '../../src/core/queue.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { isAway, stateRole } from '../../src/roles.ts'
import {
  checkBatch,
  checkSize,
  isProblem,
  type NewMessage,
  readDelay,
  readMessage,
  type SendProblem,
} from './producer.ts'

/** Which queue a function's binding sends to. Set by the platform only. */
export interface QueueProps {
  readonly accountId: string
  /** The id of the object that has the messages. */
  readonly object: string
  /** Seconds, for messages that name no delay of their own. */
  readonly deliveryDelay?: number
}

/** What the facade in the function's isolate makes its result or its error of. */
type Answer = { readonly ok: unknown } | (SendProblem & { readonly type?: boolean; readonly failed?: string })

/**
 * A queue's producer. Messages come serialised from the facade, which throws what is refused here as the native
 * producer does; a stub that is called without it gets the same answers. Every method can be called by the
 * function, so there are no others.
 */
export class QueueEntrypoint extends WorkerEntrypoint<EdgeEnv, QueueProps> {
  /** What waits in the queue. */
  async metrics(): Promise<unknown> {
    const { accountId, object } = this.ctx.props
    try {
      return { ok: toMetrics(await stateRole(this.env, this.ctx.exports).queueMetrics(accountId, object)) }
    } catch (error) {
      return refuse('metrics', toProblem(error))
    }
  }

  /** Sends one message; it is on disk when this resolves. `count` is how many arguments the function gave. */
  async send(count: unknown, packed: unknown): Promise<unknown> {
    const { options } = (packed ?? {}) as { options?: unknown }
    if (count === 0) return wrongArgument('send', 1, 'Value')
    if (options !== 'undefined' && options !== 'object') return wrongArgument('send', 2, 'SendOptions')
    const message = readMessage(packed)
    if (isProblem(message)) return refuse('send', message)
    return this.#enqueue('send', [message], checkSize(message))
  }

  /** Sends up to 100 messages: all are on disk when this resolves, or none. */
  async sendBatch(items: unknown, delay: unknown): Promise<unknown> {
    if (!Array.isArray(items)) return wrongArgument('sendBatch', 1, 'Sequence')
    if (items.length === 0) return refuse('sendBatch', { error: 'sendBatch() requires at least one message' })
    const batchDelay = readDelay(delay)
    if (isProblem(batchDelay)) return refuse('sendBatch', batchDelay)
    const messages: NewMessage[] = []
    for (const item of items) {
      const message = readMessage(item)
      if (isProblem(message)) return refuse('sendBatch', message)
      messages.push(batchDelay === undefined ? message : { delaySeconds: batchDelay, ...message })
    }
    return this.#enqueue('sendBatch', messages, checkBatch(messages))
  }

  async #enqueue(
    method: string,
    messages: readonly NewMessage[],
    problem: SendProblem | undefined,
  ): Promise<Answer> {
    if (problem) return refuse(method, problem)
    const { accountId, object, deliveryDelay } = this.ctx.props
    const delayed =
      deliveryDelay === undefined
        ? messages
        : messages.map(message => ({ delaySeconds: deliveryDelay, ...message }))
    try {
      // Not repeated when the process goes: what it did before nobody knows, and the function can tell best.
      const metrics = await stateRole(this.env, this.ctx.exports).sendToQueue(accountId, object, delayed)
      return { ok: { metadata: { metrics: toMetrics(metrics) } } }
    } catch (error) {
      return refuse(method, toProblem(error))
    }
  }
}

function toMetrics({ backlogCount, backlogBytes, oldestMessageTimestamp: oldest }: QueueMetrics) {
  return { backlogCount, backlogBytes, ...(oldest && { oldestMessageTimestamp: new Date(oldest) }) }
}

function wrongArgument(method: string, number: number, type: string): Answer {
  const error = `Failed to execute '${method}' on 'WorkerQueue': parameter ${number} is not of type '${type}'.`
  return refuse(method, { error })
}

function refuse(method: string, problem: SendProblem): Answer {
  const isTypeError = problem.code === undefined
  return { ...problem, type: isTypeError, failed: `Queue ${method} failed: ${problem.status}` }
}

function toProblem(error: unknown): SendProblem {
  if (isAway(error)) return { error: 'Unknown Internal Error', code: 15000, status: 'Service Unavailable' }
  const message = error instanceof Error ? error.message : ''
  if (/ERR_QUEUE_FULL/.test(message) || (error instanceof SkerryError && error.code === 'ERR_QUEUE_FULL')) {
    return { error: 'Queue storage limit exceeded', code: 10251, status: 'Too Many Requests' }
  }
  if (/ERR_QUEUE_NOT_FOUND/.test(message)) {
    return { error: 'Queue does not exist', code: 10104, status: 'Not Found' }
  }
  throw error
}
