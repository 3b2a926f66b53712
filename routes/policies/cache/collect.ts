/**
 * All bytes of a body; `undefined` if they are more than `maxBytes`, or not as many as announced.
 *
 * @param announced the value of `Content-Length`
 * @throws what the stream ends with, if it breaks off: then the response is incomplete (RFC 9111 §3.3)
 */
export async function collect(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
  announced: string | null,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) {
      // The client's copy goes on.
      await reader.cancel().catch(() => {})
      return undefined
    }
    chunks.push(value)
  }
  if (announced !== null && Number(announced) !== bytes) return undefined
  const [only] = chunks
  // A chunk may be a view of a larger buffer, which would be kept whole.
  return chunks.length === 1 && only?.byteLength === only?.buffer.byteLength ? only : join(chunks, bytes)
}

function join(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const all = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    all.set(chunk, at)
    at += chunk.byteLength
  }
  return all
}
