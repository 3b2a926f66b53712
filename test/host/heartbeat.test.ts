import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Heartbeat, type HeartbeatAnswer } from '../../host/heartbeat.ts'
import { startWorkerd } from '../support/workerd.ts'
import { createTempDir } from './platform.ts'

type Report =
  | { readonly type: 'answer'; readonly answer: HeartbeatAnswer }
  | { readonly type: 'waiting'; readonly forMs: number }
  | { readonly type: 'broken'; readonly reason: string }

/** Starts a heartbeat, and gives its reports one by one. */
function start(socketPath: string, periodMs = 5) {
  const end = new AbortController()
  const reports: Report[] = []
  let heard = Promise.withResolvers<void>()
  const report = (one: Report) => {
    reports.push(one)
    heard.resolve()
    heard = Promise.withResolvers()
  }
  const heartbeat = new Heartbeat({
    socketPath: () => socketPath,
    periodMs,
    signal: end.signal,
    onAnswer: answer => report({ type: 'answer', answer }),
    onWaiting: forMs => report({ type: 'waiting', forMs }),
    onBroken: reason => report({ type: 'broken', reason }),
  })
  onTestFinished(() => end.abort())
  const next = async <T extends Report['type']>(type: T): Promise<Extract<Report, { type: T }>> => {
    for (;;) {
      const at = reports.findIndex(one => one.type === type)
      const [found] = at < 0 ? [] : reports.splice(0, at + 1).slice(-1)
      if (found) return found as Extract<Report, { type: T }>
      await heard.promise
    }
  }
  return { heartbeat, reports, next, end }
}

/** A process's health socket that is asked; each ask is given to `react` with its request line. */
async function listen(react: (socket: Socket, line: string) => void, path = join(createTempDir(), 'health')) {
  let connections = 0
  const sockets = new Set<Socket>()
  const server: Server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.setEncoding('latin1').on('error', () => {})
    let asked = ''
    socket.on('data', (text: string) => {
      asked += text
      for (let end = asked.indexOf('\r\n\r\n'); end >= 0; end = asked.indexOf('\r\n\r\n')) {
        react(socket, asked.slice(0, asked.indexOf('\r\n')))
        asked = asked.slice(end + 4)
      }
    })
  }).listen(path)
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { path, connections: () => connections }
}

function reply(body: string, status = '200 OK'): string {
  return `HTTP/1.1 ${status}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nContent-Type: application/json\r\n\r\n${body}`
}

test('Heartbeat asks again and again over one connection, one ask at a time', async () => {
  let open = 0
  let most = 0
  const server = await listen((socket, line) => {
    expect(line).toBe('GET / HTTP/1.1')
    most = Math.max(most, ++open)
    setTimeout(() => {
      open--
      socket.write(reply('{"ready":true,"isolatesLoaded":3}'))
    }, 12)
  })
  const { next } = start(server.path)
  for (let i = 0; i < 5; i++) {
    const { answer } = await next('answer')
    expect(answer).toMatchObject({ status: 200, body: { ready: true, isolatesLoaded: 3 } })
    expect(answer.latencyMs).toBeGreaterThan(5)
    expect(answer.atMs).toBeLessThanOrEqual(performance.now())
  }
  expect({ most, connections: server.connections() }).toEqual({ most: 1, connections: 1 })
})

test('Heartbeat tells each period for how long an answer is outstanding, and then the answer', async () => {
  let answerIt = () => {}
  const server = await listen(socket => {
    answerIt = () => socket.write(reply('{}'))
  })
  const { next, reports } = start(server.path)
  const waits = [await next('waiting'), await next('waiting'), await next('waiting')].map(
    ({ forMs }) => forMs,
  )
  expect(waits).toEqual(waits.toSorted((a, b) => a - b))
  expect(waits[0]).toBeGreaterThan(3)
  answerIt()
  const { answer } = await next('answer')
  expect(answer.latencyMs).toBeGreaterThan(waits[2] ?? 0)
  expect(reports.filter(({ type }) => type === 'broken')).toEqual([])
})

test('Heartbeat counts a 503 as an answer: the process has its thread', async () => {
  const server = await listen(socket => socket.write(reply('{"ready":false}', '503 Service Unavailable')))
  const { answer } = await start(server.path).next('answer')
  expect(answer).toMatchObject({ status: 503, body: { ready: false } })
})

test('Heartbeat reports a socket that nobody listens on, not lateness, and tries until somebody does', async () => {
  const path = join(createTempDir(), 'health')
  const { next, reports } = start(path)
  expect((await next('broken')).reason).toContain('ENOENT')
  expect((await next('broken')).reason).toContain('ENOENT')
  expect(reports.filter(({ type }) => type === 'waiting')).toEqual([])
  await listen(socket => socket.write(reply('{}')), path)
  expect((await next('answer')).answer.status).toBe(200)
})

test('Heartbeat reports a connection that breaks before the answer, and asks over another', async () => {
  let asks = 0
  const server = await listen(socket => {
    if (++asks === 1) socket.destroy()
    else socket.write(reply('{}'))
  })
  const { next } = start(server.path)
  expect((await next('broken')).reason).toBe('the connection was closed')
  await next('answer')
  expect(server.connections()).toBe(2)
})

test('Heartbeat reads an answer that comes in pieces, and characters beyond ASCII', async () => {
  const bytes = Buffer.from(reply('{"name":"übung €"}'))
  const server = await listen(async socket => {
    for (const byte of bytes) {
      socket.write(Buffer.of(byte))
      await new Promise(resolve => setImmediate(resolve))
    }
  })
  const { answer } = await start(server.path, 20).next('answer')
  expect(answer.body).toEqual({ name: 'übung €' })
})

test.each([
  { title: 'text that is not HTTP', text: 'hello' },
  { title: 'an answer of unknown length', text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' },
  { title: 'a body that is not JSON', text: reply('fine') },
  { title: 'more than was asked for', text: reply('{}') + reply('{}') },
  { title: 'an answer without end', text: `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(70_000)}` },
])('Heartbeat reports $title, and starts anew', async ({ text }) => {
  const server = await listen(socket => socket.write(text))
  const { next } = start(server.path)
  expect((await next('broken')).reason).toMatch(/^an answer that can't be read: "/)
  await next('broken')
  expect(server.connections()).toBeGreaterThan(1)
})

test('Heartbeat sends an order with one ask', async () => {
  const lines: string[] = []
  const server = await listen((socket, line) => {
    lines.push(line)
    socket.write(reply('{}'))
  })
  const { heartbeat, next } = start(server.path)
  heartbeat.order('?evict=8')
  heartbeat.order('?evict=16')
  await next('answer')
  await next('answer')
  expect(lines.slice(0, 2)).toEqual(['GET /?evict=16 HTTP/1.1', 'GET / HTTP/1.1'])
})

test('Heartbeat repeats an order whose answer did not come, and keeps one given meanwhile', async () => {
  const lines: string[] = []
  const server = await listen((socket, line) => {
    lines.push(line)
    if (lines.length === 1) socket.destroy()
    else {
      if (lines.length === 2) heartbeat.order('?evict=32')
      socket.write(reply('{}'))
    }
  })
  const { heartbeat, next } = start(server.path)
  heartbeat.order('?evict=16')
  for (let i = 0; i < 3; i++) await next('answer')
  expect(lines.slice(0, 4)).toEqual([
    'GET /?evict=16 HTTP/1.1',
    'GET /?evict=16 HTTP/1.1',
    'GET /?evict=32 HTTP/1.1',
    'GET / HTTP/1.1',
  ])
})

test('Heartbeat reports nothing after its signal', async () => {
  let isAsked = () => {}
  const asked = new Promise<void>(resolve => {
    isAsked = resolve
  })
  const closed = Promise.withResolvers<void>()
  const server = await listen(socket => {
    socket.on('close', () => closed.resolve())
    isAsked()
  })
  const { reports, end } = start(server.path)
  await asked
  end.abort()
  reports.length = 0
  await closed.promise
  expect(reports).toEqual([])
})

test('Heartbeat tells each period before it asks, and asks nothing if that ends it', async () => {
  const asks: string[] = []
  const server = await listen((socket, line) => {
    asks.push(line)
    socket.write(reply('{}'))
  })
  const order: string[] = []
  const end = new AbortController()
  const ended = Promise.withResolvers<void>()
  new Heartbeat({
    socketPath: () => server.path,
    periodMs: 5,
    signal: end.signal,
    onBeat() {
      order.push('beat')
      if (order.filter(one => one === 'answer').length < 2) return
      end.abort()
      ended.resolve()
    },
    onAnswer: () => order.push('answer'),
    onWaiting: () => {},
    onBroken: () => order.push('broken'),
  })
  await ended.promise
  expect(order[0]).toBe('beat')
  expect(order.filter(one => one !== 'beat')).toEqual(['answer', 'answer'])
  expect(asks).toHaveLength(2)
})

test('Heartbeat starts nothing when its signal is aborted already', async () => {
  const server = await listen(() => {})
  const reports: string[] = []
  new Heartbeat({
    socketPath: () => server.path,
    periodMs: 1,
    signal: AbortSignal.abort(),
    onAnswer: () => reports.push('answer'),
    onWaiting: () => reports.push('waiting'),
    onBroken: () => reports.push('broken'),
  })
  await new Promise(resolve => setTimeout(resolve, 20))
  expect({ reports, connections: server.connections() }).toEqual({ reports: [], connections: 0 })
})

test('Heartbeat reads what workerd answers', async () => {
  const code = `export default { fetch(request) {
    const order = new URL(request.url).search
    return Response.json({ ready: !order, order }, { status: order ? 503 : 200 })
  } }`
  const workerd = await startWorkerd({ modules: { 'main.js': code } })
  onTestFinished(() => workerd.stop())
  // The test's workerd listens on a port: this is its Unix socket.
  const path = join(createTempDir(), 'health')
  const server = createServer(socket => {
    const inner = connect(Number(new URL(workerd.url).port), '127.0.0.1')
    socket.pipe(inner).pipe(socket)
    socket.on('error', () => inner.destroy())
    inner.on('error', () => socket.destroy())
  }).listen(path)
  onTestFinished(() => void server.close())
  const { heartbeat, next, reports } = start(path)
  expect((await next('answer')).answer).toMatchObject({ status: 200, body: { ready: true, order: '' } })
  heartbeat.order('?evict=16')
  const orders: unknown[] = []
  while (!orders.some(Boolean)) orders.push((await next('answer')).answer.status === 503)
  expect(reports.filter(({ type }) => type === 'broken')).toEqual([])
})
