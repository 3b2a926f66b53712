import { parse } from 'smol-toml'
import { type Path, Places } from './places.ts'

/**
 * Finds where everything of a TOML document stands.
 *
 * The parser says what a text means, but not where; this only has to follow its brackets, as the text has been
 * parsed before and is known to be right.
 *
 * @see https://toml.io/en/v1.1.0
 */
export function findTomlPlaces(text: string): Places {
  return new TomlScanner(text).scan()
}

interface Key {
  readonly name: string
  readonly at: number
}

class TomlScanner {
  readonly #text: string
  readonly #places: Places
  #at = 0
  /** How many tables each array of tables has so far, by its path. */
  readonly #tables = new Map<string, number>()
  /** The table that was begun last. */
  #table: Path = []

  constructor(text: string) {
    this.#text = text
    this.#places = new Places(text)
  }

  scan(): Places {
    for (this.#skipSpace(); this.#at < this.#text.length; this.#skipSpace()) {
      if (this.#char === '[') this.#readHeader()
      else this.#readPair(this.#table)
    }
    return this.#places
  }

  get #char(): string {
    return this.#text[this.#at] ?? ''
  }

  /** `[a.b]`, or `[[a.b]]`: one table more in an array. */
  #readHeader(): void {
    const start = this.#at
    const isArray = this.#text.startsWith('[[', start)
    this.#at += isArray ? 2 : 1
    const keys = this.#readKeys(']')
    this.#at += isArray ? 2 : 1
    const path: (string | number)[] = []
    for (const [i, { name, at }] of keys.entries()) {
      path.push(name)
      const id = JSON.stringify(path)
      const isLast = i === keys.length - 1
      this.#places.add(path, at, isLast ? start : at)
      const tables = this.#tables.get(id)
      if (isLast && isArray) {
        this.#tables.set(id, (tables ?? 0) + 1)
        path.push(tables ?? 0)
        this.#places.add(path, start, start)
      } else if (tables !== undefined) path.push(tables - 1)
    }
    this.#table = path
  }

  /** `a.b = value` */
  #readPair(table: Path): void {
    const start = this.#at
    const path = [...table]
    const keys = this.#readKeys('=')
    this.#at++
    this.#skipSpace()
    for (const { name, at } of keys) {
      path.push(name)
      this.#places.add(path, at, path.length === table.length + keys.length ? this.#at : at)
    }
    this.#readValue(path)
    if (this.#at === start) this.#at++
  }

  #readKeys(end: string): Key[] {
    const keys: Key[] = []
    while (this.#at < this.#text.length) {
      this.#skipSpace()
      const at = this.#at
      if (this.#char === end || this.#char === '') break
      if (this.#char === '"' || this.#char === "'") {
        this.#skipString()
        keys.push({ name: unquote(this.#text.slice(at, this.#at)), at })
      } else {
        while (/[^\s.=\]"']/.test(this.#char)) this.#at++
        keys.push({ name: this.#text.slice(at, this.#at), at })
      }
      this.#skipSpace()
      if (this.#char === '.') this.#at++
      else if (this.#char !== end) break
    }
    return keys
  }

  #readValue(path: Path): void {
    if (this.#char === '[') this.#readList(path)
    else if (this.#char === '{') this.#readInlineTable(path)
    else if (this.#char === '"' || this.#char === "'") this.#skipString()
    else while (/[^,\]}#\n]/.test(this.#char)) this.#at++
  }

  #readList(path: Path): void {
    this.#at++
    let index = 0
    for (this.#skipCommas(); this.#char !== ']' && this.#char !== ''; this.#skipCommas()) {
      const start = this.#at
      const entry = [...path, index++]
      this.#places.add(entry, start, start)
      this.#readValue(entry)
      if (this.#at === start) this.#at++
    }
    this.#at++
  }

  #readInlineTable(path: Path): void {
    this.#at++
    for (this.#skipCommas(); this.#char !== '}' && this.#char !== ''; this.#skipCommas()) this.#readPair(path)
    this.#at++
  }

  #skipString(): void {
    const quote = this.#char
    const fence = quote.repeat(3)
    const isLong = this.#text.startsWith(fence, this.#at)
    const end = isLong ? fence : quote
    this.#at += end.length
    while (this.#at < this.#text.length && !this.#text.startsWith(end, this.#at)) {
      this.#at += quote === '"' && this.#char === '\\' ? 2 : 1
    }
    this.#at += end.length
    // A long string may end with up to two quotes of its own.
    while (isLong && this.#char === quote) this.#at++
  }

  #skipCommas(): void {
    this.#skipSpace()
    while (this.#char === ',') {
      this.#at++
      this.#skipSpace()
    }
  }

  /** White space, ends of lines and comments. */
  #skipSpace(): void {
    for (;;) {
      while (this.#char !== '' && ' \t\r\n'.includes(this.#char)) this.#at++
      if (this.#char !== '#') return
      const end = this.#text.indexOf('\n', this.#at)
      this.#at = end < 0 ? this.#text.length : end
    }
  }
}

function unquote(text: string): string {
  return parse(`key = ${text}`).key as string
}
