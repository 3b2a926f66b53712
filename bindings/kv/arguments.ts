import { failOn } from './failures.ts'
import { checkKey, type Expiry, toStoredText } from './validate.ts'

/**
 * Arguments as a function sent them: over RPC, so anything cloneable may come, and functions come as stubs whose
 * every property is a call back into the function. Nothing here calls or coerces an object: only primitives, and
 * arrays and dates that are really such.
 */

/** What KV's methods take beside the key, read and of the right types. */
export interface ReadOptions {
  readonly type?: string
  readonly cacheTtl?: number
}
export interface WriteOptions extends Expiry {
  /** Plain data, safe to serialise. */
  readonly metadata?: unknown
}
export interface ListOptions {
  readonly prefix: string
  readonly limit?: number
  readonly cursor?: string
}
/** What a value may be. */
export type KvValue = string | ArrayBuffer | ArrayBufferView | ReadableStream

/** The failure of an argument's type, in the runtime's words. */
function wrongType(method: string, position: number, type: string): TypeError {
  return new TypeError(
    `Failed to execute '${method}' on 'KvNamespace': parameter ${position} is not of type '${type}'.`,
  )
}

/** The first argument, a valid key. @throws TypeError, Error in KV's words */
export function readKey(
  args: readonly unknown[],
  method: string,
  operation: string,
  type = 'string',
): string {
  const text = args.length > 0 ? toText(args[0]) : undefined
  if (text === undefined) throw wrongType(method, 1, type)
  const key = toStoredText(text)
  failOn(checkKey(key), operation)
  return key
}

/** The keys of a batch, not yet checked. @throws TypeError for what is no text */
export function readKeys(keys: readonly unknown[], method: string): string[] {
  return keys.map(item => {
    const text = toText(item)
    if (text === undefined) throw wrongType(method, 1, 'string or Array')
    return toStoredText(text)
  })
}

/** A get's second argument: a type, or `{ type, cacheTtl }`. */
export function readReadOptions(input: unknown, method: string): ReadOptions {
  if (input === undefined || input === null || typeof input === 'function') return {}
  if (typeof input !== 'object') return { type: String(input) }
  const { type, cacheTtl } = input as Record<string, unknown>
  return {
    ...(type !== undefined && { type: requireText(type, method, 2, 'string or GetOptions') }),
    ...(cacheTtl !== undefined && { cacheTtl: toInt32(cacheTtl) }),
  }
}

/** A put's second argument. @throws TypeError in KV's words */
export function readValue(args: readonly unknown[]): KvValue {
  if (args.length < 2) throw wrongType('put', 2, 'string or Object')
  const value = args[1]
  if (value instanceof ReadableStream || value instanceof ArrayBuffer || ArrayBuffer.isView(value))
    return value
  if (isPrimitive(value)) return String(value)
  throw new TypeError(
    'KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.',
  )
}

/** A put's third argument. @throws TypeError for what is no object, DataCloneError for metadata that is no data */
export function readWriteOptions(input: unknown): WriteOptions {
  if (input === undefined || input === null || typeof input === 'function') return {}
  if (typeof input !== 'object') throw wrongType('put', 3, 'PutOptions')
  const { expiration, expirationTtl, metadata } = input as Record<string, unknown>
  return {
    ...(expiration !== undefined && { expiration: toInt32(expiration) }),
    ...(expirationTtl !== undefined && { expirationTtl: toInt32(expirationTtl) }),
    // The clone refuses stubs, whose toJSON() would be a call into the function.
    ...(metadata !== undefined && metadata !== null && { metadata: structuredClone(metadata) }),
  }
}

/** A list's argument. @throws TypeError for what is no object */
export function readListOptions(input: unknown): ListOptions {
  if (input === undefined || input === null || typeof input === 'function') return { prefix: '' }
  if (typeof input !== 'object') throw wrongType('list', 1, 'ListOptions')
  const { prefix, limit, cursor } = input as Record<string, unknown>
  const text = (value: unknown) => toStoredText(requireText(value, 'list', 1, 'ListOptions'))
  return {
    prefix: isAbsent(prefix) ? '' : text(prefix),
    ...(!isAbsent(limit) && { limit: toInt32(limit) }),
    ...(!isAbsent(cursor) && { cursor: text(cursor) }),
  }
}

const isAbsent = (value: unknown) => value === undefined || value === null

function requireText(value: unknown, method: string, position: number, type: string): string {
  const text = toText(value)
  if (text === undefined) throw wrongType(method, position, type)
  return text
}

/** JavaScript's own text of primitives and of arrays of them; `undefined` for objects, whose text is never meant. */
function toText(value: unknown): string | undefined {
  if (isPrimitive(value)) return String(value)
  if (!Array.isArray(value) || !value.every(isPrimitive)) return undefined
  return value.map(item => (isAbsent(item) ? '' : String(item))).join(',')
}

/** A number as the runtime reads one into 32 bits: what is none is 0, fractions are cut off. */
function toInt32(value: unknown): number {
  if (typeof value === 'bigint') throw new TypeError('Cannot convert a BigInt value to a number')
  const number =
    value instanceof Date ? value.getTime() : isPrimitive(value) ? Number(value) : Number(toText(value))
  if (!Number.isFinite(number)) return 0
  const integer = Math.trunc(number)
  if (integer < -(2 ** 31) || integer >= 2 ** 31) {
    throw new TypeError('Value out of range. Must be between -2147483648 and 2147483647 (inclusive).')
  }
  return integer
}

function isPrimitive(value: unknown): boolean {
  return value === null || (typeof value !== 'object' && typeof value !== 'function')
}
