import { type Context, Hono } from 'hono'
import { bucketStub } from '../../../bindings/r2/bucket-stub.ts'
import { closeIfEmpty } from '../../../bindings/r2/service.ts'
import type { StorageClass } from '../../../bindings/r2/settings.ts'
import { SkerryError, toSkerryError } from '../../../src/core/errors.ts'
import { createHexId } from '../../../src/core/ids.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import { timestamp } from '../../../src/registry/schema.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { r2Objects } from './r2-objects.ts'
import {
  asking,
  countOf,
  requireBucket,
  requireBucketName,
  requireNoJurisdiction,
  requireStorageClass,
} from './r2-scope.ts'
import { r2Unsupported } from './r2-unsupported.ts'

/**
 * R2 buckets and their objects. Mounted at `/accounts/:account/r2/buckets`.
 *
 * @see https://developers.cloudflare.com/api/resources/r2/subresources/buckets/
 */
export const r2 = new Hono<Api>()

const MAX_PER_PAGE = 1000
/** Where data would rather be, as Cloudflare knows it; there is one place here. */
const LOCATIONS = ['apac', 'eeur', 'enam', 'oc', 'weur', 'wnam']

r2.get('/', async c => {
  requireNoJurisdiction(c)
  const { name_contains: part = '', start_after: after = '', cursor = '', direction = 'asc' } = c.req.query()
  if (direction !== 'asc' && direction !== 'desc') {
    throw new SkerryError(
      'ERR_R2_REQUEST',
      `The direction ${JSON.stringify(direction)} is unknown: use "asc" or "desc".`,
    )
  }
  const perPage = countOf(c, 'per_page', MAX_PER_PAGE)
  const from = cursor || after
  const sign = direction === 'asc' ? 1 : -1
  const found = (await c.var.account.registry.listResources('r2_bucket'))
    .filter(({ name }) => name.includes(part) && (from === '' || (name > from ? sign : -sign) > 0))
    .filter(({ name }) => name !== from)
    .sort((a, b) => (a.name < b.name ? -sign : sign))
  const page = found.slice(0, perPage)
  const next = found.length > page.length ? (page.at(-1)?.name ?? '') : ''
  return respondResult(c, { buckets: page.map(toBucket) }, { cursor: next, count: page.length })
})

r2.post('/', async c => {
  requireRole(c, 'deployer')
  requireNoJurisdiction(c)
  const body = await readJsonObject(c)
  const name = requireBucketName(body.name)
  const { locationHint } = body
  if (locationHint !== undefined && !LOCATIONS.includes(String(locationHint).toLowerCase())) {
    throw new SkerryError(
      'ERR_R2_REQUEST',
      `The location hint ${JSON.stringify(locationHint)} is unknown; known are ${LOCATIONS.join(', ')}. Here it changes nothing.`,
    )
  }
  const storageClass = requireStorageClass(body.storageClass ?? 'Standard')
  const bucket: ResourceRecord = {
    ...{ kind: 'r2_bucket', id: name, name },
    object: createHexId(),
    created_on: timestamp(Date.now()),
  }
  // Before anybody can find it.
  if (storageClass !== 'Standard') await stubOf(c, bucket).setStorageClass(storageClass)
  await c.var.account.registry.createResource(bucket).catch(toTaken)
  return respondResult(c, { ...toBucket(bucket), storage_class: storageClass })
})

r2.get('/:bucket', async c => {
  const bucket = await requireBucket(c)
  return respondResult(c, await describeBucket(c, bucket))
})

/** Its default storage class is all that can be changed. */
r2.patch('/:bucket', async c => {
  requireRole(c, 'deployer')
  const storageClass = requireStorageClass(c.req.header('cf-r2-storage-class'))
  const bucket = await requireBucket(c)
  await stubOf(c, bucket).setStorageClass(storageClass)
  return respondResult(c, await describeBucket(c, bucket))
})

r2.delete('/:bucket', async c => {
  requireRole(c, 'deployer')
  const bucket = await requireBucket(c)
  if (!(await asking(closeIfEmpty(c.env, c.var.account.id, bucket.object)))) {
    throw new SkerryError(
      'ERR_R2_BUCKET_NOT_EMPTY',
      `The bucket you tried to delete (${bucket.name}) is not empty.`,
    )
  }
  await c.var.account.registry.deleteResource('r2_bucket', bucket.id)
  return respondResult(c, {})
})

r2.route('/', r2Objects)
r2.route('/', r2Unsupported)

async function describeBucket(c: Context<Api>, bucket: ResourceRecord) {
  const storage_class: StorageClass = await stubOf(c, bucket).storageClass()
  return { ...toBucket(bucket), storage_class }
}

function toBucket({ name, created_on }: ResourceRecord) {
  return { name, creation_date: new Date(created_on).toISOString(), jurisdiction: 'default' }
}

function stubOf(c: Context<Api>, { object }: ResourceRecord) {
  return bucketStub(c.env, c.var.account.id, object)
}

function toTaken(error: unknown): never {
  if (toSkerryError(error)?.code !== 'ERR_RESOURCE_TAKEN') throw error
  throw new SkerryError(
    'ERR_R2_BUCKET_TAKEN',
    'The bucket you tried to create already exists, and you own it.',
  )
}
