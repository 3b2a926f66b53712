import { SkerryError } from '../../src/core/errors.ts'

/**
 * The whole body of a request, for what must see all of it before the target does. The request is used up then:
 * `withBody` makes the one that goes on.
 *
 * @param maxBytes more than this isn't kept: the announced length is looked at first, then what comes is counted
 * @returns `undefined` if it is longer
 * @throws SkerryError ERR_BAD_REQUEST if it breaks off or is malformed
 */
export async function readBody(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const { body } = request
  if (!body) return new Uint8Array()
  const announced = request.headers.get('content-length')
  if (announced === null) return readStream(body, maxBytes)
  if (Number(announced) > maxBytes) return undefined
  // HTTP holds a body to its announced length, so this reads no more than that.
  const bytes = new Uint8Array(await request.arrayBuffer().catch(refuseBroken))
  return bytes.byteLength > maxBytes ? undefined : bytes
}

/** The same request with these bytes as its body; as it is if it had none. */
export function withBody(request: Request, bytes: Uint8Array<ArrayBuffer>): Request {
  return request.body ? new Request(request, { body: bytes }) : request
}

async function readStream(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const reader = body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read().catch(refuseBroken)
    if (done) return concat(chunks, length)
    length += value.byteLength
    if (length > maxBytes) {
      await reader.cancel()
      return undefined
    }
    chunks.push(value)
  }
}

/** The runtime's error says nothing of whose fault it is; of a body that comes from outside, it is the sender's. */
function refuseBroken(cause: unknown): never {
  throw new SkerryError('ERR_BAD_REQUEST', "The request's body broke off, or is malformed.", { cause })
}

function concat(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}
