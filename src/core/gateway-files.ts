/**
 * How a gateway file names other files: `file:<name>`, relative to it, in options of policies and as the body of fixed
 * answers. The command line sends them along, and the control plane puts their contents in the place of their names.
 */

/** Keys and indexes from the top of a document. */
type Path = readonly (string | number)[]

/** The document with something else in the place of each name of a file. */
export function mapFiles(document: unknown, replace: (name: string, path: Path) => unknown): unknown {
  if (!isTable(document)) return document
  const { policies, routes } = document
  const mapped: Record<string, unknown> = { ...document }
  if (isTable(policies)) mapped.policies = mapTexts(policies, ['policies'], replace)
  if (Array.isArray(routes)) mapped.routes = routes.map((route, i) => mapBody(route, i, replace))
  return mapped
}

/** The names of all files that a document names, each once. */
export function fileNamesIn(document: unknown): string[] {
  const names = new Set<string>()
  mapFiles(document, name => names.add(name))
  return [...names]
}

/** A body is a text whatever its file holds. */
function mapBody(route: unknown, index: number, replace: (name: string, path: Path) => unknown): unknown {
  if (!isTable(route) || !isTable(route.respond) || typeof route.respond.body !== 'string') return route
  const body = mapTexts(route.respond.body, ['routes', index, 'respond', 'body'], replace)
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { ...route, respond: { ...route.respond, body: text } }
}

function mapTexts(value: unknown, path: Path, replace: (name: string, path: Path) => unknown): unknown {
  if (typeof value === 'string')
    return value.startsWith(PREFIX) ? replace(value.slice(PREFIX.length), path) : value
  if (Array.isArray(value)) return value.map((item, i) => mapTexts(item, [...path, i], replace))
  if (!isTable(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, mapTexts(item, [...path, key], replace)]),
  )
}

const PREFIX = 'file:'

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
