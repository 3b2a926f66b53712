/**
 * A value as bytes of V8's own format, version 15, as the native producer makes them of messages of the type `v8`:
 * a consumer's isolate reads them with V8 itself. workerd has no function that would give them.
 *
 * Takes what a structured clone gives: primitives and their objects, dates, regular expressions, errors, plain
 * objects, arrays with holes, maps, sets, buffers and views, shared and circular references.
 *
 * @throws DataCloneError for anything else, such as a stub or a Request
 * @see https://chromium.googlesource.com/v8/v8/+/refs/heads/main/src/objects/value-serializer.cc
 */
export function encodeV8(value: unknown): Uint8Array<ArrayBuffer> {
  const encoder = new Encoder()
  encoder.byte(0xff)
  encoder.varint(FORMAT_VERSION)
  encoder.value(value)
  return encoder.bytes()
}

/** The version that every V8 since 2022 writes. */
export const FORMAT_VERSION = 15

/** The letter of each kind of view, with V8's word for it. */
export const VIEW_TAGS: Readonly<Record<string, string>> = {
  Int8Array: 'b',
  Uint8Array: 'B',
  Uint8ClampedArray: 'C',
  Int16Array: 'w',
  Uint16Array: 'W',
  Int32Array: 'd',
  Uint32Array: 'D',
  Float16Array: 'h',
  Float32Array: 'f',
  Float64Array: 'F',
  BigInt64Array: 'q',
  BigUint64Array: 'Q',
  DataView: '?',
}

/** The letter of each error's class; `Error` has none. */
export const ERROR_TAGS: Readonly<Record<string, string>> = {
  EvalError: 'E',
  RangeError: 'R',
  ReferenceError: 'F',
  SyntaxError: 'S',
  TypeError: 'T',
  URIError: 'U',
}

/** In the order of their bits. */
export const REGEXP_FLAGS = 'gimyusdvl'

class Encoder {
  #buffer = new Uint8Array(256)
  #length = 0
  readonly #seen = new Map<object, number>()

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.slice(0, this.#length)
  }

  byte(byte: number): undefined {
    this.#reserve(1)
    this.#buffer[this.#length++] = byte
  }

  varint(value: number): undefined {
    let rest = value
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 0x80)
    this.byte(rest)
  }

  value(value: unknown): undefined {
    switch (typeof value) {
      case 'undefined':
        return this.#tag('_')
      case 'boolean':
        return this.#tag(value ? 'T' : 'F')
      case 'number':
        return this.#number(value)
      case 'bigint':
        this.#tag('Z')
        return this.#bigint(value)
      case 'string':
        return this.#string(value)
      case 'object':
        return value === null ? this.#tag('0') : this.#reference(value)
      default:
        throw uncloneable(value)
    }
  }

  #reference(value: object): undefined {
    // A view's buffer comes before it, and takes the number before its own.
    if (ArrayBuffer.isView(value) && !this.#seen.has(value)) this.#reference(value.buffer)
    const known = this.#seen.get(value)
    if (known !== undefined) {
      this.#tag('^')
      return this.varint(known)
    }
    this.#seen.set(value, this.#seen.size)
    this.#object(value)
  }

  #object(value: object): undefined {
    if (Array.isArray(value)) return this.#array(value)
    if (ArrayBuffer.isView(value)) return this.#view(value)
    if (value instanceof ArrayBuffer) return this.#arrayBuffer(value)
    if (value instanceof Date) {
      this.#tag('D')
      return this.#double(value.getTime())
    }
    if (value instanceof RegExp) return this.#regExp(value)
    if (value instanceof Map) {
      this.#tag(';')
      const { size } = value
      for (const [key, item] of [...value]) {
        this.value(key)
        this.value(item)
      }
      this.#tag(':')
      return this.varint(size * 2)
    }
    if (value instanceof Set) {
      this.#tag("'")
      const { size } = value
      for (const item of [...value]) this.value(item)
      this.#tag(',')
      return this.varint(size)
    }
    if (value instanceof Error) return this.#error(value)
    if (value instanceof Boolean) return this.#tag(value.valueOf() ? 'y' : 'x')
    if (value instanceof Number) {
      this.#tag('n')
      return this.#double(value.valueOf())
    }
    if (value instanceof BigInt) {
      this.#tag('z')
      return this.#bigint(value.valueOf())
    }
    if (value instanceof String) {
      this.#tag('s')
      return this.#string(value.valueOf())
    }
    const prototype = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) throw uncloneable(value)
    this.#tag('o')
    const count = this.#properties(value, Object.keys(value))
    this.#tag('{')
    this.varint(count)
  }

  #array(array: readonly unknown[]): undefined {
    const keys = Object.keys(array)
    const { length } = array
    const isIndex = (key: string) => String(Number(key) >>> 0) === key && Number(key) < length
    const named = keys.filter(key => !isIndex(key))
    // As V8 does: with a hole, by name.
    const isDense = keys.length - named.length === length
    this.#tag(isDense ? 'A' : 'a')
    this.varint(length)
    if (isDense) for (const item of array) this.value(item)
    const count = this.#properties(array, isDense ? named : keys)
    this.#tag(isDense ? '$' : '@')
    this.varint(count)
    this.varint(length)
  }

  #properties(object: object, keys: readonly string[]): number {
    for (const key of keys) {
      const index = Number(key)
      if (String(index >>> 0) === key && index < 0xffffffff) this.#number(index)
      else this.#string(key)
      this.value((object as Record<string, unknown>)[key])
    }
    return keys.length
  }

  #view(view: ArrayBufferView): undefined {
    const tag = VIEW_TAGS[view.constructor.name]
    if (!tag) throw uncloneable(view)
    this.#tag('V')
    this.#tag(tag)
    this.varint(view.byteOffset)
    this.varint(view.byteLength)
    this.varint(0)
  }

  #arrayBuffer(buffer: ArrayBuffer): undefined {
    this.#tag('B')
    this.varint(buffer.byteLength)
    this.#raw(new Uint8Array(buffer))
  }

  #regExp({ source, flags }: RegExp): undefined {
    this.#tag('R')
    this.#string(source)
    this.varint([...REGEXP_FLAGS].reduce((bits, flag, i) => bits | (flags.includes(flag) ? 1 << i : 0), 0))
  }

  #error(error: Error): undefined {
    this.#tag('r')
    const tag = ERROR_TAGS[error.name]
    if (tag) this.#tag(tag)
    if (Object.hasOwn(error, 'message')) {
      this.#tag('m')
      this.#string(error.message)
    }
    if (typeof error.stack === 'string') {
      this.#tag('s')
      this.#string(error.stack)
    }
    // After the stack: V8 takes it nowhere else.
    if (Object.hasOwn(error, 'cause')) {
      this.#tag('c')
      this.value(error.cause)
    }
    this.#tag('.')
  }

  #number(value: number): undefined {
    if (Number.isInteger(value) && value >= -(2 ** 30) && value < 2 ** 30 && !Object.is(value, -0)) {
      this.#tag('I')
      return this.varint(value >= 0 ? value * 2 : -value * 2 - 1)
    }
    this.#tag('N')
    this.#double(value)
  }

  #bigint(value: bigint): undefined {
    const magnitude = value < 0n ? -value : value
    const digits = Math.ceil(magnitude.toString(16).length / 16)
    const byteLength = value === 0n ? 0 : digits * 8
    this.varint(byteLength * 2 + (value < 0n ? 1 : 0))
    for (let rest = magnitude, i = 0; i < byteLength; i++, rest >>= 8n) this.byte(Number(rest & 0xffn))
  }

  #string(text: string): undefined {
    let isLatin = true
    for (let i = 0; i < text.length && isLatin; i++) isLatin = text.charCodeAt(i) < 256
    if (isLatin) {
      this.#tag('"')
      this.varint(text.length)
      this.#reserve(text.length)
      for (let i = 0; i < text.length; i++) this.#buffer[this.#length++] = text.charCodeAt(i)
      return
    }
    const byteLength = text.length * 2
    // V8 wants such texts at even places.
    const varintBytes = byteLength < 0x80 ? 1 : byteLength < 0x4000 ? 2 : byteLength < 0x200000 ? 3 : 4
    if ((this.#length + 1 + varintBytes) % 2 === 1) this.byte(0)
    this.#tag('c')
    this.varint(byteLength)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      this.byte(unit & 0xff)
      this.byte(unit >> 8)
    }
  }

  #double(value: number): undefined {
    this.#reserve(8)
    new DataView(this.#buffer.buffer).setFloat64(this.#length, value, true)
    this.#length += 8
  }

  #tag(tag: string): undefined {
    this.byte(tag.charCodeAt(0))
  }

  #raw(bytes: Uint8Array): undefined {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  #reserve(more: number): undefined {
    const needed = this.#length + more
    if (needed <= this.#buffer.length) return
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2))
    larger.set(this.#buffer)
    this.#buffer = larger
  }
}

function uncloneable(value: unknown): DOMException {
  const name = typeof value === 'object' ? `#<${value?.constructor?.name}>` : String(value)
  return new DOMException(`${name} could not be cloned.`, 'DataCloneError')
}
