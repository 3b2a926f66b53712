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
   * `accept` takes. A second per gigabyte or so.
   */
  find(mark: Uint8Array, accept: (address: number) => boolean = () => true): number | undefined {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    for (const { start, end } of this.regions().filter(isAnonymousData)) {
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

const MAPPING = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+[ ]*(.*)$/gm
const CHUNK_BYTES = 1024 * 1024
/** No system maps the first page. */
const LOWEST_ADDRESS = 4096
