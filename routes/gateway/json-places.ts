import { type Path, Places } from './places.ts'

/** Where a text stops being JSON, and what should have stood there. */
export interface JsonFault {
  readonly offset: number
  readonly message: string
}

/**
 * Finds where everything of a JSON document stands; in a text that is none, where it goes wrong, which the
 * engine's own parser doesn't always say.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 */
export function findJsonPlaces(text: string): { places: Places; fault?: JsonFault } {
  const scanner = new JsonScanner(text)
  try {
    scanner.scan()
    return { places: scanner.places }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { places: scanner.places, fault: { offset: error.offset, message: error.message } }
  }
}

/** A document deeper than this has no meaning as a gateway file, and would end the stack somewhere. */
export const MAX_DEPTH = 100

class Fault extends Error {
  readonly offset: number

  constructor(offset: number, message: string) {
    super(message)
    this.offset = offset
  }
}

class JsonScanner {
  readonly places: Places
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
    this.places = new Places(text)
  }

  scan(): void {
    this.#skipSpace()
    this.#readValue([])
    this.#skipSpace()
    if (this.#at < this.#text.length) throw this.#expected('the end of the file')
  }

  #peek(): string {
    return this.#text[this.#at] ?? ''
  }

  #readValue(path: Path): void {
    if (path.length > MAX_DEPTH) throw new Fault(this.#at, `It goes deeper than ${MAX_DEPTH} levels.`)
    const first = this.#peek()
    if (first === '{') this.#readObject(path)
    else if (first === '[') this.#readArray(path)
    else if (first === '"') this.#readString()
    else this.#readLiteral()
  }

  #readLiteral(): void {
    LITERAL.lastIndex = this.#at
    const [literal] = LITERAL.exec(this.#text) ?? []
    if (literal === undefined) throw this.#expected('a value')
    this.#at += literal.length
  }

  #readObject(path: Path): void {
    this.#readMembers('}', () => {
      const keyAt = this.#at
      if (this.#peek() !== '"') throw this.#expected('a key in double quotes')
      const key = this.#readString()
      this.#skipSpace()
      if (this.#peek() !== ':') throw this.#expected('a colon')
      this.#at++
      this.#skipSpace()
      this.places.add([...path, key], keyAt, this.#at)
      this.#readValue([...path, key])
    })
  }

  #readArray(path: Path): void {
    this.#readMembers(']', index => {
      this.places.add([...path, index], this.#at, this.#at)
      this.#readValue([...path, index])
    })
  }

  #readMembers(end: string, readMember: (index: number) => void): void {
    this.#at++
    this.#skipSpace()
    if (this.#peek() === end) {
      this.#at++
      return
    }
    for (let index = 0; ; index++) {
      readMember(index)
      this.#skipSpace()
      if (this.#peek() === end) break
      if (this.#peek() !== ',') throw this.#expected(`a comma or "${end}"`)
      this.#at++
      this.#skipSpace()
    }
    this.#at++
  }

  #readString(): string {
    const start = this.#at++
    while (this.#peek() !== '"') {
      if (this.#peek() === '' || this.#peek() < ' ') throw new Fault(start, 'This text has no closing quote.')
      this.#at += this.#peek() === '\\' ? 2 : 1
    }
    this.#at++
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string
    } catch {
      throw new Fault(start, 'There is a wrong escape in this text.')
    }
  }

  #skipSpace(): void {
    while (this.#peek() !== '' && ' \t\r\n'.includes(this.#peek())) this.#at++
  }

  #expected(what: string): Fault {
    const found = this.#peek() === '' ? 'the end of the file' : JSON.stringify(this.#peek())
    return new Fault(this.#at, `There must be ${what} here, not ${found}.`)
  }
}

const LITERAL = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])/y
