import { readFileSync } from 'node:fs'
import { type IsolateOwner, parseIsolateId } from '../src/core/isolate-id.ts'
import { CURRENT_ISOLATE, findTarget, isAlive, readSincePoll, readTurn, type Target } from './current-turn.ts'
import { messageOf, systemCodeOf } from './failure.ts'
import { readThreadLocals } from './thread-locals.ts'
import { findWorkerd } from './workerd.ts'

/** What a workerd process was doing at one moment. */
export interface Look {
  /** `running`: code runs, or it can't be told; `idle`: it waits for events; `gone`: there is no such process. */
  readonly state: 'running' | 'idle' | 'gone'
  /** Whose isolate has the thread; `undefined` for none, or one that isn't a function's. */
  readonly isolate?: IsolateOwner
  /** workerd's name of the isolate that has the thread, a function's or not. */
  readonly isolateName?: string
  /**
   * The same for two looks within one synchronous turn, different in any other turn of the process. A turn lasts
   * from taking an isolate's lock to giving it back, its microtasks included; loading an isolate is one, too.
   */
  readonly turnKey?: string
  /** How many turns the isolate has had since it was made, this one included. */
  readonly turns?: number
  /**
   * How long the process has not looked for events, in milliseconds, while it runs. Many short turns can keep it
   * from that as one long turn does: each causes the next inside the process, as with calls between functions.
   * A process that just woke up may give the time it slept: believe two looks.
   */
  readonly sincePollMs?: number
  /** How long the look took. */
  readonly tookMs: number
}

/**
 * Who has the thread of a workerd process at this moment, read from its memory: exact, by V8's own note, and no
 * matter what the code does. The process runs on meanwhile and doesn't notice. A tenth of a millisecond; some 30
 * at the first look at a process, which `canLook` takes ahead.
 *
 * `keepStopped` stops it first (SIGSTOP) and leaves it so. A process that is stopped already stays stopped.
 */
export function look(pid: number, options: { keepStopped?: boolean } = {}): Look {
  const startMs = performance.now()
  if (options.keepStopped) stopProcess(pid)
  const seen = lookOnce(pid)
  return { ...seen, tookMs: performance.now() - startMs }
}

/**
 * Why looks don't work: at a running workerd, or without a pid as far as can be told before it runs. `undefined`
 * if they do.
 */
export function canLook(pid?: number): string | undefined {
  if (process.platform !== 'linux') return `it needs Linux, and this is ${process.platform}`
  if (process.arch !== 'x64' && process.arch !== 'arm64') return `it needs x64 or arm64, not ${process.arch}`
  try {
    const program = pid === undefined ? findWorkerd() : `/proc/${pid}/exe`
    if (!readThreadLocals(program)?.offsets.has(CURRENT_ISOLATE))
      return 'this build of workerd has no symbol table'
    const found = pid === undefined || targetOf(pid)
    return found ? undefined : 'its thread is not found'
  } catch (error) {
    if (isGone(error)) return `there is no process ${pid}`
    return `the system doesn't allow reading another process's memory: ${messageOf(error)}`
  }
}

/** How workerd names an isolate of the loader whose binding has the id `functions` (host/topology.ts). */
export const NAME_PREFIX = 'functions:'

function lookOnce(pid: number): Omit<Look, 'tookMs'> {
  let target: Target | undefined
  try {
    target = targetOf(pid)
  } catch (error) {
    if (isGone(error)) return { state: 'gone' }
    // Not allowed to read it: nobody can be named.
  }
  const turn = target && readTurn(target)
  const state = turn ? 'running' : readState(pid)
  const sincePollMs = target && state === 'running' ? readSincePoll(target) : undefined
  const isolate = turn?.name.startsWith(NAME_PREFIX)
    ? parseIsolateId(turn.name.slice(NAME_PREFIX.length))
    : undefined
  return {
    state,
    ...(isolate && { isolate }),
    ...(turn && { isolateName: turn.name, turnKey: turn.turnKey, turns: turn.turns }),
    ...(sincePollMs !== undefined && { sincePollMs }),
  }
}

const targets = new Map<number, Target>()
/** More processes than a platform has. Those that ended are dropped at their next look, or by this bound. */
const MAX_TARGETS = 64

/** `undefined` while it isn't to be found. @throws as `findTarget` */
function targetOf(pid: number): Target | undefined {
  const held = targets.get(pid)
  if (held && isAlive(held)) return held
  forgetTarget(pid)
  const target = findTarget(pid)
  const [oldest] = targets.keys()
  if (target && oldest !== undefined && targets.size >= MAX_TARGETS) forgetTarget(oldest)
  if (target) targets.set(pid, target)
  return target
}

function forgetTarget(pid: number): void {
  targets.get(pid)?.memory[Symbol.dispose]()
  targets.delete(pid)
}

/** Of a process in which no isolate has the thread. */
function readState(pid: number): Look['state'] {
  try {
    const [call = ''] = readFileSync(`/proc/${pid}/syscall`, 'latin1').split(' ')
    return EPOLL_WAITS[process.arch]?.includes(Number(call)) ? 'idle' : 'running'
  } catch (error) {
    return isGone(error) ? 'gone' : 'running'
  }
}

/** The numbers of epoll_wait, epoll_pwait and epoll_pwait2, where they exist. */
const EPOLL_WAITS: Readonly<Record<string, readonly number[]>> = { x64: [232, 281, 441], arm64: [22, 441] }

/** Stops a process and waits until its first thread has: microseconds, unless it waits for a disk. */
function stopProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP')
    for (const endMs = performance.now() + STOP_WAIT_MS; performance.now() < endMs; ) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      if (!'RSD'.includes(stat[stat.lastIndexOf(')') + 2] ?? 'X')) return
      Atomics.wait(SLEEP, 0, 0, 0.1)
    }
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

const STOP_WAIT_MS = 100
const SLEEP = new Int32Array(new SharedArrayBuffer(4))

/** The codes of a process, or its directory, that isn't there. */
const isGone = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(systemCodeOf(error) ?? '')
