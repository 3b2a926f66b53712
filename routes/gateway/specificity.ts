import { compareLeaves, type Leaf } from './leaf.ts'
import type { GatewayPattern } from './pattern.ts'
import type { Segment } from './segment.ts'

/**
 * Which of two routes of an account is tried first, for a request that both match; negative: `a`.
 *
 * Priority; exact hosts, longer wildcards, shorter ones, none; the paths segment by segment: end, literal, parameter
 * with affixes (longer ones first), `text*` (longer ones first), parameter, `*`; more conditions; order in the file.
 * The trie (routes/gateway/trie.ts) goes the same way without comparing.
 */
export function compareSpecificity<T>(a: Leaf<T>, b: Leaf<T>): number {
  return (
    b.priority - a.priority ||
    compareHosts(a.pattern, b.pattern) ||
    comparePaths(a.pattern.segments, b.pattern.segments) ||
    compareLeaves(a, b)
  )
}

function compareHosts({ host: a }: GatewayPattern, { host: b }: GatewayPattern): number {
  const rank = (host: typeof a) => (host ? (host.isWildcard ? 1 : 0) : 2)
  const longer = a?.isWildcard && b?.isWildcard ? b.name.length - a.name.length : 0
  return rank(a) - rank(b) || longer
}

function comparePaths(a: readonly Segment[], b: readonly Segment[]): number {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [rankA, rankB] = [rankOf(a[i]), rankOf(b[i])]
    for (const [j, part] of rankA.entries()) {
      const difference = part - (rankB[j] ?? 0)
      if (difference !== 0) return difference
    }
  }
  return 0
}

/** Kind, then how much of it is literal; smaller first. */
function rankOf(segment: Segment | undefined): readonly [number, number, number] {
  if (!segment) return [0, 0, 0]
  if (segment.kind === 'literal') return [1, 0, 0]
  const { prefix } = segment
  if (segment.kind === 'rest') return prefix === '' ? [5, 0, 0] : [3, -prefix.length, 0]
  const affixes = prefix.length + segment.suffix.length
  return affixes === 0 ? [4, 0, 0] : [2, -affixes, -prefix.length]
}
