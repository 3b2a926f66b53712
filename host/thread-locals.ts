import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { isAnonymousData, type ProcessMemory, wordAt } from './process-memory.ts'

/** The variables of which each thread of a program has its own. */
export interface ThreadLocals {
  /** Bytes from the start of a thread's block of them, by symbol. */
  readonly offsets: ReadonlyMap<string, number>
  /** From the start of that block to the thread pointer: negative where the block stands behind it. */
  readonly toThreadPointer: number
}

/**
 * A program's thread-local variables, by its symbol table; `undefined` if it has none, no symbol table (it was
 * stripped), or isn't for this machine. Takes 20 ms for workerd; kept.
 *
 * ELF-64, little endian: the format of every program on Linux x64 and arm64 (elf(5)).
 */
export function readThreadLocals(program: string): ThreadLocals | undefined {
  const { dev, ino, mtimeMs } = statSync(program)
  const key = `${dev}:${ino}:${mtimeMs}`
  if (!known.has(key)) known.set(key, parseProgram(program))
  return known.get(key)
}

const known = new Map<string, ThreadLocals | undefined>()

function parseProgram(program: string): ThreadLocals | undefined {
  const descriptor = openSync(program, 'r')
  const read = (position: number, length: number): Buffer => {
    const buffer = Buffer.alloc(length)
    readSync(descriptor, buffer, 0, length, position)
    return buffer
  }
  try {
    const head = read(0, 64)
    if (head.toString('latin1', 0, 4) !== '\x7fELF' || head.readUInt16LE(18) !== MACHINES[process.arch])
      return undefined

    // 1. The size and alignment of a thread's block: the program header PT_TLS.
    const headers = table(read, wordAt(head, 32), head.readUInt16LE(54), head.readUInt16LE(56))
    const block = headers.find(header => header.readUInt32LE(0) === PT_TLS)
    if (!block) return undefined
    const alignment = Math.max(wordAt(block, 48) ?? 1, 1)
    const up = (bytes: number) => Math.ceil(bytes / alignment) * alignment
    // The two arrangements of "ELF Handling For Thread-Local Storage" (Drepper): the block ends at the thread
    // pointer, or begins after the two words there.
    const toThreadPointer = process.arch === 'x64' ? up(wordAt(block, 40) ?? 0) : -up(16)

    // 2. The variables' places in it: a hundred of the 280,000 symbols.
    const sections = table(read, wordAt(head, 40), head.readUInt16LE(58), head.readUInt16LE(60))
    const symbols = sections.find(section => section.readUInt32LE(4) === SHT_SYMTAB)
    const names = symbols && sections[symbols.readUInt32LE(40)]
    if (!symbols || !names) return undefined
    const entries = read(wordAt(symbols, 24) ?? 0, wordAt(symbols, 32) ?? 0)
    const offsets = new Map<string, number>()
    for (let at = 0; at + SYMBOL_BYTES <= entries.length; at += SYMBOL_BYTES) {
      if (((entries[at + 4] ?? 0) & 15) !== STT_TLS) continue
      const name = read((wordAt(names, 24) ?? 0) + entries.readUInt32LE(at), MAX_SYMBOL_CHARS)
      offsets.set(name.toString('latin1', 0, name.indexOf(0)), wordAt(entries, at + 8) ?? 0)
    }
    return { offsets, toThreadPointer }
  } finally {
    closeSync(descriptor)
  }
}

function table(
  read: (position: number, length: number) => Buffer,
  position: number | undefined,
  entryBytes: number,
  count: number,
): Buffer[] {
  if (position === undefined) return []
  const bytes = read(position, entryBytes * count)
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(index * entryBytes, (index + 1) * entryBytes),
  )
}

/**
 * The address of the first thread's block in a process; `undefined` if it isn't found, such as before the program
 * began. It stays there as long as the process lives. Takes a few milliseconds.
 *
 * No file tells where a thread's block is, but the C library leaves a pattern: the thread pointer leads to a
 * table whose first entry is that very block, and the thread's id is noted in its descriptor, beside the pointer.
 */
export function locateFirstThread(
  memory: ProcessMemory,
  { toThreadPointer }: ThreadLocals,
): number | undefined {
  const isX64 = process.arch === 'x64'
  const regions = memory
    .regions()
    .filter(isAnonymousData)
    .filter(({ start, end }) => end - start <= MAX_REGION_BYTES)
    .sort((a, b) => a.end - a.start - (b.end - b.start))
  for (const { start, end } of regions) {
    const bytes = memory.read(start, end - start)
    if (!bytes) continue
    for (let at = 0; at + 24 <= bytes.length; at += 8) {
      const address = start + at
      // Where the pointer leads, x64 keeps that address, then the table's; arm64 the table's, then an unused word.
      if (wordAt(bytes, isX64 ? at : at + 8) !== (isX64 ? address : 0)) continue
      const blocks = wordAt(bytes, isX64 ? at + 8 : at)
      if (!blocks || blocks % 8 !== 0) continue
      const block = address - toThreadPointer
      if (memory.readWord(blocks + 16) !== block) continue
      const descriptor = bytes.subarray(
        Math.max(0, isX64 ? at : at - DESCRIPTOR_BYTES),
        isX64 ? at + DESCRIPTOR_BYTES : at,
      )
      if (holdsId(descriptor, memory.pid)) return block
    }
  }
  return undefined
}

function holdsId(descriptor: Buffer, id: number): boolean {
  for (let at = 0; at + 4 <= descriptor.length; at += 4) {
    if (descriptor.readUInt32LE(at) === id) return true
  }
  return false
}

const MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 }
const PT_TLS = 7
const SHT_SYMTAB = 2
const STT_TLS = 6
const SYMBOL_BYTES = 24
/** Longer names are cut: nobody asks for them. */
const MAX_SYMBOL_CHARS = 128
/** glibc's `struct pthread` is about 2,300 bytes; its `tid` stands in the first third. */
const DESCRIPTOR_BYTES = 2304
/** The first thread's block is allocated while the program is loaded, with little else. */
const MAX_REGION_BYTES = 1024 * 1024
