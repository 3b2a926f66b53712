import { Socket } from 'node:net'
import { type Board, type BoardEntry, hashScript } from '../src/core/board.ts'
import type { ErrorCode } from '../src/core/errors.ts'
import { type BoardPlace, type Captured, judge, type ReadableMemory, readBoard } from './captured.ts'
import { type Connection, stopProcess, takeConnections } from './connections.ts'
import { type Drain, drainProcess } from './drain.ts'
import { messageOf } from './failure.ts'
import { answerAndClose, FrontProxy } from './front-proxy.ts'
import { canRescue } from './system-calls.ts'

export { type BoardPlace, type Captured, findBoard, type ReadableMemory } from './captured.ts'
export type { Drain } from './drain.ts'

/** Why a process was ended. */
export interface Blame {
  readonly kind: 'cpu' | 'memory' | 'lost'
  /** The function that is to blame; both or none. */
  readonly accountId?: string
  readonly script?: string
  /** The limit it broke: milliseconds for `cpu`, bytes for `memory`. */
  readonly limit?: number
}

/** What the rescue needs to know of the platform. */
export interface RescueOptions {
  /** The port that clients connect to. */
  readonly port: number
  /** Private sockets of the edges that serve now, the best first. */
  readonly frontSockets: () => readonly string[]
  readonly log: (line: string) => void
}

/** Takes clients' connections out of a process that must end, and does by them what can still be done. */
export class Rescue {
  readonly #options: RescueOptions
  readonly #proxy: FrontProxy

  constructor(options: RescueOptions) {
    this.#options = options
    this.#proxy = new FrontProxy(options)
  }

  /**
   * Stops a process and takes its connections and a copy of its board; to be called before SIGKILL. Where that is
   * impossible there are none, and the connections end with the process.
   *
   * @param board as `findBoard` gives it
   */
  takeOver(pid: number, board: BoardPlace | undefined, memory: ReadableMemory): Captured {
    if (canRescue() !== undefined) return { connections: [], board: undefined }
    try {
      stopProcess(pid)
      return { connections: takeConnections(pid, this.#options.port), board: readBoard(board, memory) }
    } catch (error) {
      this.#options.log(`process ${pid}: its connections can't be taken over: ${messageOf(error)}`)
      return { connections: [], board: undefined }
    }
  }

  /**
   * Answers, hands over or closes every connection of a process that was killed since.
   *
   * Bytes that could be more of an earlier request are never read as a new one: of a connection that has been
   * used, unread bytes count as a request only if the board has its last request, without a body.
   */
  settle({ connections, board }: Captured, blame: Blame): void {
    for (const connection of connections) this.#settleSafely(connection, board, blame)
  }

  /**
   * Ends a process in good order: sends SIGTERM at a good moment, when its busy clients have been led away; see
   * `host/drain.ts`. Resolves when the process has no request any more, so that it can be killed.
   *
   * @param signal aborted when it was killed, because it took too long: what it had not answered is settled as lost
   */
  async drain(drain: Drain, signal: AbortSignal): Promise<void> {
    const { port, log } = this.#options
    await drainProcess({ ...drain, port, log }, signal, {
      serve: connection => {
        const socket = this.#adopt(connection, undefined)
        const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
        return { closed, dropIncomplete: () => this.#proxy.dropIncomplete(socket) }
      },
      lose: captured => this.settle(captured, { kind: 'lost' }),
    })
  }

  #settleSafely(connection: Connection, board: Board | undefined, blame: Blame): void {
    try {
      this.#settle(connection, board, blame)
    } catch (error) {
      this.#options.log(`connection of ${connection.client}: ${messageOf(error)}`)
      connection.close()
    }
  }

  #settle(connection: Connection, board: Board | undefined, blame: Blame): void {
    const { use, entry } = judge(connection, board)
    if (use === 'fresh' || use === 'asking') this.#adopt(connection, undefined)
    else if (use === 'waiting' && entry) this.#settleWaiting(connection, entry, blame)
    else if (use === 'unnoted') answer(connection, { kind: 'lost' }, false)
    else connection.close()
  }

  #settleWaiting(connection: Connection, { script, head, isHead }: BoardEntry, blame: Blame): void {
    const isBlamed = blame.accountId && blame.script && script === hashScript(blame.accountId, blame.script)
    if (!isBlamed && head) this.#adopt(connection, head)
    else answer(connection, isBlamed ? blame : { kind: 'lost' }, isHead)
  }

  /** @param head what to serve first, as if the client had sent it */
  #adopt(connection: Connection, head: Uint8Array | undefined): Socket {
    const socket = toSocket(connection)
    if (head) socket.unshift(head)
    this.#proxy.adopt(socket, connection.client)
    return socket
  }
}

function answer(connection: Connection, blame: Blame, isHead: boolean): void {
  const [code, detail] = describe(blame)
  answerAndClose(toSocket(connection), code, detail, isHead)
}

function describe({ kind, script, limit }: Blame): [code: ErrorCode, detail: string] {
  switch (kind) {
    case 'cpu': {
      const bound = limit === undefined ? 'its limit' : `its limit of ${limit} ms`
      return ['ERR_FUNCTION_CPU', `The function "${script}" computed for longer than ${bound} and was ended.`]
    }
    case 'memory': {
      const bound = limit === undefined ? '' : ` of ${Math.round(limit / 2 ** 20)} MiB`
      return [
        'ERR_FUNCTION_MEMORY',
        `The function "${script}" took its process beyond the memory limit${bound} and was ended.`,
      ]
    }
    case 'lost':
      return ['ERR_EDGE_LOST', 'The process that handled the request was ended because of another function.']
  }
}

/** The connection is the socket's from then on. */
function toSocket({ descriptor }: Connection): Socket {
  return new Socket({ fd: descriptor, readable: true, writable: true, allowHalfOpen: true })
}
