import { BOARD, Board, type BoardEntry, isBoardHeader, writeMark } from '../src/core/board.ts'
import type { Connection } from './connections.ts'
import { TCP } from './system-calls.ts'

/** What we read of another process's memory; `host/process-memory.ts` has it. */
export interface ReadableMemory {
  read(address: number, length: number): Uint8Array | undefined
  find(mark: Uint8Array, accept: (address: number) => boolean): number | undefined
}

/** Where a process's board is. */
export interface BoardPlace {
  readonly address: number
}

/** Connections of a process that is about to be killed, and what it was doing on them. */
export interface Captured {
  readonly connections: readonly Connection[]
  readonly board: Board | undefined
}

/**
 * Finds a process's board by the mark that it was started with. Takes a second per gigabyte: once per process.
 *
 * @param mark 64 hex digits
 * @returns `undefined` while the process has none
 */
export function findBoard(memory: ReadableMemory, mark: string): BoardPlace | undefined {
  const bytes = new Uint8Array(BOARD.markBytes)
  writeMark(mark, bytes)
  const address = memory.find(bytes, candidate => {
    const header = memory.read(candidate, BOARD.headerBytes)
    return header !== undefined && isBoardHeader(header)
  })
  return address === undefined ? undefined : { address }
}

/** A copy of a board; `undefined` if it can't be read, or is none. */
export function readBoard(place: BoardPlace | undefined, memory: ReadableMemory): Board | undefined {
  const bytes = place && memory.read(place.address, BOARD.bytes)
  return bytes && isBoardHeader(bytes) ? new Board(bytes) : undefined
}

/**
 * What a connection is in the middle of.
 *
 * - `fresh`: the process has read nothing from it; `asking`: it is used, and what is unread is a new request
 * - `waiting`: its request waits for the response head; `unnoted`: so does one that isn't on the board
 * - `resting`: a request without a body was answered, at least its head
 * - `unclear`: what is unread, or will arrive, may belong to a request that was read; or nobody can say
 * - `closed`
 */
export type Use = 'fresh' | 'asking' | 'waiting' | 'unnoted' | 'resting' | 'unclear' | 'closed'

/**
 * Judges a connection by what the kernel counts and what the board says. The board must not be older than the last
 * byte that the process read.
 *
 * One case can't be told: that the process has read a part of a head, on a connection that rested. What is unread
 * is parsed strictly then, and almost never begins like a request.
 */
export function judge(
  connection: Connection,
  board: Board | undefined,
): { readonly use: Use; readonly entry: BoardEntry | undefined } {
  const { state, bytesReceived, bytesSent } = connection.info()
  const unread = connection.unread()
  const entry = board?.lastRequest(connection.client)
  const is = (use: Use) => ({ use, entry })
  if (state !== TCP.established && state !== TCP.closeWait) return is('closed')
  // Before all else: the board may remember an earlier connection from this address.
  if (bytesReceived === unread) return is('fresh')
  if (entry?.isWaiting) return is('waiting')
  if (bytesSent === 0) return is('unnoted')
  if (!entry || entry.ownsTheRest) return is('unclear')
  return is(unread > 0 ? 'asking' : 'resting')
}
