import { ERROR_TAGS, FORMAT_VERSION, REGEXP_FLAGS, VIEW_TAGS } from './v8-encode.ts'

/**
 * The value of bytes that `encodeV8` made: where they can't be given to the consumer's isolate as they are, and to
 * show them.
 *
 * @throws RangeError for bytes that it didn't make
 */
export function decodeV8(bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes)
  if (decoder.byte() !== 0xff || decoder.varint() !== FORMAT_VERSION) throw malformed()
  return decoder.value()
}

type View = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayBufferView

const VIEWS: ReadonlyMap<string, View> = new Map(
  Object.entries(VIEW_TAGS).map(([name, tag]) => [
    tag,
    (globalThis as unknown as Record<string, View>)[name] as View,
  ]),
)
const ERROR_CLASSES: ReadonlyMap<string, ErrorConstructor> = new Map(
  Object.entries(ERROR_TAGS).map(([name, tag]) => [
    tag,
    (globalThis as unknown as Record<string, ErrorConstructor>)[name] as ErrorConstructor,
  ]),
)

/** What a call takes as arguments on any stack. */
const PIECE_UNITS = 8192

class Decoder {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0
  readonly #seen: unknown[] = []

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw malformed()
    return byte
  }

  varint(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
  }

  value(): unknown {
    const tag = this.#tag()
    switch (tag) {
      case '_':
        return undefined
      case '0':
        return null
      case 'T':
        return true
      case 'F':
        return false
      case 'I': {
        const raw = this.varint()
        return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
      }
      case 'N':
        return this.#double()
      case 'Z':
        return this.#bigint()
      case '"':
      case 'c':
        return this.#string(tag)
      case '^': {
        const known = this.varint()
        return this.#viewAfter(this.#seen[known])
      }
      default:
        return this.#object(tag)
    }
  }

  #object(tag: string): unknown {
    switch (tag) {
      case 'o': {
        const object = this.#remember({} as Record<string, unknown>)
        this.#properties(object, '{')
        this.varint()
        return object
      }
      case 'A':
        return this.#denseArray()
      case 'a': {
        const array = this.#remember(new Array<unknown>(this.varint()))
        this.#properties(array, '@')
        this.varint()
        this.varint()
        return array
      }
      case 'D':
        return this.#remember(new Date(this.#double()))
      case 'R': {
        const index = this.#seen.push(undefined) - 1
        const source = this.value() as string
        const bits = this.varint()
        const flags = [...REGEXP_FLAGS].filter((_, i) => bits & (1 << i)).join('')
        const expression = new RegExp(source, flags)
        this.#seen[index] = expression
        return expression
      }
      case ';': {
        const map = this.#remember(new Map<unknown, unknown>())
        while (this.#peek() !== ':') map.set(this.value(), this.value())
        this.byte()
        this.varint()
        return map
      }
      case "'": {
        const set = this.#remember(new Set<unknown>())
        while (this.#peek() !== ',') set.add(this.value())
        this.byte()
        this.varint()
        return set
      }
      case 'B': {
        const length = this.varint()
        const start = this.#at
        this.#at += length
        if (this.#at > this.#bytes.length) throw malformed()
        return this.#viewAfter(this.#remember(new Uint8Array(this.#bytes.slice(start, this.#at)).buffer))
      }
      case 'r':
        return this.#error()
      case 'y':
      case 'x':
        return this.#remember(Object(tag === 'y'))
      case 'n':
        return this.#remember(Object(this.#double()))
      case 'z':
        return this.#remember(Object(this.#bigint()))
      case 's': {
        const index = this.#seen.push(undefined) - 1
        const text = Object(this.value())
        this.#seen[index] = text
        return text
      }
      default:
        throw malformed()
    }
  }

  #denseArray(): unknown[] {
    const length = this.varint()
    const array = this.#remember(new Array<unknown>(length))
    for (let i = 0; i < length; i++) array[i] = this.value()
    this.#properties(array, '$')
    this.varint()
    this.varint()
    return array
  }

  #properties(object: object, end: string): void {
    while (this.#peek() !== end) {
      const key = String(this.value())
      // A plain assignment would set the prototype for `__proto__`.
      Object.defineProperty(object, key, {
        value: this.value(),
        writable: true,
        enumerable: true,
        configurable: true,
      })
    }
    this.byte()
  }

  /** A buffer that a view follows stands for that view. */
  #viewAfter(value: unknown): unknown {
    if (!(value instanceof ArrayBuffer) || this.#peek() !== 'V') return value
    this.byte()
    const View = VIEWS.get(this.#tag())
    const offset = this.varint()
    const byteLength = this.varint()
    this.varint()
    if (!View) throw malformed()
    const width = (View as unknown as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1
    return this.#remember(new View(value, offset, byteLength / width))
  }

  #error(): Error {
    const index = this.#seen.push(undefined) - 1
    let Class: ErrorConstructor = Error
    const fields: { message?: string; cause?: unknown; stack?: string } = {}
    for (let tag = this.#tag(); tag !== '.'; tag = this.#tag()) {
      if (tag === 'm') fields.message = this.value() as string
      else if (tag === 'c') fields.cause = this.value()
      else if (tag === 's') fields.stack = this.value() as string
      else Class = ERROR_CLASSES.get(tag) ?? Error
    }
    const error = new Class(fields.message, 'cause' in fields ? { cause: fields.cause } : undefined)
    error.stack = fields.stack ?? ''
    this.#seen[index] = error
    return error
  }

  #string(tag: string): string {
    const length = this.varint()
    const end = this.#at + length
    if (end > this.#bytes.length) throw malformed()
    if (tag === 'c' && length % 2 === 1) throw malformed()
    const bytes = this.#bytes.subarray(this.#at, end)
    this.#at = end
    const units = tag === 'c' ? new Uint16Array(bytes.slice().buffer) : bytes
    let text = ''
    for (let i = 0; i < units.length; i += PIECE_UNITS) {
      text += String.fromCharCode(...units.subarray(i, i + PIECE_UNITS))
    }
    return text
  }

  #bigint(): bigint {
    const bits = this.varint()
    let value = 0n
    for (let i = 0; i < Math.floor(bits / 2); i++) value |= BigInt(this.byte()) << BigInt(i * 8)
    return bits % 2 === 1 ? -value : value
  }

  #double(): number {
    if (this.#at + 8 > this.#bytes.length) throw malformed()
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  /** The next tag; padding is passed over. */
  #tag(): string {
    let byte = this.byte()
    while (byte === 0) byte = this.byte()
    return String.fromCharCode(byte)
  }

  /** The tag that comes next, without taking it. */
  #peek(): string {
    while (this.#bytes[this.#at] === 0) this.#at++
    return String.fromCharCode(this.#bytes[this.#at] ?? 0)
  }

  #remember<T>(value: T): T {
    this.#seen.push(value)
    return value
  }
}

function malformed(): RangeError {
  return new RangeError('The bytes are no value in the format of V8.')
}
