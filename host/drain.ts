import { setTimeout as delay } from 'node:timers/promises'
import type { Board } from '../src/core/board.ts'
import { type BoardPlace, type Captured, judge, type ReadableMemory, readBoard } from './captured.ts'
import { type Connection, listSockets, takeConnections } from './connections.ts'
import { messageOf } from './failure.ts'
import { stopProcess } from './stopped.ts'
import { canRescue, TCP } from './system-calls.ts'

/** A process to end in good order. */
export interface Drain {
  readonly pid: number
  readonly memory: ReadableMemory
  readonly board: BoardPlace | undefined
}

/** What becomes of connections. */
export interface DrainActions {
  /** Serves the next request of a connection; resolves when the connection is closed. */
  serve(connection: Connection): Promise<void>
  /** Does what can be done for connections whose requests the process still had when it was killed. */
  lose(captured: Captured): void
}

const POLL_MS = 5
/** The process stays stopped until no request has come for so long … */
const QUIET_MS = 30
/** … and those that came are answered, but no longer than this: others wait for what it had begun. */
const MAX_STOPPED_MS = 1000

/**
 * Ends a process in good order.
 *
 * At SIGTERM workerd stops to accept, finishes what it has begun, and says `Connection: close` in those answers.
 * But it ends its half of every other connection at once (shutdown(2), so that duplicates are of no use), and a
 * request that is on its way meets a closed connection. So the process is stopped first, for a moment: requests
 * that clients send meanwhile are taken and served by another process, with `Connection: close`; new connections
 * are accepted by the others. When none comes any more, whoever uses its connections busily waits for an answer
 * of the process or is gone, and SIGTERM is safe.
 *
 * A connection whose last request had a body isn't taken, for what arrives may be more of it: its client's next
 * request may be lost.
 *
 * Resolves when the process has no connection any more, or has ended, or at `signal`.
 */
export async function drainProcess(
  { pid, port, memory, board: place, log }: Drain & { port: number; log: (line: string) => void },
  signal: AbortSignal,
  actions: DrainActions,
): Promise<void> {
  let board: Board | undefined
  let begun: Connection[] = []
  try {
    if (canRescue() === undefined) {
      stopProcess(pid)
      board = readBoard(place, memory)
      begun = await serveWhileStopped(takeConnections(pid, port), board, signal, actions)
    }
  } catch (error) {
    log(`process ${pid}: its connections can't be taken over: ${messageOf(error)}`)
  }
  // SIGTERM is the first thing that it meets when it goes on.
  sendQuietly(pid, 'SIGTERM')
  sendQuietly(pid, 'SIGCONT')
  await watchBegun(pid, begun, board, signal, actions)
}

/** Serves what arrives while the process is stopped. Resolves to the connections whose requests it has begun. */
async function serveWhileStopped(
  connections: readonly Connection[],
  board: Board | undefined,
  signal: AbortSignal,
  { serve }: DrainActions,
): Promise<Connection[]> {
  const begun = connections.filter(connection => HAS_BEGUN.has(judge(connection, board).use))
  let open = connections.filter(connection => !begun.includes(connection))
  let served = 0
  const startedAtMs = performance.now()
  for (let quietSinceMs = startedAtMs; !signal.aborted; ) {
    const asking = open.filter(connection => connection.unread() > 0)
    open = open.filter(connection => !asking.includes(connection))
    for (const connection of asking) {
      served++
      void serve(connection).finally(() => served--)
    }
    const nowMs = performance.now()
    if (asking.length > 0 || served > 0) quietSinceMs = nowMs
    if (nowMs - quietSinceMs >= QUIET_MS || nowMs - startedAtMs >= MAX_STOPPED_MS) break
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
  for (const connection of open) connection.close()
  return begun
}

/** What the process has a part of: it must finish it. */
const HAS_BEGUN: ReadonlySet<string> = new Set(['waiting', 'unnoted', 'unclear'])

/** Waits until the process has let go of what it had begun. What it can't finish is lost, as with any killed process. */
async function watchBegun(
  pid: number,
  begun: readonly Connection[],
  board: Board | undefined,
  signal: AbortSignal,
  { lose }: DrainActions,
): Promise<void> {
  let watched = begun.map(connection => ({ connection, counted: count(connection) }))
  while (!signal.aborted) {
    const held = listSockets(pid)
    // Without any it has ended, and perhaps not in good order.
    if (held.size === 0) break
    const released = watched.filter(({ connection }) => !held.has(connection.inode))
    for (const { connection } of released) connection.close()
    watched = watched.filter(entry => !released.includes(entry))
    if (watched.length === 0 && !isServing) break
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
}
