import { LIMITS } from './limits.ts'

/** Which limit a function was over when its process had to be ended. */
export type StrikeKind = 'cpu' | 'memory'

/** That a function is not called for a while, and why; times in milliseconds since the epoch. */
export interface Quarantine {
  readonly sinceMs: number
  /** Exclusive: then it is called again. */
  readonly untilMs: number
  /** The limit that the strike before it was for. */
  readonly kind: StrikeKind
  /** A clause for people: which limits, how often, since when. Callers see it. */
  readonly reason: string
}

/** When strikes become a quarantine. */
export interface StrikePolicy {
  /** That many within the window; 0 = never. */
  readonly strikes: number
  readonly windowMs: number
  /** The first quarantine; each that follows within a day lasts twice as long. */
  readonly quarantineMs: number
}

/** A strike, as far as judging goes. */
export interface StrikeMark {
  readonly kind: StrikeKind
  readonly atMs: number
}

/** A script's latest quarantine, over or not, and how many came right before it. */
export interface QuarantineLevel {
  readonly untilMs: number
  readonly level: number
}

/** A quarantine, and the strikes that brought it. */
export interface Judgement<T extends StrikeMark> {
  readonly quarantine: Quarantine
  readonly level: number
  readonly strikes: readonly T[]
}

/** How long a quarantine is remembered after its end, and the longest there is: a day. */
const DAY_MS = LIMITS.quarantineMaxSeconds * 1000

/**
 * The quarantine that a strike brings, or `undefined`. Pure.
 *
 * Enough strikes within the window bring one. After it, for a day, a single strike brings the next. A strike
 * during a quarantine, of an invocation that was under way, brings nothing; nor does one so old that its
 * quarantine would be over by now.
 *
 * @param counted the strikes that count, this one among them, in any order
 * @param before the latest quarantine, until a release or a deployment without the struck code
 */
export function judgeStrike<T extends StrikeMark>(
  strike: T,
  counted: readonly T[],
  before: QuarantineLevel | undefined,
  policy: StrikePolicy,
  nowMs: number,
): Judgement<T> | undefined {
  if (policy.strikes === 0 || (before && strike.atMs < before.untilMs)) return undefined
  const isRelapse = before !== undefined && strike.atMs < before.untilMs + DAY_MS
  const together = isRelapse ? [strike] : strikesTogether(strike, counted, policy)
  if (!together) return undefined
  const level = isRelapse ? before.level + 1 : 0
  const untilMs = strike.atMs + Math.min(policy.quarantineMs * 2 ** level, DAY_MS)
  if (untilMs <= nowMs) return undefined
  const reason = isRelapse
    ? `${describe(together)}, after a quarantine that ended ${toText(before.untilMs)}`
    : describe(together)
  const quarantine = { sinceMs: strike.atMs, untilMs, kind: strike.kind, reason }
  return { quarantine, level, strikes: together }
}

/**
 * As many strikes as the policy takes, around this one and within the window of one another. Strikes may be
 * delivered late and out of order, so this one needn't be the last.
 */
function strikesTogether<T extends StrikeMark>(
  strike: T,
  counted: readonly T[],
  { strikes, windowMs }: StrikePolicy,
): readonly T[] | undefined {
  const sorted = counted.toSorted((a, b) => a.atMs - b.atMs)
  for (let first = 0; first + strikes <= sorted.length; first++) {
    const group = sorted.slice(first, first + strikes)
    const startMs = group[0]?.atMs ?? 0
    const endMs = group.at(-1)?.atMs ?? 0
    if (endMs - startMs <= windowMs && strike.atMs >= startMs && strike.atMs <= endMs) return group
  }
  return undefined
}

function describe(strikes: readonly StrikeMark[]): string {
  const limits = (['cpu', 'memory'] as const).flatMap(kind => {
    const times = strikes.filter(strike => strike.kind === kind).length
    return times === 0 ? [] : [`${LIMIT_NAMES[kind]} ${times === 1 ? 'once' : `${times} times`}`]
  })
  const [first] = strikes
  const when = strikes.length === 1 ? 'at' : 'since'
  return `it exceeded ${limits.join(' and ')}, ${when} ${toText(first?.atMs ?? 0)}`
}

const LIMIT_NAMES = { cpu: 'its limit of CPU time', memory: 'the limit of memory' } as const

/** ISO 8601 without fractions: for people. */
function toText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/** What callers and authors read of a quarantine. Holds nothing of the function's own. */
export function describeQuarantine(script: string, { untilMs, reason }: Quarantine): string {
  return `The function "${script}" is in quarantine until ${toText(untilMs)}: ${reason}.`
}

/** Whole seconds until its end, for `Retry-After`: from 1, and at most an hour, as it may be released any time. */
export function retryAfterSeconds({ untilMs }: Quarantine, nowMs: number): number {
  return Math.min(Math.max(Math.ceil((untilMs - nowMs) / 1000), 1), MAX_RETRY_AFTER_SECONDS)
}

const MAX_RETRY_AFTER_SECONDS = 3600

/** The quarantine, if it isn't over. */
export function inForce(quarantine: Quarantine | undefined, nowMs: number): Quarantine | undefined {
  return quarantine && nowMs < quarantine.untilMs ? quarantine : undefined
}
