/** An answer as it is kept for callers that ask again. JSON. */
export interface StoredResponse {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** base64. */
  readonly body: string
}

/** An answer, and what is kept of it: `undefined` when it is too long to be kept. */
export interface KeptResponse {
  readonly response: Response
  readonly stored: StoredResponse | undefined
}

/**
 * Reads an answer to keep it, and gives the same answer again.
 *
 * One that is too long is given on as it comes, after what has been read of it.
 */
export async function keepResponse(response: Response, maxBytes: number): Promise<KeptResponse> {
  const { body } = response
  if (!body) return { response, stored: toStored(response, new Uint8Array()) }
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    length += value.byteLength
    if (length > maxBytes) {
      const rest = new Response(resume(chunks, reader), response)
      return { response: rest, stored: undefined }
    }
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return { response: new Response(bytes, response), stored: toStored(response, bytes) }
}

/** The answer that was kept. */
export function replay({ status, headers, body }: StoredResponse): Response {
  const bytes = Uint8Array.from(atob(body), char => char.charCodeAt(0))
  const response = new Response(BODILESS.has(status) ? null : bytes, { status })
  for (const [name, value] of headers) response.headers.append(name, value)
  return response
}

function toStored({ status, headers }: Response, bytes: Uint8Array): StoredResponse {
  // Each Set-Cookie comes apart from the others. The length is counted anew: the body may get another encoding.
  const kept = [...headers].filter(([name]) => name !== 'content-length')
  return { status, headers: kept, body: toBase64(bytes) }
}

/** A stream of what was read and of what is to come. */
function resume(
  chunks: readonly Uint8Array[],
  reader: ReadableStreamDefaultReader<Uint8Array>,
): ReadableStream<Uint8Array> {
  const read = [...chunks]
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = read.shift()
      if (next) return controller.enqueue(next)
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: reason => reader.cancel(reason),
  })
}

function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += SLICE_BYTES) {
    text += String.fromCharCode(...bytes.subarray(i, i + SLICE_BYTES))
  }
  return btoa(text)
}

/** Of these, `new Response` takes no body. */
const BODILESS = new Set([204, 205, 304])
/** A call takes no more arguments at once. */
const SLICE_BYTES = 8192
