import type { Context } from 'hono'
import { R2Failure } from '../../../bindings/r2/failures.ts'
import { isValidBucketName, MAX_KEY_BYTES } from '../../../bindings/r2/limits.ts'
import { STORAGE_CLASSES, type StorageClass } from '../../../bindings/r2/settings.ts'
import { type ErrorCode, SkerryError } from '../../../src/core/errors.ts'
import type { ResourceRecord } from '../../../src/registry/resources.ts'
import type { Api } from '../context.ts'

/** The bucket that the path names. @throws ERR_R2_BUCKET_NOT_FOUND, ERR_R2_UNSUPPORTED */
export async function requireBucket(
  c: Context<Api>,
  name = c.req.param('bucket') ?? '',
): Promise<ResourceRecord> {
  requireNoJurisdiction(c)
  const bucket = await c.var.account.registry.findResource('r2_bucket', name)
  if (bucket) return bucket
  throw new SkerryError('ERR_R2_BUCKET_NOT_FOUND', 'The specified bucket does not exist.')
}

/** Where data lies is the operator's choice; a jurisdiction that nobody keeps is refused. @throws ERR_R2_UNSUPPORTED */
export function requireNoJurisdiction(c: Context<Api>): void {
  const jurisdiction = c.req.header('cf-r2-jurisdiction')
  if (jurisdiction === undefined || jurisdiction === '' || jurisdiction === 'default') return
  throw new SkerryError(
    'ERR_R2_UNSUPPORTED',
    `The jurisdiction "${jurisdiction}" is not known here: all buckets are where the platform runs. Leave it out.`,
  )
}

/** A name that a new bucket can have. @throws ERR_R2_BUCKET_NAME */
export function requireBucketName(name: unknown): string {
  if (typeof name === 'string' && isValidBucketName(name)) return name
  const given = JSON.stringify(name) ?? 'absent'
  throw new SkerryError(
    'ERR_R2_BUCKET_NAME',
    `The specified bucket name ${given} is not valid: it must have 3 to 63 lower-case letters, digits and dashes, and start and end with a letter or digit.`,
  )
}

/** @throws ERR_R2_REQUEST */
export function requireStorageClass(value: unknown): StorageClass {
  const known = STORAGE_CLASSES.find(name => name === value)
  if (known) return known
  throw new SkerryError(
    'ERR_R2_REQUEST',
    `The storage class ${JSON.stringify(value)} is unknown; known are ${STORAGE_CLASSES.join(' and ')}.`,
  )
}

/**
 * The key that the path names after `/objects/`, decoded once: slashes in it may be encoded or not. Taken from
 * the URL as sent, because a router's parameters are decoded by its own rules.
 *
 * @throws ERR_R2_KEY
 */
export function keyOfPath(c: Context<Api>): string {
  const [, encoded = ''] = /\/r2\/buckets\/[^/?#]*\/objects\/([^?#]*)/.exec(c.req.raw.url) ?? []
  return requireKey(decodeKey(encoded))
}

/** @throws ERR_R2_KEY */
export function requireKey(key: unknown): string {
  if (typeof key === 'string' && key !== '') {
    const bytes = new TextEncoder().encode(key).length
    if (bytes <= MAX_KEY_BYTES) return key
    throw badKey(`it has ${bytes} bytes, and at most ${MAX_KEY_BYTES} are allowed`)
  }
  throw badKey(`it must be a non-empty string, not ${JSON.stringify(key) ?? 'absent'}`)
}

/** What the store of objects says, in the words of the API: its failures carry R2's codes. */
export async function asking<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const code = error instanceof R2Failure ? CODES[error.reason] : undefined
    throw code ? new SkerryError(code, (error as Error).message, { cause: error }) : error
  }
}

/** A number of the query between bounds. @throws ERR_R2_REQUEST */
export function countOf(c: Context<Api>, name: string, max: number): number {
  const text = c.req.query(name)
  const value = text === undefined || text === '' ? max : Number(text)
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw new SkerryError(
    'ERR_R2_REQUEST',
    `The parameter ${name} is ${JSON.stringify(text)}; it must be an integer from 1 to ${max}.`,
  )
}

/** What the API can't bring about is left out: it is a failure of ours. */
const CODES: Readonly<Partial<Record<R2Failure['reason'], ErrorCode>>> = {
  'no-such-key': 'ERR_R2_OBJECT_NOT_FOUND',
  'no-such-bucket': 'ERR_R2_BUCKET_NOT_FOUND',
  'invalid-range': 'ERR_R2_RANGE',
  'key-name': 'ERR_R2_KEY',
  metadata: 'ERR_R2_METADATA',
  'too-large': 'ERR_R2_TOO_LARGE',
  'max-keys': 'ERR_R2_REQUEST',
  argument: 'ERR_R2_REQUEST',
}

function decodeKey(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    throw badKey(`"${encoded}" is not percent-encoded UTF-8`)
  }
}

function badKey(problem: string): SkerryError {
  return new SkerryError('ERR_R2_KEY', `The specified object name is not valid: ${problem}.`)
}
