/** Why a text is no JSON that is taken here. */
export interface JsonFault {
  /** Where, if it is JSON. */
  readonly path: readonly (string | number)[]
  readonly detail: string
}

/**
 * Finds out what is wrong with a text that a parser has refused, or that has a member twice: the runtimes tell
 * neither where nor, for short texts, what, without showing the text. For texts that don't nest deeply.
 *
 * @returns `undefined` if nothing is
 */
export function findJsonFault(text: string): JsonFault | undefined {
  try {
    new Reader(text).document()
    return undefined
  } catch (error) {
    if (error instanceof Found) return error.fault
    throw error
  }
}

class Found extends Error {
  readonly fault: JsonFault

  constructor(fault: JsonFault) {
    super(fault.detail)
    this.fault = fault
  }
}

class Reader {
  readonly #text: string
  readonly #path: (string | number)[] = []
  #at = 0
  /** The first member that is there twice. */
  #repeated: JsonFault | undefined

  constructor(text: string) {
    this.#text = text
  }

  document(): void {
    this.#value()
    if (this.#peek() !== '') this.#fail('nothing more')
    if (this.#repeated) throw new Found(this.#repeated)
  }

  #value(): void {
    const next = this.#peek()
    if (next === '{') this.#object()
    else if (next === '[') this.#list()
    else if (next === '"') this.#string()
    else this.#word()
  }

  #object(): void {
    const names = new Set<string>()
    this.#at++
    if (this.#take('}')) return
    for (;;) {
      if (this.#peek() !== '"') this.#fail('a name in double quotes')
      const name = this.#string()
      this.#path.push(name)
      // What isn't JSON at all is told first.
      if (names.has(name)) this.#repeated ??= { path: [...this.#path], detail: 'is there twice' }
      names.add(name)
      if (!this.#take(':')) this.#fail('a colon')
      this.#value()
      this.#path.pop()
      if (this.#take('}')) return
      if (!this.#take(',')) this.#fail('a comma or "}"')
    }
  }

  #list(): void {
    this.#at++
    if (this.#take(']')) return
    for (let i = 0; ; i++) {
      this.#path.push(i)
      this.#value()
      this.#path.pop()
      if (this.#take(']')) return
      if (!this.#take(',')) this.#fail('a comma or "]"')
    }
  }

  #string(): string {
    const start = this.#at++
    for (;;) {
      const character = this.#text.charAt(this.#at)
      if (character === '') this.#fail('the end of the text in double quotes')
      if (character < ' ') this.#fail('no line break or other control character in a text')
      if (character === '\\' && !/^\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/.test(this.#text.substr(this.#at, 6))) {
        this.#fail('a character that may stand behind a backslash')
      }
      this.#at += character === '\\' ? 2 : 1
      if (character === '"') return JSON.parse(this.#text.slice(start, this.#at)) as string
    }
  }

  #word(): void {
    const [word = ''] = /^[^\s,:[\]{}"]*/.exec(this.#text.slice(this.#at, this.#at + MAX_WORD_CHARS)) ?? []
    const isWord = word === 'true' || word === 'false' || word === 'null'
    if (!isWord && !/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(word)) this.#fail('a value')
    this.#at += word.length
  }

  /** The next character that isn't blank; empty at the end. */
  #peek(): string {
    while (this.#at < this.#text.length && ' \t\n\r'.includes(this.#text.charAt(this.#at))) this.#at++
    return this.#text.charAt(this.#at)
  }

  #take(character: string): boolean {
    const isNext = this.#peek() === character
    if (isNext) this.#at++
    return isNext
  }

  #fail(wanted: string): never {
    const before = this.#text.slice(0, this.#at)
    const line = before.split('\n').length
    const column = this.#at - before.lastIndexOf('\n')
    const detail = `is not JSON: ${wanted} is wanted in line ${line}, column ${column}`
    throw new Found({ path: [], detail })
  }
}

/** Numbers are shorter, or no use. */
const MAX_WORD_CHARS = 4096
