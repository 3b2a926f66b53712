/**
 * A stream's bytes, up to `maxBytes`; then the stream fails with what `onExceeded` makes of the bytes seen so far.
 *
 * The store collects a whole value before it looks at its length, so an endless stream must end before it.
 */
export function boundStream(
  stream: ReadableStream,
  maxBytes: number,
  onExceeded: (bytesSeen: number) => Error,
): ReadableStream<Uint8Array> {
  let seen = 0
  const bound = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      seen += chunk.byteLength
      if (seen > maxBytes) throw onExceeded(seen)
      controller.enqueue(chunk)
    },
  })
  return stream.pipeThrough(bound)
}
