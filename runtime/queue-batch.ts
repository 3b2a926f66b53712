import { decodeV8 } from '../bindings/queue/v8-decode.ts'
import type { BatchResult } from '../src/core/invoker.ts'
import type { QueueBatch, QueueMessage } from '../src/core/queue.ts'
import { callQueue } from './harness.ts'

/**
 * Runs a function's `queue()` on a batch, and says what it made of it.
 *
 * @param native as workerd's own event: tails see it, and bodies of the type `v8` are read in the function's
 * isolate. The flag that allows it can't be deployed to Cloudflare; there the harness takes the batch.
 */
export async function runBatch(stub: WorkerStub, batch: QueueBatch, native: boolean): Promise<BatchResult> {
  const { oldestMessageTimestamp: oldest, ...counts } = batch.metrics
  const metadata = { metrics: { ...counts, ...(oldest && { oldestMessageTimestamp: new Date(oldest) }) } }
  if (!native) return callQueue(stub, batch.queue, batch.messages.map(toMessage), metadata)
  const messages = batch.messages.map(message =>
    message.type === 'v8' ? { ...toHead(message), serializedBody: message.body } : toMessage(message),
  )
  const deliver = stub.getEntrypoint() as unknown as NativeConsumer
  const result = await deliver.queue(batch.queue, messages, metadata)
  const { outcome, ackAll, retryBatch, explicitAcks, retryMessages } = result
  return {
    outcome: outcome as BatchResult['outcome'],
    ackAll,
    retryBatch,
    explicitAcks: [...explicitAcks],
    retryMessages: retryMessages ?? [],
  }
}

/** workerd's event, which the types of a Fetcher have in an older form. */
interface NativeConsumer {
  queue(queue: string, messages: readonly object[], metadata: object): Promise<BatchResult>
}

function toHead({ id, timestampMs, attempts }: QueueMessage) {
  return { id, timestamp: new Date(timestampMs), attempts }
}

function toMessage(message: QueueMessage) {
  return { ...toHead(message), body: toBody(message) }
}

function toBody({ type, body }: QueueMessage): unknown {
  switch (type) {
    case 'json':
      return JSON.parse(new TextDecoder().decode(body))
    case 'text':
      return new TextDecoder().decode(body)
    case 'bytes':
      return new Uint8Array(body).buffer
    case 'v8':
      return decodeV8(body)
  }
}
