import type { GatewayRoute } from './document.ts'

/**
 * Names for routes that have none, made of what they match, so that metrics, caches and `explain` know them again
 * when others come and go: `api.example.com-orders.get`.
 *
 * Routes that differ only in their conditions also get a digest of those.
 */
export function nameRoutes(routes: readonly GatewayRoute[]): string[] {
  const names = routes.map(route => route.name ?? slugOf(route))
  const counts = countOf(names)
  const told = names.map((name, i) => {
    const route = routes[i] as GatewayRoute
    return route.name !== undefined || counts.get(name) === 1 ? name : `${cut(name)}-${digestOf(route)}`
  })
  const taken = new Set(routes.flatMap(({ name }) => name ?? []))
  return told.map((name, i) => {
    if (routes[i]?.name !== undefined) return name
    let free = name
    for (let turn = 2; taken.has(free); turn++) free = `${cut(name)}-${turn}`
    taken.add(free)
    return free
  })
}

/** Letters and digits of the first pattern, then the methods. */
function slugOf({ match, methods }: GatewayRoute): string {
  const [first = ''] = typeof match === 'string' ? [match] : match
  const place = first
    .replace(/\*/g, 'any')
    .replace(/[^A-Za-z0-9._]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
  const suffix = methods ? `.${methods.map(method => method.toLowerCase()).join('-')}` : ''
  const slug = `${place || 'root'}${suffix}`.replace(/[^A-Za-z0-9._-]/g, '-')
  return slug.length <= MAX_CHARS ? slug : `${cut(slug)}-${hash(`${first} ${methods}`)}`
}

function digestOf({ match, methods, headers, query }: GatewayRoute): string {
  return hash(JSON.stringify([match, methods, headers, query]))
}

function countOf(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return counts
}

/** Leaves room for a dash and eight digits. */
const cut = (name: string): string => name.slice(0, MAX_CHARS - 9)

/** As document.ts allows. */
const MAX_CHARS = 63

/** 32-bit FNV-1a as 8 hex digits. */
function hash(text: string): string {
  let value = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193)
  return (value >>> 0).toString(16).padStart(8, '0')
}
