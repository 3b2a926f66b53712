import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningWorkerd, startWorker } from '../support/outbound-workerd.ts'

const ACCOUNT = '0123456789abcdef0123456789abcdef'
const HEX = /^[0-9a-f]{32}$/

let workerd: RunningWorkerd
beforeAll(async () => {
  workerd = await startWorker({
    entry: 'tail.ts',
    bindings: `(name = "LOADER", workerLoader = (id = "functions")),
      (name = "ACCOUNT", durableObjectNamespace = (className = "Account")),
      (name = "TAILS", durableObjectNamespace = (className = "TailHub"))`,
    fields: [
      `durableObjectNamespaces = [
        (className = "Account", uniqueKey = "Account", enableSql = true),
        (className = "TailHub", uniqueKey = "TailHub", enableSql = true)]`,
      'durableObjectStorage = (localDisk = "disk")',
    ],
    services: ['(name = "disk", disk = (path = "data", writable = true))'],
  })
})
afterAll(() => workerd.stop())

interface TailRecord {
  readonly id: string
  readonly url: string
  readonly expires_at: string
}
interface Message {
  readonly outcome: string
  readonly scriptName: string
  readonly entrypoint?: string
  readonly event: Record<string, unknown> & {
    request?: { url: string; method: string; headers: Record<string, string> }
  }
  readonly logs: { level: string; message: unknown[] }[]
  readonly exceptions: { name: string; message: string; stack: string }[]
}

function api(method: string, path: string, body?: string, headers: Record<string, string> = {}) {
  const url = `${workerd.url}/client/v4/accounts/${ACCOUNT}/workers/scripts/${path}`
  // As wrangler sends it: JSON, called text.
  return fetch(url, {
    method,
    headers: { 'content-type': 'text/plain;charset=UTF-8', ...headers },
    ...(body && { body }),
  })
}

async function startTail(script: string, filters: unknown[] = []): Promise<TailRecord> {
  const response = await api('POST', `${script}/tails`, JSON.stringify({ filters }))
  const { result } = (await response.json()) as { result: TailRecord }
  return result
}

/** A reader of a live log; `next()` waits for its next message. */
async function read(url: string) {
  const socket = new WebSocket(url, 'trace-v1')
  const queue: Message[] = []
  const waiting: ((message: Message) => void)[] = []
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    const take = waiting.shift()
    if (take) take(message)
    else queue.push(message)
  })
  await once(socket, 'open')
  return {
    socket,
    next: () => {
      const held = queue.shift()
      return held ? Promise.resolve(held) : new Promise<Message>(resolve => waiting.push(resolve))
    },
  }
}

const call = (path: string, init?: RequestInit) => fetch(`${workerd.url}${path}`, init)
const tailingUntil = async (script: string) => (await (await call(`/tailing/${script}`)).json()) as number

describe('a live log', () => {
  test('begins with an id, an address on the port that was called, and an end in six hours', async () => {
    const { id, url, expires_at } = await startTail('begins')
    expect(id).toMatch(HEX)
    expect(url).toMatch(
      new RegExp(
        `^ws://127\\.0\\.0\\.1:${workerd.port}/api/v1/tails/${ACCOUNT}/begins/${id}\\?secret=[0-9a-f]{64}$`,
      ),
    )
    expect(Date.parse(expires_at) - Date.now()).toBeGreaterThan(6 * 3600_000 - 10_000)
    expect(await tailingUntil('begins')).toBe(Date.parse(expires_at))
  })

  test('shows a request with its logs, credentials redacted', async () => {
    const { url } = await startTail('fn')
    const reader = await read(url)
    expect(reader.socket.protocol).toBe('trace-v1')
    await call('/run/a?token=0123456789abcdef0123456789abcdef', {
      headers: { authorization: 'Bearer s3cret', 'x-a': 'b' },
    })
    const message = await reader.next()
    expect(message).toMatchObject({
      outcome: 'ok',
      scriptName: 'fn',
      scriptVersion: { id: 'v1' },
      eventTimestamp: expect.any(Number),
      event: {
        request: { method: 'GET', headers: { authorization: 'REDACTED', 'x-a': 'b' } },
        response: { status: 200 },
      },
      logs: [
        { level: 'log', message: ['hello', { n: 1 }], timestamp: expect.any(Number) },
        { level: 'error', message: ['oops'] },
      ],
      exceptions: [],
    })
    expect(message.event.request?.url).toBe(`${workerd.url}/run/a?token=REDACTED`)
    expect(JSON.stringify(message)).not.toContain('s3cret')
    reader.socket.close()
  })

  test('shows an exception with its stack', async () => {
    const reader = await read((await startTail('fn')).url)
    await call('/run/throw')
    const { outcome, exceptions, event } = await reader.next()
    expect(outcome).toBe('exception')
    expect(exceptions).toMatchObject([{ name: 'TypeError', message: 'boom' }])
    expect(exceptions[0]?.stack).toMatch(/at Object\.fetch \(main\.js:9:\d+\)/)
    expect(event).not.toHaveProperty('response')
    reader.socket.close()
  })

  test('shows a cron tick with its expression and time', async () => {
    const reader = await read((await startTail('fn')).url)
    await call('/cron')
    expect(await reader.next()).toMatchObject({
      outcome: 'ok',
      event: { cron: '*/5 * * * *', scheduledTime: 1_700_000_040_000 },
      logs: [{ message: ['tick', '*/5 * * * *'] }],
    })
    reader.socket.close()
  })

  test('shows a call of an entrypoint, and none of the calls that the platform makes', async () => {
    const reader = await read((await startTail('fn')).url)
    await call('/rpc')
    expect(await reader.next()).toMatchObject({ entrypoint: 'Named', event: { rpcMethod: 'greet' } })
    reader.socket.close()
  })

  test('shows what its filters match, and nothing else', async () => {
    const reader = await read(
      (await startTail('fn', [{ outcome: ['exception'] }, { client_ip: ['self'] }])).url,
    )
    await call('/run/a')
    await call('/run/throw')
    expect((await reader.next()).outcome).toBe('exception')
    reader.socket.close()
  })

  test('answers pings and takes the unmasked frame that wrangler sends', async () => {
    const peer = await openPeer((await startTail('fn')).url)
    expect(peer.head).toMatch(/^HTTP\/1\.1 101 [\s\S]*sec-websocket-protocol: trace-v1\r\n/i)

    const text = Buffer.from('{"debug":false}')
    const ping = Buffer.from('wrangler tail ping')
    const mask = Buffer.from([1, 2, 3, 4])
    const masked = ping.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
    peer.socket.write(Buffer.concat([Buffer.from([0x81, text.length]), text]))
    peer.socket.write(Buffer.concat([Buffer.from([0x89, 0x80 | ping.length]), mask, masked]))
    await peer.until(received => received.includes(`\x8a\x12${ping}`))

    await call('/run/a')
    await peer.until(received => /\x81.*"message":\["hello"/.test(received))
    peer.socket.destroy()
  })

  test('ends with close code 1000 when it is deleted; deleting it again is no error', async () => {
    const { id, url } = await startTail('ends')
    const peer = await openPeer(url)
    for (let time = 0; time < 2; time++) {
      const response = await api('DELETE', `ends/tails/${id}`)
      expect(await response.json()).toMatchObject({ success: true, result: null })
    }
    await peer.until(received => received.includes(`${CLOSE_1000}The live log was closed.`))
    expect(await tailingUntil('ends')).toBe(0)
    peer.socket.destroy()
  })

  test('goes to the reader that connected last', async () => {
    const { url } = await startTail('fn')
    const first = await openPeer(url)
    const second = await read(url)
    await first.until(received => received.includes(`${CLOSE_1000}Another reader took over.`))
    await call('/run/a')
    expect((await second.next()).outcome).toBe('ok')
    first.socket.destroy()
    second.socket.close()
  })

  test('that nobody is connected to ends after a minute, and its script is told', async () => {
    const { expires_at } = await startTail('idle')
    const ring = (aheadMs: number) => call(`/ring/idle?ahead=${aheadMs}`, { method: 'POST' })
    await ring(55_000)
    expect(await tailingUntil('idle')).toBe(Date.parse(expires_at))
    await ring(60_000)
    expect(await tailingUntil('idle')).toBe(0)
  })

  test('ends after six hours, though somebody reads', async () => {
    const { url, expires_at } = await startTail('expires')
    const peer = await openPeer(url)
    const ring = (aheadMs: number) => call(`/ring/expires?ahead=${aheadMs}`, { method: 'POST' })
    await ring(6 * 3600_000 - 10_000)
    expect(await tailingUntil('expires')).toBe(Date.parse(expires_at))
    await ring(6 * 3600_000)
    await peer.until(received => received.includes(`${CLOSE_1000}The live log expired.`))
    expect(await tailingUntil('expires')).toBe(0)
    peer.socket.destroy()
  })

  test.each([
    ['a wrong secret', (url: string) => url.replace(/secret=./, 'secret=x')],
    ['no secret', (url: string) => url.replace(/\?.*/, '')],
    ['the id of another', (url: string) => url.replace(/\/[0-9a-f]{32}\?/, `/${'0'.repeat(32)}?`)],
    ['the name of another script', (url: string) => url.replace('/secret-test/', '/fn/')],
  ])('is not opened by %s', async (_, spoil) => {
    const { url } = await startTail('secret-test')
    const peer = await openPeer(spoil(url))
    expect(peer.head).toMatch(/^HTTP\/1\.1 404 /)
    await peer.until(received => received.includes('ERR_TAIL_NOT_FOUND'))
    peer.socket.destroy()
  })

  test('is not readable without a WebSocket', async () => {
    const { url } = await startTail('secret-test-2')
    const response = await fetch(url.replace('ws:', 'http:'))
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('A live log is read over a WebSocket')
  })

  test('is one of at most ten of a script', async () => {
    for (let count = 0; count < 10; count++) await startTail('crowded')
    const list = (await (await api('GET', 'crowded/tails')).json()) as { result: TailRecord[] }
    expect(list.result).toHaveLength(10)
    expect(JSON.stringify(list)).not.toContain('secret')
    const response = await api('POST', 'crowded/tails', '{"filters":[]}')
    expect(response.status).toBe(429)
    expect(await response.json()).toMatchObject({ errors: [{ error_code: 'ERR_TAIL_LIMIT' }] })
    await api('DELETE', `crowded/tails/${list.result[0]?.id}`)
    expect((await api('POST', 'crowded/tails', '{}')).status).toBe(200)
  })

  test('of a script that does not exist is refused', async () => {
    const response = await api('POST', 'missing/tails', '{"filters":[]}')
    expect(await response.json()).toMatchObject({ success: false, errors: [{ code: 10007 }] })
  })

  test('with a wrong filter is refused with the filter', async () => {
    const response = await api('POST', 'fn/tails', '{"filters":[{"query":1}]}')
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      errors: [{ message: 'filters[0].query must be a string, not 1.' }],
    })
  })
})

describe('a reader that is slower than its logs', () => {
  test('loses some, is told so, and then gets everything again', async () => {
    const peer = await openPeer((await startTail('slow')).url)
    peer.socket.pause()

    const log = { level: 'log', message: ['x'.repeat(100_000)], timestamp: 1 }
    const base = { outcome: 'ok', scriptName: 'slow', eventTimestamp: 1, event: null }
    const body = JSON.stringify(Array(10).fill({ message: { ...base, logs: [log], exceptions: [] } }))
    const publish = () => call('/publish/slow', { method: 'POST', body })
    for (let round = 0; round < 30; round++) await publish()

    peer.socket.resume()
    await peer.until(received => /"type":"overload","message":"There are more logs/.test(received))
    while (!peer.received().includes('overload-stop')) await publish()
    const [, lost] = /complete again; (\d+) were left out/.exec(peer.received()) ?? []
    expect(Number(lost)).toBeGreaterThan(100)
    peer.socket.destroy()
  })
})

/** The head of a close frame with code 1000, after its length. */
const CLOSE_1000 = '\x03\xe8'

/** A WebSocket client of bare bytes. */
async function openPeer(url: string) {
  const { pathname, search, port } = new URL(url)
  const socket = connect(Number(port), '127.0.0.1')
  let received = ''
  socket.on('data', data => {
    received += data.toString('latin1')
  })
  const until = async (done: (received: string) => boolean) => {
    while (!done(received)) await once(socket, 'data')
  }
  const upgrade = [
    'host: localhost',
    'connection: upgrade',
    'upgrade: websocket',
    'sec-websocket-version: 13',
  ]
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='
  const lines = [`GET ${pathname}${search} HTTP/1.1`, ...upgrade, key, 'sec-websocket-protocol: trace-v1']
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  await until(text => text.includes('\r\n\r\n'))
  return { socket, head: received, received: () => received, until }
}
