import { expect, test, vi } from 'vitest'
import { asOwn } from '../../src/core/shared-promise.ts'

test('asOwn() gives what the shared promise gives, good or bad', async () => {
  await expect(asOwn(Promise.resolve(1))).resolves.toBe(1)
  await expect(asOwn(Promise.reject(new Error('bad')))).rejects.toThrow('bad')
})

test('asOwn() fails when nothing comes in time, and leaves no timer behind otherwise', async () => {
  vi.useFakeTimers()
  try {
    await asOwn(Promise.resolve(1))
    expect(vi.getTimerCount()).toBe(0)
    const late = expect(asOwn(new Promise(() => {}), 100)).rejects.toThrow('nothing came within 100 ms')
    await vi.advanceTimersByTimeAsync(100)
    await late
  } finally {
    vi.useRealTimers()
  }
})
