import type { Arena } from './arena.ts'
import type { Answer } from './caller.ts'

/** Why a script was struck. */
export type StrikeKind = 'cpu' | 'memory'

/** A function that does harm, and what must come of it. */
export interface HostileCase {
  /** Of the script too: strikes are per script. */
  readonly name: string
  /** Reads after "a function that". */
  readonly does: string
  /** Its main module, or its files with an `index.js`. */
  readonly source: string | Readonly<Record<string, string | Uint8Array>>
  /** More for its `wrangler.json`. */
  readonly config?: object
  /** Scripts that it needs, deployed before it. */
  readonly companions?: Readonly<Record<string, string>>
  /** Sets it off, and gives what its caller got; a GET of `/` by default. */
  readonly attack?: (target: Target) => Promise<Answer>
  /** What the caller must get, as `status code-or-text`. */
  readonly answer: RegExp
  /** For one of these the script must be struck; none = nobody is. */
  readonly strikes?: readonly StrikeKind[]
  /** The script that must be struck, if it is another one. */
  readonly culprit?: string
  /** Processes that it may cost. Default: one if somebody is struck, else none. */
  readonly mayLose?: number
  /** The caller's answer comes after this long at most. Default: the limit of a turn and half a second. */
  readonly answerWithinMs?: number
  /** How long the neighbour is watched at least. */
  readonly watchMs?: number
  /** What the design doesn't contain: recorded, and asserted only as far as this says. */
  readonly notContained?: string
}

/** What an attack works with. */
export interface Target {
  readonly arena: Arena
  readonly script: string
  get(
    path?: string,
    init?: { method?: string; headers?: Record<string, string>; body?: string; signal?: AbortSignal },
  ): Promise<Answer>
}
