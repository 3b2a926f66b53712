import { describe, expect, test, vi } from 'vitest'
import { WatchedBody } from '../../src/core/watched-body.ts'

const bodyOf = (...pieces: (string | Error)[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    pull(controller) {
      const piece = pieces.shift()
      if (piece === undefined) controller.close()
      else if (piece instanceof Error) controller.error(piece)
      else controller.enqueue(new TextEncoder().encode(piece))
    },
  })
const nothingMore = Symbol('nothing more')
/** What the next read gives within a moment. */
const readSoon = (reader: ReadableStreamDefaultReader<Uint8Array>) =>
  Promise.race([reader.read(), new Promise(resolve => setTimeout(resolve, 20, nothingMore))])

describe('a watched body', () => {
  test('is the body', async () => {
    const watched = new WatchedBody(bodyOf('ab', 'c'), { onBroken: () => {} })
    expect(await new Response(watched.stream).text()).toBe('abc')
    expect(watched.isBroken).toBe(false)
  })

  test('that breaks neither goes on nor ends: it says so to who watches', async () => {
    const onBroken = vi.fn()
    const broken = new Error('Network connection lost.')
    const watched = new WatchedBody(bodyOf('ab', broken), { onBroken })
    const reader = watched.stream.getReader()
    await reader.read()
    expect(await readSoon(reader)).toBe(nothingMore)
    expect([watched.isBroken, onBroken.mock.calls]).toEqual([true, [[broken]]])
  })

  test('of which no more is wanted stops before that piece', async () => {
    let seen = 0
    const onPiece = (piece: Uint8Array) => {
      seen += piece.byteLength
      return seen <= 2
    }
    const watched = new WatchedBody(bodyOf('ab', 'c'), { onPiece, onBroken: () => {} })
    const reader = watched.stream.getReader()
    expect((await reader.read()).value?.byteLength).toBe(2)
    expect(await readSoon(reader)).toBe(nothingMore)
    expect(watched.isBroken).toBe(false)
  })

  test('tells whether its reader waits for the client', async () => {
    let nowMs = 5
    const client = new TransformStream<Uint8Array, Uint8Array>()
    const watched = new WatchedBody(client.readable, { now: () => nowMs, onBroken: () => {} })
    expect([watched.isWaitingForClient, watched.lastPieceMs]).toEqual([false, 5])
    const read = watched.stream.getReader().read()
    await vi.waitFor(() => expect(watched.isWaitingForClient).toBe(true))
    nowMs = 9
    await client.writable.getWriter().write(new Uint8Array(1))
    await read
    expect([watched.isWaitingForClient, watched.lastPieceMs]).toEqual([false, 9])
  })

  test('that nobody reads any more is let go', async () => {
    const cancel = vi.fn()
    const watched = new WatchedBody(new ReadableStream({ cancel }), { onBroken: () => {} })
    await watched.stream.cancel('enough')
    expect(cancel).toHaveBeenCalledWith('enough')
  })
})
