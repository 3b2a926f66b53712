import { Deserializer, serialize } from 'node:v8'
import { describe, expect, test } from 'vitest'
import { decodeV8 } from '../../bindings/queue/v8-decode.ts'
import { encodeV8 } from '../../bindings/queue/v8-encode.ts'

const circle: Record<string, unknown> = {}
circle.self = [circle]
const date = new Date(5)

/** What Node writes as V8 does; its own form of views is not V8's. */
const VALUES: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  true: true,
  integers: [0, 1, -1, 2 ** 30 - 1, -(2 ** 30)],
  numbers: [-0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40],
  'large integers': [0n, 10n, -1n, 2n ** 64n, -(2n ** 70n)],
  strings: ['', 'é', '\u1234b', 'x\u{1f600}'.repeat(100), 'a\ud800', ['é\u1234', '\u1234']],
  dates: [date, date, new Date(Number.NaN)],
  expressions: /a+\u1234/giu,
  'maps and sets': new Map<unknown, unknown>([
    ['a', new Set([1])],
    [date, date],
  ]),
  'a circle': circle,
  'an array with names': Object.assign([1, 2], { x: 3 }),
  'a sparse array': Object.assign([], { 5000: 1 }),
  'keys like numbers': { 1: 2, '01': 3, 4294967295: 4 },
  'boxed primitives': [Object(5), Object('x'), Object(true), Object(3n)],
}

describe('encodeV8()', () => {
  test.each(Object.entries(VALUES))('writes what V8 writes: %s', (_name, value) => {
    expect(Buffer.from(encodeV8(value)).toString('hex')).toBe(serialize(value).toString('hex'))
  })

  test('writes errors so that V8 reads them', () => {
    const reader = new Deserializer(Buffer.from(encodeV8(new RangeError('boo', { cause: [1] }))))
    reader.readHeader()
    const error = reader.readValue()
    expect(error).toBeInstanceOf(RangeError)
    expect(error).toMatchObject({ message: 'boo', cause: [1] })
  })

  test.each([[() => {}], [Symbol('s')], [Promise.resolve()], [new WeakMap()], [new (class Point {})()]])(
    'refuses %s',
    value => {
      expect(() => encodeV8({ value })).toThrow(expect.objectContaining({ name: 'DataCloneError' }))
    },
  )
})

describe('decodeV8()', () => {
  test.each(Object.entries(VALUES))('reads what was written: %s', (_name, value) => {
    expect(decodeV8(encodeV8(value))).toEqual(structuredClone(value))
  })

  test('reads views, of one buffer too', () => {
    const { buffer } = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
    const read = decodeV8(
      encodeV8({ a: new Uint8Array(buffer, 2, 3), b: new DataView(buffer, 1, 2), buffer }),
    ) as { a: Uint8Array; b: DataView; buffer: ArrayBuffer }
    expect([...read.a]).toEqual([3, 4, 5])
    expect(read.a.buffer).toBe(read.buffer)
    expect(read.b.getUint8(0)).toBe(2)
    expect(read.b.buffer).toBe(read.buffer)
  })

  test('sets no prototype', () => {
    const read = decodeV8(encodeV8(JSON.parse('{"__proto__":{"x":1}}'))) as object
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    expect(Object.keys(read)).toEqual(['__proto__'])
  })

  test.each([
    ['nothing', []],
    ['another version', [0xff, 14, 0x5f]],
    ['an unknown tag', [0xff, 15, 0x01]],
    ['a string that ends too soon', [0xff, 15, 0x22, 5, 0x61]],
    ['a number that ends too soon', [0xff, 15, 0x4e, 1]],
  ])('refuses %s', (_what, bytes) => {
    expect(() => decodeV8(new Uint8Array(bytes))).toThrow(RangeError)
  })
})
