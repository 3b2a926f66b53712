import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { initialAgeMs, parseAge } from '../../routes/policies/cache/age.ts'
import { parseCacheControl, splitQuoted } from '../../routes/policies/cache/cache-control.ts'
import { collect } from '../../routes/policies/cache/collect.ts'
import { parseHttpDate } from '../../routes/policies/cache/http-date.ts'
import { deviceOf } from '../../routes/policies/cache/key.ts'
import { parseRange } from '../../routes/policies/cache/range.ts'
import { fieldsToStore, tagsOf, updateFields } from '../../routes/policies/cache/stored-fields.ts'
import { parseTargeted } from '../../routes/policies/cache/targeted.ts'
import { isAboutStored } from '../../routes/policies/cache/validation.ts'
import { normaliseField, parseVary } from '../../routes/policies/cache/vary.ts'
import { NOW_MS } from './support.ts'

describe('parseCacheControl()', () => {
  test.each([
    ['max-age=60', { maxAge: 60 }],
    ['MAX-AGE=60 , No-Store', { maxAge: 60, noStore: true }],
    ['max-age="60"', { maxAge: 60 }],
    ['max-age=0060', { maxAge: 60 }],
    ['max-age=2147483649', { maxAge: 2_147_483_648 }],
    ['max-age=99999999999999999999999', { maxAge: 2_147_483_648 }],
    ['max-age=1, max-age=60', { maxAge: 1 }],
    ['max-age', { maxAge: 0 }],
    ['max-age=', { maxAge: 0 }],
    ['max-age=-1', { maxAge: 0 }],
    ['max-age=60.5', { maxAge: 0 }],
    ["max-age='60'", { maxAge: 0 }],
    ['max-age =60', { maxAge: 0 }],
    ['max-age= 60', { maxAge: 0 }],
    ['x="max-age=60, no-store", max-age=1', { maxAge: 1 }],
    ['x="a\\", no-store", max-age=1', { maxAge: 1 }],
    ['x="never closed, max-age=1', {}],
    [
      's-maxage=5, stale-while-revalidate=6, stale-if-error=7',
      { sMaxage: 5, staleWhileRevalidate: 6, staleIfError: 7 },
    ],
    ['no-cache', { noCache: true }],
    ['no-cache="Set-Cookie, X-A"', { noCacheFields: ['set-cookie', 'x-a'] }],
    ['no-cache=set-cookie', { noCache: true }],
    ['no-cache=""', { noCache: true }],
    ['no-cache="a b"', { noCache: true }],
    ['private="a", private="b"', { privateFields: ['a', 'b'] }],
    ['private=1', { private: true }],
    ['no-store=yes', { noStore: true }],
    ['no-store =1', { noStore: true }],
    ['max-stale', { maxStale: Number.POSITIVE_INFINITY }],
    ['max-stale=9', { maxStale: 9 }],
    ['__proto__=1, constructor, toString', {}],
    [',, ,', {}],
    ['', {}],
  ])('%s', (text, control) => {
    expect(parseCacheControl(text)).toEqual(control)
  })

  test('never throws, and reads what it would write', () => {
    fc.assert(fc.property(fc.string(), text => void parseCacheControl(text)))
    fc.assert(
      fc.property(fc.nat(), fc.boolean(), (seconds, isPublic) => {
        const control = parseCacheControl(`${isPublic ? 'public,' : ''}max-age=${seconds}`)
        expect(control).toEqual({ maxAge: seconds, ...(isPublic && { public: true }) })
      }),
    )
  })
})

test('splitQuoted() gives parts that, joined, are the list again', () => {
  const token = fc.stringMatching(/^[a-z=]{1,8}$/)
  const quoted = fc.stringMatching(/^[a-z, ]{0,8}$/).map(text => `"${text}"`)
  fc.assert(
    fc.property(fc.array(fc.oneof(token, quoted)), parts => {
      expect(splitQuoted(parts.join(' , '))).toEqual(parts)
    }),
  )
})

describe('parseTargeted()', () => {
  test.each([
    ['max-age=60', { maxAge: 60 }],
    ['max-age=60, private', { maxAge: 60, private: true }],
    ['max-age=60;x=1, no-store=?0', { maxAge: 60 }],
    ['no-cache="a, B"', { noCacheFields: ['a', 'b'] }],
    ['foo', {}],
    ['', undefined],
    ['max-age="60"', undefined],
    ['max-age=6.5', undefined],
    ['max-age=-1', undefined],
    ['max-age=60, &&', undefined],
    ['MAX-AGE=60', undefined],
    ['max-age =60', undefined],
  ])('%s', (text, control) => {
    expect(parseTargeted(text)).toEqual(control)
  })
})

describe('parseHttpDate()', () => {
  const AT = Date.UTC(1994, 10, 6, 8, 49, 37)
  test.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT', AT],
    ['SUN, 06 nov 1994 08:49:37 gmt', AT],
    ['Sunday, 06-Nov-94 08:49:37 GMT', AT],
    ['Sun Nov  6 08:49:37 1994', AT],
    ['Thursday, 18-Aug-50 02:01:18 GMT', Date.UTC(2050, 7, 18, 2, 1, 18)],
    ['Monday, 18-Aug-76 02:01:18 GMT', Date.UTC(2076, 7, 18, 2, 1, 18)],
    ['Thursday, 18-Aug-77 02:01:18 GMT', Date.UTC(1977, 7, 18, 2, 1, 18)],
    ['Sun, 06 Nov 1994 08:49:37 UTC', undefined],
    ['Sun, 06 Nov 1994 08:49:37 +0000', undefined],
    ['Sun, 6 Nov 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 94 08:49:37 GMT', undefined],
    ['Sun 06 Nov 1994 08:49:37 GMT', undefined],
    ['Sun, 06  Nov  1994 08:49:37 GMT', undefined],
    ['Sun, 06-Nov-1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 08.49.37 GMT', undefined],
    ['Sun, 06 Nov 1994 8:49:37 GMT', undefined],
    ['Sun, 31 Feb 1994 08:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 24:49:37 GMT', undefined],
    ['Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT', undefined],
    ['0', undefined],
    ['', undefined],
  ])('%s', (text, ms) => {
    expect(parseHttpDate(text, NOW_MS)).toBe(ms)
  })

  test('reads every date that it could have written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), seconds => {
        expect(parseHttpDate(new Date(seconds * 1000).toUTCString(), NOW_MS)).toBe(seconds * 1000)
      }),
    )
  })
})

describe('age', () => {
  test.each([
    [null, 0],
    ['30', 30],
    ['30, 0', 30],
    ['0, 30', 0],
    ['2147483649', 2_147_483_648],
    ['-30', 0],
    ['30.5', 0],
    ['30;x=1', 0],
    ['x', 0],
  ])('parseAge(%s) is %i', (text, seconds) => {
    expect(parseAge(text)).toBe(seconds)
  })

  test.each([
    ['nothing said', null, undefined, 0, 0],
    ['an Age, and time on the way', '30', undefined, 2000, 32_000],
    ['a Date that is older', '30', NOW_MS - 60_000, 2000, 60_000],
    ['a Date of the future', '30', NOW_MS + 60_000, 0, 30_000],
    ['a clock that went back', null, undefined, -500, 0],
  ])('initialAgeMs(): %s', (_what, age, dateMs, delayMs, expected) => {
    const timing = { requestMs: NOW_MS - delayMs, responseMs: NOW_MS }
    expect(initialAgeMs(age, dateMs, timing)).toBe(expected)
  })
})

describe('vary', () => {
  test.each([
    [null, []],
    ['', []],
    ['Accept, accept , X-A,', ['accept', 'x-a']],
    ['*', undefined],
    ['accept, *', undefined],
    [', *', undefined],
    ['a b', undefined],
  ])('parseVary(%s)', (text, names) => {
    expect(parseVary(text)).toEqual(names)
  })

  test.each([
    ['accept-encoding', 'gzip, br', 'br;q=0.5 ,gzip', true],
    ['accept-encoding', 'gzip', 'GZIP, identity', true],
    ['accept-encoding', 'gzip, br', 'gzip, br;q=0', false],
    ['accept-encoding', 'gzip', ', ;q=1, gzip', true],
    ['accept-language', 'en, de', 'DE , en', true],
    ['accept-language', 'en;q=0.8, de', 'de, en ; q=0.8', true],
    ['accept-language', 'en;q=0.8, de', 'en, de;q=0.8', false],
    ['x-a', '1,2', ' 1 , 2 ', true],
    ['x-a', '1,2', '2,1', false],
    ['x-a', '"1, 2"', '"1,2"', false],
    ['x-a', 'A', 'a', false],
    ['x-a', '', null, false],
  ])('%s: %s and %s mean the same: %s', (name, a, b, same) => {
    expect(normaliseField(name, a) === normaliseField(name, b)).toBe(same)
  })

  test('normalising twice is normalising once', () => {
    for (const name of ['accept-encoding', 'accept-language', 'x-a']) {
      fc.assert(
        fc.property(fc.string(), value => {
          const once = normaliseField(name, value)
          expect(normaliseField(name, once)).toBe(once)
        }),
      )
    }
  })
})

describe('parseRange()', () => {
  test('gives bytes that exist, whatever is asked for', () => {
    const number = fc.oneof(fc.nat({ max: 30 }).map(String), fc.constant(''))
    fc.assert(
      fc.property(number, number, fc.nat({ max: 20 }), (first, last, size) => {
        const range = parseRange(`bytes=${first}-${last}`, size)
        if (range === undefined || range === 'unsatisfiable') return
        expect(range.start).toBeGreaterThanOrEqual(0)
        expect(range.start).toBeLessThanOrEqual(range.end)
        expect(range.end).toBeLessThan(size)
      }),
    )
  })

  test.each([
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=-', undefined],
    ['bytes=a-b', undefined],
    ['BYTES=0-0', { start: 0, end: 0 }],
    ['bytes=99999999999999999999-', undefined],
  ])('%s of ten bytes', (text, range) => {
    expect(parseRange(text, 10)).toEqual(range)
  })
})

describe('isAboutStored()', () => {
  test.each([
    ['the same strong tag', { etag: '"1"' }, '"1"', undefined, true],
    ['another strong tag', { etag: '"2"' }, '"1"', undefined, false],
    ['a weak one for a strong one', { etag: 'W/"1"' }, '"1"', undefined, false],
    ['the same weak tag', { etag: 'W/"1"' }, 'W/"1"', undefined, true],
    ['no tag', {}, '"1"', undefined, true],
    ['a strong tag for what has none', { etag: '"1"' }, undefined, undefined, false],
    ['a weak tag for what has none', { etag: 'W/"1"' }, undefined, undefined, false],
    ['a weak tag beside the same time', { etag: 'W/"1"', 'last-modified': 'x' }, undefined, 'x', true],
    ['a time for what has none', { 'last-modified': 'x' }, undefined, undefined, false],
    ['the same time', { 'last-modified': 'x' }, undefined, 'x', true],
    ['another time', { 'last-modified': 'y' }, undefined, 'x', false],
  ])('%s: %s', (_what, answer, etag, lastModified, expected) => {
    expect(
      isAboutStored(new Headers(answer as unknown as Record<string, string>), { etag, lastModified }),
    ).toBe(expected)
  })
})

describe('stored fields', () => {
  test('leave out what is for one connection, and what it lists', () => {
    const headers = new Headers({
      connection: 'x-hop, close',
      'x-hop': '1',
      'keep-alive': '1',
      'transfer-encoding': 'chunked',
      upgrade: 'x',
      age: '5',
      'content-type': 'a/b',
      'x-kept': '1',
    })
    expect(fieldsToStore(headers, {}, false)).toEqual([
      ['content-type', 'a/b'],
      ['x-kept', '1'],
    ])
  })

  test('updates replace all lines of a name, but not what describes the body', () => {
    const stored = [
      ['x-a', '1'],
      ['x-b', '2'],
      ['content-length', '5'],
    ] as const
    const newer = [
      ['x-a', '3'],
      ['content-length', '0'],
      ['x-c', '4'],
    ] as const
    expect(updateFields(stored, newer)).toEqual([
      ['x-b', '2'],
      ['content-length', '5'],
      ['x-a', '3'],
      ['x-c', '4'],
    ])
  })

  test('tagsOf() gives each once, in lower case', () => {
    expect(tagsOf(new Headers({ 'cache-tag': 'Red, blue,, red' }))).toEqual(['red', 'blue'])
    expect(tagsOf(new Headers())).toEqual([])
  })
})

describe('collect()', () => {
  const streamOf = (...chunks: string[]) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
        controller.close()
      },
    })

  test.each([
    ['at the bound', 6, null, 'abcdef'],
    ['one below', 5, null, undefined],
    ['as announced', 10, '6', 'abcdef'],
    ['less than announced', 10, '7', undefined],
    ['announced nonsense', 10, 'x', undefined],
  ])('%s', async (_what, maxBytes, announced, text) => {
    const bytes = await collect(streamOf('abc', 'def'), maxBytes, announced)
    expect(bytes && new TextDecoder().decode(bytes)).toBe(text)
  })
})

test.each([
  ['Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148', 'mobile'],
  ['Mozilla/5.0 (Linux; Android 14) Mobile Safari', 'mobile'],
  ['Mozilla/5.0 (Linux; Android 14) Safari', 'tablet'],
  ['Mozilla/5.0 (iPad; CPU OS 16_0)', 'tablet'],
  ['Mozilla/5.0 (X11; Linux x86_64) Firefox/130', 'desktop'],
  [null, 'desktop'],
])('deviceOf(%s) is %s', (userAgent, device) => {
  expect(deviceOf(userAgent)).toBe(device)
})
