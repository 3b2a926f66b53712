import { allowsMethod, findFailure, type RoutedRequest } from './conditions.ts'
import type { HostPattern } from './host-pattern.ts'
import type { Leaf } from './leaf.ts'
import type { Segment } from './segment.ts'
import { compareSpecificity } from './specificity.ts'

/** A route that was looked at for a request. */
export interface Candidate<T> {
  readonly value: T
  /** The pattern as written; one of them, where a route has several. */
  readonly pattern: string
  /** It is the one that the request goes to. */
  readonly matched: boolean
  /** Why it isn't; absent if it is. */
  readonly reason?: Reason
}

/** The first thing that kept a route from being chosen. `earlier`: nothing, but another one came before it. */
export type Reason = 'host' | 'path' | 'method' | `header ${string}` | `query ${string}` | 'earlier'

/** What is asked, as keys. */
export interface Question {
  readonly host: string
  /** Whether routes without a host are for it. */
  readonly isOwn: boolean
  /** The path's key, without the trailing slash that is ignored. */
  readonly key: string
  readonly ignoresTrailingSlash: boolean
  readonly request: RoutedRequest
}

/** All routes in the order in which they are tried. One after the other: for people, not for requests. */
export function explainRoutes<T>(leaves: readonly Leaf<T>[], question: Question): Candidate<T>[] {
  let isTaken = false
  return leaves.toSorted(compareSpecificity).map((leaf): Candidate<T> => {
    const reason = reasonAgainst(leaf, question) ?? (isTaken ? 'earlier' : undefined)
    const { value, pattern } = leaf
    if (reason) return { value, pattern: pattern.text, matched: false, reason }
    isTaken = true
    return { value, pattern: pattern.text, matched: true }
  })
}

function reasonAgainst<T>({ pattern, conditions }: Leaf<T>, question: Question): Reason | undefined {
  const { host, isOwn, key, ignoresTrailingSlash, request } = question
  if (pattern.host ? !matchesHost(pattern.host, host) : !isOwn) return 'host'
  const segments = key === '' ? [] : key.slice(1).split('/')
  if (!matchesPath(pattern.segments, segments, ignoresTrailingSlash)) return 'path'
  if (!conditions) return undefined
  if (!allowsMethod(conditions, request.method)) return 'method'
  const failure = findFailure(conditions, request)
  return failure && `${failure.in} ${failure.name}`
}

function matchesHost({ name, isWildcard }: HostPattern, host: string): boolean {
  return isWildcard ? host.endsWith(`.${name}`) && host.length > name.length + 1 : host === name
}

function matchesPath(
  pattern: readonly Segment[],
  path: readonly string[],
  ignoresTrailingSlash: boolean,
): boolean {
  for (const [i, segment] of pattern.entries()) {
    const text = path[i]
    if (segment.kind === 'rest') {
      if (text === undefined) return segment.prefix === '' && ignoresTrailingSlash
      return text.startsWith(segment.prefix)
    }
    if (text === undefined) return false
    if (segment.kind === 'literal') {
      if (text !== segment.text) return false
      continue
    }
    const { prefix, suffix } = segment
    if (text.length <= prefix.length + suffix.length) return false
    if (!text.startsWith(prefix) || !text.endsWith(suffix)) return false
  }
  return path.length === pattern.length
}
