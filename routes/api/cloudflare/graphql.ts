import { Hono } from 'hono'
import { stats } from '../../../bindings/r2/service.ts'
import { accountRegistry } from '../../../src/registry/stubs.ts'
import type { Api } from '../context.ts'
import { readJsonObject } from '../json.ts'

/**
 * The one question that wrangler has for Cloudflare's analytics here: what a bucket holds, for `r2 bucket info`.
 * Every other query gets an error in GraphQL's form, which wrangler takes for "no data". Mounted at `/graphql`.
 */
export const graphql = new Hono<Api>()

graphql.post('/', async c => {
  const { query, variables } = await readJsonObject(c)
  if (typeof query !== 'string' || !/\br2StorageAdaptiveGroups\b/.test(query)) {
    return c.json(failed('This query is not known here: only r2StorageAdaptiveGroups is.'))
  }
  const { accountTag, filter } = (variables ?? {}) as Variables
  const account = c.var.accounts.find(({ id }) => id === accountTag)
  if (!account) return c.json(failed(`The token is not for an account ${JSON.stringify(accountTag)}.`))
  const name = String(filter?.bucketName ?? '')
  const bucket = await (await accountRegistry(c.env, account)).findResource('r2_bucket', name)
  const groups = bucket ? [toGroup(await stats(c.env, account.id, bucket.object))] : []
  return c.json({
    data: { viewer: { accounts: [{ r2StorageAdaptiveGroups: groups }] } },
    errors: null,
  })
})

interface Variables {
  readonly accountTag?: unknown
  readonly filter?: { readonly bucketName?: unknown }
}

function toGroup({ objects, bytes }: { objects: number; bytes: number }) {
  return {
    max: { objectCount: objects, payloadSize: bytes, metadataSize: 0 },
    dimensions: { datetime: new Date().toISOString() },
  }
}

function failed(message: string) {
  return { data: null, errors: [{ message }] }
}
