import { expect, test } from 'vitest'
import { WeighedCache } from '../../src/core/weighed-cache.ts'

test('WeighedCache keeps what was used within half of its budget, and no more than all of it', () => {
  const cache = new WeighedCache<number>(10)
  for (let i = 0; i < 5; i++) cache.set(`${i}`, i, 1)
  cache.set('new', 5, 1)
  expect(cache.get('0')).toBe(0)
  for (let i = 6; i < 10; i++) cache.set(`${i}`, i, 1)
  expect(['0', '1', 'new'].map(key => cache.get(key))).toEqual([0, undefined, 5])
})

test('WeighedCache does not keep what weighs more than half of its budget', () => {
  const cache = new WeighedCache<string>(10)
  cache.set('a', 'half', 5)
  cache.set('b', 'more', 6)
  expect([cache.get('a'), cache.get('b')]).toEqual(['half', undefined])
})

test('WeighedCache weighs a value that is set again once', () => {
  const cache = new WeighedCache<number>(10)
  for (let i = 0; i < 20; i++) cache.set('a', i, 4)
  cache.set('b', 0, 1)
  expect([cache.get('a'), cache.get('b')]).toEqual([19, 0])
})
