import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openSocket } from '../e2e/support/socket.ts'
import { type Origin, type SeenRequest, startOrigin } from '../support/origin.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

/** What only stock workerd can show: what it makes of messages on both sides of the gateway. */

const ZIPPED = gzipSync('hello hello hello')
let origin: Origin
let gateway: Workerd

beforeAll(async () => {
  origin = await startOrigin(answer)
  const options = {
    servers: [{ url: origin.url, weight: 1 }],
    host: 'upstream',
    timeout_ms: 1000,
    max_fails: 0,
    fail_seconds: 1,
  }
  gateway = await startWorkerd({
    modules: { 'main.js': await bundleModule('test/worker/upstream.ts') },
    compatibilityFlags: [],
    bindings: [
      { name: 'UPSTREAM', service: 'network' },
      { name: 'SETUP', text: JSON.stringify({ options, settings: {} }) },
    ],
    services: [{ name: 'network', network: { allow: ['public', 'private'] } }],
  })
})
afterAll(async () => {
  await gateway?.stop()
  await origin?.stop()
})

describe('through workerd, an upstream', () => {
  test('is kept connected from one request to the next', async () => {
    for (let i = 0; i < 3; i++) expect((await gateway.fetch('/echo')).status).toBe(200)
    expect(new Set(origin.seen.slice(-3).map(({ connection }) => connection)).size).toBe(1)
  })

  test('sees the host of its own URL, and the one that was asked beside it', async () => {
    await gateway.fetch('/echo', { headers: { host: 'api.test:8080' } })
    expect(lastSeen().headers).toMatchObject({
      host: `127.0.0.1:${origin.port}`,
      'x-forwarded-host': 'api.test:8080',
    })
  })

  test('sees no more and no less than is to be passed on', async () => {
    await gateway.fetch('/echo', {
      headers: { host: 'api.test', connection: 'x-a', 'x-a': '1', te: 'trailers' },
    })
    expect(Object.keys(lastSeen().headers).sort()).toEqual([
      'cdn-loop',
      'forwarded',
      'host',
      'via',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-forwarded-proto',
      'x-real-ip',
    ])
  })

  test.each([
    ['its announced length', {}, { 'content-length': '3' }],
    ['no length', { 'transfer-encoding': 'chunked' }, { 'transfer-encoding': 'chunked' }],
  ])('gets a body of %s as that', async (_what, headers, expected) => {
    const response = await gateway.fetch('/echo', { method: 'POST', body: 'abc', headers })
    expect(await response.json()).toMatchObject({ body: 'abc' })
    expect(lastSeen().headers).toMatchObject(expected)
  })

  test('gets a body of 3 MB whole', async () => {
    const response = await gateway.fetch('/echo', { method: 'POST', body: 'x'.repeat(3_000_000) })
    expect(((await response.json()) as { body: string }).body).toHaveLength(3_000_000)
  })

  test.each([
    ['a body with a coding and no length', '/zipped', { 'content-encoding': 'gzip' }],
    ['a body with a coding and a length', '/zipped?length', { 'content-length': `${ZIPPED.byteLength}` }],
  ])('gives %s to the client as it is', async (_what, path, headers) => {
    for (const raw of [{}, { 'x-raw': '1' }]) {
      const response = await gateway.fetch(path, { headers: { 'accept-encoding': 'gzip', ...raw } })
      expect(Object.fromEntries(response.headers)).toMatchObject(headers)
      expect(Buffer.from(await response.arrayBuffer()).equals(ZIPPED)).toBe(true)
    }
  })

  test.each([
    ['HEAD', '/length', 200, '5', ''],
    ['GET', '/length', 200, '5', 'hello'],
    ['GET', '/status/204', 204, null, ''],
    ['GET', '/status/304', 304, null, ''],
    ['GET', '/status/302', 302, null, ''],
  ])('answers %s %s with its own status and length', async (method, path, status, length, body) => {
    const response = await gateway.fetch(path, { method })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      status,
      length,
      body,
    ])
    expect(response.headers.get('etag')).toBe(path.startsWith('/status') ? '"x"' : null)
  })

  test('keeps each Set-Cookie, and the words of its status', async () => {
    const text = await talk('GET /cookies HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(text).toContain('HTTP/1.1 201 Made It\r\n')
    expect(text).toContain('Set-Cookie: a=1\r\nSet-Cookie: b=2, c\r\n')
  })

  test('streams both ways at once', async () => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const until = reader(socket)
    socket.write('POST /duplex HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    expect(await until('echo abc')).toContain('200 OK')
    socket.write('3\r\ndef\r\n')
    await until('echo def')
    socket.write('0\r\n\r\n')
    await until('\r\n0\r\n\r\n')
  })

  test('speaks WebSocket, by the protocol that the client asks for', async () => {
    const port = Number(new URL(gateway.url).port)
    const socket = await openSocket(port, 'api.test', '/ws')
    socket.send('hi')
    expect(await socket.next()).toBe('echo hi')
    socket.close()
    expect(lastSeen().headers).toMatchObject({ upgrade: 'websocket', 'x-forwarded-host': `api.test:${port}` })

    const text = await talk(
      'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chat, other\r\n\r\n',
      'Sec-WebSocket-Protocol: chat\r\n',
    )
    expect(text).toContain('101 Switching Protocols')
  })
})

describe('through workerd, what breaks', () => {
  test('is let go at the upstream when the client of a stream goes', async () => {
    const outgoing = httpRequest(`${gateway.url}/events`).end()
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    await once(response, 'data')
    const seen = lastSeen()
    outgoing.destroy()
    expect(await seen.isCutOff).toBe(true)
  })

  test('is let go at the upstream when the client of an upload goes', async () => {
    const before = origin.seen.length
    const outgoing = httpRequest(`${gateway.url}/echo`, { method: 'POST', headers: { 'content-length': 10 } })
    outgoing.on('error', () => {})
    outgoing.write('abc')
    await expect.poll(() => origin.seen.length).toBe(before + 1)
    outgoing.destroy()
    expect(await lastSeen().isCutOff).toBe(true)
  })

  test.each(['/cut?length', '/cut'])(
    'at the upstream in the middle of %s breaks at the client too',
    async path => {
      const text = await talk(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      expect(text).toMatch(/\r\nhalf(\r\n)?$/)
    },
  )

  test('at the upstream before it answers is a 502', async () => {
    const response = await gateway.fetch('/die')
    expect([response.status, (await response.json()) as object]).toEqual([
      502,
      expect.objectContaining({ code: 'ERR_UPSTREAM_FAILED' }),
    ])
  })

  test('by its status, which is none, is a 502', async () => {
    expect((await gateway.fetch('/status/799')).status).toBe(502)
  })

  test('by taking too long is a 504', async () => {
    const response = await gateway.fetch('/never')
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      504,
      'ERR_UPSTREAM_TIMEOUT',
    ])
    expect(await lastSeen().isCutOff).toBe(true)
  })

  test.each([
    ['a chunk is malformed', 'Transfer-Encoding: chunked', '3\r\nabc\r\nzz\r\n'],
    ['the client stops sending', 'Content-Length: 10', 'abc'],
  ])('because %s never looks whole to the upstream, and is a 400', async (_what, header, body) => {
    const text = await talk(`POST /echo HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n${body}`, undefined, true)
    expect(text).toMatch(/^HTTP\/1.1 400 /)
    expect(text).toContain('ERR_BAD_REQUEST')
    expect(await lastSeen().isCutOff).toBe(true)
  })
})

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '', 'http://origin')
  const hasLength = search === '?length'
  if (pathname === '/zipped') {
    const length = hasLength ? { 'content-length': ZIPPED.byteLength } : {}
    response.writeHead(200, { 'content-encoding': 'gzip', ...length }).end(ZIPPED)
  } else if (pathname === '/length') {
    response.writeHead(200, { 'content-length': 5 }).end(request.method === 'HEAD' ? undefined : 'hello')
  } else if (pathname.startsWith('/status/')) {
    response.writeHead(Number(pathname.slice(8)), { etag: '"x"' }).end()
  } else if (pathname === '/cookies') {
    response.setHeader('set-cookie', ['a=1', 'b=2, c']).writeHead(201, 'Made It').end()
  } else if (pathname === '/duplex') {
    response.flushHeaders()
    request.on('data', piece => response.write(`echo ${piece}`))
    request.on('end', () => response.end())
  } else if (pathname === '/events') {
    const timer = setInterval(() => response.write('data: x\n\n'), 20)
    response.on('close', () => clearInterval(timer))
  } else if (pathname === '/cut') {
    response.writeHead(200, hasLength ? { 'content-length': 100 } : {}).write('half', () => {
      setTimeout(() => request.socket.destroy(), 20)
    })
  } else if (pathname === '/die') request.socket.destroy()
  else if (pathname !== '/never') {
    const pieces: Buffer[] = []
    request.on('data', piece => pieces.push(piece))
    request.on('end', () => response.end(JSON.stringify({ body: `${Buffer.concat(pieces)}` })))
  }
}

function lastSeen(): SeenRequest {
  const seen = origin.seen.at(-1)
  if (!seen) throw new Error('The origin was not asked.')
  return seen
}

/** All that comes back on a connection until it ends, or until it holds a text; `isAll`: nothing more will be sent. */
async function talk(text: string, until?: string, isAll = false): Promise<string> {
  const socket = connect({ port: Number(new URL(gateway.url).port), host: '127.0.0.1' })
  onTestFinished(() => void socket.destroy())
  if (isAll) socket.end(text)
  else socket.write(text)
  return reader(socket)(until)
}

/** Reads on until the connection ends, or what came in all holds a text. */
function reader(socket: ReturnType<typeof connect>): (until?: string) => Promise<string> {
  let all = ''
  const pieces = socket[Symbol.asyncIterator]()
  return async until => {
    while (until === undefined || !all.includes(until)) {
      const { value, done } = await pieces.next().catch(() => ({ value: '', done: true }))
      if (done) break
      all += value.toString('latin1')
    }
    return all
  }
}
