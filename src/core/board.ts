/**
 * The board: what an edge is serving, in a block of its own memory that the supervisor reads from outside, also
 * when the edge hangs. Only its layout, for both sides; `src/board.ts` writes it.
 *
 * A header, a ring of slots, then request heads. A request takes the next slot; an answered one stays there until
 * the ring comes round, so that the last request of a connection can be told. Numbers are 32-bit little-endian,
 * as on every machine that workerd runs on.
 *
 *     header  0 mark (32 bytes) · 32 layout · 36 slots · 40 the last sequence number that went unnoted, 0 = none
 *     slot    0 sequence number, 0 = never used · 4 flags, address length × 65536 · 8 hash of the script
 *             · 12 number of the head + 1, 0 = none · 16 the client's address, at most 48 bytes
 *     head    0 sequence number of its request · 4 length · 8 text, at most 2,040 bytes
 */

/** Sizes of the board, in bytes and pieces. */
export const BOARD = {
  markBytes: 32,
  headerBytes: 64,
  /** A power of two. */
  slots: 8192,
  slotBytes: 64,
  addressBytes: 48,
  heads: 256,
  headBytes: 2048,
  bytes: 64 + 8192 * 64 + 256 * 2048,
} as const

/** Where a part begins, as an index of 32-bit numbers. */
export const WORD = {
  layout: 8,
  slots: 9,
  unnoted: 10,
  firstSlot: BOARD.headerBytes / 4,
  slot: BOARD.slotBytes / 4,
  firstHead: (BOARD.headerBytes + BOARD.slots * BOARD.slotBytes) / 4,
  head: BOARD.headBytes / 4,
} as const

/** Changes with the layout, and makes a chance hit of the mark less likely still. */
export const LAYOUT = 0x534b_0001

/** What a slot says of its request. */
export const FLAG = {
  /** The response head isn't there yet. */
  waiting: 1,
  /** It came with a body: what follows on its connection may belong to that. */
  body: 2,
  /** Its connection speaks another protocol since. */
  tunnel: 4,
  /** A HEAD request: its answer has no body. */
  head: 8,
} as const

/** A script's name on the board: 32-bit FNV-1a, never 0, which stands for the platform itself. */
export function hashScript(accountId: string, script: string): number {
  let hash = 0x811c_9dc5
  for (const char of `${accountId}/${script}`) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x0100_0193)
  }
  return hash >>> 0 || 1
}

/** The bytes of a mark of 64 hex digits, written to where they shall be: a copy elsewhere would be found too. */
export function writeMark(mark: string, target: Uint8Array): void {
  for (let i = 0; i < BOARD.markBytes; i++) target[i] = Number.parseInt(mark.slice(2 * i, 2 * i + 2), 16)
}

/** Whether bytes begin with the header of a board. */
export function isBoardHeader(bytes: Uint8Array): boolean {
  if (bytes.byteLength < BOARD.headerBytes) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  return (
    view.getUint32(WORD.layout * 4, true) === LAYOUT && view.getUint32(WORD.slots * 4, true) === BOARD.slots
  )
}

/** The last request of a connection, as far as the board knows. */
export interface BoardEntry {
  /** It waits for its response head; else that is there, and the rest may be under way. */
  readonly isWaiting: boolean
  /** As `hashScript` gives it; 0 = the platform. */
  readonly script: number
  /** What follows on the connection may be more of this request, or no HTTP at all: never a request to serve. */
  readonly ownsTheRest: boolean
  readonly isHead: boolean
  /** Method, target and headers, ready to be sent again; only of requests without a body. */
  readonly head: Uint8Array | undefined
}

/** A copy of an edge's board. */
export class Board {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #unnoted: number
  /** The latest slot of each address, once somebody asks. */
  #slots: Map<string, number> | undefined

  /** @param bytes a board from its header on, all of it */
  constructor(bytes: Uint8Array) {
    if (bytes.byteLength < BOARD.bytes || !isBoardHeader(bytes)) {
      throw new RangeError(`no board: ${bytes.byteLength} bytes, needs ${BOARD.bytes} with a header`)
    }
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, BOARD.bytes)
    this.#unnoted = this.#word(WORD.unnoted)
  }

  /**
   * The last request that a client sent, by its address.
   *
   * `undefined` if it is not on the board: never sent, too long ago, or perhaps followed by one that was not noted.
   *
   * @param address as `canonicalAddress` gives it
   */
  lastRequest(address: string): BoardEntry | undefined {
    this.#slots ??= this.#index()
    const slot = this.#slots.get(address)
    if (slot === undefined) return undefined
    const word = WORD.firstSlot + slot * WORD.slot
    const sequence = this.#word(word)
    if (this.#unnoted !== 0 && !isLater(sequence, this.#unnoted)) return undefined
    const flags = this.#word(word + 1)
    return {
      isWaiting: (flags & FLAG.waiting) !== 0,
      script: this.#word(word + 2),
      ownsTheRest: (flags & (FLAG.body | FLAG.tunnel)) !== 0,
      isHead: (flags & FLAG.head) !== 0,
      head: this.#head(this.#word(word + 3), sequence),
    }
  }

  #index(): Map<string, number> {
    const slots = new Map<string, number>()
    for (let slot = 0; slot < BOARD.slots; slot++) {
      const address = this.#address(slot)
      const other = address === undefined ? undefined : slots.get(address)
      const isOlder = other !== undefined && isLater(this.#sequence(other), this.#sequence(slot))
      if (address !== undefined && !isOlder) slots.set(address, slot)
    }
    return slots
  }

  #sequence(slot: number): number {
    return this.#word(WORD.firstSlot + slot * WORD.slot)
  }

  #address(slot: number): string | undefined {
    const word = WORD.firstSlot + slot * WORD.slot
    const length = this.#word(word + 1) >>> 16
    if (this.#word(word) === 0 || length === 0 || length > BOARD.addressBytes) return undefined
    const start = (word + 4) * 4
    return canonicalAddress(String.fromCharCode(...this.#bytes.subarray(start, start + length)))
  }

  #head(reference: number, sequence: number): Uint8Array | undefined {
    if (reference === 0 || reference > BOARD.heads) return undefined
    const word = WORD.firstHead + (reference - 1) * WORD.head
    const length = this.#word(word + 1)
    if (this.#word(word) !== sequence || length === 0 || length > BOARD.headBytes - 8) return undefined
    return this.#bytes.slice((word + 2) * 4, (word + 2) * 4 + length)
  }

  #word(index: number): number {
    return this.#view.getUint32(index * 4, true)
  }
}

/**
 * A client's `address:port` in the one spelling that we compare: IPv4 dotted, also where it came mapped into IPv6;
 * other IPv6 addresses as eight groups in brackets. `undefined` for anything else.
 */
export function canonicalAddress(text: string): string | undefined {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|(\d+\.\d+\.\d+\.\d+)):(\d+)$/.exec(text) ?? []
  if (plain) return `${plain}:${port}`
  const groups = bracketed && toGroups(bracketed)
  if (!groups) return undefined
  const [high = 0, low = 0] = groups.slice(6)
  const isMapped = groups.slice(0, 5).every(group => group === 0) && groups[5] === 0xffff
  if (isMapped) return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}:${port}`
  return `[${groups.map(group => group.toString(16)).join(':')}]:${port}`
}

/** The eight 16-bit groups of an IPv6 address. */
function toGroups(text: string): number[] | undefined {
  const [before = '', after, more] = text.split('::')
  if (more !== undefined) return undefined
  const head = before.split(':').filter(Boolean).flatMap(toNumbers)
  const tail = (after ?? '').split(':').filter(Boolean).flatMap(toNumbers)
  const missing = 8 - head.length - tail.length
  if (after === undefined ? missing !== 0 : missing < 1) return undefined
  return [...head, ...new Array<number>(missing).fill(0), ...tail]
}

function toNumbers(group: string): number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)]
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
  return [(a << 8) | b, (c << 8) | d]
}

/** Whether a sequence number comes after another; they wrap. */
function isLater(a: number, b: number): boolean {
  return ((a - b) | 0) > 0
}
