import type { Context } from 'hono'
import {
  checkExpiry,
  checkKey,
  type Expiry,
  type KvProblem,
  toStoredText,
} from '../../../bindings/kv/validate.ts'
import { type ErrorCode, SkerryError } from '../../../src/core/errors.ts'
import type { KvNamespaceRecord } from '../../../src/registry/kv-namespaces.ts'
import type { Api } from '../context.ts'

/** A failure in Cloudflare's wording: `<operation>: '<problem>'`. */
export function kvError(code: ErrorCode, operation: string, problem: string): SkerryError {
  return new SkerryError(code, `${operation}: '${problem}'`)
}

/** The namespace that the path names. @throws ERR_KV_NAMESPACE_NOT_FOUND */
export async function requireNamespace(c: Context<Api>, operation: string): Promise<KvNamespaceRecord> {
  const id = c.req.param('id') ?? ''
  const namespace = await c.var.account.registry.getKvNamespace(id)
  if (!namespace) throw kvError('ERR_KV_NAMESPACE_NOT_FOUND', operation, 'namespace not found')
  return namespace
}

/**
 * The key that the path names after `/values/` or `/metadata/`, decoded once: it may hold slashes, encoded or
 * not. Taken from the URL as sent, because a router's parameters are decoded by its own rules.
 *
 * @throws ERR_KV_KEY, ERR_KV_KEY_TOO_LONG
 */
export function keyOfPath(c: Context<Api>, operation: string): string {
  const [, encoded = ''] = /\/(?:values|metadata)\/([^?#]*)/.exec(c.req.raw.url) ?? []
  return requireKey(decodeOnce(encoded, operation), operation)
}

/** A key as it is stored. @throws ERR_KV_KEY, ERR_KV_KEY_TOO_LONG */
export function requireKey(value: unknown, operation: string): string {
  if (typeof value !== 'string') {
    throw kvError('ERR_KV_KEY', operation, `keys must be strings, not ${JSON.stringify(value) ?? 'absent'}`)
  }
  const key = toStoredText(value)
  failOn(checkKey(key), operation)
  return key
}

/** The expiry that a query or a bulk item gives. @throws ERR_KV_EXPIRATION, ERR_KV_EXPIRATION_TTL */
export function requireExpiry(
  fields: { readonly expiration?: unknown; readonly expiration_ttl?: unknown },
  operation: string,
): Expiry {
  const expirationTtl = parseSeconds(
    fields.expiration_ttl,
    'expiration_ttl',
    'ERR_KV_EXPIRATION_TTL',
    operation,
  )
  const expiration = parseSeconds(fields.expiration, 'expiration', 'ERR_KV_EXPIRATION', operation)
  const expiry = {
    ...(expirationTtl !== undefined && { expirationTtl }),
    ...(expiration !== undefined && { expiration }),
  }
  failOn(checkExpiry(expiry, Math.floor(Date.now() / 1000)), operation)
  return expiry
}

/** Throws a problem of the shared checks with its code. */
export function failOn(problem: KvProblem | undefined, operation: string): void {
  if (problem) throw kvError(CODES[problem.reason], operation, problem.text)
}

const CODES: Readonly<Record<KvProblem['reason'], ErrorCode>> = {
  'key-empty': 'ERR_KV_KEY',
  'key-dots': 'ERR_KV_KEY',
  'key-length': 'ERR_KV_KEY_TOO_LONG',
  expiration: 'ERR_KV_EXPIRATION',
  'expiration-ttl': 'ERR_KV_EXPIRATION_TTL',
  'value-length': 'ERR_KV_VALUE_TOO_LARGE',
  'metadata-length': 'ERR_KV_METADATA',
  'cache-ttl': 'ERR_KV_REQUEST',
  limit: 'ERR_KV_LIMIT',
}

/** The store keeps 32-bit seconds. */
const MAX_SECONDS = 2 ** 31 - 1

function parseSeconds(value: unknown, name: string, code: ErrorCode, operation: string): number | undefined {
  if (value === undefined || value === null || value === '') return undefined
  const isText = typeof value === 'string' && /^-?\d+$/.test(value)
  const seconds = isText ? Number(value) : value
  if (typeof seconds === 'number' && Number.isInteger(seconds) && seconds <= MAX_SECONDS) return seconds
  const problem = `Invalid ${name} of ${JSON.stringify(value)}. Please specify an integer of at most ${MAX_SECONDS}.`
  throw kvError(code, operation, problem)
}

function decodeOnce(encoded: string, operation: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw kvError('ERR_KV_KEY', operation, `the key "${encoded}" is not percent-encoded UTF-8`)
  }
}
