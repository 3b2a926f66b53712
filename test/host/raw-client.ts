import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** What a server said. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** One connection of a client that sends exactly what it is told. */
export class RawClient {
  /** `address:port` of this end. */
  readonly address: string
  readonly #socket: Socket
  #text = ''
  #isEnded = false
  #wake = Promise.withResolvers<void>()

  private constructor(socket: Socket) {
    this.#socket = socket
    this.address = `${socket.localAddress}:${socket.localPort}`
    const wake = () => {
      this.#wake.resolve()
      this.#wake = Promise.withResolvers()
    }
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text
      wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isEnded = true
      wake()
    })
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  /** What has come and no `answer` took. */
  get received(): string {
    return this.#text
  }

  send(text: string): this {
    this.#socket.write(text, 'latin1')
    return this
  }

  get(path: string, headers = ''): this {
    return this.send(`GET ${path} HTTP/1.1\r\nHost: test\r\n${headers}\r\n`)
  }

  post(path: string, body: string): this {
    return this.send(`POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  }

  /** The next whole answer. */
  async answer(): Promise<Answer> {
    for (;;) {
      const parsed = parse(this.#text)
      if (parsed) {
        this.#text = this.#text.slice(parsed.length)
        return parsed.answer
      }
      if (this.#isEnded) throw new Error(`closed instead of an answer; came ${JSON.stringify(this.#text)}`)
      await this.#wake.promise
    }
  }

  /** Until so much as this has come. */
  async saw(text: string): Promise<void> {
    while (!this.#text.includes(text)) {
      if (this.#isEnded) throw new Error(`closed before ${JSON.stringify(text)}; came ${this.#text}`)
      await this.#wake.promise
    }
  }

  /** What came until the server closed. */
  async rest(): Promise<string> {
    while (!this.#isEnded) await this.#wake.promise
    return this.#text
  }

  close(): void {
    this.#socket.destroy()
  }
}

function parse(text: string): { answer: Answer; length: number } | undefined {
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const status = Number(statusLine.split(' ')[1])
  const headers = new Headers(
    lines.map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  )
  const start = headEnd + 4
  if (headers.has('transfer-encoding')) {
    const end = text.indexOf('0\r\n\r\n', start)
    if (end < 0) return undefined
    const body = text.slice(start, end).replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]*\r\n|\r\n$/gi, '')
    return { answer: { status, headers, body }, length: end + 5 }
  }
  const length = Number(headers.get('content-length') ?? 0)
  if (text.length < start + length) return undefined
  return { answer: { status, headers, body: text.slice(start, start + length) }, length: start + length }
}
