import type { EdgeEnv } from '../../src/env.ts'

/**
 * Where the bytes of objects are: a blob an object or part, written once, under an id that is never given again.
 * The only file that knows what holds them.
 */
export interface BlobStore {
  /** Begins a blob; `length` is its bytes if that is known. It is there when `close` has come back, else not at all. */
  open(id: string, length: number | undefined): BlobWriter
  /** Writes a blob that is in memory. */
  put(id: string, bytes: Uint8Array): Promise<void>
  /** A blob's bytes from `offset` on, all if no range is given; `undefined` if there is no such blob. */
  read(
    id: string,
    range?: { readonly offset: number; readonly length: number },
  ): Promise<ReadableStream<Uint8Array> | undefined>
  /** Deletes a blob; it is no error if there is none. `wasCutOff`: also what a writer that was killed left of it. */
  remove(id: string, wasCutOff: boolean): Promise<void>
}

/** A blob that is being written. */
export interface BlobWriter {
  /** The chunk may be reused when this has come back. */
  write(chunk: Uint8Array): Promise<void>
  close(): Promise<void>
  /** Gives up; nothing of it stays. */
  abort(): Promise<void>
}

/** The platform's blobs. */
export function blobStore(blobs: EdgeEnv['BLOBS']): BlobStore {
  return isService(blobs) ? onDisk(blobs) : inBucket(blobs)
}

function isService(blobs: EdgeEnv['BLOBS']): blobs is Fetcher {
  return 'connect' in blobs
}

/** One of 256 directories, so that none gets too large to look through. */
const urlOf = (id: string) => `http://blobs/${id.slice(0, 2)}/${id}`

/**
 * workerd's disk service (2026-11-17): a PUT goes into a file `.<name>.<pid>.<n>.tmp` and is renamed at its end;
 * aborting the request deletes that file, but a body that just ends is taken as whole, so a writer never lets it end
 * early. A process that is killed leaves the file.
 */
function onDisk(disk: Fetcher): BlobStore {
  const store = async (id: string, body: BodyInit, signal?: AbortSignal) => {
    const response = await disk.fetch(urlOf(id), { method: 'PUT', body, ...(signal && { signal }) })
    if (!response.ok) throw new Error(`the disk service answered ${response.status} to a PUT of a blob`)
  }
  return {
    open: (id, length) => {
      const controller = new AbortController()
      return openStream(
        length,
        body => store(id, body, controller.signal),
        async () => controller.abort(),
      )
    },
    put: (id, bytes) => store(id, bytes as BodyInit),
    read: async (id, range) => {
      const headers = range && { range: `bytes=${range.offset}-${range.offset + range.length - 1}` }
      const response = await disk.fetch(urlOf(id), { ...(headers && { headers }) })
      if (response.ok && response.body) return response.body as ReadableStream<Uint8Array>
      await response.body?.cancel()
      return undefined
    },
    remove: async (id, wasCutOff) => {
      await remove(disk, urlOf(id))
      if (!wasCutOff) return
      const directory = `http://blobs/${id.slice(0, 2)}`
      const response = await disk.fetch(directory)
      const entries = response.ok ? ((await response.json()) as { name: string }[]) : []
      const left = entries.filter(({ name }) => name.startsWith(`.${id}.`))
      await Promise.all(left.map(({ name }) => remove(disk, `${directory}/${name}`)))
    },
  }
}

async function remove(disk: Fetcher, url: string): Promise<void> {
  const { status } = await disk.fetch(url, { method: 'DELETE' })
  if (status !== 204 && status !== 404) throw new Error(`the disk service answered ${status} to a DELETE`)
}

/** Bytes that are gathered before they are sent as a part: R2 wants 5 MiB and all parts of one size. */
const PART_BYTES = 8 * 1024 * 1024

/** R2's own bucket. It takes bodies of known length only; others go in parts. */
function inBucket(bucket: R2Bucket): BlobStore {
  return {
    open: (id, length) => (length === undefined ? openParts(bucket, id) : openWhole(bucket, id, length)),
    put: async (id, bytes) => {
      await bucket.put(id, bytes)
    },
    read: async (id, range) => {
      const object = await bucket.get(id, range && { range })
      return (object?.body as ReadableStream<Uint8Array> | undefined) ?? undefined
    },
    remove: id => bucket.delete(id),
  }
}

function openWhole(bucket: R2Bucket, id: string, length: number): BlobWriter {
  return openStream(
    length,
    body => bucket.put(id, body),
    writer => writer.abort(new Error('the upload was given up')),
  )
}

function openParts(bucket: R2Bucket, id: string): BlobWriter {
  let upload: R2MultipartUpload | undefined
  const parts: R2UploadedPart[] = []
  let buffer = new Uint8Array(PART_BYTES)
  let filled = 0
  const flush = async () => {
    upload ??= await bucket.createMultipartUpload(id)
    parts.push(await upload.uploadPart(parts.length + 1, buffer.subarray(0, filled)))
    buffer = new Uint8Array(PART_BYTES)
    filled = 0
  }
  return {
    write: async chunk => {
      for (let rest = chunk; rest.length > 0; ) {
        if (filled === PART_BYTES) await flush()
        const taken = rest.subarray(0, PART_BYTES - filled)
        buffer.set(taken, filled)
        filled += taken.length
        rest = rest.subarray(taken.length)
      }
    },
    close: async () => {
      if (!upload) {
        await bucket.put(id, buffer.subarray(0, filled))
        return
      }
      await flush()
      await upload.complete(parts)
    },
    abort: async () => {
      await upload?.abort().catch(() => {})
    },
  }
}

/** A writer of what `store` takes as a stream; `giveUp` makes that fail. */
function openStream(
  length: number | undefined,
  store: (body: ReadableStream) => Promise<unknown>,
  giveUp: (writer: WritableStreamDefaultWriter) => Promise<void>,
): BlobWriter {
  const { readable, writable } =
    length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length)
  const stored = store(readable)
  stored.catch(() => {})
  const writer = writable.getWriter()
  return {
    write: chunk => writer.write(chunk),
    close: async () => {
      await writer.close()
      await stored
    },
    abort: async () => {
      await giveUp(writer).catch(() => {})
      await stored.catch(() => {})
    },
  }
}
