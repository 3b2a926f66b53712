import { brotliCompressSync, gzipSync } from 'node:zlib'
import { SkerryError } from '../../src/core/errors.ts'
import { WeighedCache } from '../../src/core/weighed-cache.ts'
import { repeatWhileAway } from '../../src/roles.ts'
import type { StoredFile } from './document.ts'

/** A file's bytes, and whether they were in this process's memory. */
export interface FileBody {
  readonly body: Uint8Array | ReadableStream
  readonly isHeld: boolean
}

/** Content codings that files are kept in. */
export type Coding = 'gzip' | 'br'

/** The bytes of a small file that was asked for before. */
export function heldBytes([, digest]: StoredFile): Uint8Array | undefined {
  return bytesHeld.get(digest)
}

/**
 * A file's bytes: small files are kept in memory, larger ones stream from the store.
 *
 * @throws ERR_INTERNAL if the store lacks it, ERR_STATE_UNAVAILABLE
 */
export async function readFile(code: KVNamespace, file: StoredFile): Promise<FileBody> {
  const [, digest, sizeBytes] = file
  const held = heldBytes(file)
  if (held) return { body: held, isHeld: true }
  if (sizeBytes > MAX_HELD_BYTES) {
    const stream = await repeatWhileAway(() => code.get(digest, 'stream'))
    if (!stream) throw missing(digest)
    return { body: stream.pipeThrough(new FixedLengthStream(sizeBytes)), isHeld: false }
  }
  const stored = await repeatWhileAway(() => code.get(digest, 'arrayBuffer'))
  if (!stored) throw missing(digest)
  const body = new Uint8Array(stored)
  bytesHeld.set(digest, body, body.byteLength + WEIGHT)
  return { body, isHeld: false }
}

/**
 * A held file's bytes in a content coding: made once and kept; `undefined` where the coding doesn't make them less,
 * or the type is coded already.
 */
export function codeBytes(file: StoredFile, bytes: Uint8Array, coding: Coding): Uint8Array | undefined {
  const [, digest] = file
  if (!mayBeCoded(file)) return undefined
  const key = `${digest}.${coding}`
  const known = bytesHeld.get(key)
  if (known) return known.byteLength > 0 ? known : undefined
  const coded = coding === 'br' ? brotliCompressSync(bytes, BROTLI) : gzipSync(bytes)
  const kept = coded.byteLength < bytes.byteLength ? coded : new Uint8Array()
  bytesHeld.set(key, kept, kept.byteLength + WEIGHT)
  return kept.byteLength > 0 ? kept : undefined
}

/** Whether a file is of a type that gets smaller, and of a size that is worth it. */
export function mayBeCoded([, , sizeBytes, type]: StoredFile): boolean {
  return (
    sizeBytes >= MIN_CODED_BYTES && sizeBytes <= MAX_HELD_BYTES && type !== null && CODED_TYPES.test(type)
  )
}

const CODED_TYPES =
  /^(text\/|application\/(.*\+)?(json|xml|javascript|wasm|manifest|ecmascript)\b|image\/(svg\+xml|bmp|x-icon|vnd\.microsoft\.icon)|font\/(ttf|otf|collection)|application\/(vnd\.ms-fontobject|x-font-ttf|rtf))/i

function missing(digest: string): SkerryError {
  return new SkerryError('ERR_INTERNAL', `the code store has no asset ${digest}`)
}

/** Larger files are neither kept nor coded: 10 to 30 ms a file, once, is what the thread has for it. */
const MAX_HELD_BYTES = 1024 * 1024
const MIN_CODED_BYTES = 256

/** As brotli's own header has it. */
const BROTLI_PARAM_QUALITY = 1

/** Half of the best, in a twentieth of the time. */
const BROTLI = { params: { [BROTLI_PARAM_QUALITY]: 5 } }

/** What an entry costs beside its bytes. */
const WEIGHT = 256
const bytesHeld = new WeighedCache<Uint8Array>(32 * 1024 * 1024)
