import { Hono } from 'hono'
import { readScript } from '../cloudflare/script-name.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'
import { readScriptSummary, toQuarantine } from './script-summary.ts'

/** Quarantine of scripts. Mounted at `/accounts/:account`. */
export const strikes = new Hono<Api>()

/** The account's scripts that are in quarantine, by name. `preview`: only a version that isn't deployed is. */
strikes.get('/quarantine', async c => {
  const records = await c.var.account.registry.listQuarantines()
  return c.json(
    records.map(record => ({
      name: record.script,
      preview: record.isolate !== '',
      ...toQuarantine(record),
    })),
  )
})

/** Ends a script's quarantine and forgets its strikes. */
strikes.post('/scripts/:name/release', async c => {
  requireRole(c, 'deployer')
  const { name } = await readScript(c)
  await c.var.account.registry.releaseScript(name)
  return c.json(await readScriptSummary(c))
})
