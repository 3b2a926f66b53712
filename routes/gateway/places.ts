/** Keys and indexes from the top of a document. */
export type Path = readonly (string | number)[]

/** Where something begins in a text: counted from 1, columns in UTF-16 units as editors do. */
export interface Position {
  readonly line: number
  readonly column: number
}

interface Place {
  /** Where the key begins; of a list's entry, the entry itself. */
  readonly key: number
  readonly value: number
}

/** Where the keys and values of a document stand in its source. */
export class Places {
  readonly #text: string
  readonly #places = new Map<string, Place>()
  #lineStarts: readonly number[] | undefined

  constructor(text: string) {
    this.#text = text
  }

  /** Notes a value; what was noted before stays, as tables are begun once and added to later. */
  add(path: Path, key: number, value: number): void {
    const id = JSON.stringify(path)
    if (!this.#places.has(id)) this.#places.set(id, { key, value })
  }

  /** Where the value at a path is, or the nearest thing above it that the text has. */
  find(path: Path, at: 'key' | 'value' = 'value'): Position {
    for (let length = path.length; length > 0; length--) {
      const place = this.#places.get(JSON.stringify(path.slice(0, length)))
      if (place) return this.positionOf(length === path.length ? place[at] : place.key)
    }
    return this.positionOf(0)
  }

  /** The position of an offset in the text. */
  positionOf(offset: number): Position {
    this.#lineStarts ??= lineStartsOf(this.#text)
    const starts = this.#lineStarts
    let [low, high] = [0, starts.length]
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if ((starts[middle] ?? 0) <= offset) low = middle
      else high = middle
    }
    return { line: low + 1, column: offset - (starts[low] ?? 0) + 1 }
  }
}

function lineStartsOf(text: string): number[] {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return starts
}
