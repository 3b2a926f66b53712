import { describe, expect, test } from 'vitest'
import { findMismatch } from '../../bindings/r2/checksums.ts'
import { holds, parseEtags } from '../../bindings/r2/conditions.ts'
import { fromCursor, later, successor, toCursor } from '../../bindings/r2/cursor.ts'
import { isValidKey, isValidMetadata } from '../../bindings/r2/limits.ts'
import { resolveRange } from '../../bindings/r2/range.ts'

const SECOND = 1_700_000_000_000

describe('resolveRange()', () => {
  test.each([
    ['nothing asked', {}, [0, 10]],
    ['from an offset on', { range: { offset: 4 } }, [4, 6]],
    ['from an offset, some bytes', { range: { offset: 4, length: 2 } }, [4, 2]],
    ['the first bytes', { range: { length: 3 } }, [0, 3]],
    ['more than there are', { range: { offset: 8, length: 5 } }, [8, 2]],
    ['the last byte', { range: { offset: 9 } }, [9, 1]],
    ['one past the last byte', { range: { offset: 10 } }, undefined],
    ['two past it', { range: { offset: 11 } }, undefined],
    ['no bytes', { range: { length: 0 } }, undefined],
    ['the end', { range: { suffix: 3 } }, [7, 3]],
    ['an end longer than the object', { range: { suffix: 11 } }, [0, 10]],
    ['an empty end', { range: { suffix: 0 } }, undefined],
    ['a header', { rangeHeader: 'bytes=2-4' }, [2, 3]],
    ['a header that wins over a range', { rangeHeader: 'bytes=2-4', range: { offset: 9 } }, [2, 3]],
    ['a header up to the last byte', { rangeHeader: 'bytes=2-9' }, [2, 8]],
    ['a header past the last byte', { rangeHeader: 'bytes=2-10' }, [2, 8]],
    ['a header that begins past it', { rangeHeader: 'bytes=10-' }, [0, 10]],
    ['a header of the end', { rangeHeader: 'bytes=-3' }, [7, 3]],
    ['a header of several ranges', { rangeHeader: 'bytes=0-1,4-5' }, [0, 10]],
    ['a header backwards', { rangeHeader: 'bytes=5-4' }, [0, 10]],
    ['a header that is none', { rangeHeader: 'lines=1-2' }, [0, 10]],
  ])('%s', (_, options, expected) => {
    const range = resolveRange(options, 10)
    expect(range && [range.offset, range.length]).toEqual(expected)
  })

  test.each([
    ['nothing asked', {}, [0, 0]],
    ['an offset', { range: { offset: 0 } }, undefined],
    ['a header', { rangeHeader: 'bytes=0-1' }, [0, 0]],
  ])('of an empty object: %s', (_, options, expected) => {
    const range = resolveRange(options, 0)
    expect(range && [range.offset, range.length]).toEqual(expected)
  })
})

describe('holds()', () => {
  const object = { etag: 'abc', uploaded: SECOND + 250 }
  const strong = (value: string) => [{ type: 'strong' as const, value }]
  const weak = (value: string) => [{ type: 'weak' as const, value }]
  const any = [{ type: 'wildcard' as const }]

  test.each([
    [true, 'nothing', {}],
    [true, 'its etag', { etagMatches: strong('abc') }],
    [false, 'another etag', { etagMatches: strong('abd') }],
    [true, 'one of two etags', { etagMatches: [...strong('x'), ...strong('abc')] }],
    [false, 'its etag, weak: If-Match compares strongly', { etagMatches: weak('abc') }],
    [true, 'any etag', { etagMatches: any }],
    [false, 'not its etag', { etagDoesNotMatch: strong('abc') }],
    [false, 'not its etag, weak', { etagDoesNotMatch: weak('abc') }],
    [true, 'not another etag', { etagDoesNotMatch: strong('abd') }],
    [false, 'no etag', { etagDoesNotMatch: any }],
    [true, 'uploaded after a millisecond before', { uploadedAfter: SECOND + 249 }],
    [false, 'uploaded after its own time', { uploadedAfter: SECOND + 250 }],
    [true, 'uploaded before a millisecond later', { uploadedBefore: SECOND + 251 }],
    [false, 'uploaded before its own time', { uploadedBefore: SECOND + 250 }],
    [false, 'uploaded after its own second', { uploadedAfter: SECOND, secondsGranularity: true }],
    [true, 'uploaded before its second and 1 ms', { uploadedBefore: SECOND + 1, secondsGranularity: true }],
    [true, 'its etag, though uploaded too late', { etagMatches: strong('abc'), uploadedBefore: 0 }],
    [false, 'another etag, uploaded in time', { etagMatches: strong('x'), uploadedBefore: SECOND * 2 }],
    [
      true,
      'not another etag, though too early',
      { etagDoesNotMatch: strong('x'), uploadedAfter: SECOND * 2 },
    ],
    [false, 'not its etag, uploaded later', { etagDoesNotMatch: strong('abc'), uploadedAfter: 0 }],
  ])('is %s for an object: %s', (expected, _, condition) => {
    expect(holds(condition, object)).toBe(expected)
  })

  test.each([
    [true, 'nothing', {}],
    [false, 'any etag', { etagMatches: any }],
    [true, 'no etag', { etagDoesNotMatch: any }],
    [false, 'uploaded after', { uploadedAfter: 0 }],
    [true, 'uploaded before', { uploadedBefore: 0 }],
  ])('is %s without an object: %s', (expected, _, condition) => {
    expect(holds(condition, undefined)).toBe(expected)
  })
})

describe('parseEtags()', () => {
  test.each([
    ['"a"', [{ type: 'strong', value: 'a' }]],
    [
      'W/"a", "b"',
      [
        { type: 'weak', value: 'a' },
        { type: 'strong', value: 'b' },
      ],
    ],
    [' ,\t"a",,', [{ type: 'strong', value: 'a' }]],
    ['"a", *', [{ type: 'wildcard' }]],
    ['""', [{ type: 'strong', value: '' }]],
    ['a', []],
    ['', []],
  ])('reads %s', (header, expected) => expect(parseEtags(header)).toEqual(expected))

  test.each([
    ['"a" "b"', 'Comma was expected'],
    ['"a" *', 'Comma was expected'],
    ['"a" W/"b"', 'Comma was expected'],
    ['"a', 'Unclosed double quote'],
    ['W/a', 'Weak etags must start with W/'],
    ['W', 'Weak etags must start with W/'],
  ])('refuses %s', (header, message) => expect(() => parseEtags(header)).toThrow(message))
})

describe('a place in a list', () => {
  test.each([
    ['a', 'b'],
    ['a/', 'a0'],
    ['', undefined],
    ['\ud7ff', '\ue000'],
    ['a\u{10ffff}', 'b'],
    ['\u{10ffff}', undefined],
    ['\uffff', '\u{10000}'],
  ])('after all that begins with %j is %j', (prefix, expected) => {
    expect(successor(prefix)).toBe(expected)
    if (expected === undefined) return
    const bytes = (text: string) => Buffer.from(text)
    expect(Buffer.compare(bytes(`${prefix}\u{10ffff}`), bytes(expected))).toBe(-1)
    expect(Buffer.compare(bytes(prefix), bytes(expected))).toBe(-1)
  })

  test.each([
    [{ text: 'a', isAfter: true }],
    [{ text: 'ü€\u{1f600}', isAfter: false }],
    [{ text: '', isAfter: true }],
    [{ text: 'k'.repeat(1024), isAfter: true }],
  ])('survives being a cursor: %j', position => expect(fromCursor(toCursor(position))).toEqual(position))

  test.each(['', 'no base64!', btoa('a'), btoa('>\xff')])('is none: the cursor %j', cursor => {
    expect(fromCursor(cursor)).toBeUndefined()
  })

  test.each([
    ['a', 'b', 'b'],
    ['b', 'a', 'b'],
    ['a', 'aa', 'aa'],
    ['\uffff', '\u{1f600}', '\u{1f600}'],
  ])('later than both %j and %j is %j', (a, b, expected) => {
    const at = (text: string) => ({ text, isAfter: false })
    expect(later(at(a), at(b))).toEqual(at(expected))
  })

  test('after a key is later than at it', () => {
    const [at, after] = [
      { text: 'a', isAfter: false },
      { text: 'a', isAfter: true },
    ]
    expect(later(at, after)).toEqual(after)
    expect(later(after, undefined)).toEqual(after)
    expect(later(undefined, undefined)).toBeUndefined()
  })
})

describe('limits', () => {
  test.each([
    [1024, 'x'.repeat(1024), true],
    [1025, 'x'.repeat(1025), false],
    [1023, '€'.repeat(341), true],
    [1026, '€'.repeat(342), false],
    [0, '', true],
  ])('a key of %i bytes', (_, key, expected) => expect(isValidKey(key)).toBe(expected))

  test.each([
    ['8,192 bytes', { key: 'x'.repeat(8189) }, true],
    ['8,193 bytes', { key: 'x'.repeat(8190) }, false],
    ['Latin-1 has one byte a character', { '': 'ü'.repeat(8192) }, true],
    ['other text has two', { '': '€'.repeat(4096) }, true],
    ['and one more is too much', { '': '€'.repeat(4097) }, false],
    ['none', undefined, true],
  ])('custom metadata: %s', (_, metadata, expected) => expect(isValidMetadata(metadata)).toBe(expected))
})

describe('checksums', () => {
  test('that differ are told with both values', () => {
    expect(findMismatch({ sha1: 'aa' }, { md5: 'cc', sha1: 'bb' })).toBe(
      'The SHA-1 checksum you specified did not match what we received.\nYou provided a SHA-1 checksum with value: aa\nActual SHA-1 was: bb',
    )
    expect(findMismatch({ sha1: 'bb' }, { md5: 'cc', sha1: 'bb' })).toBeUndefined()
  })
})
