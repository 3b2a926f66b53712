import { type Context, Hono } from 'hono'
import type { InstancePage, InstanceQuery } from '../../../bindings/workflow/types.ts'
import { SkerryError, toSkerryError } from '../../../src/core/errors.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { readJson, readJsonArray, readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { paginationOf, respondResult } from './envelope.ts'
import { invalidWorkflow } from './workflows-fields.ts'
import { parseCommand, parseNewInstance, parseQuery } from './workflows-instances-input.ts'
import { ask, readInfo, requireWorkflow } from './workflows-scope.ts'
import { toInstance, toListed, toStep } from './workflows-show.ts'

/**
 * A workflow's instances. Mounted at `/workflows/:workflow/instances`.
 *
 * @see https://developers.cloudflare.com/api/resources/workflows/subresources/instances/
 */
export const workflowInstances = new Hono<Api>()

workflowInstances.get('/', listInstances)

workflowInstances.post('/', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const body = (await hasBody(c)) ? await readJsonObject(c) : {}
  const options = parseNewInstance(body)
  const { id } = await ask(c, workflow, object => object.create(options, 'api'))
  const [created] = await toCreated(c, workflow, [id])
  return respondResult(c, created)
})

/** Those whose id is taken are left out, with a message. */
workflowInstances.post('/batch', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const options = (await readJsonArray(c)).map(parseNewInstance)
  const { created, errors } = await ask(c, workflow, object => object.createBatch(options, 'api'))
  const ids = created.map(({ id }) => id)
  const messages = errors.map(({ id, code, message }) => ({ code, message: `${id}: ${message}` }))
  return respondResult(c, await toCreated(c, workflow, ids), undefined, messages)
})

workflowInstances.post('/batch/delete', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const { instances } = await readJsonObject(c)
  return respondResult(c, await ask(c, workflow, object => object.deleteInstances(instances)))
})

/** Terminates what goes on, or what of it has the query's `status`. It is done when it is answered. */
workflowInstances.put('/terminate', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const query = parseQuery(c, MAX_PER_PAGE)
  let page: InstancePage
  let place: Pick<InstanceQuery, 'cursor'> = {}
  do {
    page = await ask(c, workflow, object => object.list({ ...query, ...place }))
    const live = page.instances.filter(({ endedMs }) => endedMs === undefined)
    await Promise.all(live.map(({ id }) => terminate(c, workflow, id)))
    place = page.cursor === undefined ? {} : { cursor: page.cursor }
  } while (page.cursor !== undefined)
  return respondResult(c, { status: 'ok' })
})

/** `order=desc`: the newest step first; `simple=true`: without steps. */
workflowInstances.get('/:id', async c => {
  const workflow = await requireWorkflow(c)
  const { order, simple } = c.req.query()
  const instance = await ask(c, workflow, object => object.describe(c.req.param('id')))
  const steps = instance.steps.map(toStep)
  if (order === 'desc') steps.reverse()
  return respondResult(c, { ...toInstance(instance), ...(simple !== 'true' && { steps }) })
})

workflowInstances.delete('/:id', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const id = c.req.param('id')
  const { errors } = await ask(c, workflow, object => object.deleteInstances([id]))
  if (errors.length === 0) return respondResult(c, { id })
  throw new SkerryError('ERR_WORKFLOW_INSTANCE_NOT_FOUND', `The workflow has no instance "${id}".`)
})

workflowInstances.patch('/:id/status', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const id = c.req.param('id')
  const { command, from } = parseCommand(await readJsonObject(c), 'status')
  await ask(c, workflow, object => object.command(id, command, from))
  const { status } = await ask(c, workflow, object => object.status(id))
  return respondResult(c, { status, timestamp: timestamp(Date.now()) })
})

workflowInstances.post('/:id/events/:type', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  const { id, type } = c.req.param()
  const payload = (await hasBody(c)) ? await readJson(c) : undefined
  await ask(c, workflow, object => object.sendEvent(id, { type, payload }))
  return respondResult(c, null)
})

/** The page of instances that the query asks for, newest first: by `cursor`, or by `page`. */
export async function listInstances(c: Context<Api>): Promise<Response> {
  const workflow = await requireWorkflow(c)
  const { page, perPage } = paginationOf(c, MAX_PER_PAGE)
  const query = parseQuery(c, perPage)
  if (query.cursor !== undefined && c.req.query('page') !== undefined) {
    throw invalidWorkflow('`page` and `cursor` exclude each other. Give one of them.')
  }
  const { instances, total, cursor } = await readPage(c, workflow, query, page)
  return respondResult(
    c,
    instances.map(instance => toListed(workflow, instance)),
    { page, per_page: perPage, count: instances.length, total_count: total, ...(cursor && { cursor }) },
  )
}

/** Pages are found by going through those before. */
async function readPage(
  c: Context<Api>,
  workflow: ResourceRecord,
  query: InstanceQuery,
  page: number,
): Promise<InstancePage> {
  const read = (cursor: Pick<InstanceQuery, 'cursor'>) =>
    ask(c, workflow, object => object.list({ ...query, ...cursor }))
  let found = await read({})
  for (let at = 1; at < page; at++) {
    const { total, cursor } = found
    if (cursor === undefined || (page - 1) * query.limit >= total) return { instances: [], total }
    found = await read({ cursor })
  }
  return found
}

/** What has ended meanwhile, or is gone, is left alone. */
async function terminate(c: Context<Api>, workflow: ResourceRecord, id: string): Promise<void> {
  try {
    await ask(c, workflow, object => object.command(id, 'terminate'))
  } catch (error) {
    const code = toSkerryError(error)?.code
    if (code !== 'ERR_WORKFLOW_INSTANCE_STATE' && code !== 'ERR_WORKFLOW_INSTANCE_NOT_FOUND') throw error
  }
}

/** New instances as Cloudflare's API shows them. */
async function toCreated(c: Context<Api>, workflow: ResourceRecord, ids: readonly string[]) {
  const { versions } = await readInfo(c, workflow)
  return ids.map(id => ({
    id,
    status: 'queued',
    version_id: versions[0]?.id,
    workflow_id: workflow.id,
  }))
}

async function hasBody(c: Context<Api>): Promise<boolean> {
  return (await c.req.text()) !== ''
}

const MAX_PER_PAGE = 100
