import type { Exchange } from './exchange.ts'
import { readIdentity } from './identity.ts'

type Part = string | ((exchange: Exchange) => unknown)

/**
 * A text with placeholders: `{client_ip}`, `{request_id}`, `{route}`, `{host}`, `{method}`, `{path}`, `{params.id}`,
 * `{headers.x-team}`, `{identity.sub}`, `{identity.<claim>}`. `{{` is a brace. What isn't there is the empty text.
 */
export class HeaderTemplate {
  readonly #parts: readonly Part[]
  /** The whole text, where it has no placeholder. */
  readonly #constant: string | undefined

  /** @throws RangeError for what {@link problemOf} has a sentence for */
  constructor(text: string) {
    this.#parts = parse(text)
    this.#constant = this.#parts.every(part => typeof part === 'string') ? this.#parts.join('') : undefined
  }

  /** Why a text is no template, as a sentence; `undefined` if it is one. */
  static problemOf(text: string): string | undefined {
    try {
      parse(text)
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }

  /** The text for an exchange; in one line of printable ASCII, whatever the values hold. */
  expand(exchange: Exchange): string {
    return this.#constant ?? toLine(this.expandText(exchange))
  }

  /** The same with whatever characters the values hold, for places that encode them. */
  expandText(exchange: Exchange): string {
    if (this.#constant !== undefined) return this.#constant
    let text = ''
    for (const part of this.#parts) text += typeof part === 'string' ? part : toText(part(exchange))
    return text
  }
}

function parse(text: string): Part[] {
  const parts: Part[] = []
  let at = 0
  for (const match of text.matchAll(/\{\{|\}\}|\{([^{}]*)\}|[{}]/g)) {
    const [whole, name] = match
    parts.push(text.slice(at, match.index))
    at = match.index + whole.length
    if (whole === '{{' || whole === '}}') parts.push(whole.charAt(0))
    else if (name === undefined)
      throw new RangeError('A brace stands for itself only if it is doubled: "{{".')
    else parts.push(toReader(name))
  }
  parts.push(text.slice(at))
  return parts.filter(part => part !== '')
}

function toReader(name: string): (exchange: Exchange) => unknown {
  const simple = Object.hasOwn(SIMPLE, name) ? SIMPLE[name] : undefined
  if (simple) return simple
  const dot = name.indexOf('.')
  const [kind, rest] = [name.slice(0, dot), name.slice(dot + 1)]
  if (dot > 0 && rest !== '') {
    if (kind === 'identity') return ({ identity }) => readIdentity(identity, rest)
    if (kind === 'params') return ({ params }) => (Object.hasOwn(params, rest) ? params[rest] : undefined)
    if (kind === 'headers' && /^[\w-]+$/.test(rest)) return ({ request }) => request.headers.get(rest)
  }
  throw new RangeError(
    `"{${name}}" is not known; there are ${Object.keys(SIMPLE)
      .map(each => `{${each}}`)
      .join(', ')}, {params.<name>}, {headers.<name>} and {identity.<claim>}.`,
  )
}

const SIMPLE: Readonly<Record<string, (exchange: Exchange) => unknown>> = {
  client_ip: ({ clientIp }) => clientIp,
  request_id: ({ requestId }) => requestId,
  route: ({ route }) => route,
  host: ({ url }) => url.host,
  method: ({ request }) => request.method,
  path: ({ url }) => url.pathname,
}

function toText(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.join(' ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** Other characters than printable ASCII are percent-encoded: no value can end the line, or begin another header. */
function toLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/gu, character => percentEncode(character))
}

function percentEncode(character: string): string {
  return [...new TextEncoder().encode(character)]
    .map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('')
}
