import { BOARD, FLAG, LAYOUT, WORD, writeMark } from './core/board.ts'
import { LIMITS } from './core/limits.ts'

/**
 * Notes what this edge is serving where the supervisor can read it: see `src/core/board.ts`.
 *
 * Everything is noted when a request begins, its client's address included. That costs some 0.8 µs of 110–140 a
 * request (medians of paired slices in one process that switches it on and off, a core of its own: 0.6 to 1.0;
 * a control of the same against the same: 0.3). About a third is `request.cf`, a third the numbers and the
 * address, a third `request.body` and `response.status`. To note addresses only when a clock finds requests still
 * waiting would save a part of that, but nobody could tell who waits for a function that hangs from its first
 * line on. `TextEncoder.encodeInto` for the address would cost 1.4 µs more than the loop. Heads are wanted of the
 * few requests that take long: these are left to the clock.
 */

/**
 * Begins to note requests, under a mark of 64 hex digits. Without a mark nothing is ever noted: there is nobody
 * who could read it. A mark that is known already changes nothing.
 *
 * @throws RangeError if the mark is none
 */
export function openBoard(mark: string | undefined): void {
  if (mark === undefined || mark === openMark) return
  if (!/^[0-9a-f]{64}$/.test(mark)) throw new RangeError('SKERRY_BOARD must be 64 hex digits')
  openMark = mark
  bytes = new Uint8Array(BOARD.bytes)
  words = new Uint32Array(bytes.buffer)
  words[WORD.layout] = LAYOUT
  words[WORD.slots] = BOARD.slots
  writeMark(mark, bytes)
  requests = new Array<Request | undefined>(BOARD.slots).fill(undefined)
  freeHeads = Array.from({ length: BOARD.heads }, (_, i) => i)
  waiting = []
  seen = new Uint32Array(BOARD.slots)
  next = sequence = skipped = sweptNext = sweptAdvance = 0
}

/** A copy of the board as it is now; empty where nothing is noted. */
export function copyBoard(): Uint8Array {
  return bytes.slice()
}

/**
 * Notes a request that came over the network: every one, what the platform answers itself too. One that isn't
 * noted could be taken for the end of the one before it, and its body for a request. A request that a function
 * made must not be noted: it says of itself what `request.cf` is.
 *
 * @param script as `hashScript` gives it; 0 = the platform answers
 * @returns to be given to `leave`
 */
export function enter(request: Request, script: number): number {
  if (openMark === undefined) return UNNOTED
  const peer = (request.cf as { clientIp?: unknown } | undefined)?.clientIp
  // Over a Unix socket, from the supervisor: a connection that nobody takes over.
  if (typeof peer !== 'string') return UNNOTED
  const slot = findSlot()
  const length = peer.length
  sequence = (sequence + 1) >>> 0 || 1
  if (slot === UNNOTED || length > BOARD.addressBytes) {
    words[WORD.unnoted] = sequence
    return UNNOTED
  }

  const { method } = request
  const isHead = method === 'HEAD'
  const hasBody = (!isHead && method !== 'GET') || request.body !== null
  const word = WORD.firstSlot + slot * WORD.slot
  const start = (word + 4) * 4
  // Whoever reads in the middle of this finds no address.
  words[word + 1] = 0
  for (let i = 0; i < length; i++) bytes[start + i] = peer.charCodeAt(i)
  words[word] = sequence
  words[word + 2] = script
  words[word + 3] = 0
  words[word + 1] = FLAG.waiting | (hasBody ? FLAG.body : 0) | (isHead ? FLAG.head : 0) | (length << 16)
  requests[slot] = request
  return slot
}

/**
 * Notes that the response head is there.
 *
 * @param slot what `enter` returned
 * @param response `undefined` if there is none
 */
export function leave(slot: number, response: Response | undefined): void {
  if (slot === UNNOTED) return
  const flags = WORD.firstSlot + slot * WORD.slot + 1
  words[flags] = ((words[flags] ?? 0) & ~FLAG.waiting) | (response?.status === 101 ? FLAG.tunnel : 0)
  requests[slot] = undefined
}

/** From now on the ends of bodies are noted, so that connections can be handed over between two requests: the process shall end. */
export function noteBodies(): void {
  notesBodies = true
}

/**
 * The request to go on with: the same one, but where `noteBodies` was called one whose body, when it has been
 * read to its end, says so on the board. KJ has read it then too, and what follows is another request.
 *
 * @param slot what `enter` returned
 */
export function trackBody(request: Request, slot: number): Request {
  if (!notesBodies || slot === UNNOTED || !request.body) return request
  const word = WORD.firstSlot + slot * WORD.slot
  const noted = words[word]
  const tracker = new TransformStream<Uint8Array, Uint8Array>({
    flush() {
      if (words[word] === noted) words[word + 1] = (words[word + 1] ?? 0) & ~FLAG.body
    },
  })
  return new Request(request, { body: request.body.pipeThrough(tracker) })
}

/**
 * The upkeep, to be called every 50 ms or so: notes the heads of requests that have been waiting since the call
 * before or longer, and gives up slots whose request ended without telling: workerd drops calls whose client
 * went away without running any more of our half.
 */
export function sweepBoard(nowMs: number): void {
  if (openMark === undefined) return
  waiting = waiting.filter(entry => stillWaits(entry, nowMs))
  for (const entry of waiting) if (entry.head === UNNOTED) noteHead(entry)

  const advance = sequence + skipped
  const passed = Math.min(Math.abs(advance - sweptAdvance), BOARD.slots)
  for (let i = 0; i < passed; i++) notice((sweptNext + i) & (BOARD.slots - 1), nowMs)
  sweptNext = next
  sweptAdvance = advance
}

/** Not noted. */
const UNNOTED = -1
/** Where every slot in a row is taken, another will do: it is the ring's oldest requests that are in the way. */
const MAX_PROBES = 16
/** After this long no answer is awaited any more; the gateway gives up after LIMITS.wallClockMs. */
const GIVE_UP_MS = LIMITS.wallClockMs + 30_000

interface Waiting {
  readonly slot: number
  readonly sequence: number
  readonly sinceMs: number
  head: number
}

let openMark: string | undefined
let notesBodies = false
let bytes = new Uint8Array(0)
let words = new Uint32Array(0)
let requests: (Request | undefined)[] = []
let next = 0
let sequence = 0
/** Slots that were passed over because they were taken. */
let skipped = 0

/** Requests that at least one sweep has seen. */
let waiting: Waiting[] = []
/** By slot, the sequence number that is in `waiting` or was. */
let seen = new Uint32Array(0)
let freeHeads: number[] = []
let sweptNext = 0
let sweptAdvance = 0

const flagsOf = (slot: number): number => words[WORD.firstSlot + slot * WORD.slot + 1] ?? 0

function findSlot(): number {
  for (let i = 0; i < MAX_PROBES; i++) {
    const slot = next
    next = (slot + 1) & (BOARD.slots - 1)
    if ((flagsOf(slot) & FLAG.waiting) === 0) return slot
    skipped++
  }
  return UNNOTED
}

function notice(slot: number, nowMs: number): void {
  const current = words[WORD.firstSlot + slot * WORD.slot] ?? 0
  if ((flagsOf(slot) & FLAG.waiting) === 0 || seen[slot] === current) return
  seen[slot] = current
  waiting.push({ slot, sequence: current, sinceMs: nowMs, head: UNNOTED })
}

function stillWaits(entry: Waiting, nowMs: number): boolean {
  const word = WORD.firstSlot + entry.slot * WORD.slot
  const isSame = words[word] === entry.sequence && (flagsOf(entry.slot) & FLAG.waiting) !== 0
  if (isSame && nowMs - entry.sinceMs < GIVE_UP_MS) return true
  if (isSame) {
    // Nobody knows how it ended: what follows on its connection is not to be trusted.
    words[word + 1] = (flagsOf(entry.slot) & ~FLAG.waiting) | FLAG.body
    requests[entry.slot] = undefined
  }
  if (entry.head >= 0) freeHeads.push(entry.head)
  return false
}

/** Writes down how to send a request again; of one with a body, or too long a head, that can't be said. */
function noteHead(entry: Waiting): void {
  const request = requests[entry.slot]
  const text = request && (flagsOf(entry.slot) & FLAG.body) === 0 ? toHead(request) : undefined
  const head = text === undefined ? undefined : freeHeads.pop()
  if (text === undefined || head === undefined) {
    // Only once: that there is none to spare is rare, and a head doesn't become shorter.
    entry.head = NO_HEAD
    return
  }
  const word = WORD.firstHead + head * WORD.head
  for (let i = 0; i < text.length; i++) bytes[(word + 2) * 4 + i] = text.charCodeAt(i)
  words[word] = entry.sequence
  words[word + 1] = text.length
  words[WORD.firstSlot + entry.slot * WORD.slot + 3] = head + 1
  entry.head = head
}

const NO_HEAD = -2

function toHead(request: Request): string | undefined {
  const { method, url, headers } = request
  if (headers.has('upgrade')) return undefined
  const pathStart = url.indexOf('/', url.indexOf('://') + 3)
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`)
  const text = `${method} ${pathStart < 0 ? '/' : url.slice(pathStart)} HTTP/1.1\r\n${lines.join('')}\r\n`
  return text.length <= BOARD.headBytes - 8 && PLAIN.test(text) ? text : undefined
}

/** What goes over the wire as it stands: other characters may not be what the client sent. */
const PLAIN = /^[\t\r\n\x20-\x7e]*$/
