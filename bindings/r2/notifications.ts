import { SkerryError } from '../../src/core/errors.ts'
import { createHexId } from '../../src/core/ids.ts'
import type { StateEnv } from '../../src/env.ts'
import { queueObject } from '../queue/stub.ts'
import {
  isNotified,
  type NotificationAction,
  type NotificationFilter,
  type ObjectChange,
  rulesOverlap,
  toNotification,
} from './notification-rules.ts'

/** A rule of a bucket: which changes are told to which queue. */
export interface NotificationRule extends NotificationFilter {
  readonly ruleId: string
  /** The queue's id. */
  readonly queueId: string
  /** ISO 8601, UTC, milliseconds. */
  readonly createdAt: string
}

/** Rules to add: what messages say of the bucket, and the queue they go to. */
export interface NewNotificationRules {
  readonly accountId: string
  /** The bucket's name, which never changes. */
  readonly bucket: string
  /** The queue's id. */
  readonly queueId: string
  readonly filters: readonly NotificationFilter[]
}

/** How many rules a bucket can have. @see https://developers.cloudflare.com/r2/buckets/event-notifications/ */
export const MAX_NOTIFICATION_RULES = 100

/** The tables of a bucket's notifications: its rules, and what queues haven't taken yet. */
export const NOTIFICATIONS_SCHEMA = `
  CREATE TABLE notification_rules (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, bucket TEXT NOT NULL, queue TEXT NOT NULL,
    prefix TEXT NOT NULL, suffix TEXT NOT NULL, actions TEXT NOT NULL, description TEXT, created_on TEXT NOT NULL
  );
  CREATE TABLE notifications (
    id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, queue TEXT NOT NULL, message TEXT NOT NULL
  )`

/** Writes down what is to be told of a change. Call it in the change's transaction; `true` = something is owed. */
export function noteChange(sql: SqlStorage, change: ObjectChange): boolean {
  let isOwed = false
  for (const row of sql.exec<RuleRow>('SELECT * FROM notification_rules').toArray()) {
    if (!isNotified(toRule(row), change)) continue
    const message = JSON.stringify(toNotification(row.account, row.bucket, change))
    sql.exec(
      'INSERT INTO notifications (account, queue, message) VALUES (?, ?, ?)',
      row.account,
      row.queue,
      message,
    )
    isOwed = true
  }
  return isOwed
}

/** Whether queues are owed something. */
export function hasNotifications(sql: SqlStorage): boolean {
  return sql.exec('SELECT 1 FROM notifications LIMIT 1').toArray().length > 0
}

/**
 * Hands queues what they are owed, the oldest first, and forgets what they took. A queue that fails keeps no other
 * from its own; the failure is thrown at the end. What a queue took when this process ended is sent again.
 */
export async function deliverNotifications(sql: SqlStorage, env: StateEnv): Promise<void> {
  const queues = sql.exec<QueueRow>('SELECT DISTINCT account, queue FROM notifications').toArray()
  const results = await Promise.allSettled(queues.map(queue => deliverTo(sql, env, queue)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** The rules of a bucket, oldest first. */
export function listNotificationRules(sql: SqlStorage): NotificationRule[] {
  return sql
    .exec<RuleRow>('SELECT * FROM notification_rules ORDER BY created_on, rowid')
    .toArray()
    .map(toRule)
}

/**
 * Adds rules of one queue; all of them or none. Call it in a transaction.
 *
 * @throws ERR_R2_NOTIFICATION if one overlaps with another of the same queue, or there would be too many
 */
export function addNotificationRules(sql: SqlStorage, added: NewNotificationRules, nowMs: number): void {
  const rules: NotificationFilter[] = listNotificationRules(sql).filter(r => r.queueId === added.queueId)
  for (const filter of added.filters) {
    const other = rules.find(rule => rulesOverlap(rule, filter))
    if (other) throw overlapping(filter, other)
    rules.push(filter)
    const { prefix, suffix, actions, description = null } = filter
    const values = [prefix, suffix, actions.join(','), description, new Date(nowMs).toISOString()]
    const { accountId, bucket, queueId } = added
    sql.exec(
      'INSERT INTO notification_rules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
      createHexId(),
      accountId,
      bucket,
      queueId,
      ...values,
    )
  }
  const count = sql.exec<{ n: number }>('SELECT COUNT(*) AS n FROM notification_rules').one().n
  if (count <= MAX_NOTIFICATION_RULES) return
  throw new SkerryError(
    'ERR_R2_NOTIFICATION',
    `The bucket would have ${count} notification rules; at most ${MAX_NOTIFICATION_RULES} are allowed. Delete some first.`,
  )
}

/**
 * Removes rules of a queue: those named, or all. What is owed by them already is still delivered.
 *
 * @throws ERR_R2_NOTIFICATION if there is none, or not one that is named; then none is removed
 */
export function removeNotificationRules(sql: SqlStorage, queueId: string, ruleIds?: readonly string[]): void {
  const present = listNotificationRules(sql).filter(rule => rule.queueId === queueId)
  const missing = ruleIds?.find(id => !present.some(rule => rule.ruleId === id))
  if (present.length === 0 || missing !== undefined) {
    const what = missing === undefined ? 'no notification rule' : `no notification rule "${missing}"`
    throw new SkerryError(
      'ERR_R2_NOTIFICATION',
      `The bucket has ${what} for this queue. List the rules with \`wrangler r2 bucket notification list\`.`,
    )
  }
  for (const id of ruleIds ?? present.map(rule => rule.ruleId)) {
    sql.exec('DELETE FROM notification_rules WHERE id = ?', id)
  }
}

type QueueRow = { account: string; queue: string }
type OwedRow = { id: number; message: string }
type RuleRow = {
  id: string
  account: string
  bucket: string
  queue: string
  prefix: string
  suffix: string
  actions: string
  description: string | null
  created_on: string
}

/** Of the longest messages, more would be too much for a queue at once. */
const BATCH = 32

async function deliverTo(sql: SqlStorage, env: StateEnv, { account, queue }: QueueRow): Promise<void> {
  const registry = env.ACCOUNT.get(env.ACCOUNT.idFromName(account))
  const resource = await registry.findResource('queue', queue)
  // Its id is never given again, so nobody will ever want these.
  if (!resource || resource.id !== queue) {
    sql.exec('DELETE FROM notification_rules WHERE queue = ?', queue)
    sql.exec('DELETE FROM notifications WHERE queue = ?', queue)
    return
  }
  const object = queueObject(env, account, resource.object)
  for (;;) {
    const owed = sql
      .exec<OwedRow>(
        'SELECT id, message FROM notifications WHERE queue = ? ORDER BY id LIMIT ?',
        queue,
        BATCH,
      )
      .toArray()
    if (owed.length === 0) return
    await object.send(
      owed.map(({ message }) => ({ type: 'json' as const, body: new TextEncoder().encode(message) })),
    )
    for (const { id } of owed) sql.exec('DELETE FROM notifications WHERE id = ?', id)
  }
}

function toRule(row: RuleRow): NotificationRule {
  return {
    ruleId: row.id,
    queueId: row.queue,
    prefix: row.prefix,
    suffix: row.suffix,
    actions: row.actions.split(',') as NotificationAction[],
    ...(row.description !== null && { description: row.description }),
    createdAt: row.created_on,
  }
}

function overlapping(rule: NotificationFilter, other: NotificationFilter): SkerryError {
  const name = ({ prefix, suffix }: NotificationFilter) => `prefix "${prefix}" and suffix "${suffix}"`
  return new SkerryError(
    'ERR_R2_NOTIFICATION',
    `The rule for ${name(rule)} overlaps with the one for ${name(other)} of the same queue: changes would be told twice. Delete that one first, or name other actions.`,
  )
}
