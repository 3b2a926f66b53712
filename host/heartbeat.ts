import { connect, type Socket } from 'node:net'
import { messageOf } from './failure.ts'

/** An answer to a heartbeat. */
export interface HeartbeatAnswer {
  /** When it was there: `performance.now()`. */
  readonly atMs: number
  /** From the ask to the whole answer. */
  readonly latencyMs: number
  /** 200, or 503 while the process can't serve yet. */
  readonly status: number
  /** The JSON of its body. */
  readonly body: unknown
}

/** Whom to ask, and whom to tell. */
export interface HeartbeatOptions {
  /** The path of the process's private health socket, asked for at each connection. */
  readonly socketPath: () => string
  /** From one ask to the next, if the first is answered by then. Default 50. */
  readonly periodMs?: number
  /** Ends it; nothing is reported after that. */
  readonly signal: AbortSignal
  /**
   * Each period, before it asks: the time to read the process's memory. Not after an answer, when the process has
   * just done something else than what it does all the time.
   */
  onBeat?(): void
  onAnswer(answer: HeartbeatAnswer): void
  /** Each period while an answer is outstanding. */
  onWaiting(forMs: number): void
  /** The connection was refused or broke, or the answer can't be read; the next period tries again. */
  onBroken(reason: string): void
}

const PERIOD_MS = 50

/** Larger than any answer: a reader that waits for more has lost its place. */
const MAX_ANSWER_BYTES = 64 * 1024

/**
 * Asks a process's health socket `GET /` at a steady pace, one ask at a time, over one connection.
 *
 * HTTP by hand, as far as workerd answers `Response.json()`: an ask takes 80 µs, where node:http takes 250, and
 * there are 20 a second for each process.
 */
export class Heartbeat {
  readonly #options: HeartbeatOptions
  readonly #timer: NodeJS.Timeout
  #socket: Socket | undefined
  /** Asked and not answered, since then. */
  #askedAtMs: number | undefined
  #received = ''
  #order = ''
  /** What the outstanding ask carries of it. */
  #sentOrder = ''

  constructor(options: HeartbeatOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#beat(), options.periodMs ?? PERIOD_MS)
    if (options.signal.aborted) this.#end()
    else options.signal.addEventListener('abort', () => this.#end(), { once: true })
  }

  /**
   * Sends a query string, such as `?evict=16`, with the next ask, in place of one that waits. Sent again if the
   * connection breaks before the answer: the process may see it twice.
   */
  order(query: string): void {
    this.#order = query
  }

  #beat(): void {
    this.#options.onBeat?.()
    // Whoever heard of it may have ended us.
    if (this.#options.signal.aborted) return
    if (this.#askedAtMs === undefined) this.#ask()
    else this.#options.onWaiting(performance.now() - this.#askedAtMs)
  }

  #ask(): void {
    this.#socket ??= this.#connect()
    this.#askedAtMs = performance.now()
    this.#sentOrder = this.#order
    this.#socket.write(`GET /${this.#sentOrder} HTTP/1.1\r\nHost: health\r\n\r\n`)
  }

  #connect(): Socket {
    const socket = connect(this.#options.socketPath())
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#take(socket, text))
    socket.on('error', error => this.#break(socket, messageOf(error)))
    socket.on('close', () => this.#break(socket, 'the connection was closed'))
    return socket
  }

  #take(socket: Socket, text: string): void {
    if (socket !== this.#socket) return
    this.#received += text
    const answer = parseAnswer(this.#received)
    if (answer === 'incomplete' && this.#received.length <= MAX_ANSWER_BYTES) return
    const askedAtMs = this.#askedAtMs
    if (typeof answer === 'string' || askedAtMs === undefined) {
      this.#break(socket, `an answer that can't be read: ${JSON.stringify(this.#received.slice(0, 80))}`)
      return
    }
    this.#received = ''
    this.#askedAtMs = undefined
    if (this.#order === this.#sentOrder) this.#order = ''
    const atMs = performance.now()
    this.#options.onAnswer({ atMs, latencyMs: atMs - askedAtMs, ...answer })
  }

  #break(socket: Socket, reason: string): void {
    if (socket !== this.#socket) return
    this.#drop()
    this.#options.onBroken(reason)
  }

  #end(): void {
    clearInterval(this.#timer)
    this.#drop()
  }

  #drop(): void {
    this.#socket?.destroy()
    this.#socket = undefined
    this.#askedAtMs = undefined
    this.#received = ''
  }
}

/** An HTTP/1.1 response of known length and JSON, one byte a character. */
function parseAnswer(text: string): { status: number; body: unknown } | 'incomplete' | 'unreadable' {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return text.startsWith('HTTP/1.1 '.slice(0, text.length)) ? 'incomplete' : 'unreadable'
  const head = text.slice(0, headEnd)
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(head) ?? []
  const [, length] = /\r\ncontent-length: *(\d+) *(?:\r\n|$)/i.exec(head) ?? []
  if (!status || !length) return 'unreadable'
  const body = text.slice(headEnd + 4)
  if (body.length < Number(length)) return 'incomplete'
  try {
    // Exactly one answer to one ask.
    if (body.length > Number(length)) return 'unreadable'
    return { status: Number(status), body: JSON.parse(Buffer.from(body, 'latin1').toString()) }
  } catch {
    return 'unreadable'
  }
}
