import { LIMITS } from '../../src/core/limits.ts'

/**
 * Puts a stream's bytes into a store of the same process: all of them, or none if it fails.
 *
 * Within a process, a stream that fails looks to the store like one that ends, and its beginning would be kept. So a
 * stream that failed goes on until it is longer than any value may be: that the store refuses.
 *
 * @throws what the stream failed with, else what the store says
 */
export async function putWhole(
  source: ReadableStream<Uint8Array>,
  put: (whole: ReadableStream<Uint8Array>) => Promise<void>,
): Promise<void> {
  const reader = source.getReader()
  const failures: unknown[] = []
  let room: number = LIMITS.kvValueBytes
  const next = async (): Promise<Uint8Array | undefined> => {
    if (failures.length > 0) return room < 0 ? undefined : new Uint8Array(FILLING_BYTES)
    try {
      return (await reader.read()).value
    } catch (error) {
      failures.push(error)
      return next()
    }
  }
  const whole = new ReadableStream<Uint8Array>({
    pull: async controller => {
      const chunk = await next()
      if (!chunk) return controller.close()
      room -= chunk.byteLength
      controller.enqueue(chunk)
    },
    cancel: reason => reader.cancel(reason),
  })
  try {
    await put(whole)
  } catch (error) {
    throw failures.length > 0 ? failures[0] : error
  }
  if (failures.length > 0) throw failures[0]
}

const FILLING_BYTES = 1024 * 1024
