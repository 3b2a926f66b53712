import type { Fail } from './fail.ts'
import { normalisePath, type PathOptions } from './path.ts'
import { toSegmentKey } from './path-key.ts'

/** One segment of a pattern's path. Texts are keys (routes/gateway/path-key.ts). */
export type Segment =
  | { readonly kind: 'literal'; readonly text: string }
  /** One segment, not empty between its affixes; `name` is absent for `*`. */
  | {
      readonly kind: 'param'
      readonly name: string | undefined
      readonly prefix: string
      readonly suffix: string
    }
  /** All that follows, if the next segment begins with `prefix`. */
  | { readonly kind: 'rest'; readonly prefix: string }

/** Parses what stands between two slashes of a `match`. */
export function parseSegment(
  text: string,
  isLast: boolean,
  paths: PathOptions,
  fail: Fail,
): { segment: Segment; isOptional: boolean } {
  if (text === '.' || text === '..') fail(`"${text}" can't match: paths are resolved before they are matched`)
  let literal = ''
  let prefix = ''
  let name: string | undefined
  let isOptional = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '\\') {
      i++
      literal += escaped(text.charAt(i), fail)
    } else if (character === '*') {
      if (name !== undefined || (isLast && i < text.length - 1) || (!isLast && text !== '*'))
        failStar(text, fail)
      const toLiteral = toLiteralWith(paths, fail)
      return {
        segment: isLast
          ? { kind: 'rest', prefix: toLiteral(literal) }
          : { kind: 'param', name: undefined, prefix: '', suffix: '' },
        isOptional,
      }
    } else if (character === ':') {
      if (name !== undefined) fail(`"${text}" has two parameters; a segment may have one`)
      name = readName(text, i + 1, fail)
      prefix = literal
      literal = ''
      i += name.length
      isOptional = text.charAt(i + 1) === '?'
      if (isOptional) i++
    } else if ('(){}'.includes(character)) {
      fail(
        `"${character}" is not supported: there are no expressions or groups; write "\\${character}" for itself`,
      )
    } else if (character === '?' || character === '#') {
      fail(
        character === '?'
          ? '"?" may stand only after a parameter; conditions on the query go to "query"'
          : 'leave the fragment ("#…") out; clients never send it',
      )
    } else literal += character
  }
  const toLiteral = toLiteralWith(paths, fail)
  if (name === undefined) return { segment: { kind: 'literal', text: toLiteral(literal) }, isOptional }
  if (literal.startsWith('+'))
    fail(`":${name}+" is not supported; "*" at the end stands for several segments`)
  if (isOptional && (prefix !== '' || literal !== '')) {
    fail(`only a whole segment can be optional; write two matches in place of "${text}"`)
  }
  return {
    segment: { kind: 'param', name, prefix: toLiteral(prefix), suffix: toLiteral(literal) },
    isOptional,
  }
}

function failStar(text: string, fail: Fail): never {
  if (text.includes(':')) fail('":name*" is not supported; "*" at the end stands for several segments')
  if (text.includes('**')) fail('"**" is not supported; one "*" at the end stands for several segments')
  return fail(
    `"*" in "${text}" must end the match or be a segment of its own; for a part of one write ":name"`,
  )
}

function readName(text: string, at: number, fail: Fail): string {
  const [name] = /^[A-Za-z_][A-Za-z0-9_]*/.exec(text.slice(at)) ?? []
  if (name === undefined) {
    fail('":" needs a name of letters, digits and underscores after it; write "\\:" for a colon')
  }
  if (name === '__proto__') fail('":__proto__" can\'t be a name')
  const next = text.charAt(at + name.length)
  if (next === '(' || next === '{') {
    fail(`":${name}${next}" is not supported: there are no expressions; check the value in the target`)
  }
  if (next > '\x7f') fail(`":${name}${next}" is not a name: these have ASCII letters, digits and underscores`)
  return name
}

/** The character after a backslash, as paths have it. */
function escaped(character: string, fail: Fail): string {
  if (character === '\\') fail('paths with backslashes are refused; leave it out')
  if (!/^[!-.:-@[\]^_`{|}~]$/.test(character)) {
    fail('"\\" may stand only before a character that is no letter, digit or slash')
  }
  return character === '?' || character === '#' || character === '%'
    ? encodeURIComponent(character)
    : character
}

/** Turns a literal into its key, in the way a request's path becomes one. */
function toLiteralWith(paths: PathOptions, fail: Fail): (text: string) => string {
  return text => {
    if (PLAIN.test(text) && paths.case === 'sensitive') return text
    // The "x" keeps dots at a beginning from being taken for a dot segment.
    const normal = normalisePath(`/x${text}`, paths)
    if (normal.refused !== undefined) {
      fail(`"${text}" has ${normal.refused}; such paths are refused before they are matched`)
    }
    const literal = normal.path.slice(2)
    if (/;|%3B/.test(literal)) {
      fail('";" and what follows it in a segment is not looked at when paths are matched; leave it out')
    }
    return toSegmentKey(literal, paths)
  }
}

/** What is its own key: nearly every literal, and there may be thousands. */
const PLAIN = /^[A-Za-z0-9_-]*$/
