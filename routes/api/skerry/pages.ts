import { Hono } from 'hono'
import { directory } from '../../../src/registry/stubs.ts'
import { authenticate } from '../authenticate.ts'
import type { Api } from '../context.ts'
import { respondFirstPage, signIn, signOut } from './first-page.ts'
import { respondMetrics } from './metrics.ts'

/** What the apex answers beside the APIs. */
export const pages = new Hono<Api>()

pages.get('/', c => respondFirstPage(c))
pages.post('/sign-in', c => signIn(c))
pages.post('/sign-out', c => signOut(c))

/** Ready once the registry answers: then deploys and requests are accepted. */
pages.get('/healthz', async c => {
  const accounts = await directory(c.env).accounts()
  return c.json({ status: 'ok', host: c.env.SKERRY_HOST_KIND ?? 'dev', accounts: accounts.length })
})

pages.use('/metrics', authenticate)
pages.get('/metrics', c => respondMetrics(c))
