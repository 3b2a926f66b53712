import { type Context, Hono } from 'hono'
import { checkMetadata, checkValueLength, MAX_BATCH_KEYS } from '../../../bindings/kv/validate.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { Api } from '../context.ts'
import { readJson, readJsonArray, readJsonObject } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { failOn, kvError, requireExpiry, requireKey, requireNamespace } from './kv-scope.ts'

/** Many keys of a KV namespace in one call. Mounted with `kv`. */
export const kvBulk = new Hono<Api>()

/** Writes or deletes of one call that are under way at once. */
const PARALLEL = 32

kvBulk.put('/:id/bulk', async c => {
  requireRole(c, 'deployer')
  const { prefix } = await requireNamespace(c, 'bulk put')
  const writes = requireBulk(await readJsonArray(c), 'bulk put').map(parseWrite)
  const failed = await runAll(writes, ({ key, value, options }) => c.env.KV.put(prefix + key, value, options))
  return respondBulk(c, writes.length, failed)
})

kvBulk.delete('/:id/bulk', deleteBulk)
kvBulk.post('/:id/bulk/delete', deleteBulk)

kvBulk.post('/:id/bulk/get', async c => {
  const operation = 'bulk get'
  const { prefix } = await requireNamespace(c, operation)
  const { keys: input, type = 'text', withMetadata } = await readJsonObject(c)
  if (type !== 'text' && type !== 'json') {
    throw kvError(
      'ERR_KV_REQUEST',
      operation,
      `${JSON.stringify(type)} is not a valid type. Use "json" or "text"`,
    )
  }
  if (!Array.isArray(input) || input.length < 1 || input.length > MAX_BATCH_KEYS) {
    throw kvError('ERR_KV_REQUEST', operation, `keys must be an array of 1 to ${MAX_BATCH_KEYS} keys`)
  }
  const keys = input.map(key => requireKey(key, operation))
  const stored = keys.map(key => prefix + key)
  const reading: Promise<Map<string, unknown>> =
    withMetadata === true
      ? c.env.KV.getWithMetadata(stored, type as 'text')
      : c.env.KV.get(stored, type as 'text')
  const found = await reading.catch(error => {
    const [, problem] = /^KV GET_BULK failed: 4\d\d (.*)$/.exec((error as Error).message) ?? []
    throw problem ? kvError('ERR_KV_REQUEST', operation, problem) : error
  })
  // fromEntries defines properties, so a key may be called __proto__.
  const values = Object.fromEntries(keys.map(key => [key, found.get(prefix + key) ?? null]))
  return respondResult(c, { values })
})

async function deleteBulk(c: Context<Api>): Promise<Response> {
  requireRole(c, 'deployer')
  const { prefix } = await requireNamespace(c, 'bulk delete')
  const body = await readJson(c)
  if (!Array.isArray(body))
    throw kvError('ERR_KV_REQUEST', 'bulk delete', 'the body must be an array of keys')
  const keys = requireBulk(body, 'bulk delete').map(key => ({ key: requireKey(key, 'bulk delete') }))
  const failed = await runAll(keys, ({ key }) => c.env.KV.delete(prefix + key))
  return respondBulk(c, keys.length, failed)
}

interface Write {
  readonly key: string
  readonly value: Uint8Array
  readonly options: KVNamespacePutOptions
}

function parseWrite(item: Readonly<Record<string, unknown>>): Write {
  const operation = 'bulk put'
  const key = requireKey(item.key, operation)
  const expiry = requireExpiry(item, operation)
  if (typeof item.value !== 'string') {
    throw kvError('ERR_KV_REQUEST', operation, `the value of the key ${JSON.stringify(key)} must be a string`)
  }
  const value = item.base64 === true ? decodeBase64(item.value, key) : new TextEncoder().encode(item.value)
  failOn(checkValueLength(value.byteLength), operation)
  const { metadata } = item
  if (metadata === undefined || metadata === null)
    return { key, value, options: expiry as KVNamespacePutOptions }
  failOn(checkMetadata(JSON.stringify(metadata)), operation)
  return { key, value, options: { ...expiry, metadata } as KVNamespacePutOptions }
}

function decodeBase64(text: string, key: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text), char => char.charCodeAt(0))
  } catch {
    const problem = `could not base64 decode value for key: ${JSON.stringify(key)}`
    throw kvError('ERR_KV_REQUEST', 'bulk put', problem)
  }
}

function requireBulk<T>(items: readonly T[], operation: string): readonly T[] {
  if (items.length <= LIMITS.kvBulkKeys) return items
  throw kvError(
    'ERR_KV_REQUEST',
    operation,
    `${items.length} keys are more than the limit of ${LIMITS.kvBulkKeys}`,
  )
}

/** Runs an action for each item, for equal keys only the last; answers with the keys for which it failed. */
async function runAll<T extends { readonly key: string }>(
  items: readonly T[],
  act: (item: T) => Promise<void>,
): Promise<string[]> {
  const failed = new Set<string>()
  const last = [...new Map(items.map(item => [item.key, item])).values()]
  for (let start = 0; start < last.length; start += PARALLEL) {
    const chunk = last.slice(start, start + PARALLEL)
    await Promise.all(chunk.map(item => act(item).catch(() => failed.add(item.key))))
  }
  return [...failed]
}

function respondBulk(c: Context<Api>, total: number, failed: readonly string[]): Response {
  return respondResult(c, { successful_key_count: total - failed.length, unsuccessful_keys: failed })
}
