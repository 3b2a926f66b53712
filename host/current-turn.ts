import { ProcessMemory } from './process-memory.ts'
import { locateFirstThread, readThreadLocals } from './thread-locals.ts'

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

/** A workerd process whose first thread was found: all its JavaScript runs there. */
export interface Target {
  readonly memory: ProcessMemory
  /** The address of the pointer to the isolate that has the thread. */
  readonly current: number
  /** The address of the pointer to its event port; `undefined` if this workerd has none. */
  readonly port: number | undefined
}

/** An isolate that has the thread, in one turn. */
export interface CurrentTurn {
  /** workerd's name of it. */
  readonly name: string
  /** See `Look.turnKey`. */
  readonly turnKey: string
  /** See `Look.turns`. */
  readonly turns: number
}

/**
 * Finds a process's thread; `undefined` if there is none, such as while it starts, or in another program.
 *
 * @throws the system's ENOENT or ESRCH if there is no such process, EACCES or EPERM if it may not be read
 */
export function findTarget(pid: number): Target | undefined {
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

/** False once the process has ended, even if another has its pid. */
export function isAlive({ memory, current }: Target): boolean {
  return memory.readWord(current) !== undefined
}

/**
 * The turn under way; `undefined` if no isolate has the thread.
 *
 * The process runs while it is read. So the isolate and its count of turns are read before the name and after it:
 * the same both times, the turn lasted, and all that was read belongs to it.
 */
export function readTurn(target: Target): CurrentTurn | undefined {
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const before = readPlace(target)
    if (!before) return undefined
    const name = readName(target.memory, before.worker)
    const after = readPlace(target)
    if (after?.v8Isolate !== before.v8Isolate || after.turns !== before.turns) continue
    if (name === undefined) return undefined
    return { name, turns: before.turns, turnKey: `${before.v8Isolate.toString(16)}.${before.turns}` }
  }
  return undefined
}

/** Turns so short that none is seen whole keep nobody waiting. */
const MAX_ATTEMPTS = 5

function readPlace({
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

/** How long ago the thread last looked for events, in milliseconds; `undefined` if this workerd doesn't tell. */
export function readSincePoll({ memory, port }: Target): number | undefined {
  const address = port && memory.readWord(port)
  const polledAt = address && memory.readWord(address + LAYOUT.polledAt)
  if (!polledAt) return undefined
  const sinceMs = Number(process.hrtime.bigint() - BigInt(polledAt)) / 1e6
  // In the future, or longer ago than a process lives: no time, so this workerd isn't the one of LAYOUT.
  return sinceMs > -1000 && sinceMs < MAX_SINCE_MS ? Math.max(sinceMs, 0) : undefined
}

const MAX_SINCE_MS = 24 * 60 * 60 * 1000
