import { type Context, Hono } from 'hono'
import type { CronClock } from '../../../bindings/cron/object.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'
import { readJsonArray, stringField } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'

/**
 * Cron triggers of a script; mounted at `/accounts/:account/workers/scripts/:name/schedules`.
 *
 * A script without a `scheduled()` handler may have them, as on Cloudflare: its runs end as exceptions.
 *
 * @see https://developers.cloudflare.com/api/resources/workers/subresources/scripts/subresources/schedules/
 */
export const schedules = new Hono<Api>()

schedules.get('/', async c => {
  const script = await scriptName(c)
  return respondResult(c, { schedules: await clock(c).getSchedules(script) })
})

schedules.put('/', async c => {
  requireRole(c, 'deployer')
  const script = await scriptName(c)
  const crons = (await readJsonArray(c)).map(item => stringField(item, 'cron'))
  return respondResult(c, { schedules: await clock(c).setSchedules(script, crons) })
})

/** The `:name` of the path, if it is deployed. @throws ERR_SCRIPT_NOT_FOUND */
async function scriptName(c: Context<Api>): Promise<string> {
  const name = c.req.param('name') ?? ''
  if (await c.var.account.registry.getScript(name)) return name
  throw new SkerryError('ERR_SCRIPT_NOT_FOUND', 'This Worker does not exist on your account.')
}

function clock(c: Context<Api>): DurableObjectStub<CronClock> {
  return c.env.CRON.getByName(c.var.account.id)
}
