import { totalmem } from 'node:os'

/**
 * How much memory a process that runs functions may use, in bytes. Used means what `usedMemory` says.
 *
 * What workerd 2026-11-17 does, measured on x64 with one function that takes memory and keeps it:
 *
 * | it takes                   | grows by      | at V8's heap limit      | at `ulimit -d`                            |
 * | -------------------------- | ------------- | ----------------------- | ----------------------------------------- |
 * | small objects, one turn    | 0.2–1 GB/s    | the process ends, exit 1 | the process ends, exit 1 or SIGTRAP      |
 * | small objects, many turns  | 0.2–0.7 GB/s  | the process ends, exit 1 | the process ends, exit 1 or SIGTRAP      |
 * | strings of 1 MB            | 1 GB/s        | the process ends, exit 1 | the process ends, exit 1                 |
 * | one string, doubled        | 2 GB/s        | not reached: RangeError at 512 MB | the process ends, exit 1        |
 * | ArrayBuffers               | 2 GB/s        | not counted             | RangeError in the function; memory is kept |
 * | wasm memory, written to    | 2 GB/s        | not counted             | RangeError in the function; memory is kept |
 * | wasm memory, untouched     | 400 GB/s, no RSS | not counted          | RangeError in the function; memory is kept |
 *
 * ArrayBuffers are resident at once, as they are filled with zeros. Freed memory stays with the process. Idle:
 * RSS 53 MB, data 536 MB, of which 512 are V8's range for compiled code, never resident. An isolate adds 2 MB of
 * RSS, 3 MB of data; its virtual size (2 GB) means nothing. Without any limit V8 ends the process at 1.4 GB of
 * one isolate's heap.
 *
 * So both hard limits end the process with everything in it, and nobody can be answered: they must lie above the
 * soft one, with time between to see who it is: a look takes place every 50 ms, in which memory grows by 100 MB.
 * With the limits of `resolveMemoryLimits` each of these was named and ended 80–240 MB above the soft one, on
 * machines of 1 and 24 GB, but for the untouched memory: its process is replaced.
 */
export interface MemoryLimits {
  /** Above this the supervisor looks who grows, and ends it; or has idle isolates evicted. */
  readonly softBytes: number
  /** Used memory at which the system refuses more. */
  readonly hardBytes: number
  /** For `ulimit -d`, in KiB: the hard limit and the address space that is never used. */
  readonly dataLimitKib: number
  /** For V8's `--max-old-space-size`, in MiB, for each isolate's heap; ArrayBuffers and wasm are outside. */
  readonly heapMib: number
  /** Idle isolates that it can keep and stay below the soft limit: what an evicted one leaves isn't given back. */
  readonly isolates: number
}

const MIB = 1024 * 1024

/** What workerd maps writable and never touches: V8's range for compiled code. x64; on arm64 it is smaller. */
export const UNTOUCHED_BYTES = 512 * MIB

/** An isolate with Node compatibility and little of its own; and a process without any. */
const ISOLATE_BYTES = 2.1 * MIB
const EMPTY_BYTES = 64 * MIB

/** For the state process, the supervisor and the system, whatever the machine. */
const RESERVED_BYTES = 256 * MIB

/** About 250 isolates of Node compatibility: two edges and state stay below 1.5 GB. */
const MAX_SOFT_BYTES = 576 * MIB
/** Four thousand objects. */
const MAX_OBJECTS_SOFT_BYTES = 2048 * MIB
/** An idle process and 20 isolates; with less an edge would evict all the time. */
const MIN_SOFT_BYTES = 128 * MIB
/** Half a second of the fastest growth. */
const MAX_SPACE_BYTES = 1024 * MIB
/** Less, and the hard limit would come before the second look. */
const MIN_SPACE_BYTES = 128 * MIB

/**
 * The limits of each edge on a machine, or in a container, of `totalBytes`, where `edges` (≥ 1) serve at a time.
 *
 * Three quarters of the memory, less what is reserved, are for the edges: all of them and one replacement at the
 * soft limit, or all at the soft and one at the hard. Below 700 MiB the minima win, and a function can bring the
 * machine to its limit. Below 2 GiB take one edge: two would leave little for each.
 *
 * | machine | edges | soft    | hard     | heap     | ulimit -d |
 * | ------- | ----- | ------- | -------- | -------- | --------- |
 * | 1 GB    | 1     | 256 MiB | 512 MiB  | 448 MiB  | 1 GiB     |
 * | 1 GB    | 2     | 170 MiB | 341 MiB  | 298 MiB  | 853 MiB   |
 * | 4 GB    | 2     | 576 MiB | 1600 MiB | 1344 MiB | 2112 MiB  |
 * | 4 GB    | 4     | 563 MiB | 1126 MiB | 985 MiB  | 1638 MiB  |
 * | 24 GB   | 2–16  | 576 MiB | 1600 MiB | 1344 MiB | 2112 MiB  |
 */
export function resolveMemoryLimits(totalBytes: number, edges: number): MemoryLimits {
  const forEdges = totalBytes * 0.75 - RESERVED_BYTES
  const softBytes = clamp(forEdges / (edges + 1), MIN_SOFT_BYTES, MAX_SOFT_BYTES)
  const spaceBytes = clamp(forEdges - softBytes * edges, MIN_SPACE_BYTES, MAX_SPACE_BYTES)
  return toLimits(softBytes, spaceBytes)
}

/**
 * The limits of the objects process, one of `processes` that run functions at a time: as an edge has them, and of
 * what is left when all edges are at theirs so much that it can hold thousands of objects. It can't be replaced
 * without breaking their calls and WebSockets off.
 *
 * An object takes half a megabyte while it is called and for ten seconds after; one that sleeps with a WebSocket 0.2.
 *
 * | machine | edges | soft     | hard     |
 * | ------- | ----- | -------- | -------- |
 * | 4 GB    | 2     | 640 MiB  | 1664 MiB |
 * | 8 GB    | 2     | 2048 MiB | 3072 MiB |
 */
export function resolveObjectsMemory(totalBytes: number, processes: number): MemoryLimits {
  const { softBytes, hardBytes } = resolveMemoryLimits(totalBytes, processes)
  const spaceBytes = hardBytes - softBytes
  const usedBytes = softBytes * processes + Math.max(softBytes, spaceBytes)
  const leftBytes = totalBytes * 0.75 - RESERVED_BYTES - usedBytes
  return toLimits(clamp(softBytes + leftBytes, softBytes, MAX_OBJECTS_SOFT_BYTES), spaceBytes)
}

function toLimits(softBytes: number, spaceBytes: number): MemoryLimits {
  const hardBytes = softBytes + spaceBytes
  return Object.freeze({
    softBytes,
    hardBytes,
    dataLimitKib: Math.ceil((hardBytes + UNTOUCHED_BYTES) / 1024),
    // Not the same place, so that the process's last words tell a full heap from a full process.
    heapMib: Math.floor((softBytes + spaceBytes * 0.75) / MIB),
    isolates: Math.floor((softBytes * 0.85 - EMPTY_BYTES) / ISOLATE_BYTES),
  })
}

/**
 * What counts against the limits: resident memory, or what is mapped to be written beyond what workerd never
 * touches, whichever is more. The second is what `ulimit -d` counts, and is unknown where there is no /proc.
 */
export function usedMemory(rssBytes: number, dataBytes = 0): number {
  return Math.max(rssBytes, dataBytes - UNTOUCHED_BYTES)
}

/** The machine's memory, or the container's if that is less. */
export function readTotalMemory(): number {
  // 0 or an astronomical number, where nothing constrains us.
  const constrainedBytes = process.constrainedMemory()
  return constrainedBytes > 0 ? Math.min(constrainedBytes, totalmem()) : totalmem()
}

function clamp(value: number, min: number, max: number): number {
  return Math.floor(Math.min(Math.max(value, min), max))
}
