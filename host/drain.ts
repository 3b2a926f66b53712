import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { Board } from '../src/core/board.ts'
import {
  type BoardPlace,
  type Captured,
  judge,
  type ReadableMemory,
  readBoard,
  type Use,
} from './captured.ts'
import { type Connection, listSockets, readState, stopProcess, takeConnections } from './connections.ts'
import { messageOf } from './failure.ts'
import { canRescue } from './system-calls.ts'

/** A process to end in good order. */
export interface Drain {
  readonly pid: number
  readonly memory: ReadableMemory
  readonly board: BoardPlace | undefined
  /**
   * Its private health socket: `GET /?drain` there makes it note when requests' bodies have been read. Without it
   * clients that send bodies may lose a request.
   */
  readonly healthSocket?: string
}

/** What becomes of connections. */
export interface DrainActions {
  /** Serves the next request of a connection. */
  serve(connection: Connection): Serving
  /** Does what can be done for connections whose requests the process still had when it was killed. */
  lose(captured: Captured): void
}

/** A request that is served in place of the process. */
export interface Serving {
  /** The connection is closed. */
  readonly closed: Promise<void>
  /** Closes the connection unless the whole request has arrived: the process must not meet the rest of it. */
  dropIncomplete(): void
}

/** After the order to note bodies: what is busy sends a request within this time. */
const PREPARE_MS = 100
/** A stop lasts until no request has come for so long and all are answered … */
const QUIET_MS = 20
/** … or for so long, while there are connections that were busy lately: their clients are about to ask … */
const BUSY_QUIET_MS = 100
const LATELY_MS = 200
/** … but all together no longer than this: others wait for what the process has begun. */
const MAX_STOPPED_MS = 3000
/** It may go on between two stops until it has nothing to do, but no longer than this … */
const MAX_STEP_MS = 50
/** … of which we watch so much without a pause. */
const BLOCKING_MS = 3
/** While it has something to answer, that often in a row nothing must happen: else it could do so at SIGTERM. */
const CALM_STEPS = 8
const POLL_MS = 5

/**
 * Ends a process in good order.
 *
 * At SIGTERM workerd stops to accept, finishes what it has begun and says `Connection: close` in those answers.
 * But it ends its half of every other connection at once, by shutdown(2), which no duplicate survives; a request
 * that is on its way then is lost. So the process is stopped first: what clients send meanwhile is served by
 * another process, with `Connection: close`, and new connections are accepted by the others. Then it may go on
 * for a moment, to answer what it had begun, and is stopped again: until in such a moment nothing happens. Then
 * every busy client has left it, or waits for something that takes long.
 *
 * What is lost still, as when any server closes an idle connection: a request that comes in the very moment of
 * SIGTERM, and the one after an answer that is given in it.
 *
 * Resolves when the process has answered all, or has ended, or at `signal`: that it was killed, because it took
 * too long. What it had not answered is lost then as in any killed process.
 */
export async function drainProcess(
  drain: Drain & { readonly port: number; readonly log: (line: string) => void },
  signal: AbortSignal,
  actions: DrainActions,
): Promise<void> {
  const { pid, log } = drain
  let last: Stop = { begun: [], bytes: new Map(), board: undefined, served: 0 }
  try {
    if (canRescue() === undefined) {
      if (drain.healthSocket) await prepare(drain.healthSocket, signal)
      last = await leadClientsAway(drain, signal, actions)
    }
  } catch (error) {
    log(`process ${pid}: its connections can't be taken over: ${messageOf(error)}`)
  }
  // SIGTERM is the first thing that it meets when it goes on.
  send(pid, 'SIGTERM')
  send(pid, 'SIGCONT')
  await watchBegun(pid, last, signal, actions)
}

/** What was found in a stopped process. */
interface Stop {
  /** Connections that it has begun something on. */
  readonly begun: readonly Begun[]
  /** What it had read and sent on each connection, by inode, idle ones included. */
  readonly bytes: ReadonlyMap<string, number>
  readonly board: Board | undefined
  /** Requests that were served in its place. */
  readonly served: number
}

interface Begun {
  readonly connection: Connection
  /** What it has read and sent on it. */
  readonly bytes: number
}

/** Stops the process again and again, until nothing happens between two stops. It is stopped at the end. */
async function leadClientsAway(
  { pid, port, memory, board: place }: Drain & { readonly port: number },
  signal: AbortSignal,
  actions: DrainActions,
): Promise<Stop> {
  let stoppedMs = 0
  let calmSteps = 0
  let last: Stop | undefined
  for (;;) {
    const startedAtMs = performance.now()
    let connections: Connection[]
    try {
      stopProcess(pid)
      connections = takeConnections(pid, port)
    } catch (error) {
      // It has ended meanwhile.
      if (last) return last
      throw error
    }
    const board = readBoard(place, memory)
    const maxMs = MAX_STOPPED_MS - stoppedMs
    const stop = await serveWhileStopped(connections, board, maxMs, signal, actions)
    stoppedMs += performance.now() - startedAtMs
    for (const { connection } of last?.begun ?? []) connection.close()
    const isCalm = stop.served === 0 && last !== undefined && isSame(stop.bytes, last.bytes)
    calmSteps = isCalm ? calmSteps + 1 : 0
    if (calmSteps >= (stop.begun.length > 0 ? CALM_STEPS : 1)) return stop
    if (stoppedMs >= MAX_STOPPED_MS || signal.aborted) return stop
    last = stop
    // Should it end now, the next stop shows that.
    await letRun(pid).catch(() => {})
  }
}

/**
 * Lets the process go on until it waits again. Not a moment longer, for who is answered now may ask again at once,
 * and would never be found between two requests. Where others want the processor too, it takes longer.
 */
async function letRun(pid: number): Promise<void> {
  send(pid, 'SIGCONT')
  const startedAtMs = performance.now()
  while (readState(pid) === 'R') {
    const ms = performance.now() - startedAtMs
    if (ms > MAX_STEP_MS) return
    if (ms > BLOCKING_MS) await delay(1)
  }
}

/** What the process has a part of, so that it must finish it. */
const HAS_BEGUN: ReadonlySet<Use> = new Set(['waiting', 'unnoted', 'unclear'])

/** Serves what arrives, until nothing more does. */
async function serveWhileStopped(
  connections: readonly Connection[],
  board: Board | undefined,
  maxMs: number,
  signal: AbortSignal,
  { serve }: DrainActions,
): Promise<Stop> {
  const bytes = new Map(connections.map(connection => [connection.inode, countBytes(connection)]))
  const begun = connections.filter(connection => HAS_BEGUN.has(judge(connection, board).use))
  let idle = connections.filter(connection => !begun.includes(connection))
  const busy = new Set(idle.filter(connection => connection.info().quietMs < LATELY_MS))
  const serving = new Set<Serving>()
  let served = 0
  const startedAtMs = performance.now()
  for (let quietSinceMs = startedAtMs; !signal.aborted; ) {
    const asking = idle.filter(connection => connection.unread() > 0)
    idle = idle.filter(connection => !asking.includes(connection))
    for (const connection of asking) {
      const service = serve(connection)
      serving.add(service)
      void service.closed.then(() => serving.delete(service))
      served++
    }
    const nowMs = performance.now()
    if (serving.size > 0) quietSinceMs = nowMs
    const enoughMs = idle.some(connection => busy.has(connection)) ? BUSY_QUIET_MS : QUIET_MS
    if (nowMs - quietSinceMs >= enoughMs || nowMs - startedAtMs >= maxMs) break
    await delay(POLL_MS)
  }
  for (const service of serving) service.dropIncomplete()
  for (const connection of idle) connection.close()
  const noted = begun.map(connection => ({ connection, bytes: countBytes(connection) }))
  return { begun: noted, bytes, board, served }
}

/** Nothing was accepted, read or sent between two stops; that something was closed is nobody's loss. */
function isSame(now: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): boolean {
  return [...now].every(([inode, bytes]) => before.get(inode) === bytes)
}

/** Waits until the process has let go of what it had begun. What it never finishes is lost, as when any process is killed. */
async function watchBegun(
  pid: number,
  { begun, board }: Stop,
  signal: AbortSignal,
  { lose }: DrainActions,
): Promise<void> {
  let watched = begun
  while (!signal.aborted && watched.length > 0) {
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
    const held = listSockets(pid)
    // None: it has ended, perhaps not in good order.
    if (held.size === 0) break
    for (const { connection } of watched) if (!held.has(connection.inode)) connection.close()
    watched = watched.filter(({ connection }) => held.has(connection.inode))
  }
  // The board is as old as the count: where nothing went through since, it still says what is waited for.
  const { lost = [], touched = [] } = Object.groupBy(watched, ({ connection, bytes }) =>
    countBytes(connection) === bytes ? 'lost' : 'touched',
  )
  for (const { connection } of touched) connection.close()
  lose({ connections: lost.map(({ connection }) => connection), board })
}

/** What the process has read and sent on a connection. */
function countBytes(connection: Connection): number {
  const { bytesReceived, bytesSent } = connection.info()
  return bytesReceived - connection.unread() + bytesSent
}

/** Orders the process to note the ends of bodies, and gives it time to. */
async function prepare(healthSocket: string, signal: AbortSignal): Promise<void> {
  await new Promise<void>(resolve => {
    const options = { socketPath: healthSocket, path: '/?drain', agent: false, signal, timeout: PREPARE_MS }
    const order = request(options, answer => answer.resume().on('end', resolve))
    // One that doesn't answer gets no more time.
    order.on('error', () => resolve()).on('timeout', () => order.destroy())
    order.end()
  })
  await delay(PREPARE_MS, undefined, { signal }).catch(() => {})
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It has ended.
  }
}
