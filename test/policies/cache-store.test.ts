import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Entry } from '../../routes/policies/cache/entry.ts'
import { MemoryStore, selectEntry } from '../../routes/policies/cache/store.ts'
import { NOW_MS } from './support.ts'

function entryOf(
  bytes: number,
  { partition = '', vary = [] as [string, string][], url = 'https://a/' } = {},
): Entry {
  return new Entry({
    status: 200,
    statusText: '',
    fields: [],
    body: new Uint8Array(bytes),
    isRuntimeCoded: false,
    url,
    uri: url,
    partition,
    vary,
    tags: [],
    freshness: {
      lifetimeMs: 1000,
      mustValidate: false,
      staleWhileRevalidateMs: 0,
      staleIfErrorMs: 0,
      staleIfUnreachableMs: 0,
      allowsMaxStale: true,
    },
    isShareable: false,
    responseMs: NOW_MS,
    initialAgeMs: 0,
    dateMs: NOW_MS,
    purgeSequence: 0,
  })
}

const MB = 1_000_000

describe('MemoryStore', () => {
  test('never holds more than its budget, and counts what it holds', () => {
    const operation = fc.record({
      key: fc.nat({ max: 40 }).map(number => `s /${number}`),
      kind: fc.constantFrom('put', 'put', 'use', 'forget', 'purge'),
      bytes: fc.constantFrom(10, 20_000, 200_000, 400_000),
      partition: fc.constantFrom('p', 'q'),
      language: fc.constantFrom('de', 'en', 'fr'),
    })
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), operations => {
        const store = new MemoryStore(MB)
        for (const { key, kind, bytes, partition, language } of operations) {
          if (kind === 'put')
            store.put(key, entryOf(bytes, { partition, vary: [['accept-language', language]] }))
          else if (kind === 'use') store.use(key)
          else if (kind === 'forget') store.forget(key)
          else store.forgetWhere('s ', entry => entry.init.partition === partition && bytes === 10)
          expect(store.bytes).toBeLessThanOrEqual(MB)
        }
        let bytes = 0
        store.forgetWhere('s ', entry => {
          bytes += entry.bytes
          return false
        })
        expect(store.bytes).toBe(bytes)
        store.forgetWhere('s ', () => true)
        expect([store.bytes, store.size]).toEqual([0, 0])
      }),
      { numRuns: 200 },
    )
  })

  test('keeps what is asked for again, however many others are stored once', () => {
    const store = new MemoryStore(MB)
    const wanted = ['s /hot1', 's /hot2', 's /hot3']
    for (const key of wanted) store.put(key, entryOf(10_000))
    for (let i = 0; i < 1000; i++) {
      for (const key of wanted) expect(store.use(key)).toBeDefined()
      store.put(`s /once${i}`, entryOf(10_000))
    }
  })

  test('lets go of what was wanted long ago', () => {
    const store = new MemoryStore(MB)
    store.put('s /old', entryOf(10_000))
    store.use('s /old')
    for (let i = 0; i < 200; i++) {
      store.put(`s /new${i}`, entryOf(10_000))
      store.use(`s /new${i}`)
    }
    expect(store.peek('s /old')).toBeUndefined()
  })

  test.each([
    ['a quarter of the budget', 250_000 - 3020, true],
    ['one byte more', 250_000 - 3019, false],
  ])('takes one entry of %s: %s', (_what, bytes, isKept) => {
    const store = new MemoryStore(MB)
    store.put('s /a', entryOf(bytes))
    expect(store.peek('s /a') !== undefined).toBe(isKept)
  })

  test('an entry that is too large takes the place of the one before: that is out of date', () => {
    const store = new MemoryStore(MB)
    store.put('s /a', entryOf(10))
    store.put('s /a', entryOf(MB))
    expect(store.peek('s /a')).toBeUndefined()
    expect(store.bytes).toBe(0)
  })

  test('replaces the variant that answers the same requests, and keeps at most 64', () => {
    const store = new MemoryStore(10 * MB)
    for (let i = 0; i < 70; i++) store.put('s /a', entryOf(10, { vary: [['accept-language', `l${i}`]] }))
    const latest = entryOf(20, { vary: [['accept-language', 'l69']] })
    store.put('s /a', latest)
    const group = store.peek('s /a')
    expect(group?.partitions.get('')).toHaveLength(64)
    expect(selectEntry(group, '', new Headers({ 'accept-language': 'L69' }))).toBeUndefined()
    expect(selectEntry(group, '', new Headers({ 'accept-language': 'l0' }))).toBeUndefined()
    expect(group?.partitions.get('')?.[0]).toBe(latest)
  })

  test('forgets within a scope only', () => {
    const store = new MemoryStore(MB)
    store.put('one /a', entryOf(10))
    store.put('one2 /a', entryOf(10))
    expect(store.forgetWhere('one ', () => true)).toBe(1)
    expect(store.peek('one2 /a')).toBeDefined()
  })

  test('a budget of 0 stores nothing', () => {
    const store = new MemoryStore(0)
    store.put('s /a', entryOf(0))
    expect(store.size).toBe(0)
  })
})
