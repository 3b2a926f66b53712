import { BOARD, FLAG, hashScript, WORD } from '../src/core/board.ts'
import type { BoardPlace, ReadableMemory } from './captured.ts'

/** Whom a process works for on a function's behalf, as its board has it: clients, not other functions. */
export interface Callers {
  /** Requests that wait for their response head. */
  readonly waiting: number
  /** All that are on the board, answered or not: the last 8,192 requests of the process, less those of others. */
  readonly requests: number
  /** WebSockets among them, closed or not: each may bring any number of messages. */
  readonly sockets: number
}

/** Counts a function's callers; `undefined` if the board can't be read. Half a millisecond. */
export function countCallers(
  { accountId, script }: { readonly accountId: string; readonly script: string },
  place: BoardPlace,
  memory: ReadableMemory,
): Callers | undefined {
  const bytes = memory.read(place.address + BOARD.headerBytes, BOARD.slots * BOARD.slotBytes)
  if (!bytes) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const hash = hashScript(accountId, script)
  const [counted, flagged, named] = [0, 4, 8]
  const callers = { waiting: 0, requests: 0, sockets: 0 }
  for (let at = 0; at < bytes.byteLength; at += WORD.slot * 4) {
    if (view.getUint32(at + named, true) !== hash || view.getUint32(at + counted, true) === 0) continue
    const flags = view.getUint32(at + flagged, true)
    callers.requests++
    if ((flags & FLAG.waiting) !== 0) callers.waiting++
    if ((flags & FLAG.tunnel) !== 0) callers.sockets++
  }
  return callers
}
