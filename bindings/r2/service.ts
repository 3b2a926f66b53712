import { SkerryError } from '../../src/core/errors.ts'
import { createHexId } from '../../src/core/ids.ts'
import type { EdgeEnv, StateEnv } from '../../src/env.ts'
import { type BlobStore, blobStore } from './blobs.ts'
import { type Body, hashBytes, type Written, writeBody } from './body.ts'
import { type BucketCalls, bucketCalls } from './bucket-stub.ts'
import { isRefused, R2Failure, type Refused } from './failures.ts'
import { isValidKey, isValidMetadata, LARGE_BYTES, MAX_PARTS } from './limits.ts'
import type { Found } from './object.ts'
import type { Piece } from './schema.ts'
import type {
  Algorithm,
  BucketStats,
  Checksums,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectList,
  ObjectMetadata,
  PutOptions,
  ReadRange,
  UploadedPart,
} from './types.ts'

/*
 * R2's operations, for the binding and for the API. Whoever calls writes and reads the bytes; the bucket's object,
 * which may be in another process, is told and asked. `bucketId` is the id of that object. All of them throw
 * R2Failure for what R2 refuses.
 */

/** Either role: it has the blobs, and the bucket's object or a way to it. */
export type R2Env = EdgeEnv | StateEnv

/** An object that is read. */
export interface ObjectRead {
  readonly object: ObjectInfo
  readonly range: ReadRange
  readonly body: ReadableStream<Uint8Array>
}

/** What is known of an object. @throws R2Failure no-such-key, key-name */
export async function head(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
): Promise<ObjectInfo> {
  requireKey(key)
  return (await ask(bucketCalls(env, accountId, bucketId).find(key))).object
}

/**
 * An object's bytes, or a range of them, as a stream.
 *
 * @throws R2Failure no-such-key, key-name, invalid-range; precondition, with the object
 */
export async function get(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  options: GetOptions = {},
): Promise<ObjectRead> {
  requireKey(key)
  const bucket = bucketCalls(env, accountId, bucketId)
  const store = blobStore(env.BLOBS)
  // An object that is replaced after it was found loses its blob before it is opened: then there is a newer one.
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const found = await ask(bucket.find(key, options))
    const body = await openPieces(store, found)
    if (body) return { object: found.object, range: found.range, body }
  }
  throw new R2Failure('internal')
}

/**
 * Writes an object. `length` is the body's if it is known. Nothing changes if it fails on the way.
 *
 * @throws R2Failure key-name, metadata, too-large, bad-digest, precondition
 */
export async function put(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  content: ReadableStream<Uint8Array> | Uint8Array | null,
  options: PutOptions = {},
  length?: number,
): Promise<ObjectInfo> {
  const { checksums: expected = {}, onlyIf, ...metadata } = options
  requireKey(key)
  requireMetadata(metadata)
  const bucket = bucketCalls(env, accountId, bucketId)
  const written = await store(env, bucket, { content: content ?? EMPTY, length }, expected)
  const { blob, size, checksums } = written
  const named = Object.keys(expected) as Algorithm[]
  const kept = Object.fromEntries(
    ['md5' as const, ...named].map(name => [name, checksums[name]]),
  ) as Checksums
  const version = createHexId()
  const added = {
    ...metadata,
    key,
    version,
    blob,
    size,
    etag: checksums.md5,
    checksums: kept,
    ...(onlyIf && { onlyIf }),
  }
  return ask(bucket.put(added))
}

/** Deletes objects; it is no error if one doesn't exist. @throws R2Failure key-name */
export async function deleteObjects(
  env: R2Env,
  accountId: string,
  bucketId: string,
  keys: readonly string[],
): Promise<void> {
  for (const key of keys) requireKey(key)
  await ask(bucketCalls(env, accountId, bucketId).delete(keys))
}

/** One page of a bucket's objects. @throws R2Failure max-keys; argument for what is no cursor */
export async function list(
  env: R2Env,
  accountId: string,
  bucketId: string,
  options: ListOptions = {},
): Promise<ObjectList> {
  return ask(bucketCalls(env, accountId, bucketId).list(options))
}

/** Begins an upload in parts. @returns its id @throws R2Failure key-name, metadata */
export async function createMultipart(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  metadata: ObjectMetadata = {},
): Promise<string> {
  requireKey(key)
  requireMetadata(metadata)
  return ask(bucketCalls(env, accountId, bucketId).createUpload(key, metadata))
}

/** Writes a part, 1 to 10,000, in the place of one that has its number. @throws R2Failure key-name, too-large, no-such-upload, invalid-part */
export async function uploadPart(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  uploadId: string,
  partNumber: number,
  content: ReadableStream<Uint8Array> | Uint8Array,
  length?: number,
): Promise<UploadedPart> {
  requireKey(key)
  if (!(Number.isInteger(partNumber) && partNumber >= 1 && partNumber <= MAX_PARTS)) {
    throw new R2Failure('invalid-part')
  }
  const bucket = bucketCalls(env, accountId, bucketId)
  const { blob, size, checksums } = await store(env, bucket, { content, length }, {})
  await ask(bucket.putPart(key, uploadId, { partNumber, size, md5: checksums.md5, blob }))
  return { partNumber, etag: checksums.md5 }
}

/** Makes an object of parts. @throws R2Failure no-such-upload, invalid-part, too-small, bad-upload, too-large, internal */
export async function complete(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  uploadId: string,
  parts: readonly UploadedPart[],
): Promise<ObjectInfo> {
  requireKey(key)
  return ask(bucketCalls(env, accountId, bucketId).complete(key, uploadId, parts, createHexId()))
}

/** Throws an upload in parts away; it is no error if it has ended. @throws R2Failure internal if there was none */
export async function abort(
  env: R2Env,
  accountId: string,
  bucketId: string,
  key: string,
  uploadId: string,
): Promise<void> {
  requireKey(key)
  await ask(bucketCalls(env, accountId, bucketId).abortUpload(key, uploadId))
}

/** What a bucket holds. */
export async function stats(env: R2Env, accountId: string, bucketId: string): Promise<BucketStats> {
  return ask(bucketCalls(env, accountId, bucketId).stats())
}

/** Closes a bucket for ever if it has no objects; from then on it refuses everything. @returns whether it is closed */
export async function closeIfEmpty(env: R2Env, accountId: string, bucketId: string): Promise<boolean> {
  return ask(bucketCalls(env, accountId, bucketId).closeIfEmpty())
}

const EMPTY = new Uint8Array()
const MAX_TRIES = 5
/** How often a writer says that it goes on. */
const TOUCH_MS = 60_000

/** Writes a body as a blob that the bucket knows to be pending; no bytes need no blob. */
async function store(
  env: R2Env,
  bucket: BucketCalls,
  body: Body,
  expected: Checksums,
): Promise<Written & { blob: string | null }> {
  if (body.length === 0 || (body.content instanceof Uint8Array && body.content.length === 0)) {
    return { size: 0, checksums: await hashBytes(EMPTY, expected), blob: null }
  }
  const blob = await ask(bucket.begin())
  let touchedMs = Date.now()
  const touch = async () => {
    if (Date.now() - touchedMs < TOUCH_MS) return
    touchedMs = Date.now()
    await bucket.touch(blob)
  }
  try {
    return { ...(await writeBody(blobStore(env.BLOBS), blob, body, expected, touch)), blob }
  } catch (error) {
    // If this fails too, the bucket's alarm does it.
    await bucket.giveUp(blob).catch(() => {})
    throw error
  }
}

/** The bytes of pieces, one after the other; `undefined` if the first is gone. */
async function openPieces(
  store: BlobStore,
  { pieces, range }: Found,
): Promise<ReadableStream<Uint8Array> | undefined> {
  const [first, ...others] = pieces.flatMap(split)
  if (!first) return new Response('').body as ReadableStream<Uint8Array>
  const stream = await openPiece(store, first)
  if (!stream || others.length === 0) return stream
  const { readable, writable } = new FixedLengthStream(range.length)
  void pumpPieces(store, stream, others, writable)
  return readable
}

/** Bytes read at a time go without a look at I/O if their reader is in this process: see breath.ts. */
function split(piece: Piece): Piece[] {
  if (piece.length <= LARGE_BYTES) return [piece]
  const { offset, length } = piece
  return Array.from({ length: Math.ceil(length / LARGE_BYTES) }, (_, i) => {
    const start = i * LARGE_BYTES
    return { ...piece, offset: offset + start, length: Math.min(LARGE_BYTES, length - start), isWhole: false }
  })
}

async function pumpPieces(
  store: BlobStore,
  first: ReadableStream<Uint8Array>,
  others: readonly Piece[],
  writable: WritableStream<Uint8Array>,
): Promise<void> {
  try {
    await first.pipeTo(writable, { preventClose: true })
    for (const piece of others) {
      await scheduler.wait(0)
      const stream = await openPiece(store, piece)
      if (!stream) throw new Error('The object was replaced or deleted while it was read.')
      await stream.pipeTo(writable, { preventClose: true })
    }
    await writable.close()
  } catch (error) {
    await writable.abort(error).catch(() => {})
  }
}

function openPiece(store: BlobStore, { blob, offset, length, isWhole }: Piece) {
  return store.read(blob, isWhole ? undefined : { offset, length })
}

async function ask<T>(answer: Promise<T | Refused>): Promise<T> {
  let result: T | Refused
  try {
    result = await answer
  } catch (error) {
    if (error instanceof SkerryError && error.code === 'ERR_STATE_UNAVAILABLE')
      throw new R2Failure('internal')
    throw error
  }
  if (isRefused(result)) throw new R2Failure(result.refused, undefined, result.object)
  return result
}

function requireKey(key: string): void {
  if (!isValidKey(key)) throw new R2Failure('key-name')
}

function requireMetadata({ customMetadata }: ObjectMetadata): void {
  if (!isValidMetadata(customMetadata)) throw new R2Failure('metadata')
}
