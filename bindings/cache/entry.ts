import { concat } from './ranges.ts'

/** A stored response but its body. */
export interface EntryHead {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly storedAtMs: number
  readonly staleAtMs: number
  /** Its age when it was stored. */
  readonly ageSeconds: number
  /** How long the body is, if that was known before it was stored. */
  readonly bodyBytes?: number
  /** The response had a `Content-Length`. */
  readonly hasLength: boolean
  /** The body is encoded already as its `Content-Encoding` says. */
  readonly isEncoded: boolean
}

/** What was stored: the head, and the body's bytes in pieces. */
export interface Entry {
  readonly head: EntryHead
  readonly body: Body
}

/** Bytes of a body: those that came with the head, and the rest, if there is one. */
interface Body {
  readonly first: Uint8Array
  readonly rest: ReadableStream<Uint8Array> | undefined
}

/** The longest head, in bytes of JSON: what Cloudflare allows headers, and something more. */
const MAX_HEAD_BYTES = 256 * 1024
const LENGTH_BYTES = 4
const FORMAT = 1

/** A head as it stands before the body: its length in four bytes, then JSON. `undefined` if it is too long. */
export function packHead(head: EntryHead): Uint8Array<ArrayBuffer> | undefined {
  const json = new TextEncoder().encode(JSON.stringify({ format: FORMAT, ...head }))
  if (json.byteLength > MAX_HEAD_BYTES) return undefined
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(0, json.byteLength)
  return concat([length, json])
}

/** Reads the head of what is stored; `undefined` if another version of the platform wrote it. */
export async function unpack(stored: ReadableStream<Uint8Array>): Promise<Entry | undefined> {
  const reader = stored.getReader()
  const chunks: Uint8Array[] = []
  let seen = 0
  let isDone = false
  const readUpTo = async (bytes: number) => {
    while (seen < bytes && !isDone) {
      const { done, value } = await reader.read()
      isDone = done
      if (value) seen += chunks[chunks.push(value) - 1]?.byteLength ?? 0
    }
    return concat(chunks)
  }
  const start = await readUpTo(LENGTH_BYTES)
  const headBytes = start.byteLength < LENGTH_BYTES ? 0 : new DataView(start.buffer).getUint32(0)
  const bodyAt = LENGTH_BYTES + headBytes
  if (headBytes === 0 || headBytes > MAX_HEAD_BYTES) return giveUp(reader)
  const bytes = await readUpTo(bodyAt)
  if (bytes.byteLength < bodyAt) return giveUp(reader)
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, bodyAt))) as EntryHead & {
    format: number
  }
  if (head.format !== FORMAT) return giveUp(reader)
  const first = bytes.subarray(bodyAt)
  reader.releaseLock()
  const isWhole = isDone || first.byteLength === head.bodyBytes
  if (isWhole && !isDone) await stored.cancel()
  return { head, body: { first, rest: isWhole ? undefined : stored } }
}

/** The whole body in memory. */
export async function readAll({ first, rest }: Body): Promise<Uint8Array> {
  if (!rest) return first
  const chunks = [first]
  for await (const chunk of rest) chunks.push(chunk)
  return concat(chunks)
}

/** Lets go of a body that nobody wants. */
export async function discard({ rest }: Body): Promise<void> {
  await rest?.cancel()
}

/** A body from `start` on, `length` bytes of it, as they come. */
export function stream({ first, rest }: Body, start: number, length: number): ReadableStream<Uint8Array> {
  let skip = start
  let left = length
  const cut = (chunk: Uint8Array) => {
    const part = chunk.subarray(Math.min(skip, chunk.byteLength)).subarray(0, left)
    skip = Math.max(0, skip - chunk.byteLength)
    left -= part.byteLength
    return part
  }
  const reader = rest?.getReader()
  return new ReadableStream<Uint8Array>({
    start: controller => {
      const part = cut(first)
      if (part.byteLength > 0) controller.enqueue(part)
      if (left === 0 || !reader) controller.close()
    },
    pull: async controller => {
      for (let part: Uint8Array | undefined; !part?.byteLength; ) {
        const { done, value } = (await reader?.read()) ?? { done: true }
        if (done || !value) return controller.close()
        part = cut(value)
        if (part.byteLength > 0) controller.enqueue(part)
        if (left === 0) {
          controller.close()
          return reader?.cancel()
        }
      }
    },
    cancel: reason => reader?.cancel(reason),
  })
}

async function giveUp(reader: ReadableStreamDefaultReader): Promise<undefined> {
  await reader.cancel()
  return undefined
}
