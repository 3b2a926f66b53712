import { type Context, Hono } from 'hono'
import type { WorkflowInfo } from '../../../bindings/workflow/types.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { paginate, respondResult } from './envelope.ts'
import { listInstances, workflowInstances } from './workflows-instances.ts'
import { ask, createWorkflow, readInfo, readInfos, requireClass, requireWorkflow } from './workflows-scope.ts'
import { parseSettings } from './workflows-settings.ts'
import { toVersion, toWorkflow } from './workflows-show.ts'

/**
 * Workflows; mounted at `/accounts/:account/workflows`. `:workflow` is a name, or an id.
 *
 * @see https://developers.cloudflare.com/api/resources/workflows/
 */
export const workflows = new Hono<Api>()

/** With `search`: those whose name has it. */
workflows.get('/', async c => {
  const search = c.req.query('search') ?? ''
  const all = await c.var.account.registry.listResources('workflow')
  const { items, info } = paginate(
    c,
    all.filter(({ name }) => name.includes(search)),
  )
  const shown = await readInfos(c, items)
  return respondResult(
    c,
    await Promise.all(shown.map(({ workflow, info: known }) => showWorkflow(c, workflow, known))),
    info,
  )
})

workflows.get('/:workflow', async c => {
  const workflow = await requireWorkflow(c)
  return respondResult(c, await showWorkflow(c, workflow, await readInfo(c, workflow)))
})

/** Says what a workflow runs; one that isn't there is made. */
workflows.put('/:workflow', async c => {
  requireRole(c, 'deployer')
  const name = c.req.param('workflow')
  const settings = parseSettings(await readJsonObject(c))
  await requireClass(c, settings.script, settings.className)
  const present = await c.var.account.registry.findResource('workflow', name)
  if (present) await ask(c, present, object => object.configure(present.name, settings))
  const workflow = present ?? (await createWorkflow(c, name, settings))
  const info = await readInfo(c, workflow)
  return respondResult(c, {
    ...(await showWorkflow(c, workflow, info)),
    version_id: info.versions[0]?.id,
    is_deleted: 0,
    terminator_running: 0,
    ...(info.stepLimit !== undefined && { limits: { steps: info.stepLimit } }),
  })
})

/** Deletes its instances too. They go first: what has no name any more must not run. */
workflows.delete('/:workflow', async c => {
  requireRole(c, 'deployer')
  const workflow = await requireWorkflow(c)
  await ask(c, workflow, object => object.remove())
  await c.var.account.registry.deleteResource('workflow', workflow.id)
  return respondResult(c, { status: 'ok', success: true })
})

workflows.get('/:workflow/versions', async c => {
  const workflow = await requireWorkflow(c)
  const { versions } = await readInfo(c, workflow)
  const { items, info } = paginate(c, versions)
  return respondResult(
    c,
    items.map(version => toVersion(workflow, version)),
    info,
  )
})

workflows.get('/:workflow/versions/:id', async c => {
  const workflow = await requireWorkflow(c)
  const { versions } = await readInfo(c, workflow)
  const id = c.req.param('id')
  const found = versions.find(version => version.id === id)
  if (found) return respondResult(c, toVersion(workflow, found))
  throw new SkerryError('ERR_VERSION_NOT_FOUND', `The workflow "${workflow.name}" has no version "${id}".`)
})

workflows.route('/:workflow/instances', workflowInstances)
// wrangler asks so for the newest.
workflows.get('/:workflow/instances/', listInstances)

async function showWorkflow(c: Context<Api>, workflow: ResourceRecord, info: WorkflowInfo) {
  const { instances } = await ask(c, workflow, object => object.list({ limit: 1 }))
  return toWorkflow(workflow, info, instances[0])
}
