import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrontProxy } from '../../host/front-proxy.ts'
import { RawClient } from './raw-client.ts'

let dir: string
let servers: (Server | TcpServer)[]
let fronts: string[]
let entrance: TcpServer

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'front-proxy-'))
  servers = []
  fronts = []
  const proxy = new FrontProxy({ frontSockets: () => fronts })
  entrance = createTcpServer({ allowHalfOpen: true }, socket => proxy.adopt(socket, '10.0.0.1:4711'))
  await listen(entrance, 0)
})

afterEach(() => {
  for (const server of servers) server.close()
  rmSync(dir, { recursive: true })
})

const open = () => RawClient.open((entrance.address() as AddressInfo).port)

describe('FrontProxy', () => {
  it('passes a request on as it was, with the address of its client', async () => {
    const seen = await startEdge()
    const answer = await (await open()).get('/a%20b?c=%C3%A9', 'X-A: 1\r\nX-A: 2\r\n').answer()
    expect(answer).toMatchObject({ status: 200, body: 'ok' })
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/a%20b?c=%C3%A9' })
    expect(seen[0]?.headersDistinct).toMatchObject({
      host: ['test'],
      'x-a': ['1', '2'],
      'skerry-client': ['10.0.0.1:4711'],
    })
  })

  it.each([
    ['its own word for who it is', 'Skerry-Client: 6.6.6.6:6\r\n', 'skerry-client', ['10.0.0.1:4711']],
    ['headers of its connection alone', 'Keep-Alive: 5\r\n', 'keep-alive', undefined],
    ['headers that Connection names', 'Connection: X-Hop\r\nX-Hop: 1\r\n', 'x-hop', undefined],
    ['no Host, though Connection names it', 'Connection: Host\r\n', 'host', ['test']],
    ['a wish for another protocol', 'Connection: Upgrade\r\nUpgrade: h2c\r\n', 'upgrade', undefined],
  ])('takes from a client %s', async (_, headers, name, values) => {
    const seen = await startEdge()
    await (await open()).get('/', headers).answer()
    expect(seen[0]?.headersDistinct[name]).toEqual(values)
  })

  it('answers one request a connection, and says so', async () => {
    const seen = await startEdge()
    const client = (await open()).get('/1').get('/2')
    expect((await client.answer()).headers.get('connection')).toBe('close')
    await client.rest()
    expect(seen.map(({ url }) => url)).toEqual(['/1'])
  })

  it.each([
    ['a length', 'Content-Length: 5\r\n\r\nhello'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'],
  ])('passes a body with %s on', async (_, rest) => {
    const bodies: string[] = []
    await startEdge(async (incoming, response) => {
      bodies.push(await text(incoming))
      response.end('ok')
    })
    const client = (await open()).send(`POST / HTTP/1.1\r\nHost: test\r\n${rest}`)
    expect((await client.answer()).status).toBe(200)
    expect(bodies).toEqual(['hello'])
  })

  it('passes on an answer that comes before the end of the body', async () => {
    await startEdge((_, response) => response.writeHead(413).end('too large'))
    const client = (await open()).send(
      'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\nbegin',
    )
    expect((await client.answer()).status).toBe(413)
  })

  it('passes a stream on as it comes', async () => {
    await startEdge((_, response) => void response.write('first'))
    await (await open().then(client => client.get('/'))).saw('first')
  })

  it('breaks the connection where an edge breaks its answer off', async () => {
    await startEdge((_, response) => {
      response.write('first')
      setImmediate(() => response.destroy())
    })
    expect(await (await open()).get('/').rest()).not.toContain('\r\n0\r\n\r\n')
  })

  it.each([
    [
      'two framings',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['the rest of another message', 'lo, world\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a WebSocket frame', '\x81\x82\0\0\0\0GET / HTTP/1.1\r\n\r\n'],
  ])('closes a connection on which there is %s', async (_, bytes) => {
    const seen = await startEdge()
    expect(await (await open()).send(bytes).rest()).toBe('')
    expect(seen).toEqual([])
  })

  it('tries a GET once more where an edge is lost, and no POST', async () => {
    const lost = join(dir, 'lost')
    await listen(
      createTcpServer(socket => socket.once('data', () => socket.destroy())),
      lost,
    )
    const seen = await startEdge()
    let asked = 0
    // The next to be asked: the lost one each second time.
    Object.defineProperty(fronts, Symbol.iterator, {
      value: () => [asked++ % 2 === 0 ? lost : join(dir, 'edge')].values(),
    })
    expect((await (await open()).get('/').answer()).status).toBe(200)
    const answer = await (await open()).post('/', 'x').answer()
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'ERR_EDGE_LOST', status: 503 })
    expect(seen).toHaveLength(1)
  })

  it('waits for an edge to be there', async () => {
    const client = (await open()).get('/')
    await startEdge()
    expect((await client.answer()).status).toBe(200)
  })

  it('answers ERR_EDGE_LOST where none comes', async () => {
    const answer = await (await open()).get('/').answer()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'ERR_EDGE_LOST' })
  })
})

/** An edge's private socket. Returns the requests that it got. */
async function startEdge(listener: RequestListener = (_, response) => response.end('ok')) {
  const seen: IncomingMessage[] = []
  const server = createServer((incoming, response) => {
    seen.push(incoming)
    return listener(incoming, response)
  })
  const path = join(dir, 'edge')
  await listen(server, path)
  fronts.push(path)
  return seen
}

function listen(server: Server | TcpServer, where: number | string): Promise<void> {
  servers.push(server)
  return new Promise(resolve => {
    if (typeof where === 'number') server.listen(where, '127.0.0.1', () => resolve())
    else server.listen(where, () => resolve())
  })
}
