import { LIMITS } from '../../src/core/limits.ts'

/** Why a key, expiry, value or metadata is refused: the function and the control plane word it differently. */
export interface KvProblem {
  readonly reason:
    | 'key-empty'
    | 'key-dots'
    | 'key-length'
    | 'expiration'
    | 'expiration-ttl'
    | 'value-length'
    | 'metadata-length'
    | 'cache-ttl'
    | 'limit'
  /** HTTP status, as KV's own server gives it. */
  readonly status: 400 | 413 | 414
  /** KV's own words, without the operation. */
  readonly text: string
}

/** Keys of one batch read, in the binding and in the API. Source: Cloudflare's documentation. */
export const MAX_BATCH_KEYS = 100
/** Keys of one page of a list. Source: the same. */
export const MAX_LIST_KEYS = 1000
/** Seconds. Source: workerd's embedded KV, 2026-11-17. */
const MIN_CACHE_TTL_SECONDS = 30

/** A key as it is stored: text without lone surrogates, which have no UTF-8 and make the store's connection fail. */
export function toStoredText(text: string): string {
  return text.toWellFormed()
}

/** Refuses the empty key, `.`, `..`, and keys of more than LIMITS.kvKeyBytes bytes of UTF-8. */
export function checkKey(key: string): KvProblem | undefined {
  if (key === '') return { reason: 'key-empty', status: 400, text: 'Key names must not be empty' }
  if (key === '.' || key === '..') {
    return {
      reason: 'key-dots',
      status: 400,
      text: `Illegal key name "${key}". Please use a different name.`,
    }
  }
  return checkKeyLength(key)
}

/** The length alone, which is all that is asked of a list's prefix. */
export function checkKeyLength(key: string): KvProblem | undefined {
  const bytes = utf8Length(key, LIMITS.kvKeyBytes)
  if (bytes <= LIMITS.kvKeyBytes) return undefined
  return {
    reason: 'key-length',
    status: 414,
    text: `UTF-8 encoded length of ${bytes} exceeds key length limit of ${LIMITS.kvKeyBytes}.`,
  }
}

/** When a value expires: seconds from now, or seconds since the epoch. With both, the first one counts. */
export interface Expiry {
  readonly expirationTtl?: number | undefined
  readonly expiration?: number | undefined
}

/** Refuses expiry less than LIMITS.kvMinTtlSeconds away. Both fields must be integers; NaN stands for what is none. */
export function checkExpiry(expiry: Expiry, nowSeconds: number): KvProblem | undefined {
  const { expirationTtl: ttl, expiration: at } = expiry
  if (ttl !== undefined) return checkTtl(ttl)
  if (at === undefined || at >= nowSeconds + LIMITS.kvMinTtlSeconds) return undefined
  const hint =
    at > nowSeconds
      ? `Expiration times must be at least ${LIMITS.kvMinTtlSeconds} seconds in the future.`
      : 'Please specify integer greater than the current number of seconds since the UNIX epoch.'
  return { reason: 'expiration', status: 400, text: `Invalid expiration of ${at}. ${hint}` }
}

function checkTtl(ttl: number): KvProblem | undefined {
  if (ttl >= LIMITS.kvMinTtlSeconds) return undefined
  const hint =
    ttl > 0
      ? `Expiration TTL must be at least ${LIMITS.kvMinTtlSeconds}.`
      : 'Please specify integer greater than 0.'
  return { reason: 'expiration-ttl', status: 400, text: `Invalid expiration_ttl of ${ttl}. ${hint}` }
}

/** Refuses values of more than LIMITS.kvValueBytes. */
export function checkValueLength(bytes: number): KvProblem | undefined {
  if (bytes <= LIMITS.kvValueBytes) return undefined
  return {
    reason: 'value-length',
    status: 413,
    text: `Value length of ${bytes} exceeds limit of ${LIMITS.kvValueBytes}.`,
  }
}

/** Refuses metadata whose JSON has more than LIMITS.kvMetadataBytes bytes of UTF-8. */
export function checkMetadata(json: string): KvProblem | undefined {
  const bytes = utf8Length(json, LIMITS.kvMetadataBytes)
  if (bytes <= LIMITS.kvMetadataBytes) return undefined
  return {
    reason: 'metadata-length',
    status: 413,
    text: `Metadata length of ${bytes} exceeds limit of ${LIMITS.kvMetadataBytes}.`,
  }
}

/** Refuses cache times of less than 30 seconds. */
export function checkCacheTtl(seconds: number): KvProblem | undefined {
  if (seconds >= MIN_CACHE_TTL_SECONDS) return undefined
  return {
    reason: 'cache-ttl',
    status: 400,
    text: `Invalid cache_ttl of ${seconds}. Cache TTL must be at least ${MIN_CACHE_TTL_SECONDS}.`,
  }
}

/** Refuses pages of more than 1,000 keys. Natively, 0 and less mean the default. */
export function checkListLimit(limit: number): KvProblem | undefined {
  if (limit <= MAX_LIST_KEYS) return undefined
  return {
    reason: 'limit',
    status: 400,
    text: `Invalid key_count_limit of ${limit}. Please specify an integer less than ${MAX_LIST_KEYS}.`,
  }
}

/** Bytes of a text in UTF-8; exact where it may exceed `bound`, else an upper estimate that doesn't. */
export function utf8Length(text: string, bound: number): number {
  // No UTF-16 unit takes more than 3 bytes, so short texts need no encoding.
  return text.length * 3 <= bound ? text.length * 3 : new TextEncoder().encode(text).byteLength
}
