import { describe, expect, test } from 'vitest'
import { putWhole } from '../../bindings/kv/whole.ts'
import { LIMITS } from '../../src/core/limits.ts'

/** A stream of chunks, which then fails if told how. */
function streamOf(chunks: readonly Uint8Array[], failure?: Error): ReadableStream<Uint8Array> {
  const left = [...chunks]
  return new ReadableStream({
    pull: controller => {
      const chunk = left.shift()
      if (chunk) controller.enqueue(chunk)
      else if (failure) controller.error(failure)
      else controller.close()
    },
  })
}

/** A store of the same process: to it, a stream ends one way only, and values have a limit. */
function createStore() {
  const values: number[] = []
  return {
    values,
    put: async (stream: ReadableStream<Uint8Array>) => {
      let bytes = 0
      for await (const chunk of stream) bytes += chunk.byteLength
      if (bytes > LIMITS.kvValueBytes) throw new Error('413')
      values.push(bytes)
    },
  }
}

describe('putWhole()', () => {
  test.each([
    { what: 'nothing', chunks: [] },
    { what: 'two chunks', chunks: [new Uint8Array(3), new Uint8Array(2)] },
    { what: 'a value at the limit', chunks: [new Uint8Array(LIMITS.kvValueBytes)] },
  ])('stores $what', async ({ chunks }) => {
    const store = createStore()
    await putWhole(streamOf(chunks), store.put)
    expect(store.values).toEqual([chunks.reduce((sum, { byteLength }) => sum + byteLength, 0)])
  })

  test.each([
    { what: 'at once', chunks: [] },
    { what: 'after a chunk', chunks: [new Uint8Array(3)] },
    { what: 'at the limit', chunks: [new Uint8Array(LIMITS.kvValueBytes)] },
  ])('stores nothing of a stream that fails $what, and says why', async ({ chunks }) => {
    const store = createStore()
    await expect(putWhole(streamOf(chunks, new RangeError('mine')), store.put)).rejects.toThrow('mine')
    expect(store.values).toEqual([])
  })

  test('says what the store says, and stops reading', async () => {
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const endless = new ReadableStream<Uint8Array>({
      pull: controller => controller.enqueue(new Uint8Array(1)),
      cancel: resolve,
    })
    const refuse = async (stream: ReadableStream<Uint8Array>) => {
      await stream.cancel('enough')
      throw new Error('full')
    }
    await expect(putWhole(endless, refuse)).rejects.toThrow('full')
    expect(await promise).toBe('enough')
  })
})
