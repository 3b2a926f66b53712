import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, request, ServerResponse, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pipeline } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { ERRORS, type ErrorCode } from '../src/core/errors.ts'
import { retryHeaders, toProblem } from '../src/core/problem.ts'
import { CLIENT_HEADER } from '../src/core/reserved-headers.ts'

/** How long an adopted connection may wait before its request, take for the head; and how long an edge is waited for. */
const IDLE_MS = 5000
const HEAD_MS = 10_000
const FRONT_WAIT_MS = 3000
const RETRY_MS = 50
/** A client that is still sending must get to read the answer before the connection is reset. */
const LINGER_MS = 1000

/** The few things that the proxy doesn't know by itself. */
export interface FrontProxyOptions {
  /** Private sockets of the edges that serve now, the best first. */
  readonly frontSockets: () => readonly string[]
}

/**
 * Serves requests on connections that were taken over, by an edge that runs: an HTTP reverse proxy without a
 * port. One request a connection: the answer says `Connection: close`, so that the client comes back to an edge.
 *
 * Bodies stream both ways, and WebSockets pass. HTTP's framing is read strictly and written anew.
 */
export class FrontProxy {
  readonly #options: FrontProxyOptions
  readonly #server = createServer({ maxHeaderSize: 64 * 1024, shouldUpgradeCallback: isWebSocket })
  readonly #adopted = new WeakMap<object, Adopted>()

  constructor(options: FrontProxyOptions) {
    this.#options = options
    this.#server.maxRequestsPerSocket = 1
    // Long bodies and slow functions are the edge's to judge.
    this.#server.requestTimeout = 0
    this.#server.on('request', (incoming, response) => void this.#serve(incoming, response))
    this.#server.on(
      'upgrade',
      (incoming, socket, head) => void this.#upgrade(incoming, socket as Socket, head),
    )
    this.#server.on('clientError', (_, socket) => socket.destroy())
  }

  /**
   * Serves the next request of a connection. Bytes that were put back into the socket count as sent by the client.
   *
   * @param client its `address:port`
   */
  adopt(socket: Socket, client: string): void {
    const isSent = socket.readableLength > 0
    const idleTimer = setTimeout(() => {
      if (!isSent && socket.bytesRead === 0) socket.end()
    }, IDLE_MS)
    const headTimer = setTimeout(() => socket.destroy(), IDLE_MS + HEAD_MS)
    const stopWaiting = () => {
      clearTimeout(idleTimer)
      clearTimeout(headTimer)
    }
    this.#adopted.set(socket, { client, stopWaiting, incoming: undefined })
    socket.setNoDelay(true)
    socket.on('error', () => socket.destroy())
    socket.once('close', stopWaiting)
    this.#server.emit('connection', socket)
  }

  /** Closes an adopted connection unless its whole request has arrived. */
  dropIncomplete(socket: Socket): void {
    if (!this.#adopted.get(socket)?.incoming?.complete) socket.destroy()
  }

  #begin(incoming: IncomingMessage, socket: Socket): void {
    const adopted = this.#adopted.get(socket)
    if (!adopted) return
    adopted.incoming = incoming
    adopted.stopWaiting()
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    response.sendDate = false
    response.shouldKeepAlive = false
    this.#begin(incoming, incoming.socket)
    // The edge that is asked first may be the one that is being killed. A request that changes nothing is sent twice.
    const lost = () => respondLost(response, 'The process that took the request over was lost too.')
    await this.#forward(
      incoming,
      response,
      isRepeatable(incoming) ? () => this.#forward(incoming, response, lost) : lost,
    )
  }

  /** @param lost called when the edge is lost before it answers */
  async #forward(incoming: IncomingMessage, response: ServerResponse, lost: () => void): Promise<void> {
    const front = await this.#connect()
    if (!front) return respondLost(response, NO_FRONT)
    if (response.destroyed) return void front.destroy()

    const outgoing = request({
      createConnection: () => front,
      method: incoming.method,
      path: incoming.url,
      headers: this.#toEdge(incoming, []),
    })
    outgoing.on('error', () => {
      if (response.headersSent || response.destroyed) response.destroy()
      else lost()
    })
    outgoing.on('response', answer => relay(answer, response))
    response.on('close', () => outgoing.destroy())
    // No pipeline: an edge may answer, and stop reading, before it has the whole body.
    incoming.on('error', () => outgoing.destroy())
    if (isRepeatable(incoming)) outgoing.end()
    else incoming.pipe(outgoing)
  }

  async #upgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy())
    this.#begin(incoming, socket)
    const front = await this.#connect()
    if (!front) return answerAndClose(socket, 'ERR_EDGE_LOST', NO_FRONT, false)
    if (socket.destroyed) return void front.destroy()

    const outgoing = request({
      createConnection: () => front,
      method: incoming.method,
      path: incoming.url,
      headers: this.#toEdge(incoming, ['connection', 'Upgrade', 'upgrade', 'websocket']),
    })
    outgoing.on('error', () => socket.destroy())
    outgoing.on('upgrade', (answer, upstream, first) => {
      const headers = toClient(answer, ['connection', 'Upgrade', 'upgrade', 'websocket'])
      socket.write(toHead(101, headers))
      if (first.length > 0) socket.write(first)
      if (head.length > 0) upstream.write(head)
      pipeline(socket, upstream, socket, () => {
        socket.destroy()
        upstream.destroy()
      })
    })
    outgoing.on('response', answer => {
      const response = new ServerResponse(incoming)
      response.sendDate = false
      response.shouldKeepAlive = false
      response.assignSocket(socket)
      response.on('finish', () => socket.end())
      relay(answer, response)
    })
    socket.on('close', () => outgoing.destroy())
    outgoing.end()
  }

  /** A connection to an edge; waits for one to be there. `undefined` if there is none in time. */
  async #connect(): Promise<Socket | undefined> {
    for (const endMs = performance.now() + FRONT_WAIT_MS; ; ) {
      for (const path of this.#options.frontSockets()) {
        const socket = await tryConnect(path)
        if (socket) return socket
      }
      if (performance.now() >= endMs) return undefined
      await delay(RETRY_MS)
    }
  }

  #toEdge(incoming: IncomingMessage, more: readonly string[]): string[] {
    const headers = withoutHops(incoming.rawHeaders, [CLIENT_HEADER, 'expect'])
    const { 'transfer-encoding': encoding, 'content-length': length, host } = incoming.headers
    const hasBody = encoding !== undefined || length !== undefined
    // The framing is Node's own again, and a request without a body stays one.
    if (encoding !== undefined) headers.push('transfer-encoding', 'chunked')
    else if (!hasBody && !BODILESS.has(incoming.method ?? '')) headers.push('content-length', '0')
    if (host === undefined) headers.push('host', '')
    const { client } = this.#adopted.get(incoming.socket) ?? {}
    if (client) headers.push(CLIENT_HEADER, client)
    return [...headers, ...more]
  }
}

/** Says that the connection will be of no further use, in problem JSON, and closes it. Nothing must have been sent yet. */
export function answerAndClose(socket: Socket, code: ErrorCode, detail: string, isHead: boolean): void {
  const { headers, body } = toAnswer(code, detail)
  socket.on('error', () => socket.destroy())
  socket.end(toHead(ERRORS[code].status, headers) + (isHead ? '' : body))
  // What still arrives is read and dropped: closing a connection with unread bytes resets it, answer and all.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

interface Adopted {
  readonly client: string
  /** Once its head is there. */
  incoming: IncomingMessage | undefined
  stopWaiting(): void
}

const NO_FRONT = 'No process could take the request over in time.'
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'DELETE', 'TRACE'])

function respondLost(response: ServerResponse, detail: string): void {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const { headers, body } = toAnswer('ERR_EDGE_LOST', detail)
  response.writeHead(ERRORS.ERR_EDGE_LOST.status, headers)
  response.end(body)
}

/** Passes an edge's answer on. One that breaks off breaks the client's connection too. */
function relay(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(
    answer.statusCode ?? 502,
    answer.statusMessage,
    toClient(answer, ['connection', 'close']),
  )
  response.flushHeaders()
  pipeline(answer, response, error => {
    if (error) response.destroy()
  })
}

/** It only reads, and is all here: RFC 9110, section 9.2.2. */
function isRepeatable({ method, headers }: IncomingMessage): boolean {
  const hasBody = headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined
  return (method === 'GET' || method === 'HEAD') && !hasBody
}

/** Other protocols aren't spoken here; a server may ignore such a wish, as workerd does. */
function isWebSocket(incoming: IncomingMessage): boolean {
  return incoming.headers.upgrade?.toLowerCase() === 'websocket'
}

function toClient(answer: IncomingMessage, more: readonly string[]): string[] {
  return [...withoutHops(answer.rawHeaders, []), ...more]
}

function toAnswer(code: ErrorCode, detail: string): { headers: string[]; body: string } {
  const requestId = randomBytes(16).toString('hex')
  const body = `${JSON.stringify(toProblem(code, detail, requestId))}\n`
  const headers = [
    ...['content-type', 'application/problem+json', 'content-length', String(Buffer.byteLength(body))],
    ...['skerry-request-id', requestId],
    ...Object.entries(retryHeaders(code)).flat(),
    ...['connection', 'close'],
  ]
  return { headers, body }
}

function toHead(status: number, headers: readonly string[]): string {
  const lines = headers.flatMap((name, i) => (i % 2 === 0 ? [`${name}: ${headers[i + 1] ?? ''}\r\n`] : []))
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n`
}

/** Headers of this connection alone: RFC 9110, section 7.6.1. */
const HOPS = ['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade']

function withoutHops(raw: readonly string[], more: readonly string[]): string[] {
  const pairs = raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ''] as const] : []))
  const named = pairs.flatMap(([name, value]) =>
    name.toLowerCase() === 'connection' ? value.split(',').map(token => token.trim().toLowerCase()) : [],
  )
  // A client could name what frames the message, or who it is for.
  const kept = new Set(['host', 'content-length'])
  const dropped = new Set([...HOPS, ...more, ...named.filter(name => !kept.has(name))])
  return pairs.filter(([name]) => !dropped.has(name.toLowerCase())).flat()
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
  })
}
