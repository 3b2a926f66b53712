import { WorkerEntrypoint, waitUntil } from 'cloudflare:workers'
import { SkerryError } from '../src/core/errors.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { EdgeEnv } from '../src/env.ts'
import { evictIsolate } from './harness.ts'
import { type EvictOptions, type Isolate, Isolates } from './isolates.ts'
import { PRELUDE_VERSION } from './worker-code.ts'

/**
 * The isolates of this process. Stock workerd never ends one by itself, and dies at about 1,950 of them, or when
 * their heaps together reach 4 GB (2026-11-17, measured).
 *
 * Ending one takes it out of workerd's table. Whatever runs in it goes on to its end, open WebSockets, streams and
 * RPC sessions included, and its memory is freed after that; so anything may be ended at any time, and what is
 * used is spared only because it would be loaded again at once.
 */
export const isolates = new Isolates(PRELUDE_VERSION)

/** What a heartbeat tells of an edge's isolates. */
export interface IsolateCounters {
  /** In memory now, as far as is known: 1.5 to 2 MB each, plus what their code holds. */
  readonly loaded: number
  /** Loads since the process began. */
  readonly everLoaded: number
  readonly evicted: number
  /** Asked to end without an answer: they stay until the process is replaced. */
  readonly stuck: number
}

/** For the supervisor: many `stuck`, or `everLoaded`, are a reason to replace the process. */
export function isolateCounters(): IsolateCounters {
  return { loaded: countLoaded(), everLoaded: isolates.everLoaded, evicted, stuck }
}

/**
 * Ends isolates that nobody asked for lately. Cheap when there is nothing to do: call it at each heartbeat.
 *
 * @param options defaults: keep four fifths of the edge's most, 60 s, 4 at once
 * @returns what to wait for, if anything: the number of those that ended
 */
export function evictIdle(
  options: Partial<EvictOptions>,
  env: EdgeEnv,
  ctx: { readonly exports: Cloudflare.Exports },
): Promise<number> | undefined {
  const nowMs = Date.now()
  const keep = options.keep ?? Math.floor(maxIsolates(env) * KEPT_SHARE)
  if (isolates.size <= keep && nowMs - sweptAtMs < SWEEP_MS) return undefined
  sweptAtMs = nowMs
  const idle = isolates.idle({ olderThanMs: IDLE_MS, atMost: AT_MOST, ...options, keep }, nowMs)
  if (idle.length === 0) return undefined
  return Promise.all(idle.map(isolate => end(isolate, ctx.exports))).then(
    ended => ended.filter(Boolean).length,
  )
}

/**
 * Waits until one more isolate may be loaded, and counts it. Where there are as many as may be, the least
 * recently used ends first.
 *
 * @throws ERR_EDGE_FULL when no place is free after two seconds
 */
export async function enterIsolate(
  isolate: Isolate,
  env: EdgeEnv,
  exports: Cloudflare.Exports,
): Promise<void> {
  const most = maxIsolates(env)
  const untilMs = Date.now() + WAIT_MS
  // Code may end its own isolate, and is loaded into it again.
  while (countLoaded() >= most && !isolates.has(isolate)) {
    const victim =
      isolates.oldest(isQuiet) ?? (countLingering(Date.now()) < most && isolates.oldest(() => true))
    if (victim) await end(victim, exports)
    else if (Date.now() < untilMs) await scheduler.wait(PAUSE_MS)
    else throw new SkerryError('ERR_EDGE_FULL', `This process runs ${most} functions, all of them busy.`)
  }
  isolates.enter(isolate)
}

/**
 * Ends an isolate, in a context of its own: a request that did it itself would hold the isolate, and its memory,
 * for as long as it lasts.
 */
export class Evictor extends WorkerEntrypoint<EdgeEnv> {
  /** Whether it ended within five seconds. */
  async end(id: string): Promise<boolean> {
    const { promise: late, resolve } = Promise.withResolvers<false>()
    const timer = setTimeout(resolve, EVICT_MS, false)
    try {
      return await Promise.race([this.#end(id), late])
    } finally {
      clearTimeout(timer)
    }
  }

  async #end(id: string): Promise<boolean> {
    // Code may end its own isolate; what isn't there must not be loaded to be ended.
    const worker = this.env.LOADER.get(id, () => {
      throw new Error(NOT_THERE)
    })
    try {
      await evictIsolate(worker)
      return true
    } catch (error) {
      const message = error instanceof Error ? error.message : ''
      // Code that didn't start left nothing in memory.
      return message.includes(NOT_THERE) || message.startsWith('Failed to start Worker')
    }
  }
}

async function end(isolate: Isolate, exports: Cloudflare.Exports): Promise<boolean> {
  const isBusy = !isQuiet(isolate)
  isolates.giveUp(isolate)
  ending++
  const ended = (async () => {
    const isEnded = await exports.Evictor.end(isolate.id).catch(() => false)
    ending--
    if (isEnded) evicted++
    else stuck++
    if (isEnded && isBusy) lingering.push({ isolate, untilMs: Date.now() + LIMITS.wallClockMs })
    return isEnded
  })()
  // It must be counted though the request that wanted the place goes away.
  waitUntil(ended)
  return ended
}

/** No request of its script waits for an answer. */
function isQuiet({ target, usedAtMs }: Isolate): boolean {
  // Nobody asks those that hold a place whether they are still there as long as there are enough.
  return target.gate.isEmpty || Date.now() - usedAtMs > 2 * LIMITS.wallClockMs
}

/** Those that had requests to finish when they were ended, and may still be in memory. */
function countLingering(nowMs: number): number {
  lingering = lingering.filter(({ isolate, untilMs }) => nowMs < untilMs && !isolate.target.gate.isEmpty)
  return lingering.length
}

function countLoaded(): number {
  return isolates.size + ending + stuck
}

function maxIsolates(env: EdgeEnv): number {
  return Number(env.SKERRY_MAX_ISOLATES) || MAX_ISOLATES
}

/** Half a gigabyte of small functions, a tenth of what workerd survives; the supervisor gives a number that fits. */
const MAX_ISOLATES = 200
/** The rest is for loads, so that few of them have to wait until another isolate ended. */
const KEPT_SHARE = 0.8
const IDLE_MS = 60_000
/** Each takes about a millisecond of everybody's time. */
const AT_MOST = 4
const SWEEP_MS = 1000
const EVICT_MS = 5000
const WAIT_MS = 2000
const PAUSE_MS = 10
const NOT_THERE = 'there is no such isolate'

let sweptAtMs = 0
let ending = 0
let evicted = 0
let stuck = 0
let lingering: { readonly isolate: Isolate; readonly untilMs: number }[] = []
