import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { latestProcesses, orderRestart } from '../../../src/observe/processes.ts'
import type { Api } from '../context.ts'
import { requirePlatformAdmin } from '../roles.ts'

/** The processes the platform runs in, where a supervisor keeps them. */
export const processes = new Hono<Api>()

processes.get('/', c => c.json(latestProcesses() ?? { processes: [], updated_on: null }))

/** Replaces every process by a new one, one after the other; callers notice nothing. */
processes.post('/restart', c => {
  requirePlatformAdmin(c)
  if (!latestProcesses()) {
    throw new SkerryError('ERR_NO_SUPERVISOR', 'No supervisor runs this platform, so nobody can restart it.')
  }
  orderRestart()
  return c.json({ restarting: true }, 202)
})
