/** Where a list begins: after a key, or with the first key that isn't less. */
export interface Position {
  readonly text: string
  readonly isAfter: boolean
}

/** A position as a page's cursor: text that says nothing to a function. */
export function toCursor({ text, isAfter }: Position): string {
  const bytes = new TextEncoder().encode((isAfter ? '>' : '=') + text)
  return btoa(String.fromCharCode(...bytes))
}

/** The position of a cursor; `undefined` for text that is none. A forged one is a position in the same bucket. */
export function fromCursor(cursor: string): Position | undefined {
  try {
    const bytes = Uint8Array.from(atob(cursor), character => character.charCodeAt(0))
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
    if (!/^[>=]/.test(text)) return undefined
    return { text: text.slice(1), isAfter: text.startsWith('>') }
  } catch {
    return undefined
  }
}

/** The first text, in the order of UTF-8, that is greater than all that begin so; `undefined` if there is none. */
export function successor(prefix: string): string | undefined {
  const characters = [...prefix]
  for (let last = characters.pop(); last !== undefined; last = characters.pop()) {
    const code = last.codePointAt(0) ?? 0
    if (code >= 0x10ffff) continue
    // Surrogates are no characters.
    return characters.join('') + String.fromCodePoint(code === 0xd7ff ? 0xe000 : code + 1)
  }
  return undefined
}

/** The later of two positions. */
export function later(a: Position | undefined, b: Position | undefined): Position | undefined {
  if (!a || !b) return a ?? b
  const order = compare(a.text, b.text)
  if (order === 0) return a.isAfter ? a : b
  return order > 0 ? a : b
}

/** Compares as UTF-8 does: by code points, where UTF-16 has those beyond the first 65,536 before U+E000. */
function compare(a: string, b: string): number {
  const [x, y] = [[...a], [...b]]
  for (const [i, character] of x.entries()) {
    const other = y[i]
    if (other === undefined) return 1
    const difference = (character.codePointAt(0) ?? 0) - (other.codePointAt(0) ?? 0)
    if (difference !== 0) return difference
  }
  return x.length - y.length
}
