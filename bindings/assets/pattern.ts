/**
 * Patterns of `_headers` and `_redirects`: `*` (one, named `splat`) stands for anything, `:name` for a part of a
 * path between slashes, or of a host between dots.
 *
 * They are matched without regular expressions: several placeholders side by side make those take time that grows
 * with a power of the path's length, on a thread that everybody shares.
 */
export interface Pattern {
  /** The pattern names a host: it is matched with `https://<host><path>`, else with the path. */
  readonly isAbsolute: boolean
  readonly tokens: readonly Token[]
}

type Token =
  | { readonly kind: 'text'; readonly text: string }
  /** At least one character that isn't in `stops`. */
  | { readonly kind: 'part'; readonly name: string; readonly stops: string }
  | { readonly kind: 'splat'; readonly name: 'splat' }

/** What placeholders stand for, in the pattern's order. */
export type Groups = readonly (readonly [name: string, value: string])[]

/** More placeholders than that in one pattern are refused at upload. */
export const MAX_PLACEHOLDERS = 32

/** A pattern, taken apart; `undefined` where two placeholders have one name, or one begins like another before it. */
export function parsePattern(text: string): Pattern | undefined {
  const isAbsolute = text.startsWith('https://')
  const pathAt = isAbsolute ? text.indexOf('/', 'https://'.length) : 0
  const tokens: Token[] = []
  const names: string[] = []
  let end = 0
  for (const found of text.matchAll(/\*|:([A-Za-z]\w*)/g)) {
    const name = found[1] ?? 'splat'
    if (names.some(earlier => name.startsWith(earlier))) return undefined
    names.push(name)
    if (found.index > end) tokens.push({ kind: 'text', text: text.slice(end, found.index) })
    end = found.index + found[0].length
    const isInHost = isAbsolute && found.index < pathAt && /[-./]/.test(text[end] ?? '')
    if (found[0] === '*') tokens.push({ kind: 'splat', name: 'splat' })
    else tokens.push({ kind: 'part', name, stops: isInHost ? '/.' : '/' })
  }
  if (end < text.length) tokens.push({ kind: 'text', text: text.slice(end) })
  return { isAbsolute, tokens }
}

/** What a pattern's placeholders stand for in a text, each as long as can be; `undefined` = it doesn't fit. */
export function matchPattern({ tokens }: Pattern, text: string): Groups | undefined {
  const [first] = tokens
  if (first?.kind === 'text' && !text.startsWith(first.text)) return undefined
  if (tokens.length === 1 && first?.kind === 'text') return text === first.text ? [] : undefined
  const rests = matchRests(tokens, text)
  if (!rests[0]?.[0]) return undefined
  const groups: [string, string][] = []
  let at = 0
  tokens.forEach((token, i) => {
    if (token.kind === 'text') {
      at += token.text.length
      return
    }
    const rest = rests[i + 1]
    let end = token.kind === 'splat' ? text.length : endOfPart(text, at, token.stops)
    while (!rest?.[end]) end--
    groups.push([token.name, text.slice(at, end)])
    at = end
  })
  return groups
}

/** For each token, at which places of the text it and those after it fit what remains. */
function matchRests(tokens: readonly Token[], text: string): Uint8Array[] {
  const { length } = text
  let next = new Uint8Array(length + 1)
  next[length] = 1
  const rests = [next]
  for (const token of [...tokens].reverse()) {
    const row = new Uint8Array(length + 1)
    for (let at = length; at >= 0; at--) row[at] = fits(token, text, at, row, next) ? 1 : 0
    rests.unshift(row)
    next = row
  }
  return rests
}

function fits(token: Token, text: string, at: number, row: Uint8Array, next: Uint8Array): boolean {
  switch (token.kind) {
    case 'text':
      return next[at + token.text.length] === 1 && text.startsWith(token.text, at)
    case 'part':
      return at < text.length && !token.stops.includes(text[at] ?? '') && (next[at + 1] || row[at + 1]) === 1
    case 'splat':
      return (next[at] || row[at + 1]) === 1
  }
}

function endOfPart(text: string, from: number, stops: string): number {
  let end = from
  while (end < text.length && !stops.includes(text[end] ?? '')) end++
  return end
}

/** A value with `:name` replaced by what the placeholders stand for, one after the other. */
export function fillIn(value: string, groups: Groups): string {
  let filled = value
  for (const [name, part] of groups) filled = filled.replaceAll(`:${name}`, () => part)
  return filled
}
