import fc from 'fast-check'
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

test('WeighedCache gives back what was just set', () => {
  const cache = new WeighedCache<object>(100)
  const value = {}
  cache.set('a', value, 10)
  expect(cache.get('a')).toBe(value)
  expect(cache.get('b')).toBeUndefined()
})

test('WeighedCache keeps what is asked for again, and drops what is not', () => {
  const cache = new WeighedCache<number>(100)
  cache.set('used', 0, 20)
  cache.set('idle', 0, 20)
  for (let i = 0; i < 4; i++) {
    cache.set(`new-${i}`, i, 20)
    cache.get('used')
  }
  expect(cache.get('used')).toBeDefined()
  expect(cache.get('idle')).toBeUndefined()
})

test('WeighedCache never holds much more than its budget', () => {
  const write = fc.tuple(fc.constantFrom(...'abcdefgh'), fc.integer({ min: 0, max: 60 }))
  fc.assert(
    fc.property(fc.array(write), writes => {
      const cache = new WeighedCache<number>(100)
      for (const [key, weight] of writes) {
        cache.set(key, weight, weight)
        // Asking moves what is held: what is seen, one after the other, is at most twice as much.
        const held = [...'abcdefgh'].map(each => cache.get(each) ?? 0)
        expect(held.reduce((sum, weight) => sum + weight, 0)).toBeLessThanOrEqual(200)
      }
    }),
  )
})
