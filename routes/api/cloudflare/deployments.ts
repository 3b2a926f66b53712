import { Hono } from 'hono'
import { type DeploymentRecord, parseShares } from '../../../src/registry/deployments.ts'
import { scriptNotFound } from '../../../src/registry/failures.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { toAnnotations, toAuthor } from './author.ts'
import { respondResult } from './envelope.ts'

/** Deployments of a script: which versions get which share. Mounted at `/scripts/:name/deployments`. */
export const deployments = new Hono<Api>()

deployments.get('/', async c => {
  const records = await c.var.account.registry.listDeployments(nameOf(c), MAX_LISTED)
  return respondResult(c, { deployments: records.map(toDeployment) })
})

deployments.get('/:id', async c => {
  const records = await c.var.account.registry.listDeployments(nameOf(c), MAX_LISTED)
  const record = records.find(({ id }) => id === c.req.param('id'))
  if (!record) throw scriptNotFound()
  return respondResult(c, toDeployment(record))
})

deployments.post('/', async c => {
  requireRole(c, 'deployer')
  const body = await readJsonObject(c)
  const annotations = toAnnotations(body.annotations)
  const record = await c.var.account.registry.deploy(nameOf(c), parseShares(body.versions), {
    source: 'wrangler',
    author: toAuthor(c),
    annotations: { 'workers/triggered_by': 'deployment', ...annotations },
  })
  return respondResult(c, toDeployment(record))
})

const nameOf = (c: { req: { param(name: string): string | undefined } }) => c.req.param('name') ?? ''

/** As many as Cloudflare lists. */
const MAX_LISTED = 10

function toDeployment({ author, script: _, ...record }: DeploymentRecord) {
  return { ...record, strategy: 'percentage', author_email: author.email }
}
