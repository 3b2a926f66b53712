import { Hono } from 'hono'
import { purgeValues } from '../../../bindings/kv/purge.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { KvNamespaceRecord } from '../../../src/registry/kv-namespaces.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import { directory } from '../../../src/registry/stubs.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { paginate, respondResult } from './envelope.ts'
import { kvBulk } from './kv-bulk.ts'
import { kvError, requireNamespace } from './kv-scope.ts'
import { kvValues } from './kv-values.ts'

/**
 * KV namespaces, their keys and values. Mounted at `/accounts/:account/storage/kv/namespaces`.
 *
 * @see https://developers.cloudflare.com/api/resources/kv/
 */
export const kv = new Hono<Api>()

const MAX_TITLE_BYTES = 512
const MAX_PER_PAGE = 1000

kv.get('/', async c => {
  const { order = 'id', direction = 'asc' } = c.req.query()
  if (order !== 'id' && order !== 'title') {
    throw kvError('ERR_KV_REQUEST', 'list namespaces', `invalid order "${order}": use "id" or "title"`)
  }
  if (direction !== 'asc' && direction !== 'desc') {
    throw kvError(
      'ERR_KV_REQUEST',
      'list namespaces',
      `invalid direction "${direction}": use "asc" or "desc"`,
    )
  }
  const namespaces = (await c.var.account.registry.listKvNamespaces()).map(toNamespace)
  const sign = direction === 'asc' ? 1 : -1
  namespaces.sort((a, b) => (a[order] < b[order] ? -sign : a[order] > b[order] ? sign : 0))
  const { items, info } = paginate(c, namespaces, MAX_PER_PAGE)
  return respondResult(c, items, info)
})

kv.post('/', async c => {
  requireRole(c, 'deployer')
  const title = requireTitle(await readJsonObject(c))
  const namespace = await c.var.account.registry.createKvNamespace({
    id: createHexId(),
    title,
    prefix: await directory(c.env).allocateKvPrefix(),
    createdOn: timestamp(Date.now()),
  })
  return respondResult(c, toNamespace(namespace))
})

kv.get('/:id', async c => respondResult(c, toNamespace(await requireNamespace(c, 'get namespace'))))

kv.put('/:id', async c => {
  requireRole(c, 'deployer')
  const { id } = await requireNamespace(c, 'rename namespace')
  const title = requireTitle(await readJsonObject(c))
  return respondResult(c, toNamespace(await c.var.account.registry.renameKvNamespace(id, title)))
})

kv.delete('/:id', async c => {
  requireRole(c, 'deployer')
  const { id } = await requireNamespace(c, 'delete namespace')
  const { prefix } = await c.var.account.registry.deleteKvNamespace(id)
  c.executionCtx.waitUntil(purgeValues(c.env.KV, prefix))
  return respondResult(c, null)
})

kv.route('/', kvBulk)
kv.route('/', kvValues)

function toNamespace({ id, title }: KvNamespaceRecord) {
  return { id, title, supports_url_encoding: true }
}

function requireTitle({ title }: Readonly<Record<string, unknown>>): string {
  if (typeof title !== 'string' || title === '') {
    throw new SkerryError('ERR_KV_TITLE', 'The field "title" must be a non-empty string.')
  }
  const bytes = new TextEncoder().encode(title).length
  if (bytes <= MAX_TITLE_BYTES) return title
  throw new SkerryError(
    'ERR_KV_TITLE',
    `The title has ${bytes} bytes; at most ${MAX_TITLE_BYTES} are allowed.`,
  )
}
