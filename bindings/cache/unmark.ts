import { concat } from './ranges.ts'

/** Why a body can't be stored: it is longer than allowed, or not all of it came. */
export type Fault = 'too-large' | 'broken'

/**
 * A body without the eight bytes at its end, which tell how long it is (a float, as the facade writes it).
 *
 * Between isolates a body that fails looks like one that ends: without this, its beginning would be stored.
 *
 * @param announcedBytes what it has to be, if that is known
 * @param onFault is told why, before the stream fails
 */
export function unmark(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
  announcedBytes: number | undefined,
  onFault: (fault: Fault) => void,
): ReadableStream<Uint8Array> {
  let tail = new Uint8Array()
  let passed = 0
  const fail = (fault: Fault) => {
    onFault(fault)
    return new Error(`The body is ${fault}.`)
  }
  const parts = new TransformStream<Uint8Array, Uint8Array>({
    transform: (chunk, controller) => {
      const known = concat([tail, chunk])
      const end = Math.max(0, known.byteLength - MARK_BYTES)
      tail = known.slice(end)
      passed += end
      if (passed > maxBytes) throw fail('too-large')
      if (end > 0) controller.enqueue(known.subarray(0, end))
    },
    flush: () => {
      const isWhole = tail.byteLength === MARK_BYTES && new Float64Array(tail.buffer)[0] === passed
      if (!isWhole || (announcedBytes ?? passed) !== passed) throw fail('broken')
    },
  })
  return body.pipeThrough(parts)
}

/** A stream that begins with bytes of another origin. */
export function prepend(start: Uint8Array, rest: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  const reader = rest.getReader()
  return new ReadableStream<Uint8Array>({
    start: controller => controller.enqueue(start),
    pull: async controller => {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: reason => reader.cancel(reason),
  })
}

const MARK_BYTES = 8
