import { type Context, Hono } from 'hono'
import type { Analytics, DatasetRecord } from '../../../bindings/analytics/object.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'

/** What functions write to Analytics Engine datasets. Mounted at `/accounts/:account/analytics`. */
export const analytics = new Hono<Api>()

/** The account's datasets, and how much was written to each. */
analytics.get('/', async c => {
  const datasets = await analyticsOf(c).datasets()
  return c.json(datasets.map(toDataset))
})

/** The newest points of a dataset, newest first: `?limit=100`, at most 1,000. */
analytics.get('/:dataset', async c => {
  const { limit = '100' } = c.req.query()
  const count = Number(limit)
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw new SkerryError('ERR_BAD_REQUEST', `"limit" must be from 1 to ${MAX_COUNT}, not "${limit}".`)
  }
  const name = c.req.param('dataset')
  const found = await analyticsOf(c).read(name, count)
  if (!found) {
    throw new SkerryError(
      'ERR_ANALYTICS_DATASET_NOT_FOUND',
      `Nothing was written to a dataset "${name}" in this account.`,
    )
  }
  return c.json({
    ...toDataset(found.dataset),
    data: found.points.map(({ script, atMs, index, doubles, blobs }) => ({
      timestamp: new Date(atMs).toISOString(),
      script,
      index,
      doubles,
      blobs,
    })),
  })
})

const MAX_COUNT = 1000

function toDataset({ dataset, points, kept, firstMs, lastMs }: DatasetRecord) {
  return {
    dataset,
    points,
    kept,
    first_on: new Date(firstMs).toISOString(),
    last_on: new Date(lastMs).toISOString(),
  }
}

function analyticsOf(c: Context<Api>): DurableObjectStub<Analytics> {
  return c.env.ANALYTICS.get(c.env.ANALYTICS.idFromName(c.var.account.id))
}
