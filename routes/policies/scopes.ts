import * as v from 'valibot'
import type { Exchange } from './exchange.ts'

const scope = v.pipe(
  v.string(),
  v.regex(
    /^[\x21\x23-\x5B\x5D-\x7E]{1,128}$/,
    'A scope has 1 to 128 printable ASCII characters, no space, quote or backslash (RFC 6749, section 3.3).',
  ),
)

/** Scopes, all of which are needed. */
export const scopeList = v.pipe(v.array(scope), v.maxLength(64, 'At most 64 scopes.'))

/** The option `scopes`: those that each request needs, or those of each method. */
export const scopesOption = v.pipe(
  v.optional(
    v.union([
      scopeList,
      v.record(
        v.pipe(v.string(), v.regex(/^(\*|[A-Za-z-]{1,32})$/, 'It must be a method, or "*".')),
        scopeList,
      ),
    ]),
    [],
  ),
  v.description(
    'Scopes that the caller needs, all of them: a list, or a table of lists by method. HEAD needs those of GET; methods that are not in the table need those of "*", and are refused if there is no "*".',
  ),
)

/** As it is checked: a list, or lists by method. */
export type ScopesOption = v.InferOutput<typeof scopesOption>

/** Which scopes requests need. */
export class RequiredScopes {
  readonly #always: readonly string[] | undefined
  readonly #byMethod: ReadonlyMap<string, readonly string[]>

  constructor(option: ScopesOption) {
    this.#always = Array.isArray(option) ? option : undefined
    const entries = Array.isArray(option) ? [] : Object.entries(option)
    this.#byMethod = new Map(entries.map(([method, scopes]) => [method.toUpperCase(), scopes]))
  }

  /** What a request of this method needs; `undefined` = nothing would do. */
  of(method: string): readonly string[] | undefined {
    if (this.#always) return this.#always
    const byMethod = this.#byMethod
    const own = byMethod.get(method) ?? (method === 'HEAD' ? byMethod.get('GET') : undefined)
    return own ?? byMethod.get('*')
  }

  /**
   * Refuses a caller that lacks a scope with ERR_SCOPE_MISSING, and says in the words of RFC 6750 what is needed.
   *
   * @param scheme of the challenge: `Bearer`
   */
  check(exchange: Exchange, held: readonly string[], scheme = 'Bearer'): Response | undefined {
    const { method } = exchange.request
    const needed = this.of(method)
    if (needed !== undefined) {
      if (needed.length === 0 || needed.every(each => held.includes(each))) return undefined
    }
    exchange.trace?.note('A scope is missing.', { method, needed: needed ?? 'none would do', held })
    const detail =
      needed === undefined
        ? `The method ${method} is not allowed here.`
        : `The method ${method} needs the scopes ${needed.join(' ')} here, all of them.`
    const scopes = needed?.length ? `, scope="${needed.join(' ')}"` : ''
    return exchange.refuse('ERR_SCOPE_MISSING', detail, {
      'www-authenticate': `${scheme} error="insufficient_scope"${scopes}`,
    })
  }
}
