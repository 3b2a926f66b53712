import { type Context, Hono } from 'hono'
import { boundStream } from '../../../bindings/kv/bounded-stream.ts'
import { toNativeCursor, toOwnCursor } from '../../../bindings/kv/cursor.ts'
import {
  checkKeyLength,
  checkMetadata,
  checkValueLength,
  MAX_LIST_KEYS,
  toStoredText,
} from '../../../bindings/kv/validate.ts'
import { putWhole } from '../../../bindings/kv/whole.ts'
import type { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { Api } from '../context.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { failOn, keyOfPath, kvError, requireExpiry, requireNamespace } from './kv-scope.ts'

/** Keys and values of a KV namespace. Mounted with `kv`. */
export const kvValues = new Hono<Api>()

/** Cloudflare refuses smaller pages. */
const MIN_LIST_KEYS = 10
/** Of a form, beside the value: boundaries, part headers, metadata. */
const FORM_OVERHEAD_BYTES = 64 * 1024

kvValues.get('/:id/keys', async c => {
  const operation = 'list keys'
  const { prefix } = await requireNamespace(c, operation)
  const within = toStoredText(c.req.query('prefix') ?? '')
  failOn(checkKeyLength(within), operation)
  const cursor = c.req.query('cursor')
  const after = cursor ? toNativeCursor(cursor, prefix) : ''
  if (after === undefined) throw invalidCursor()

  const query = { prefix: prefix + within, limit: limitOf(c), ...(after && { cursor: after }) }
  const page = await c.env.KV.list(query).catch(error => {
    throw /cursor/i.test(String(error)) ? invalidCursor() : error
  })
  // A forged cursor may be of another namespace: then nothing of it gets out.
  if (!page.keys.every(({ name }) => name.startsWith(prefix))) throw invalidCursor()
  const keys = page.keys.map(({ name, expiration, metadata }) => ({
    name: name.slice(prefix.length),
    ...(expiration !== undefined && { expiration }),
    ...(metadata !== undefined && metadata !== null && { metadata }),
  }))
  const next = page.list_complete ? '' : toOwnCursor(page.cursor, prefix)
  return respondResult(c, keys, { count: keys.length, cursor: next })
})

kvValues.get('/:id/values/*', async c => {
  const { prefix } = await requireNamespace(c, 'get')
  const stored = prefix + keyOfPath(c, 'get')
  // A get doesn't tell the expiry. A key is the first of those it is a prefix of, so one key of a list does.
  const [value, { keys }] = await Promise.all([
    c.env.KV.get(stored, 'stream'),
    c.env.KV.list({ prefix: stored, limit: 1 }),
  ])
  if (!value) throw keyNotFound()
  const expiration = keys.find(({ name }) => name === stored)?.expiration
  const headers = {
    'content-type': 'application/octet-stream',
    ...(expiration !== undefined && { expiration: String(expiration) }),
  }
  return new Response(value, { headers })
})

kvValues.get('/:id/metadata/*', async c => {
  const { prefix } = await requireNamespace(c, 'get')
  const { value, metadata } = await c.env.KV.getWithMetadata(prefix + keyOfPath(c, 'get'), 'stream')
  if (!value) throw keyNotFound()
  await value.cancel()
  return respondResult(c, metadata)
})

kvValues.put('/:id/values/*', async c => {
  requireRole(c, 'deployer')
  const { prefix } = await requireNamespace(c, 'put')
  const key = keyOfPath(c, 'put')
  const { expiration, expiration_ttl } = c.req.query()
  const expiry = requireExpiry({ expiration, expiration_ttl }, 'put')
  const { value, metadata } = await readValue(c)
  const options = { ...expiry, ...(metadata !== undefined && { metadata }) } as KVNamespacePutOptions
  const { KV } = c.env
  if (value instanceof ReadableStream) await putWhole(value, whole => KV.put(prefix + key, whole, options))
  else await KV.put(prefix + key, value, options)
  return respondResult(c, null)
})

kvValues.delete('/:id/values/*', async c => {
  requireRole(c, 'deployer')
  const { prefix } = await requireNamespace(c, 'delete')
  await c.env.KV.delete(prefix + keyOfPath(c, 'delete'))
  return respondResult(c, null)
})

interface ReceivedValue {
  readonly value: string | Uint8Array | ReadableStream
  readonly metadata?: unknown
}

/** The value of a put: the body as it is, or the form's part `value`, then with the part `metadata`. */
async function readValue(c: Context<Api>): Promise<ReceivedValue> {
  const { body, headers } = c.req.raw
  const type = headers.get('content-type') ?? ''
  const isForm = /^multipart\/form-data\b/i.test(type)
  const maxBytes = LIMITS.kvValueBytes + (isForm ? FORM_OVERHEAD_BYTES : 0)
  const length = Number(headers.get('content-length') ?? 0)
  if (!body) return { value: '' }
  if (length > maxBytes) {
    // Who is still writing when the connection is closed sees an error of the connection, not the answer.
    if (length <= LIMITS.requestBodyBytes) await body.pipeTo(new WritableStream())
    throw tooLarge(length)
  }

  const bounded = boundStream(body, maxBytes, tooLarge)
  return isForm ? readForm(new Response(bounded, { headers: { 'content-type': type } })) : { value: bounded }
}

async function readForm(request: Response): Promise<ReceivedValue> {
  const form = await request.formData().catch(error => {
    throw String(error).includes('ERR_KV')
      ? error
      : kvError('ERR_KV_REQUEST', 'put', `malformed form: ${error}`)
  })
  const part = form.get('value')
  if (part === null) throw kvError('ERR_KV_REQUEST', 'put', "the form has no part 'value'")
  const value =
    typeof part === 'string' ? new TextEncoder().encode(part) : new Uint8Array(await part.arrayBuffer())
  failOn(checkValueLength(value.byteLength), 'put')

  const metadata = form.get('metadata')
  if (metadata === null) return { value }
  const text = typeof metadata === 'string' ? metadata : await metadata.text()
  return text === '' ? { value } : { value, metadata: parseMetadata(text) }
}

function parseMetadata(text: string): unknown {
  failOn(checkMetadata(text), 'put')
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    throw kvError('ERR_KV_METADATA', 'put', 'metadata must be valid JSON')
  }
}

function limitOf(c: Context<Api>): number {
  const text = c.req.query('limit')
  const limit = text ? Number(text) : MAX_LIST_KEYS
  if (Number.isInteger(limit) && limit >= MIN_LIST_KEYS && limit <= MAX_LIST_KEYS) return limit
  const problem = `invalid limit of "${text}": specify an integer from ${MIN_LIST_KEYS} to ${MAX_LIST_KEYS}`
  throw kvError('ERR_KV_LIMIT', 'list keys', problem)
}

function tooLarge(bytes: number): SkerryError {
  const problem = `Value length of ${bytes} exceeds limit of ${LIMITS.kvValueBytes}.`
  return kvError('ERR_KV_VALUE_TOO_LARGE', 'put', problem)
}

function keyNotFound(): SkerryError {
  return kvError('ERR_KV_KEY_NOT_FOUND', 'get', 'key not found')
}

function invalidCursor(): SkerryError {
  return kvError('ERR_KV_CURSOR', 'list keys', 'invalid cursor')
}
