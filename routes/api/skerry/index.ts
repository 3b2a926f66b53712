import { Hono } from 'hono'
import { authenticate } from '../authenticate.ts'
import { receiveImport, sendExport } from '../cloudflare/d1-files.ts'
import { openTail } from '../cloudflare/tails.ts'
import type { Api } from '../context.ts'
import { accounts } from './accounts.ts'
import { respondSchema } from './gateway.ts'
import { limits } from './limits.ts'
import { processes } from './processes.ts'
import { tokens } from './tokens.ts'

/** Our own API, for what Cloudflare's has no word for: plain JSON, failures as problem JSON. */
export const v1 = new Hono<Api>()

/** A live log's address is its secret, because wrangler sends no token along. */
v1.get('/tails/:account/:script/:id', c => {
  const { account, script, id } = c.req.param()
  return openTail(c.req.raw, c.env, account, script, id)
})

// The same for files of databases.
v1.put('/d1/imports/:token', receiveImport)
v1.get('/d1/exports/:token', sendExport)

v1.route('/limits', limits)
v1.get('/gateway/schema.json', respondSchema)

v1.use(authenticate)
v1.route('/tokens', tokens)
v1.route('/accounts', accounts)
v1.route('/processes', processes)
