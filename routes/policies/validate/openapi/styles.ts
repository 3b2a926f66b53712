import type { RequestPart } from '../failures.ts'
import type { TextReader } from '../text-reader.ts'

/** How a list or an object is written as a text (OpenAPI, section "Style Values"). */
export type Style = 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject'

/** Which styles are read where. */
export const STYLES: Readonly<Record<Exclude<RequestPart, 'body'>, readonly Style[]>> = {
  query: ['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'],
  path: ['simple'],
  header: ['simple'],
  cookie: ['form'],
}

/** How the texts of a parameter are written. */
export interface Writing {
  readonly style: Style
  readonly explodes: boolean
  decode(text: string): string
}

/**
 * Reads the texts of a parameter as a value of its schema's types.
 *
 * What separates is looked for before anything is decoded: `%2C` is a comma in a text, `,` is between two.
 */
export function readStyled(
  texts: readonly string[],
  { style, explodes, decode }: Writing,
  reader: TextReader,
): { value: unknown } | { problem: string } {
  const [first = ''] = texts
  const isRepeated = style === 'form' && explodes
  if (reader.isList && isRepeated) return { value: reader.list(texts.map(decode)) }
  if (texts.length > 1) return { problem: 'may be there only once' }
  if (reader.isList) return { value: reader.list(split(first, style).map(decode)) }
  if (!reader.isObject) return { value: reader.one(decode(first)) }
  const pairs = toPairs(split(first, style), explodes)
  return { value: reader.object(pairs.map(([name, text]) => [decode(name), [decode(text)]])) }
}

function split(text: string, style: Style): string[] {
  if (text === '') return []
  const separator = style === 'spaceDelimited' ? / |%20|\+/ : style === 'pipeDelimited' ? /\||%7C/i : ','
  return text.split(separator).map(part => part.trim())
}

/** `a=1,b=2` where it explodes, else `a,1,b,2`. */
function toPairs(parts: readonly string[], explodes: boolean): [name: string, text: string][] {
  if (explodes) {
    return parts.map(part => {
      const equals = part.indexOf('=')
      return equals < 0 ? [part, ''] : [part.slice(0, equals), part.slice(equals + 1)]
    })
  }
  return parts.flatMap((part, i) => (i % 2 === 0 ? [[part, parts[i + 1] ?? ''] as [string, string]] : []))
}
