import { toSkerryError } from '../../src/core/errors.ts'
import { toClaim } from './host-pattern.ts'
import type { PathOptions } from './path.ts'
import { parsePatterns } from './pattern.ts'
import type { Segment } from './segment.ts'

/** What the check of a file must know of a `match`. */
export interface MatchText {
  /** As it is claimed for the account: exact, or `*.example.com`; `undefined` = every host. */
  readonly host: string | undefined
  /** Of each pattern that it stands for, a text that is equal where the same is matched, whatever names stand in it. */
  readonly keys: readonly string[]
  /** The names that stand for a part of the path, `*` for its rest among them. */
  readonly params: readonly string[]
}

/** Reads a `match`, or says what is wrong with it. */
export function readMatch(text: string, paths?: PathOptions): MatchText | { readonly problem: string } {
  try {
    const patterns = parsePatterns(text, paths)
    const host = patterns[0]?.host && toClaim(patterns[0].host)
    const keys = patterns.map(({ segments }) => JSON.stringify([host, segments.map(withoutName)]))
    return { host, keys, params: [...new Set(patterns.flatMap(({ segments }) => segments.flatMap(namesOf)))] }
  } catch (error) {
    const known = toSkerryError(error)
    if (!known) throw error
    return { problem: known.detail }
  }
}

function namesOf(segment: Segment): string[] {
  if (segment.kind === 'rest') return ['*']
  return segment.kind === 'param' && segment.name !== undefined ? [segment.name] : []
}

function withoutName(segment: Segment): object {
  return segment.kind === 'param' ? { ...segment, name: '' } : segment
}
