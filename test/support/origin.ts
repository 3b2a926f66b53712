import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A request as an origin got it. */
export interface SeenRequest {
  readonly method: string
  readonly url: string
  /** Names in lower case; several lines joined by commas. */
  readonly headers: Readonly<Record<string, string>>
  /** Which connection it came on, counted from 1. */
  readonly connection: number
  /** Resolves when the request or its answer has ended; `true` = before its time. */
  readonly isCutOff: Promise<boolean>
}

/** A real HTTP server in this process, for what is between it and a client. */
export interface Origin {
  readonly url: string
  readonly port: number
  /** In the order in which they came. */
  readonly seen: SeenRequest[]
  stop(): Promise<void>
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/**
 * Starts an origin on a free port of loopback. Without a handler it answers each request with a JSON of what it got.
 * It takes WebSockets, and sends back what they say, with `echo ` in front.
 */
export async function startOrigin(handler: Handler = echo): Promise<Origin> {
  const seen: SeenRequest[] = []
  const connections = new Map<unknown, number>()
  const note = (request: IncomingMessage, response?: ServerResponse) => {
    const connection = connections.get(request.socket) ?? connections.size + 1
    connections.set(request.socket, connection)
    const { method = '', url = '' } = request
    const ended = Promise.withResolvers<boolean>()
    response?.on('close', () => ended.resolve(!response.writableFinished || !request.complete))
    const headers = Object.fromEntries(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]),
    )
    seen.push({ method, url, headers, connection, isCutOff: ended.promise })
  }
  const server: Server = createServer((request, response) => {
    note(request, response)
    // What the client breaks off is for the handler to notice, or not.
    request.on('error', () => {})
    handler(request, response)
  })
  server.on('upgrade', (request, socket) => {
    note(request)
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
    const [protocol] = (request.headers['sec-websocket-protocol'] ?? '').split(',')
    const lines = [
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}`,
      ...(protocol ? [`Sec-WebSocket-Protocol: ${protocol}`] : []),
    ]
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    socket.on('error', () => {})
    socket.on('data', frame => {
      // One short masked text in one frame: enough to see that it gets through.
      if ((frame[0] & 0x0f) !== 1) return socket.end()
      const text = frame.subarray(6).map((byte: number, i: number) => byte ^ frame[2 + (i % 4)])
      socket.write(Buffer.concat([Buffer.of(0x81, text.length + 5), Buffer.from('echo '), text]))
    })
  })
  const sockets = new Set<Socket>()
  server.on('connection', socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    seen,
    stop: async () => {
      const closed = new Promise(resolve => server.close(resolve))
      // WebSockets are no connections of the server's any more.
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => {
    response.setHeader('content-type', 'application/json')
    response.end(
      JSON.stringify({ method: request.method, url: request.url, body: `${Buffer.concat(chunks)}` }),
    )
  })
}
