import { MAX_KEY_BYTES } from './limits.ts'

/** What can happen to an object, in the words of Cloudflare's notifications. */
const NOTIFICATION_ACTIONS = [
  'PutObject',
  'CopyObject',
  'CompleteMultipartUpload',
  'DeleteObject',
  'LifecycleDeletion',
] as const
export type NotificationAction = (typeof NOTIFICATION_ACTIONS)[number]

/** Which changes of a bucket's objects are told: those whose action is named, of keys that begin and end so. */
export interface NotificationFilter {
  /** Empty = any. */
  readonly prefix: string
  /** Empty = any. */
  readonly suffix: string
  readonly actions: readonly NotificationAction[]
  readonly description?: string
}

/** A change of one object. */
export interface ObjectChange {
  readonly action: NotificationAction
  readonly key: string
  /** Bytes; not told of a deletion. */
  readonly size: number
  /** Without quotes; not told of a deletion. */
  readonly eTag: string
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/**
 * A notification, as a queue's consumer gets it.
 *
 * @see https://developers.cloudflare.com/r2/buckets/event-notifications/#message-format
 */
export interface NotificationMessage {
  readonly account: string
  readonly action: NotificationAction
  readonly bucket: string
  readonly object: { readonly key: string; readonly size?: number; readonly eTag?: string }
  /** ISO 8601, UTC, milliseconds. */
  readonly eventTime: string
}

/** Whether a change is one that a rule tells of. */
export function isNotified({ prefix, suffix, actions }: NotificationFilter, change: ObjectChange): boolean {
  const { key } = change
  return actions.includes(change.action) && key.startsWith(prefix) && key.endsWith(suffix)
}

/** Whether some change would be told by both: of two such rules, one queue would get every message twice. */
export function rulesOverlap(a: NotificationFilter, b: NotificationFilter): boolean {
  const isShared = a.actions.some(action => b.actions.includes(action))
  const prefixesMeet = a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)
  const suffixesMeet = a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix)
  return isShared && prefixesMeet && suffixesMeet
}

/** What a consumer is told of a change. */
export function toNotification(account: string, bucket: string, change: ObjectChange): NotificationMessage {
  const { action, key, size, eTag, nowMs } = change
  const isGone = action === 'DeleteObject' || action === 'LifecycleDeletion'
  return {
    account,
    action,
    bucket,
    object: isGone ? { key } : { key, size, eTag },
    eventTime: new Date(nowMs).toISOString(),
  }
}

/** A rule as a request names it, or what is wrong with it. */
export function parseNotificationRule(input: unknown): NotificationFilter | { readonly problem: string } {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { problem: `a rule must be an object, not ${JSON.stringify(input)}` }
  }
  const { prefix = '', suffix = '', actions, description } = input as Readonly<Record<string, unknown>>
  for (const [field, value] of Object.entries({ prefix, suffix })) {
    if (typeof value !== 'string' || new TextEncoder().encode(value).length > MAX_KEY_BYTES) {
      return {
        problem: `"${field}" must be a string of at most ${MAX_KEY_BYTES} bytes, as keys are no longer`,
      }
    }
  }
  if (!Array.isArray(actions) || actions.length === 0) {
    return { problem: `"actions" must be a list of one or more of ${NOTIFICATION_ACTIONS.join(', ')}` }
  }
  const unknown = actions.find(action => !NOTIFICATION_ACTIONS.includes(action))
  if (unknown !== undefined) {
    const known = NOTIFICATION_ACTIONS.join(', ')
    return { problem: `the action ${JSON.stringify(unknown)} is unknown; known are ${known}` }
  }
  if (description !== undefined && description !== null && typeof description !== 'string') {
    return { problem: '"description" must be a string' }
  }
  return {
    prefix: prefix as string,
    suffix: suffix as string,
    actions: [...new Set(actions as NotificationAction[])],
    ...(description ? { description: description as string } : {}),
  }
}
