import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteCache } from '../../runtime/byte-cache.ts'

const bytes = (length: number) => new Uint8Array(length)

describe('ByteCache', () => {
  it('gives back what was just set', () => {
    const cache = new ByteCache(100)
    const value = bytes(10)
    cache.set('a', value)
    expect(cache.get('a')).toBe(value)
    expect(cache.get('b')).toBeUndefined()
  })

  it('keeps a value of half its budget and leaves out a larger one', () => {
    const cache = new ByteCache(100)
    cache.set('half', bytes(50))
    cache.set('more', bytes(51))
    expect(cache.get('half')).toBeDefined()
    expect(cache.get('more')).toBeUndefined()
  })

  it('keeps what is asked for again, and drops what is not', () => {
    const cache = new ByteCache(100)
    cache.set('used', bytes(20))
    cache.set('idle', bytes(20))
    for (let i = 0; i < 4; i++) {
      cache.set(`new-${i}`, bytes(20))
      cache.get('used')
    }
    expect(cache.get('used')).toBeDefined()
    expect(cache.get('idle')).toBeUndefined()
  })

  it('never holds more than its budget', () => {
    const write = fc.tuple(fc.constantFrom(...'abcdefgh'), fc.integer({ min: 0, max: 60 }))
    fc.assert(
      fc.property(fc.array(write), writes => {
        const cache = new ByteCache(100)
        for (const [key, length] of writes) {
          cache.set(key, bytes(length))
          const held = [...'abcdefgh'].map(each => cache.get(each)?.byteLength ?? 0)
          expect(held.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(200)
        }
      }),
    )
  })
})
