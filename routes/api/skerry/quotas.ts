import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { accountLimiter } from '../../../src/registry/stubs.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'

/** What callers have used of the quotas of a gateway file. Mounted at `/accounts/:account`. */
export const quotas = new Hono<Api>()

/**
 * Quotas that were used in the present day or month, by policy and key: `?policy=plan&limit=100&after=<key>`. At most
 * 1,000 at a time; `next` is the `after` of the next page, within a policy.
 */
quotas.get('/quotas', async c => {
  const { policy, after, limit = '100' } = c.req.query()
  const count = Number(limit)
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw new SkerryError('ERR_BAD_REQUEST', `"limit" must be from 1 to ${MAX_COUNT}, not "${limit}".`)
  }
  if (after !== undefined && policy === undefined) {
    throw new SkerryError('ERR_BAD_REQUEST', '"after" goes with "policy": keys are in order within a policy.')
  }
  const records = await accountLimiter(c.env, c.var.account.id).listQuotas(policy, after, count)
  return c.json({
    quotas: records.map(({ policy, key, period, limit, used, resetAtMs }) => ({
      policy,
      key,
      period,
      limit,
      used,
      resets_on: new Date(resetAtMs).toISOString(),
    })),
    next: records.length === count ? records.at(-1)?.key : null,
  })
})

/**
 * Begins the count of one caller anew (`?policy=plan&key=<key>`), or those of all callers of a policy
 * (`?policy=plan&all=true`). Edges may still refuse for a second, and spend what they hold.
 */
quotas.delete('/quotas', async c => {
  requireRole(c, 'deployer')
  const { policy, key, all } = c.req.query()
  if (!policy || (key === undefined) === (all !== 'true')) {
    throw new SkerryError('ERR_BAD_REQUEST', 'Name the "policy", and the caller\'s "key" or "all=true".')
  }
  return c.json({ reset: await accountLimiter(c.env, c.var.account.id).resetQuotas(policy, key) })
})

const MAX_COUNT = 1000
