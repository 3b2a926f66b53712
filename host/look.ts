import { readFileSync } from 'node:fs'
import { type IsolateOwner, parseIsolateId } from '../src/core/isolate-id.ts'
import { messageOf, systemCodeOf } from './failure.ts'
import { ProcessMemory } from './process-memory.ts'
import { locateFirstThread, readThreadLocals } from './thread-locals.ts'
import { findWorkerd } from './workerd.ts'

/** What a workerd process was doing at one moment. */
export interface Look {
  /**
   * `running`: code runs, or it can't be told; `idle`: it waits for events; `gone`: there is no such process.
   */
  readonly state: 'running' | 'idle' | 'gone'
  /** Whose isolate has the thread; `undefined` for none, or one that isn't a function's. */
  readonly isolate?: IsolateOwner
  /** workerd's name of the isolate that has the thread, a function's or not. */
  readonly isolateName?: string
  /**
   * The same for two looks within one synchronous turn, different in any other turn of the process. A turn lasts
   * from taking an isolate's lock to giving it back, its microtasks included.
   */
  readonly turnKey?: string
  /**
   * How long the process has not looked for events, in milliseconds, while it runs. Many short turns can keep it
   * from that as one long turn does: each causes the next inside the process, as with calls between functions.
   * A process that just woke up may give the time it slept: believe two looks.
   */
  readonly sincePollMs?: number
  /** How long the look took. */
  readonly tookMs: number
}

/** Where the parts are in workerd's and V8's objects, in bytes. */
export interface Layout {
  /** From V8's isolate: the pointer to workerd's (`v8::Isolate::GetData`, slot `SET_DATA_ISOLATE`). */
  readonly worker: number
  /** From workerd's isolate: its name (`kj::String`: a pointer, then the length with the final zero). */
  readonly name: number
  /** From workerd's isolate: the pointer to its private part. */
  readonly impl: number
  /** From that: how often its lock was taken (`lockSuccessCount`). */
  readonly turns: number
  /** From the event port: when it last looked for events, in nanoseconds of the monotonic clock. */
  readonly polledAt: number
}

/**
 * Of workerd 2026-11-17, x64; private to it, so it may change with any release: test/host/look.test.ts fails
 * then, and `node test/host/calibrate-look.ts` prints the new numbers.
 */
export const LAYOUT: Layout = { worker: 0x2c8, name: 40, impl: 0x148, turns: 0x198, polledAt: 40 }

/** V8's note of the isolate that has the thread: the symbol of `v8::internal::g_current_isolate_`. */
export const CURRENT_ISOLATE = '_ZN2v88internal18g_current_isolate_E'

/** The event port that the thread waits with: the symbol of `kj_rs_tokio::activePort`. */
export const ACTIVE_PORT = '_ZN11kj_rs_tokio12_GLOBAL__N_110activePortE'

/** How workerd names an isolate of the loader whose binding has the id `functions` (host/topology.ts). */
export const NAME_PREFIX = 'functions:'

/**
 * Who has the thread of a workerd process at this moment, read from its memory: exact, by V8's own note, and no
 * matter what the code does. The process runs on meanwhile and doesn't notice; a tenth of a millisecond, and
 * some 30 at the first look at a process, which `canLook` takes ahead.
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
    if (pid === undefined) return undefined
    const found = targetOf(pid)
    return found === 'gone' ? `there is no process ${pid}` : found ? undefined : 'its threads are not found'
  } catch (error) {
    if (isGone(error)) return `there is no process ${pid}`
    return `the system doesn't allow reading another process's memory: ${messageOf(error)}`
  }
}

/** A process whose current isolate can be read. */
interface Target {
  readonly memory: ProcessMemory
  /** The address of the pointer to the isolate that has the first thread. */
  readonly current: number
  /** The address of the pointer to its event port; `undefined` if this workerd has none. */
  readonly port: number | undefined
}

const targets = new Map<number, Target>()
/** More processes than a platform has: those that ended are dropped at their next look, or by this bound. */
const MAX_TARGETS = 64

/** What is known of a process; `undefined` if its thread isn't found, such as while it starts. */
function targetOf(pid: number): Target | 'gone' | undefined {
  const held = targets.get(pid)
  if (held) {
    if (held.memory.readWord(held.current) !== undefined) return held
    // It ended, and another may have its pid.
    forgetTarget(pid)
  }
  try {
    const target = findTarget(pid)
    const [oldest] = targets.keys()
    if (target && oldest !== undefined && targets.size >= MAX_TARGETS) forgetTarget(oldest)
    if (target) targets.set(pid, target)
    return target
  } catch (error) {
    if (isGone(error)) return 'gone'
    throw error
  }
}

function findTarget(pid: number): Target | undefined {
  const locals = readThreadLocals(`/proc/${pid}/exe`)
  const current = locals?.offsets.get(CURRENT_ISOLATE)
  if (!locals || current === undefined) return undefined
  const memory = ProcessMemory.open(pid)
  const thread = locateFirstThread(memory, locals)
  if (thread === undefined) {
    memory[Symbol.dispose]()
    return undefined
  }
  const port = locals.offsets.get(ACTIVE_PORT)
  return { memory, current: thread + current, port: port === undefined ? undefined : thread + port }
}

function forgetTarget(pid: number): void {
  targets.get(pid)?.memory[Symbol.dispose]()
  targets.delete(pid)
}

/** The codes of a process, or its directory, that isn't there. */
const isGone = (error: unknown): boolean => ['ENOENT', 'ESRCH'].includes(systemCodeOf(error) ?? '')

function lookOnce(pid: number): Omit<Look, 'tookMs'> {
  let target: Target | 'gone' | undefined
  try {
    target = targetOf(pid)
  } catch {
    // Not allowed to read it: nobody can be named.
  }
  if (target === 'gone') return { state: 'gone' }
  const state = readState(pid)
  const seen = target && readCurrent(target)
  const sincePollMs = target && (seen || state === 'running') ? readSincePoll(target) : undefined
  const round = sincePollMs === undefined ? {} : { sincePollMs }
  if (!seen) return { state, ...round }
  const isolate = seen.name.startsWith(NAME_PREFIX)
    ? parseIsolateId(seen.name.slice(NAME_PREFIX.length))
    : undefined
  return {
    state: 'running',
    ...(isolate && { isolate }),
    isolateName: seen.name,
    turnKey: `${seen.v8Isolate.toString(16)}.${seen.turns}`,
    ...round,
  }
}

interface Current {
  readonly v8Isolate: number
  readonly name: string
  readonly turns: number
}

/**
 * The process runs while it is read. So the isolate and its count of turns are read before the name and after it:
 * the same both times, the turn lasted, and all that was read belongs to it.
 */
function readCurrent(target: Target): Current | undefined {
  for (let attempt = 0; attempt < 5; attempt++) {
    const before = readTurn(target)
    if (!before) return undefined
    const name = readName(target.memory, before.worker)
    const after = readTurn(target)
    if (after?.v8Isolate !== before.v8Isolate || after.turns !== before.turns) continue
    return name === undefined ? undefined : { v8Isolate: before.v8Isolate, turns: before.turns, name }
  }
  return undefined
}

function readTurn({
  memory,
  current,
}: Target): { v8Isolate: number; worker: number; turns: number } | undefined {
  const v8Isolate = memory.readWord(current)
  const worker = v8Isolate && memory.readWord(v8Isolate + LAYOUT.worker)
  const impl = worker && memory.readWord(worker + LAYOUT.impl)
  const turns = impl && memory.readWord(impl + LAYOUT.turns)
  return v8Isolate && worker && turns !== undefined ? { v8Isolate, worker, turns } : undefined
}

function readName(memory: ProcessMemory, worker: number): string | undefined {
  const text = memory.readWord(worker + LAYOUT.name)
  const length = memory.readWord(worker + LAYOUT.name + 8)
  if (!text || !length || length > MAX_NAME_BYTES) return undefined
  return memory.read(text, length)?.toString('latin1', 0, length - 1)
}

const MAX_NAME_BYTES = 4096

function readSincePoll({ memory, port }: Target): number | undefined {
  const address = port && memory.readWord(port)
  const polledAt = address && memory.readWord(address + LAYOUT.polledAt)
  if (!polledAt) return undefined
  const sinceMs = Number(process.hrtime.bigint() - BigInt(polledAt)) / 1e6
  // More than a day, or the future: not a time, so this workerd isn't the one of LAYOUT.
  return sinceMs > -1000 && sinceMs < 86_400_000 ? Math.max(sinceMs, 0) : undefined
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

/** Stops a process and waits until its first thread has. Stopping takes microseconds, unless the disk is slow. */
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
