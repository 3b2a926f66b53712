import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** An answer. The body is text, one character a byte. */
export interface Reply {
  readonly status: number
  readonly body: string
}

/**
 * One keep-alive HTTP/1.1 connection to this machine, one request at a time. Written by hand: the same few
 * microseconds for every variant, a third of what Node's own clients take.
 */
export class Connection {
  readonly #socket: Socket
  #received = ''
  #settle: { resolve(reply: Reply): void; reject(error: Error): void } | undefined
  #failure: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => this.#receive(text))
    socket.on('error', error => this.#fail(error))
    socket.on('close', () => this.#fail(new Error('the server closed the connection')))
  }

  /** @param to a port of loopback, or the path of a Unix socket */
  static async open(to: number | string): Promise<Connection> {
    const socket = typeof to === 'number' ? connect(to, '127.0.0.1') : connect(to)
    await once(socket, 'connect')
    return new Connection(socket)
  }

  /**
   * Sends a whole request and waits for its answer. workerd closes a connection that idles for five seconds.
   *
   * @param request head and body, one character a byte; see `toRequest`
   */
  send(request: string): Promise<Reply> {
    if (this.#failure) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      this.#socket.write(request, 'latin1')
    })
  }

  close(): void {
    this.#socket.removeAllListeners('close')
    this.#socket.destroy()
  }

  #receive(text: string): void {
    this.#received = this.#received ? this.#received + text : text
    const reply = parseReply(this.#received)
    if (!reply) return
    this.#received = ''
    const settle = this.#settle
    this.#settle = undefined
    settle?.resolve(reply)
  }

  #fail(error: Error): void {
    this.#failure = error
    this.#settle?.reject(error)
    this.#settle = undefined
  }
}

/** A request as it goes over the wire; every variant is sent the very same headers. */
export function toRequest(
  host: string,
  path = '/',
  options: { method?: string; headers?: Readonly<Record<string, string>>; body?: string } = {},
): string {
  const { method = 'GET', headers = {}, body } = options
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `host: ${host}`,
    'user-agent: bench',
    'accept: */*',
    'accept-encoding: gzip',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    ...(body === undefined ? [] : [`content-length: ${body.length}`]),
  ]
  return `${lines.join('\r\n')}\r\n\r\n${body ?? ''}`
}

/** What every answer must be: a benchmark of errors is worthless. */
export interface Expected {
  readonly status: number
  readonly body: string
}

/**
 * Sends `count` requests over all connections, each as soon as the one before it is answered.
 *
 * @param request a whole request, or what makes the next one
 * @throws Error at the first answer that isn't `expected`
 */
export async function sendMany(
  connections: readonly Connection[],
  request: string | (() => string),
  count: number,
  expected: Expected,
): Promise<void> {
  let left = count
  await Promise.all(
    connections.map(async connection => {
      while (left-- > 0) {
        const reply = await connection.send(typeof request === 'string' ? request : request())
        if (reply.status !== expected.status || reply.body !== expected.body) {
          throw new Error(`expected ${JSON.stringify(expected)}, got ${reply.status} ${reply.body}`)
        }
      }
    }),
  )
}

function parseReply(text: string): Reply | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const status = Number(text.slice(9, 12))
  const bodyStart = headEnd + 4
  const length = /\r\ncontent-length: *(\d+)/i.exec(text)?.[1]
  if (length !== undefined) {
    const bodyEnd = bodyStart + Number(length)
    return text.length < bodyEnd ? undefined : { status, body: text.slice(bodyStart, bodyEnd) }
  }
  if (status === 204 || status === 304) return { status, body: '' }
  return text.endsWith('0\r\n\r\n') ? { status, body: joinChunks(text.slice(bodyStart)) } : undefined
}

function joinChunks(text: string): string {
  let body = ''
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at)
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (!size) return body
    body += text.slice(lineEnd + 2, lineEnd + 2 + size)
    at = lineEnd + 2 + size + 2
  }
}
