import { WorkerEntrypoint } from 'cloudflare:workers'
import { SkerryError } from '../../src/core/errors.ts'
import type { EdgeEnv } from '../../src/env.ts'
import {
  readGetOptions,
  readListOptions,
  readMultipartOptions,
  readPartNumber,
  readPutOptions,
} from './arguments.ts'
import { R2Failure } from './failures.ts'
import * as service from './service.ts'
import type { ObjectInfo, ReadRange } from './types.ts'

/** What an R2 binding reaches. Set by the platform only. */
export interface R2Props {
  readonly accountId: string
  /** Of the bucket's object, not its name. */
  readonly bucketId: string
}

/** The header that has a call's arguments, or a read's object, where the body is bytes. URI-encoded JSON. */
const HEADER = 'skerry-r2'
/** The header of an answer that is an error: URI-encoded JSON of `{ name, message }`. */
const ERROR_HEADER = 'skerry-r2-error'

/**
 * The R2 binding: what the facade in the function's isolate (facade.prelude.js) calls, by `fetch`.
 *
 * The path names the method; its arguments are JSON, in the body or, where that is bytes, in a header. The function
 * never names a bucket. README.md lists the differences from the native binding.
 */
export class R2Entrypoint extends WorkerEntrypoint<EdgeEnv, R2Props> {
  override async fetch(request: Request): Promise<Response> {
    const method = new URL(request.url).pathname.slice(1)
    try {
      const handler = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined
      if (!handler) throw new Error(`R2 has no method "${method}"`)
      const header = request.headers.get(HEADER)
      const args = (
        header === null ? await request.json() : JSON.parse(decodeURIComponent(header))
      ) as unknown
      const { accountId, bucketId } = this.ctx.props
      return await handler([this.env, accountId, bucketId], Array.isArray(args) ? args : [], request)
    } catch (error) {
      return refuse(error, method)
    }
  }
}

type Scope = readonly [env: EdgeEnv, accountId: string, bucketId: string]
type Handler = (scope: Scope, args: readonly unknown[], request: Request) => Promise<Response>

const METHODS: Readonly<Record<string, Handler>> = {
  head: (scope, [key]) => orNull(async () => toHead(await service.head(...scope, toKey(key)))),
  get: (scope, [key, input]) => read(scope, toKey(key), input),
  put: async (scope, [key, input], request) => {
    const options = readPutOptions(input)
    const { content, length } = readBody(request)
    const write = () => service.put(...scope, toKey(key), content, options, length)
    return orNull(write, 'precondition')
  },
  delete: async (scope, [keys]) => {
    await service.deleteObjects(...scope, Array.isArray(keys) ? keys.map(toKey) : [toKey(keys)])
    return Response.json(null)
  },
  list: async (scope, [input, isOld]) => {
    const options = readListOptions(input)
    const all = { ...options, include: ['httpMetadata', 'customMetadata'] as const }
    return Response.json(await service.list(...scope, isOld === true ? all : options))
  },
  createMultipartUpload: async (scope, [key, input]) => {
    return Response.json(await service.createMultipart(...scope, toKey(key), readMultipartOptions(input)))
  },
  uploadPart: async (scope, [key, id, number], request) => {
    const partNumber = readPartNumber(number)
    const { content, length } = readBody(request)
    const part = service.uploadPart(...scope, toKey(key), toKey(id), partNumber, content ?? EMPTY, length)
    return Response.json(await part)
  },
  completeMultipartUpload: async (scope, [key, id, input]) => {
    const parts = (Array.isArray(input) ? input : []).map(part => ({
      partNumber: readPartNumber(part?.partNumber),
      etag: String(part?.etag),
    }))
    return Response.json(await service.complete(...scope, toKey(key), toKey(id), parts))
  },
  abortMultipartUpload: async (scope, [key, id]) => {
    await service.abort(...scope, toKey(key), toKey(id))
    return Response.json(null)
  },
}

const EMPTY = new Uint8Array()

async function read(scope: Scope, key: string, input: unknown): Promise<Response> {
  const options = readGetOptions(input)
  try {
    const { object, range, body } = await service.get(...scope, key, options)
    return new Response(body, { headers: { [HEADER]: encode({ ...object, range, hasBody: true }) } })
  } catch (error) {
    if (!(error instanceof R2Failure)) throw error
    if (error.reason === 'no-such-key') return Response.json(null)
    if (error.reason !== 'precondition' || !error.object) throw error
    return new Response(null, { headers: { [HEADER]: encode(toHead(error.object)) } })
  }
}

/** What there isn't is `null`. */
async function orNull(call: () => Promise<unknown>, reason = 'no-such-key'): Promise<Response> {
  try {
    return Response.json(await call())
  } catch (error) {
    if (error instanceof R2Failure && error.reason === reason) return Response.json(null)
    throw error
  }
}

function toHead(object: ObjectInfo): ObjectInfo & { range: ReadRange } {
  return { ...object, range: { offset: 0, length: object.size } }
}

/** The bytes of a put. A stream tells its length, or the native client wouldn't take it. */
function readBody(request: Request): { content: ReadableStream<Uint8Array> | null; length: number } {
  const { body, headers } = request
  if (!body) return { content: null, length: 0 }
  const length = headers.get('content-length')
  if (length !== null) return { content: body as ReadableStream<Uint8Array>, length: Number(length) }
  throw new TypeError(
    'Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)',
  )
}

function toKey(key: unknown): string {
  return String(key).toWellFormed()
}

function refuse(error: unknown, method: string): Response {
  const { name, message } = toNative(error, method)
  return new Response(null, { headers: { [ERROR_HEADER]: encode({ name, message }) } })
}

/** As the native client would have it: R2's refusals begin with the method and end with Cloudflare's code. */
function toNative(error: unknown, method: string): { name: string; message: string } {
  if (error instanceof R2Failure)
    return { name: 'Error', message: `${method}: ${error.message} (${error.code})` }
  if (error instanceof TypeError || error instanceof RangeError) return error
  if (error instanceof SkerryError || !(error instanceof Error))
    return toNative(new R2Failure('internal'), method)
  return { name: 'Error', message: error.message }
}

function encode(value: unknown): string {
  return encodeURIComponent(JSON.stringify(value))
}
