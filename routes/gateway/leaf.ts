import { type Conditions, compileConditions } from './conditions.ts'
import type { GatewayRoute } from './document.ts'
import { fromKey, isPlain, toSegmentKey } from './path-key.ts'
import type { GatewayPattern } from './pattern.ts'

/** What a route of the file says about which requests it is for. */
export type RouteChoice = Pick<GatewayRoute, 'match' | 'methods' | 'headers' | 'query' | 'priority'>

/** What a request leads to. */
export interface GatewayMatch<T> {
  readonly value: T
  /** What the pattern's `:name`s and its last `*` (under the name `*`) stand for: as in the path, undecoded. */
  readonly params: Readonly<Record<string, string>>
}

/** One pattern of one route. */
export interface Leaf<T> {
  readonly value: T
  readonly pattern: GatewayPattern
  readonly priority: number
  readonly conditions: Conditions | undefined
  /** The route's place in the file. */
  readonly order: number
  readonly captures: readonly Capture[]
  /** The answer where nothing is captured, always the same. */
  readonly match: GatewayMatch<T>
}

interface Capture {
  readonly name: string
  /** Which segment of the path, from 0. */
  readonly segment: number
  readonly isRest: boolean
  readonly prefix: number
  readonly suffix: number
}

/** Makes the leaves of a route. */
export function toLeaves<T>(
  { route, value }: { readonly route: RouteChoice; readonly value: T },
  patterns: readonly GatewayPattern[],
  order: number,
): Leaf<T>[] {
  const conditions = compileConditions(route)
  const match = Object.freeze({ value, params: NOTHING })
  return patterns.map(pattern => ({
    value,
    pattern,
    priority: route.priority,
    conditions,
    order,
    captures: toCaptures(pattern),
    match,
  }))
}

/** The answer for a path that the leaf's pattern matches. */
export function toMatch<T>({ value, captures, match }: Leaf<T>, path: string): GatewayMatch<T> {
  if (captures.length === 0) return match
  const params: Record<string, string> = {}
  const plain = isPlain(path)
  let start = 1
  let segment = 0
  for (const capture of captures) {
    for (; segment < capture.segment; segment++) {
      const slash = path.indexOf('/', start)
      start = slash < 0 ? path.length : slash + 1
    }
    const slash = path.indexOf('/', start)
    const end = slash < 0 ? path.length : slash
    const { prefix, suffix } = capture
    // Affixes are as long in the path as in its key, unless the path spells something in another way.
    const part =
      plain || prefix + suffix === 0
        ? path.slice(start + prefix, end - suffix)
        : fromKeyOf(path.slice(start, end), prefix, suffix)
    params[capture.name] = capture.isRest ? part + path.slice(end) : part
  }
  return { value, params }
}

/** Orders leaves of the same place in the tree: the first whose conditions hold is taken. */
export function compareLeaves<T>(a: Leaf<T>, b: Leaf<T>): number {
  return (
    b.priority - a.priority || (b.conditions?.count ?? 0) - (a.conditions?.count ?? 0) || a.order - b.order
  )
}

function fromKeyOf(text: string, prefix: number, suffix: number): string {
  const key = toSegmentKey(text, { case: 'sensitive' })
  return fromKey(key.slice(prefix, key.length - suffix))
}

function toCaptures({ segments }: GatewayPattern): Capture[] {
  return segments.flatMap((segment, i) => {
    if (segment.kind === 'literal') return []
    const isRest = segment.kind === 'rest'
    const name = isRest ? '*' : segment.name
    if (name === undefined) return []
    const suffix = isRest ? 0 : segment.suffix.length
    return [{ name, segment: i, isRest, prefix: segment.prefix.length, suffix }]
  })
}

const NOTHING: Readonly<Record<string, string>> = Object.freeze({})
