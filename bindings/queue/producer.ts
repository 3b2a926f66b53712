import { CONTENT_TYPES, type ContentType } from '../../src/core/queue.ts'
import { isDelay, QUEUE_LIMITS } from './limits.ts'
import { encodeV8 } from './v8-encode.ts'

/** A message as a queue takes it in. */
export interface NewMessage {
  readonly type: ContentType
  readonly body: Uint8Array
  /** Seconds before it can be delivered; absent = the queue's own delay. */
  readonly delaySeconds?: number
}

/** Why messages are refused, in the words and with the numbers of Cloudflare's Queues. */
export interface SendProblem {
  readonly error: string
  /** Cloudflare's, shown by isolates with the flag `queue_expose_error_codes`; absent = a TypeError. */
  readonly code?: number
  /** The status text, shown by the others. */
  readonly status?: string
}

/** What the facade makes of a message, as far as its type shows: anybody with the stub can send anything. */
interface Packed {
  readonly type?: unknown
  readonly kind?: unknown
  readonly delay?: unknown
  readonly body?: unknown
}

/** A message as it came from the facade, checked. */
export function readMessage(input: unknown): NewMessage | SendProblem {
  if (input === null || typeof input !== 'object') {
    return { error: "Incorrect type: the provided value is not of type 'MessageSendRequest'." }
  }
  const { type: name, kind, delay, body } = input as Packed
  if (kind === 'undefined') return { error: 'Message body cannot be undefined' }
  const type = CONTENT_TYPES.find(type => type === name)
  if (!type) return { error: `Unsupported queue message content type: ${String(name)}` }
  const bytes = type === 'v8' ? encodeV8(body) : body
  if (!(bytes instanceof Uint8Array)) {
    const wanted = type === 'text' ? 'string' : 'ArrayBufferView'
    return {
      error: `Content Type "${type}" requires a value of type ${wanted}, but received: ${String(kind)}`,
    }
  }
  if (type === 'json' && bytes.byteLength === 0) {
    return { error: `Message body of type ${String(kind)} cannot be written as JSON` }
  }
  const seconds = readDelay(delay)
  if (typeof seconds === 'object') return seconds
  return { type, body: bytes, ...(seconds !== undefined && { delaySeconds: seconds }) }
}

/** A delay as the facade gives it: a number without fraction, or one that stands for 0. */
export function readDelay(delay: unknown): number | undefined | SendProblem {
  if (delay === undefined) return undefined
  const seconds = typeof delay === 'number' && Number.isFinite(delay) ? delay : 0
  if (seconds < -(2 ** 31) || seconds >= 2 ** 31) {
    return { error: 'Value out of range. Must be between -2147483648 and 2147483647 (inclusive).' }
  }
  if (isDelay(seconds) || seconds === 0) return seconds + 0
  return {
    error: `message delay of ${seconds} seconds must be between 0 and ${QUEUE_LIMITS.maxDelaySeconds} seconds`,
    code: 10203,
    status: 'Bad Request',
  }
}

/** Refuses a message that is too large. */
export function checkSize({ body }: NewMessage): SendProblem | undefined {
  const { messageBytes } = QUEUE_LIMITS
  if (body.byteLength <= messageBytes) return undefined
  return tooLarge(`message length of ${body.byteLength} bytes exceeds limit of ${messageBytes} bytes`, 10204)
}

/** Refuses a batch of too many messages, or one that is too large. */
export function checkBatch(messages: readonly NewMessage[]): SendProblem | undefined {
  const { batchMessages, messageBytes, batchBytes } = QUEUE_LIMITS
  if (messages.length > batchMessages) {
    return tooLarge(`batch message count of ${messages.length} exceeds limit of ${batchMessages}`, 10206)
  }
  const largest = Math.max(0, ...messages.map(({ body }) => body.byteLength))
  if (largest > messageBytes) {
    return tooLarge(
      `message in batch has length ${largest} bytes which exceeds single message size limit of ${messageBytes} bytes`,
      10204,
    )
  }
  const total = messages.reduce((sum, { body }) => sum + body.byteLength, 0)
  if (total <= batchBytes) return undefined
  return tooLarge(`batch size of ${total} bytes exceeds limit of ${batchBytes} bytes`, 10205)
}

/** Whether a check's answer is a refusal. */
export function isProblem(answer: unknown): answer is SendProblem {
  return typeof answer === 'object' && answer !== null && 'error' in answer
}

function tooLarge(error: string, code: number): SendProblem {
  return { error, code, status: 'Payload Too Large' }
}
