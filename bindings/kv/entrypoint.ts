import { WorkerEntrypoint } from 'cloudflare:workers'
import { LIMITS } from '../../src/core/limits.ts'
import type { EdgeEnv } from '../../src/env.ts'
import {
  type KvValue,
  readKey,
  readKeys,
  readListOptions,
  readReadOptions,
  readValue,
  readWriteOptions,
  type WriteOptions,
} from './arguments.ts'
import { boundStream } from './bounded-stream.ts'
import { toNativeCursor, toOwnCursor } from './cursor.ts'
import { failOn, kvFailure } from './failures.ts'
import { type Store, storeOf } from './store.ts'
import * as validate from './validate.ts'

/** What a KV binding reaches. Set by the platform only. */
export interface KvProps {
  /** 8 ASCII bytes before every key of the namespace in the store; no other namespace has them. */
  readonly prefix: string
}

/**
 * The KV binding: Cloudflare's KVNamespace over one prefix of the platform's store.
 *
 * The function calls it by RPC. It never sees the prefix nor leaves it: keys get it put before them here, lists
 * are limited to it, and what comes back has it taken off. Results and errors are the native binding's; README.md
 * lists the differences. Every method of this class can be called by the function, so there are no others.
 */
export class KvEntrypoint extends WorkerEntrypoint<EdgeEnv, KvProps> {
  /** The value of a key, `null` if there is none; for an array of at most 100 keys, a Map. */
  async get(...args: unknown[]): Promise<unknown> {
    return read(storeOf(this.env), this.ctx.props.prefix, 'get', args)
  }

  /** The same with the metadata. */
  async getWithMetadata(...args: unknown[]): Promise<unknown> {
    return read(storeOf(this.env), this.ctx.props.prefix, 'getWithMetadata', args)
  }

  /** Writes a value. */
  async put(...args: unknown[]): Promise<void> {
    const key = readKey(args, 'put', 'PUT')
    const value = readValue(args)
    const options = readWriteOptions(args[2])
    checkWrite(value, options)
    await storeOf(this.env).put(this.ctx.props.prefix + key, boundValue(value), options)
  }

  /** Deletes a key; it is no error if there is none. */
  async delete(...args: unknown[]): Promise<void> {
    const key = readKey(args, 'delete', 'DELETE')
    await storeOf(this.env).delete(this.ctx.props.prefix + key)
  }

  /** One page of keys in the order of their UTF-8. */
  async list(options?: unknown): Promise<unknown> {
    return list(storeOf(this.env), this.ctx.props.prefix, options)
  }
}

async function read(
  store: Store,
  prefix: string,
  method: 'get' | 'getWithMetadata',
  args: readonly unknown[],
): Promise<unknown> {
  if (Array.isArray(args[0])) return readBatch(store, prefix, method, args[0], args[1])
  const key = readKey(args, method, 'GET', 'string or Array')
  const options = readReadOptions(args[1], method)
  if (options.cacheTtl !== undefined) failOn(validate.checkCacheTtl(options.cacheTtl), 'GET')
  return store[method](prefix + key, options)
}

async function readBatch(
  store: Store,
  prefix: string,
  method: 'get' | 'getWithMetadata',
  items: readonly unknown[],
  input: unknown,
): Promise<Map<string, unknown>> {
  const options = readReadOptions(input, method)
  const { type = 'text', cacheTtl } = options
  const fail = (text: string) => kvFailure('GET_BULK', 400, text)
  if (type !== 'text' && type !== 'json') throw fail(`"${type}" is not a valid type. Use "json" or "text"`)
  if (items.length > validate.MAX_BATCH_KEYS) {
    throw fail(`You can request a maximum of ${validate.MAX_BATCH_KEYS} keys`)
  }
  if (items.length < 1) throw fail('You must request a minimum of 1 key')

  const keys = readKeys(items, method)
  for (const key of keys) failOn(validate.checkKey(key), 'GET_BULK')
  if (cacheTtl !== undefined) failOn(validate.checkCacheTtl(cacheTtl), 'GET_BULK')

  const stored = keys.map(key => prefix + key)
  const found = (await store[method](stored, options)) as Map<string, unknown>
  return new Map(keys.map(key => [key, found.get(prefix + key) ?? null]))
}

/** In the order of KV's server. A stream's length is found out while it passes. */
function checkWrite(value: KvValue, options: WriteOptions): void {
  if (typeof value === 'string') {
    failOn(validate.checkValueLength(validate.utf8Length(value, LIMITS.kvValueBytes)), 'PUT')
  } else if (!(value instanceof ReadableStream)) {
    failOn(validate.checkValueLength(value.byteLength), 'PUT')
  }
  const json = options.metadata === undefined ? '' : JSON.stringify(options.metadata)
  failOn(validate.checkExpiry(options, Math.floor(Date.now() / 1000)), 'PUT')
  failOn(validate.checkMetadata(json), 'PUT')
}

function boundValue(value: KvValue): KvValue {
  if (!(value instanceof ReadableStream)) return value
  return boundStream(value, LIMITS.kvValueBytes, bytes =>
    kvFailure('PUT', 413, `Value length of ${bytes} exceeds limit of ${LIMITS.kvValueBytes}.`),
  )
}

async function list(store: Store, prefix: string, input: unknown): Promise<unknown> {
  const { prefix: within, limit, cursor } = readListOptions(input)
  failOn(validate.checkKeyLength(within), 'GET')
  if (limit !== undefined) failOn(validate.checkListLimit(limit), 'GET')
  const after = cursor ? toNativeCursor(cursor, prefix) : ''
  if (after === undefined) throw kvFailure('GET', 400, 'Invalid cursor.')

  const page = await store.list({
    prefix: prefix + within,
    ...(limit !== undefined && { limit }),
    ...(after && { cursor: after }),
  })
  const keys = page.keys.map(key => {
    // Whatever a forged cursor makes the store do, no other namespace's key gets out.
    if (!key.name.startsWith(prefix)) throw kvFailure('GET', 400, 'Invalid cursor.')
    return { ...key, name: key.name.slice(prefix.length) }
  })
  return page.list_complete ? { ...page, keys } : { ...page, keys, cursor: toOwnCursor(page.cursor, prefix) }
}
