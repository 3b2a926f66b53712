/** What the `:name`s and the `*` of a route's match stood for in the path, undecoded. */
export type Params = Readonly<Record<string, string>>

/**
 * Puts parameters in the place of `:name` and `*`: `/v2/:id` becomes `/v2/7`. A parameter that the route doesn't have
 * is the empty text. They go in as they were in the path, escapes and all.
 */
export function expandTemplate(template: string, params: Params): string {
  if (!template.includes(':') && !template.includes('*')) return template
  return template.replace(PLACEHOLDER, (_, name = '*') => textOf(params, name))
}

/** A path, which may end in a query of its own, with the query of the request: `?a=1` and `?b=2` are `?a=1&b=2`. */
export function addQuery(path: string, search: string): string {
  if (search === '' || search === '?') return path
  if (!path.includes('?')) return path + search
  return `${path}${path.endsWith('?') || path.endsWith('&') ? '' : '&'}${search.slice(1)}`
}

const textOf = (params: Params, name: string): string =>
  (Object.hasOwn(params, name) ? params[name] : undefined) ?? ''

const PLACEHOLDER = /:([A-Za-z_]\w*)|\*/g
