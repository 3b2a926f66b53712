import { SkerryError } from '../../src/core/errors.ts'
import type { GatewayRoute } from './document.ts'

/** What routes are chosen by, beside host and path; a Request is one. */
export interface RoutedRequest {
  /** As it was sent: methods are case-sensitive. */
  readonly method: string
  readonly headers: { get(name: string): string | null }
  readonly url: string
}

/** Conditions of a route on method, headers and query, ready to be checked. */
export interface Conditions {
  /** In order, with HEAD where GET is; `undefined` = all. */
  readonly methods: readonly string[] | undefined
  readonly fields: readonly FieldCondition[]
  /** How many there are: more go first. Methods together are one. */
  readonly count: number
}

/** A condition on one header or query parameter. */
export interface FieldCondition {
  readonly in: 'header' | 'query'
  readonly name: string
  /** The values that it may have; `true`: any, `false`: it must not be there. */
  readonly accepts: readonly string[] | boolean
}

/**
 * Takes a route's conditions, or nothing if it has none.
 *
 * @throws SkerryError ERR_GATEWAY_FILE for a name that no header or method can have, and for empty lists
 */
export function compileConditions(
  route: Pick<GatewayRoute, 'methods' | 'headers' | 'query'>,
): Conditions | undefined {
  const { methods } = route
  const fields = [...toFields('header', route.headers), ...toFields('query', route.query)]
  if (!methods && fields.length === 0) return undefined
  for (const method of methods ?? []) {
    if (!TOKEN.test(method)) {
      throw new SkerryError('ERR_GATEWAY_FILE', `"${method}" is not a method; write one such as "GET".`)
    }
  }
  return {
    methods: methods?.includes('GET') ? [...new Set([...methods, 'HEAD'])] : methods,
    fields,
    count: fields.length + (methods ? 1 : 0),
  }
}

/** Whether a route is for this method. */
export function allowsMethod({ methods }: Conditions, method: string): boolean {
  return !methods || methods.includes(method)
}

/** The first condition on headers and query that doesn't hold. */
export function findFailure({ fields }: Conditions, request: RoutedRequest): FieldCondition | undefined {
  for (const field of fields) if (!holds(field, request)) return field
  return undefined
}

/** Of a parameter that is there several times, one value is enough. */
function holds({ in: place, name, accepts }: FieldCondition, request: RoutedRequest): boolean {
  if (place === 'header') {
    const value = request.headers.get(name)
    return typeof accepts === 'boolean'
      ? (value !== null) === accepts
      : value !== null && accepts.includes(value)
  }
  const query = queryOf(request.url)
  if (typeof accepts === 'boolean') return query.has(name) === accepts
  return query.getAll(name).some(value => accepts.includes(value))
}

/** The query of a URL; the last one is kept, as several routes look at it in a row. */
function queryOf(url: string): URLSearchParams {
  if (parsed.url !== url) {
    const start = url.indexOf('?')
    const end = url.indexOf('#')
    parsed = {
      url,
      query: new URLSearchParams(start < 0 ? '' : url.slice(start, end < start ? undefined : end)),
    }
  }
  return parsed.query
}

let parsed = { url: '', query: new URLSearchParams() }

function toFields(place: 'header' | 'query', given: GatewayRoute['headers']): FieldCondition[] {
  return Object.entries(given ?? {}).map(([name, condition]) => {
    if (place === 'header' && !TOKEN.test(name)) {
      throw new SkerryError('ERR_GATEWAY_FILE', `"${name}" can't be the name of a header.`)
    }
    const accepts = typeof condition === 'string' ? [condition] : condition
    if (Array.isArray(accepts) && accepts.length === 0) {
      throw new SkerryError(
        'ERR_GATEWAY_FILE',
        `The condition on the ${place} "${name}" lists no value; write true for any, false for none.`,
      )
    }
    return { in: place, name, accepts }
  })
}

/** RFC 9110 section 5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
