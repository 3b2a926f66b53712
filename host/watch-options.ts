import type { IsolateOwner } from '../src/core/isolate-id.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { StrikeKind } from '../src/core/strikes.ts'
import type { Callers } from './callers.ts'
import type { MemoryLimits } from './memory-limits.ts'

/** Something seen of a process, at a time of a clock that only goes forward (`performance.now()`). */
export type WatchEvent = { readonly atMs: number } & (
  | { readonly type: 'answered'; readonly counters?: IsolateCounters }
  /** A heartbeat is outstanding for so long. */
  | { readonly type: 'waiting'; readonly forMs: number }
  /** The health socket refused, or broke: not late, but no answer either. */
  | { readonly type: 'broken' }
  /** A look's result, `atMs` the moment it shows. */
  | { readonly type: 'looked'; readonly sight: Sight }
  /** `dataBytes` is absent where the system doesn't tell. */
  | { readonly type: 'memory'; readonly rssBytes: number; readonly dataBytes?: number }
)

/** What a look found: part of `Look` (host/look.ts), and the thread's CPU time (host/process-stats.ts). */
export interface Sight {
  /** The function's isolate that has the thread; absent for none, or one of ours. */
  readonly isolate?: IsolateOwner
  /** The same for two looks within one turn, different in any other turn. */
  readonly turnKey?: string
  /** CPU time of the thread so far; absent: the turn is judged by time alone. */
  readonly threadMs?: number
  /** How long the process has not looked for I/O; absent while it waits for some, or where that can't be told. */
  readonly sincePollMs?: number
  /** How many turns the isolate has had. */
  readonly turns?: number
  /** Whom the isolate's function works for; absent if unknown. Wanted when `sincePollMs` is long. */
  readonly callers?: Callers
}

/** What an edge says of itself in a heartbeat's answer. */
export interface IsolateCounters {
  /** Users' isolates in memory. */
  readonly isolatesLoaded: number
  /** Users' isolates loaded since the process started. */
  readonly everLoaded: number
  /** Since the process started. */
  readonly ageMs: number
}

/** What to do about a process. */
export type WatchAction =
  | { readonly type: 'look' }
  /** End it at once. Nothing follows. */
  | { readonly type: 'kill'; readonly blame: Blame | undefined; readonly why: string }
  /** Ask it to evict so many isolates, those idle for longest. */
  | { readonly type: 'evict'; readonly count: number }
  /** Start another, then end it in good order. Said once. */
  | { readonly type: 'replace'; readonly reason: ReplaceReason; readonly why: string }

export type ReplaceReason = 'memory' | 'age' | 'isolates'

/** Which function is over its limit. */
export interface Blame {
  readonly kind: StrikeKind
  readonly owner: IsolateOwner
  /** A clause for people: the value and the bound. */
  readonly detail: string
}

/** The thresholds of the watch. Times in milliseconds, memory as `usedMemory` counts it. */
export interface WatchOptions {
  /** A heartbeat outstanding for so long is late: somebody has the thread. A little below two of its periods. */
  readonly lateMs: number
  /** The least time between two looks; a little below the heartbeat's period, so that each can bring one. */
  readonly lookEveryMs: number
  /** The most that can pass between two events and be counted: beyond it, the watcher itself was not running. */
  readonly attendedMs: number
  /** The part of a turn's limit that its thread must really have run for. The rest may be a crowded machine. */
  readonly cpuShare: number
  /** Without an answer for so long, and no one turn to explain it, a process is ended; nobody is blamed. */
  readonly stuckMs: number
  /** The same, where looks are not possible: a turn can't be told from a hang. Above the longest turn there. */
  readonly blindStuckMs: number
  /** Looks can be taken. */
  readonly canLook: boolean

  /** Without a look for I/O for so long, in many short turns, a function can be blamed … */
  readonly starveMs: number
  /** … later, for each of its callers that waits, so much … */
  readonly starveMsPerCaller: number
  /** … if it had so many turns meanwhile, more for each request on the board and each WebSocket … */
  readonly starveTurns: number
  readonly starveTurnsPerRequest: number
  readonly starveTurnsPerSocket: number
  /** … and it is in this part of the looks that name a function, of at least so many looks. */
  readonly starveShare: number
  readonly starveLooks: number
  /** The same where several functions are: the process is ended; nobody is blamed if more than one was asked. */
  readonly starvedMs: number

  readonly softBytes: number
  readonly hardBytes: number
  /** Looks that decide who takes memory: the last so many … */
  readonly memoryLooks: number
  /** … of which so many show the same function and none another … */
  readonly memoryMajority: number
  /** … or so many, when it grows by half the space between the limits at once, or the hard limit is near. */
  readonly memoryMajorityFast: number
  /** What must have been added while that function was seen; else it only is busy in a full process. */
  readonly blameBytes: number
  /** From one eviction to the next, and how long evictions have to bring memory below the soft limit. */
  readonly evictEveryMs: number
  readonly evictForMs: number
  /** Isolates in the first eviction; the next three take twice as many each. */
  readonly evictCount: number
  /** A younger process is not replaced for being above the soft limit: the next would be there as soon. */
  readonly replaceMinAgeMs: number

  /** Replaced, when older and above so much RSS: what crept up won't come down. */
  readonly recycleRssBytes: number
  readonly recycleRssAfterMs: number
  /** Replaced, when older. */
  readonly maxAgeMs: number
  /** Replaced, with more isolates in memory: workerd (2026-11-17) ends near 1,950. */
  readonly maxIsolates: number
  /** Replaced, when more were loaded ever: each leaves some 15 KB. */
  readonly maxEverLoaded: number
}

const MIB = 1024 * 1024
const HOUR_MS = 3_600_000

/** The thresholds for processes with these memory limits; `overrides` go before. */
export function resolveWatchOptions(
  { softBytes, hardBytes }: Pick<MemoryLimits, 'softBytes' | 'hardBytes'>,
  overrides: Partial<WatchOptions> = {},
): WatchOptions {
  return Object.freeze({
    lateMs: 95,
    lookEveryMs: 40,
    attendedMs: 100,
    cpuShare: 0.5,
    stuckMs: 10_000,
    blindStuckMs: 5000,
    canLook: true,
    starveMs: LIMITS.starveMs,
    // A hundred requests are admitted at once: five seconds.
    starveMsPerCaller: 50,
    // Beside requests, a breath lets some 200 calls through (bindings/breath.ts).
    starveTurns: 500,
    // Measured: one to three.
    starveTurnsPerRequest: 5,
    // As many of the smallest messages as buffers hold.
    starveTurnsPerSocket: 50_000,
    starveShare: 0.9,
    starveLooks: 16,
    starvedMs: 4000,
    softBytes,
    hardBytes,
    memoryLooks: 5,
    memoryMajority: 3,
    memoryMajorityFast: 2,
    // Cloudflare gives an isolate 128 MB in all.
    blameBytes: Math.min(128 * MIB, (hardBytes - softBytes) / 3),
    evictEveryMs: 400,
    evictForMs: 2000,
    evictCount: 16,
    replaceMinAgeMs: 30_000,
    recycleRssBytes: softBytes * 0.85,
    recycleRssAfterMs: HOUR_MS,
    maxAgeMs: 7 * 24 * HOUR_MS,
    maxIsolates: 1500,
    maxEverLoaded: 20_000,
    ...overrides,
  })
}
