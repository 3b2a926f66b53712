import { Hono } from 'hono'
import { bucketStub } from '../../../bindings/r2/bucket-stub.ts'
import { type NotificationFilter, parseNotificationRule } from '../../../bindings/r2/notification-rules.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { requireBucket } from './r2-scope.ts'

/**
 * Which changes of a bucket's objects are told to which queues. Mounted at
 * `/accounts/:account/event_notifications/r2/:bucket/configuration`.
 *
 * @see https://developers.cloudflare.com/api/resources/r2/subresources/buckets/subresources/event_notifications/
 */
export const r2Notifications = new Hono<Api>()

r2Notifications.get('/', async c => {
  const bucket = await requireBucket(c)
  const { id, registry } = c.var.account
  const rules = await bucketStub(c.env, id, bucket.object).listNotificationRules()
  const queues = await registry.listResources('queue')
  const told = queues
    .filter(queue => rules.some(rule => rule.queueId === queue.id))
    .map(queue => ({
      queueId: queue.id,
      queueName: queue.name,
      rules: rules.filter(rule => rule.queueId === queue.id).map(({ queueId: _, ...rule }) => rule),
    }))
  return respondResult(c, { bucketName: bucket.name, queues: told })
})

/** Adds rules: what was there stays. */
r2Notifications.put('/queues/:queue', async c => {
  requireRole(c, 'deployer')
  const bucket = await requireBucket(c)
  const { rules } = await readJsonObject(c)
  if (!Array.isArray(rules) || rules.length === 0)
    throw invalid('"rules" must be a list of one or more rules')
  const filters = rules.map(requireFilter)
  const { id, registry } = c.var.account
  const queueId = c.req.param('queue')
  const queue = await registry.findResource('queue', queueId)
  if (queue?.id !== queueId) {
    throw new SkerryError('ERR_QUEUE_NOT_FOUND', `Queue '${queueId}' was not found in this account.`)
  }
  const added = { accountId: id, bucket: bucket.name, queueId, filters }
  await bucketStub(c.env, id, bucket.object).addNotificationRules(added)
  return respondResult(c, {})
})

/** Removes the rules that the body names, or all of this queue. */
r2Notifications.delete('/queues/:queue', async c => {
  requireRole(c, 'deployer')
  const bucket = await requireBucket(c)
  const text = await c.req.text()
  const ids = text.trim() === '' ? undefined : (await readJsonObject(c)).ruleIds
  const isList = Array.isArray(ids) && ids.length > 0 && ids.every(id => typeof id === 'string')
  if (ids !== undefined && !isList) throw invalid('"ruleIds" must be a list of one or more ids of rules')
  const stub = bucketStub(c.env, c.var.account.id, bucket.object)
  await stub.removeNotificationRules(c.req.param('queue'), ids as string[] | undefined)
  return respondResult(c, {})
})

function requireFilter(input: unknown): NotificationFilter {
  const parsed = parseNotificationRule(input)
  if ('problem' in parsed) throw invalid(parsed.problem)
  return parsed
}

function invalid(problem: string): SkerryError {
  return new SkerryError('ERR_R2_NOTIFICATION', `The notification's rules are not valid: ${problem}.`)
}
