import { Hono } from 'hono'
import { MAX_LIST_KEYS } from '../../../bindings/r2/limits.ts'
import * as store from '../../../bindings/r2/service.ts'
import type { HttpMetadata, ObjectInfo } from '../../../bindings/r2/types.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { Api } from '../context.ts'
import { readJson } from '../json.ts'
import { requireRole } from '../roles.ts'
import { respondResult } from './envelope.ts'
import { asking, countOf, keyOfPath, requireBucket, requireKey, requireStorageClass } from './r2-scope.ts'

/** Objects of an R2 bucket, streamed both ways. Mounted with `r2`. */
export const r2Objects = new Hono<Api>()

r2Objects.get('/:bucket/objects', async c => {
  const { object } = await requireBucket(c)
  const { prefix, delimiter, cursor, start_after: startAfter } = c.req.query()
  const limit = countOf(c, 'per_page', MAX_LIST_KEYS)
  const page = await asking(
    store.list(c.env, c.var.account.id, object, {
      limit,
      include: ['httpMetadata', 'customMetadata'],
      ...(prefix && { prefix }),
      ...(delimiter && { delimiter }),
      ...(cursor && { cursor }),
      ...(startAfter && { startAfter }),
    }),
  )
  const info = {
    cursor: page.cursor ?? '',
    count: page.objects.length,
    per_page: limit,
    is_truncated: page.truncated,
    delimited: page.delimitedPrefixes,
  }
  return respondResult(c, page.objects.map(toObject), info)
})

/** Several at once: the body is a list of keys. */
r2Objects.delete('/:bucket/objects', async c => {
  requireRole(c, 'deployer')
  const { object } = await requireBucket(c)
  const body = await readJson(c)
  if (!Array.isArray(body) || body.length < 1 || body.length > MAX_LIST_KEYS) {
    throw new SkerryError('ERR_R2_REQUEST', `The body must be a list of 1 to ${MAX_LIST_KEYS} keys.`)
  }
  const keys = body.map(requireKey)
  await asking(store.deleteObjects(c.env, c.var.account.id, object, keys))
  return respondResult(
    c,
    keys.map(key => ({ key })),
  )
})

r2Objects.get('/:bucket/objects/*', async c => {
  const { object } = await requireBucket(c)
  const key = keyOfPath(c)
  const place = [c.env, c.var.account.id, object, key] as const
  if (c.req.method === 'HEAD') {
    const info = await asking(store.head(...place))
    return new Response(null, { headers: { ...toHeaders(info), 'content-length': String(info.size) } })
  }
  const rangeHeader = c.req.header('range')
  const found = await asking(store.get(...place, rangeHeader === undefined ? {} : { rangeHeader }))
  const { size } = found.object
  // The store takes a range that begins after the end for none; HTTP has an answer for it.
  const [, first] = /^bytes=(\d+)-\d*$/.exec(rangeHeader?.trim() ?? '') ?? []
  if (first !== undefined && Number(first) >= size) {
    await found.body.cancel()
    throw new SkerryError(
      'ERR_R2_RANGE',
      `The range ${rangeHeader} begins after the ${size} bytes there are.`,
    )
  }
  const { offset, length } = found.range
  // Bytes as they are kept: what their encoding says is the reader's to undo.
  const init = { headers: new Headers(toHeaders(found.object)), encodeBody: 'manual' as const }
  const isPart = rangeHeader !== undefined && length !== size
  if (isPart) init.headers.set('content-range', `bytes ${offset}-${offset + length - 1}/${size}`)
  return new Response(found.body, { ...init, status: isPart ? 206 : 200 })
})

r2Objects.put('/:bucket/objects/*', async c => {
  requireRole(c, 'deployer')
  const bucket = await requireBucket(c)
  const key = keyOfPath(c)
  const { body, headers } = c.req.raw
  const announced = headers.get('content-length')
  const length = announced === null ? undefined : Number(announced)
  if (length !== undefined && length > LIMITS.r2UploadBytes) throw tooLarge(length)
  const storageClass = headers.get('cf-r2-storage-class')
  const options = {
    httpMetadata: toHttpMetadata(headers),
    // Otherwise the bucket's own.
    ...(storageClass && { storageClass: requireStorageClass(storageClass) }),
  }
  const place = [c.env, c.var.account.id, bucket.object, key] as const
  const info = await asking(store.put(...place, body, options, body ? length : 0))
  return respondResult(c, { ...toObject(info), version: info.version })
})

/** Whether there was one or not, it is gone. */
r2Objects.delete('/:bucket/objects/*', async c => {
  requireRole(c, 'deployer')
  const { object } = await requireBucket(c)
  const key = keyOfPath(c)
  await asking(store.deleteObjects(c.env, c.var.account.id, object, [key]))
  return respondResult(c, { key })
})

/** An object as the API lists it. */
export function toObject(info: ObjectInfo) {
  const { contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl, cacheExpiry } =
    info.httpMetadata
  return {
    key: info.key,
    etag: info.etag,
    last_modified: new Date(info.uploaded).toISOString(),
    size: info.size,
    http_metadata: {
      ...{ contentType, contentLanguage, contentDisposition, contentEncoding, cacheControl },
      ...(cacheExpiry !== undefined && { cacheExpiry: new Date(cacheExpiry).toISOString() }),
    },
    custom_metadata: info.customMetadata,
    storage_class: info.storageClass,
  }
}

function toHeaders({ httpMetadata: http, etag, uploaded }: ObjectInfo): Record<string, string> {
  return {
    'accept-ranges': 'bytes',
    etag: `"${etag}"`,
    'last-modified': new Date(uploaded).toUTCString(),
    'content-type': http.contentType ?? 'application/octet-stream',
    ...(http.contentLanguage && { 'content-language': http.contentLanguage }),
    ...(http.contentDisposition && { 'content-disposition': http.contentDisposition }),
    ...(http.contentEncoding && { 'content-encoding': http.contentEncoding }),
    ...(http.cacheControl && { 'cache-control': http.cacheControl }),
    ...(http.cacheExpiry !== undefined && { expires: new Date(http.cacheExpiry).toUTCString() }),
    // Stored by anyone, shown on the host of the control plane: never as a page of it.
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
  }
}

function toHttpMetadata(headers: Headers): HttpMetadata {
  const read = (name: string) => headers.get(name) || undefined
  const contentType = read('content-type')
  const contentLanguage = read('content-language')
  const contentDisposition = read('content-disposition')
  const contentEncoding = read('content-encoding')
  const cacheControl = read('cache-control')
  const expires = read('expires')
  return {
    ...(contentType && { contentType }),
    ...(contentLanguage && { contentLanguage }),
    ...(contentDisposition && { contentDisposition }),
    ...(contentEncoding && { contentEncoding }),
    ...(cacheControl && { cacheControl }),
    ...(expires && { cacheExpiry: requireDate(expires) }),
  }
}

function requireDate(text: string): number {
  const date = Date.parse(text)
  if (!Number.isNaN(date)) return date
  throw new SkerryError(
    'ERR_R2_REQUEST',
    `The header Expires is ${JSON.stringify(text)}; it must be a date, such as "Wed, 21 Oct 2026 07:28:00 GMT".`,
  )
}

function tooLarge(bytes: number): SkerryError {
  return new SkerryError(
    'ERR_R2_TOO_LARGE',
    `The object has ${bytes} bytes; at most ${LIMITS.r2UploadBytes} can be uploaded at once by the API. Upload it in parts, from a function.`,
  )
}
