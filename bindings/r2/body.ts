import type { BlobStore } from './blobs.ts'
import { createBreath } from './breath.ts'
import { createHasher, digestBytes, findMismatch } from './checksums.ts'
import { R2Failure } from './failures.ts'
import { MAX_UPLOAD_BYTES } from './limits.ts'
import type { Checksums } from './types.ts'

/** What is to be stored: a stream, whose bytes may be known in number, or bytes that are there. */
export interface Body {
  readonly content: ReadableStream<Uint8Array> | Uint8Array
  readonly length: number | undefined
}

/** What was stored. */
export interface Written {
  readonly size: number
  readonly checksums: { readonly md5: string } & Checksums
}

/** Bodies of a known length up to this are read into memory first: hashing and writing them at once is cheaper. */
const SMALL_BYTES = 64 * 1024
/** Bytes read at a time of longer ones; two of them are in memory. */
const CHUNK_BYTES = 256 * 1024

/**
 * Stores a body as a blob and hashes it meanwhile, a chunk in memory at a time. Nothing of it is left on failure.
 *
 * @param onChunk called after each chunk: whoever waits long tells that he is alive
 * @throws R2Failure too-large, bad-digest; whatever the body fails with
 */
export async function writeBody(
  store: BlobStore,
  id: string,
  { content, length }: Body,
  expected: Checksums,
  onChunk: () => Promise<void>,
): Promise<Written> {
  if (length !== undefined && length > MAX_UPLOAD_BYTES) throw new R2Failure('too-large')
  if (content instanceof Uint8Array) return writeBytes(store, id, content, expected)
  if (length !== undefined && length <= SMALL_BYTES) {
    return writeBytes(store, id, await readAll(content, length), expected)
  }

  const writer = store.open(id, length)
  const hasher = createHasher(expected)
  const reader = readChunks(content)
  const breath = createBreath()
  let size = 0
  try {
    for await (const chunk of reader) {
      size += chunk.length
      if (size > MAX_UPLOAD_BYTES) throw new R2Failure('too-large')
      await Promise.all([hasher.write(chunk), writer.write(chunk)])
      await breath()
      await onChunk()
    }
    if (length !== undefined && size !== length) throw new Error(`the body has ${size} bytes, not ${length}`)
    const checksums = await hasher.digests()
    checkDigests(expected, checksums)
    await writer.close()
    return { size, checksums }
  } catch (error) {
    hasher.abort()
    await writer.abort()
    throw error
  }
}

async function writeBytes(
  store: BlobStore,
  id: string,
  bytes: Uint8Array,
  expected: Checksums,
): Promise<Written> {
  const checksums = await hashBytes(bytes, expected)
  await store.put(id, bytes)
  return { size: bytes.length, checksums }
}

/** Hashes bytes that are there. @throws R2Failure bad-digest */
export async function hashBytes(bytes: Uint8Array, expected: Checksums): Promise<Written['checksums']> {
  const checksums = await digestBytes(bytes, expected)
  checkDigests(expected, checksums)
  return checksums
}

function checkDigests(expected: Checksums, actual: Checksums): void {
  const mismatch = findMismatch(expected, actual)
  if (mismatch) throw new R2Failure('bad-digest', mismatch)
}

async function readAll(stream: ReadableStream<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer())
  if (bytes.length !== length) throw new Error(`the body has ${bytes.length} bytes, not ${length}`)
  return bytes
}

/**
 * A stream's bytes in chunks that are valid until the next one is asked for. Reads into a buffer of our own where
 * the stream can: workerd's streams otherwise give 4 KiB at a time.
 */
async function* readChunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = openBytes(stream)
  let isDone = false
  try {
    let buffer = new ArrayBuffer(CHUNK_BYTES)
    for (;;) {
      const { value, done } =
        reader instanceof ReadableStreamBYOBReader
          ? await reader.read(new Uint8Array(buffer))
          : await reader.read()
      isDone = done
      if (done || !value) return
      yield value
      if (reader instanceof ReadableStreamBYOBReader) buffer = value.buffer as ArrayBuffer
    }
  } finally {
    if (!isDone) await reader.cancel().catch(() => {})
    reader.releaseLock()
  }
}

function openBytes(stream: ReadableStream<Uint8Array>) {
  try {
    return stream.getReader({ mode: 'byob' })
  } catch {
    return stream.getReader()
  }
}
