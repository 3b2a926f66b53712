import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { FetchLocks } from '../../src/core/fetch-locks.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const OVER = { isFetcher: false, handle: '' }

test('FetchLocks gives a lock to one, and tells the others when it is over', async () => {
  const locks = new FetchLocks(2000)
  const first = await locks.begin('k')
  const others = [locks.begin('k'), locks.begin('k')]
  expect(first.isFetcher).toBe(true)
  expect((await locks.begin('another')).isFetcher).toBe(true)
  locks.done('k', 'another handle')
  expect(await Promise.race([...others, 'waits'])).toBe('waits')
  locks.done('k', first.handle)
  expect(await Promise.all(others)).toEqual([OVER, OVER])
  expect(locks.size).toBe(1)
})

test('FetchLocks ends a lock whose holder is late; the first to come again has it', async () => {
  const locks = new FetchLocks(2000)
  const first = await locks.begin('k')
  const others = [locks.begin('k'), locks.begin('k')]
  await vi.advanceTimersByTimeAsync(1999)
  expect(await Promise.race([...others, 'waits'])).toBe('waits')
  await vi.advanceTimersByTimeAsync(1)
  expect(await Promise.all(others)).toEqual([OVER, OVER])
  expect(locks.size).toBe(0)
  const second = await locks.begin('k')
  expect(second.isFetcher).toBe(true)
  // The late holder has lost it.
  const third = locks.begin('k')
  locks.done('k', first.handle)
  expect(await Promise.race([third, 'waits'])).toBe('waits')
  locks.done('k', second.handle)
  expect(await third).toEqual(OVER)
})

test('FetchLocks leaves a lock with a holder that says that it is still at it', async () => {
  const locks = new FetchLocks(2000)
  const { handle } = await locks.begin('k')
  const second = locks.begin('k')
  for (let i = 0; i < 10; i++) {
    await vi.advanceTimersByTimeAsync(1999)
    locks.renew('k', handle)
  }
  locks.renew('k', 'another')
  expect(await Promise.race([second, 'waits'])).toBe('waits')
  await vi.advanceTimersByTimeAsync(2000)
  expect(await second).toEqual(OVER)
  // What the late one says counts no more.
  locks.renew('k', handle)
  expect(locks.size).toBe(0)
})
