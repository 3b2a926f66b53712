/** How a message's body was sent, and is to be given to the consumer. */
export type ContentType = 'json' | 'text' | 'bytes' | 'v8'

/** Every content type; a stored message has its index. */
export const CONTENT_TYPES: readonly ContentType[] = ['json', 'text', 'bytes', 'v8']

/** A message on its way to a consumer. */
export interface QueueMessage {
  /** 32 hex digits. */
  readonly id: string
  /** When it was sent, in milliseconds since the epoch. */
  readonly timestampMs: number
  /** 1 at the first delivery. */
  readonly attempts: number
  readonly type: ContentType
  /** UTF-8 for `json` and `text`. */
  readonly body: Uint8Array
}

/** What is waiting in a queue, those under way included. */
export interface QueueMetrics {
  readonly backlogCount: number
  readonly backlogBytes: number
  /** Milliseconds since the epoch; 0 = the queue is empty. */
  readonly oldestMessageTimestamp: number
}

/** Messages that a consumer gets at once. */
export interface QueueBatch {
  /** The queue's name. */
  readonly queue: string
  readonly messages: readonly QueueMessage[]
  readonly metrics: QueueMetrics
}

/** What a consumer said of its batch, in the words of workerd's own event. */
export interface BatchVerdict {
  readonly ackAll: boolean
  readonly retryBatch: { readonly retry: boolean; readonly delaySeconds?: number }
  readonly explicitAcks: readonly string[]
  readonly retryMessages: readonly { readonly msgId: string; readonly delaySeconds?: number }[]
}
