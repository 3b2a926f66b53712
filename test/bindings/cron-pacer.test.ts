import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createPacer } from '../../bindings/cron/pacer.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('createPacer() starts as many tasks as it has slots, in order', async () => {
  const pace = createPacer(2, 40)
  const started: number[] = []
  const ends = [1, 2, 3].map(number => {
    const { promise, resolve } = Promise.withResolvers<void>()
    void pace(async () => {
      started.push(number)
      await promise
    })
    return resolve
  })
  await vi.advanceTimersByTimeAsync(39)
  expect(started).toEqual([1, 2])
  ends[1]?.()
  await vi.advanceTimersByTimeAsync(0)
  expect(started).toEqual([1, 2, 3])
})

test('createPacer() frees the slot of a task that takes long, once', async () => {
  const pace = createPacer(1, 40)
  const { promise: slow, resolve: end } = Promise.withResolvers<void>()
  const started: number[] = []
  void pace(() => slow)
  const start = (number: number) =>
    void pace(async () => {
      started.push(number)
      await new Promise(() => {})
    })
  start(1)
  start(2)
  await vi.advanceTimersByTimeAsync(39)
  expect(started).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(started).toEqual([1])
  end()
  await vi.advanceTimersByTimeAsync(39)
  expect(started).toEqual([1])
  await vi.advanceTimersByTimeAsync(1)
  expect(started).toEqual([1, 2])
})

test('createPacer() passes results and failures on and goes on', async () => {
  const pace = createPacer(1, 40)
  const failure = pace(() => Promise.reject(new Error('no')))
  await expect(failure).rejects.toThrow('no')
  await expect(pace(async () => 'yes')).resolves.toBe('yes')
})
