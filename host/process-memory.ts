import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** A mapping of a process's memory. */
export interface Region {
  readonly start: number
  /** The first address after it. */
  readonly end: number
  /** As /proc spells it, such as `rw-p`. */
  readonly permissions: string
  /** The mapped file, `[stack]` and the like, or empty. */
  readonly name: string
}

/**
 * The memory of another process, read from outside: the process doesn't notice. Linux only.
 *
 * It may run meanwhile, so what is read can be torn: words that are read one by one are whole each. It belongs to
 * the one process that was opened: after its end every read gives `undefined`, even if the pid is used again.
 */
export class ProcessMemory implements Disposable {
  readonly pid: number
  readonly #descriptor: number
  readonly #word = Buffer.alloc(8)

  private constructor(pid: number, descriptor: number) {
    this.pid = pid
    this.#descriptor = descriptor
  }

  /**
   * Opens a process's memory: a child of ours, or any of the same user's where the system allows.
   *
   * @throws the system's ENOENT if there is no such process, EACCES or EPERM if it may not be read
   */
  static open(pid: number): ProcessMemory {
    return new ProcessMemory(pid, openSync(`/proc/${pid}/mem`, 'r'))
  }

  /** So many bytes from an address on; `undefined` unless all can be read. */
  read(address: number, length: number): Buffer | undefined {
    const buffer = Buffer.allocUnsafe(length)
    return this.#fill(buffer, length, address) === length ? buffer : undefined
  }

  /** A pointer or a 64-bit count; `undefined` if it can't be read or is above 2^53. */
  readWord(address: number): number | undefined {
    return this.#fill(this.#word, 8, address) === 8 ? wordAt(this.#word, 0) : undefined
  }

  /** The mappings as they are now, by address; empty if the process is gone. */
  regions(): Region[] {
    let text: string
    try {
      text = readFileSync(`/proc/${this.pid}/maps`, 'latin1')
    } catch {
      return []
    }
    return [...text.matchAll(MAPPING)].map(([, start = '', end = '', permissions = '', name = '']) => ({
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      permissions,
      name,
    }))
  }

  /**
   * Where bytes stand in the memory that the process writes, files and stacks apart: the first place that
   * `accept` takes. A millisecond per resident megabyte or so.
   */
  find(mark: Uint8Array, accept: (address: number) => boolean = () => true): number | undefined {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    for (const { start, end } of this.#used()) {
      // Chunks overlap, so that a mark across their border is found.
      for (let from = start; from < end; from += CHUNK_BYTES - mark.length) {
        const length = this.#fill(chunk, Math.min(CHUNK_BYTES, end - from), from)
        const read = chunk.subarray(0, length)
        for (let at = read.indexOf(mark); at >= 0; at = read.indexOf(mark, at + 1)) {
          if (accept(from + at)) return from + at
        }
        if (from + CHUNK_BYTES >= end || length === 0) break
      }
    }
    return undefined
  }

  /** The stretches of data that were ever written to: most of what V8 and the allocator map never is. */
  *#used(): Generator<{ start: number; end: number }> {
    const pages = openPages(this.pid)
    try {
      for (const { start, end } of this.regions().filter(isAnonymousData)) {
        let from = start
        for (let at = start; at < end && pages; at += STRETCH_BYTES) {
          if (pages.hasAny(at, Math.min(at + STRETCH_BYTES, end))) continue
          if (at > from) yield { start: from, end: at }
          from = at + STRETCH_BYTES
        }
        if (from < end) yield { start: from, end }
      }
    } finally {
      pages?.close()
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor)
  }

  /** How many bytes could be read; 0 if the address isn't mapped or the process is gone. */
  #fill(buffer: Buffer, length: number, address: number): number {
    if (!Number.isSafeInteger(address) || address < LOWEST_ADDRESS) return 0
    try {
      return readSync(this.#descriptor, buffer, 0, length, address)
    } catch {
      return 0
    }
  }
}

/** The 64-bit word at an offset; `undefined` above 2^53, which no address reaches. */
export function wordAt(buffer: Buffer, offset: number): number | undefined {
  const high = buffer.readUInt32LE(offset + 4)
  return high < 0x20_0000 ? high * 0x1_0000_0000 + buffer.readUInt32LE(offset) : undefined
}

/** Memory that the process got from the system for its data. */
export function isAnonymousData({ permissions, name }: Region): boolean {
  return permissions.startsWith('rw') && (name === '' || name === '[heap]' || name.startsWith('[anon:'))
}

/** Which pages of a process are in memory or swapped out; `undefined` where the system doesn't tell. */
function openPages(pid: number) {
  let descriptor: number
  let pageBytes: number
  try {
    pageBytes =
      Number(/KernelPageSize:\s+(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'latin1'))?.[1]) * 1024
    descriptor = openSync(`/proc/${pid}/pagemap`, 'r')
  } catch {
    return undefined
  }
  const entries = Buffer.alloc(STRETCH_BYTES / 512)
  const hasAny = (start: number, end: number): boolean => {
    const length = ((end - start) / pageBytes) * 8
    try {
      if (readSync(descriptor, entries, 0, length, (start / pageBytes) * 8) !== length) return true
    } catch {
      return true
    }
    // Bits 63 and 62 of an entry: present, swapped (proc_pid_pagemap(5)).
    for (let at = 7; at < length; at += 8) if ((entries[at] ?? 0) >= 0x40) return true
    return false
  }
  return { hasAny, close: () => closeSync(descriptor) }
}

const STRETCH_BYTES = 256 * 1024
const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+[ ]*(.*)$/gm
const CHUNK_BYTES = 1024 * 1024
/** No system maps the first page. */
const LOWEST_ADDRESS = 4096
