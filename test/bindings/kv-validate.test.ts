import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toNativeCursor, toOwnCursor } from '../../bindings/kv/cursor.ts'
import { toKvError } from '../../bindings/kv/failures.ts'
import {
  checkCacheTtl,
  checkExpiry,
  checkKey,
  checkListLimit,
  checkMetadata,
  checkValueLength,
  type KvProblem,
  toStoredText,
  utf8Length,
} from '../../bindings/kv/validate.ts'

const MIB = 1024 * 1024
const NOW = 1_800_000_000
const PREFIX = '000000a:'

interface Bound {
  readonly what: string
  readonly check: () => KvProblem | undefined
  /** `undefined`: accepted. */
  readonly text: string | undefined
}

const bounds: Bound[] = [
  { what: 'a key of 504 bytes', check: () => checkKey('k'.repeat(504)), text: undefined },
  {
    what: 'a key of 505 bytes',
    check: () => checkKey('k'.repeat(505)),
    text: '414 UTF-8 encoded length of 505 exceeds key length limit of 504.',
  },
  { what: 'a key of 252 two-byte characters', check: () => checkKey('é'.repeat(252)), text: undefined },
  {
    what: 'a key of 253 two-byte characters',
    check: () => checkKey('é'.repeat(253)),
    text: '414 UTF-8 encoded length of 506 exceeds key length limit of 504.',
  },
  { what: 'the empty key', check: () => checkKey(''), text: '400 Key names must not be empty' },
  {
    what: 'the key "."',
    check: () => checkKey('.'),
    text: '400 Illegal key name ".". Please use a different name.',
  },
  {
    what: 'the key ".."',
    check: () => checkKey('..'),
    text: '400 Illegal key name "..". Please use a different name.',
  },
  { what: 'the key "..."', check: () => checkKey('...'), text: undefined },
  { what: 'a TTL of 60', check: () => checkExpiry({ expirationTtl: 60 }, NOW), text: undefined },
  {
    what: 'a TTL of 59',
    check: () => checkExpiry({ expirationTtl: 59 }, NOW),
    text: '400 Invalid expiration_ttl of 59. Expiration TTL must be at least 60.',
  },
  {
    what: 'a TTL of 1',
    check: () => checkExpiry({ expirationTtl: 1 }, NOW),
    text: '400 Invalid expiration_ttl of 1. Expiration TTL must be at least 60.',
  },
  {
    what: 'a TTL of 0',
    check: () => checkExpiry({ expirationTtl: 0 }, NOW),
    text: '400 Invalid expiration_ttl of 0. Please specify integer greater than 0.',
  },
  { what: 'an expiration in 60 s', check: () => checkExpiry({ expiration: NOW + 60 }, NOW), text: undefined },
  {
    what: 'an expiration in 59 s',
    check: () => checkExpiry({ expiration: NOW + 59 }, NOW),
    text: `400 Invalid expiration of ${NOW + 59}. Expiration times must be at least 60 seconds in the future.`,
  },
  {
    what: 'an expiration now',
    check: () => checkExpiry({ expiration: NOW }, NOW),
    text: `400 Invalid expiration of ${NOW}. Please specify integer greater than the current number of seconds since the UNIX epoch.`,
  },
  { what: 'no expiry', check: () => checkExpiry({}, NOW), text: undefined },
  {
    what: 'a good TTL and a bad expiration',
    check: () => checkExpiry({ expirationTtl: 60, expiration: 1 }, NOW),
    text: undefined,
  },
  { what: 'a value of 25 MiB', check: () => checkValueLength(25 * MIB), text: undefined },
  {
    what: 'a value of 25 MiB and a byte',
    check: () => checkValueLength(25 * MIB + 1),
    text: '413 Value length of 26214401 exceeds limit of 26214400.',
  },
  { what: 'metadata of 1,024 bytes', check: () => checkMetadata('m'.repeat(1024)), text: undefined },
  {
    what: 'metadata of 1,025 bytes',
    check: () => checkMetadata('m'.repeat(1025)),
    text: '413 Metadata length of 1025 exceeds limit of 1024.',
  },
  { what: 'a cache time of 30 s', check: () => checkCacheTtl(30), text: undefined },
  {
    what: 'a cache time of 29 s',
    check: () => checkCacheTtl(29),
    text: '400 Invalid cache_ttl of 29. Cache TTL must be at least 30.',
  },
  { what: 'a page of 1,000 keys', check: () => checkListLimit(1000), text: undefined },
  {
    what: 'a page of 1,001 keys',
    check: () => checkListLimit(1001),
    text: '400 Invalid key_count_limit of 1001. Please specify an integer less than 1000.',
  },
]

describe('KV limits', () => {
  test.each(bounds.filter(({ text }) => text === undefined))('accept $what', ({ check }) => {
    expect(check()).toBeUndefined()
  })

  test.each(bounds.filter(({ text }) => text !== undefined))('refuse $what', ({ check, text }) => {
    const problem = check()
    expect(problem && `${problem.status} ${problem.text}`).toBe(text)
  })
})

describe('toKvError()', () => {
  const error = (key: string, operation: string) => {
    const problem = checkKey(key)
    return problem ? String(toKvError(problem, operation)) : 'accepted'
  }

  test.each([
    ['', 'GET', 'TypeError: Key name cannot be empty.'],
    ['.', 'PUT', 'TypeError: "." is not allowed as a key name.'],
    ['..', 'DELETE', 'TypeError: ".." is not allowed as a key name.'],
    ['', 'GET_BULK', 'Error: KV GET_BULK failed: 400 Key names must not be empty'],
    ['..', 'GET_BULK', 'Error: KV GET_BULK failed: 400 Illegal key name "..". Please use a different name.'],
    [
      'k'.repeat(505),
      'PUT',
      'Error: KV PUT failed: 414 UTF-8 encoded length of 505 exceeds key length limit of 504.',
    ],
  ])('words the key %j of a %s as KV does', (key, operation, expected) => {
    expect(error(key, operation)).toBe(expected)
  })
})

describe('utf8Length()', () => {
  test('is exact where it exceeds the bound and never exceeds it otherwise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(120), (text, bound) => {
        const exact = new TextEncoder().encode(text).length
        const length = utf8Length(text, bound)
        expect(length > bound).toBe(exact > bound)
        if (length > bound) expect(length).toBe(exact)
      }),
    )
  })
})

describe('cursors', () => {
  const native = (key: string) => Buffer.from(key).toString('base64')
  const key = fc.string({ unit: 'binary', maxLength: 100 }).map(toStoredText)

  test('of the store and of the function differ by the prefix alone', () => {
    fc.assert(
      fc.property(key, name => {
        const own = toOwnCursor(native(PREFIX + name), PREFIX)
        expect(own).toBe(native(name))
        expect(toNativeCursor(own, PREFIX)).toBe(native(PREFIX + name))
      }),
    )
  })

  test('in another form come back as they were', () => {
    for (const cursor of ['AAAA!opaque', native('no prefix'), '_w', 'ÿ']) {
      expect(toNativeCursor(toOwnCursor(cursor, PREFIX), PREFIX)).toBe(cursor)
    }
  })

  test('that are forged stay behind the prefix or are marked as the store’s own', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 80 }), fc.base64String({ maxLength: 80 })), forged => {
        const cursor = toNativeCursor(forged, PREFIX)
        if (cursor === undefined || forged.startsWith('~')) return
        expect(Buffer.from(cursor, 'base64').toString()).toMatch(new RegExp(`^${PREFIX}`))
      }),
    )
  })

  test.each(['!', 'a', Buffer.from([255]).toString('base64'), 'A'.repeat(4097)])(
    'like %.20s are malformed',
    cursor => {
      expect(toNativeCursor(cursor, PREFIX)).toBeUndefined()
    },
  )
})
