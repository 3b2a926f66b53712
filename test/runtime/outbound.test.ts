import { lookup } from 'node:dns/promises'
import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { hostname } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DENIED_NETWORKS } from '../../src/core/addresses.ts'
import { type RunningWorkerd, startWorker } from '../support/outbound-workerd.ts'

const DENY = DENIED_NETWORKS.map(network => `"${network}"`)
const PUBLIC = `(name = "net", network = (allow = ["public"], deny = [${DENY}], tlsOptions = (trustBrowserCas = true)))`
const OPEN = `(name = "open", network = (allow = ["public", "private"], deny = [${DENY}]))`
const LOADER = '(name = "LOADER", workerLoader = (id = "functions"))'

/** A listener that no function may reach unless a test says so; counts what arrives. */
interface Trap {
  readonly port: number
  readonly server: Server
  hits: number
}

async function openTrap(): Promise<Trap> {
  const trap = { port: 0, hits: 0 } as { port: number; hits: number; server: Server }
  trap.server = createServer(socket => {
    trap.hits++
    socket.on('error', () => {})
    socket.on('data', data =>
      socket.end(data.toString('latin1').startsWith('GET') ? HTTP_ANSWER : `got ${data}`),
    )
  }).listen(0, '127.0.0.1')
  await once(trap.server, 'listening')
  trap.port = (trap.server.address() as { port: number }).port
  return trap
}

const HTTP_ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\n\r\ntrapped'

interface Answer {
  readonly value?: unknown
  readonly error?: { name: string; message: string; retryable?: boolean }
}

async function run(workerd: RunningWorkerd, code: string): Promise<Answer> {
  const response = await fetch(workerd.url, { method: 'POST', body: code })
  return (await response.json()) as Answer
}

const fetchText = (url: string) => `return await (await fetch(${JSON.stringify(url)})).text()`

/** What the function sees when it connects, sends a line and reads to the end. */
const talk = (address: string) => `
  const socket = connect(${JSON.stringify(address)})
  const writer = socket.writable.getWriter()
  await writer.write(new TextEncoder().encode('hello')).catch(() => {})
  return await new Response(socket.readable).text()`

let trap: Trap
beforeAll(async () => {
  trap = await openTrap()
})
afterAll(() => void trap.server.close())

describe('a function on a host that allows public addresses only', () => {
  let workerd: RunningWorkerd
  beforeAll(async () => {
    workerd = await startWorker({
      entry: 'outbound.ts',
      bindings: `${LOADER}, (name = "INTERNET", service = (name = "main", entrypoint = "FakeInternet")),
        (name = "NETWORK", service = "net"), (name = "SKERRY_URL", text = "https://skerry.example.com")`,
      fields: ['globalOutbound = "net"'],
      services: [PUBLIC],
    })
  })
  afterAll(() => workerd.stop())

  const places = [
    '127.0.0.1',
    'localhost',
    'a.b.localhost',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.1',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[64:ff9b::7f00:1]',
    '[2002:7f00:1::]',
    '169.254.169.254',
    '168.63.129.16',
    'metadata.google.internal',
    '10.0.0.5',
    '172.16.0.1',
    '192.168.1.1',
    '100.64.0.1',
    '[fd00::1]',
    '[fe80::1]',
  ]

  test.each(places)('fetch() of %s is refused with the reason', async place => {
    const { error } = await run(workerd, fetchText(`http://${place}:${trap.port}/`))
    expect(error?.name).toBe('SkerryError')
    expect(error?.message).toMatch(
      /^ERR_EGRESS_REFUSED: fetch to \S+ was refused: it is not a public address/,
    )
    expect(trap.hits).toBe(0)
  })

  test.each(places)('a redirect to %s is refused, and nothing arrives there', async place => {
    const to = encodeURIComponent(`http://${place}:${trap.port}/`)
    const { error } = await run(workerd, fetchText(`http://site.example/redirect?to=${to}`))
    expect(error?.message).toMatch(/^ERR_EGRESS_REFUSED: /)
    expect(trap.hits).toBe(0)
  })

  test('a redirect is handed to a function that asks for it by hand', async () => {
    const { value } = await run(
      workerd,
      `const r = await fetch('http://site.example/redirect?to=http://127.0.0.1/', { redirect: 'manual' })
       return [r.status, r.headers.get('location')]`,
    )
    expect(value).toEqual([302, 'http://127.0.0.1/'])
  })

  test('fetch() of the control plane by its public name is refused', async () => {
    const { error } = await run(workerd, fetchText('https://skerry.example.com/client/v4/accounts'))
    expect(error?.message).toBe(
      'ERR_EGRESS_REFUSED: fetch to skerry.example.com was refused: it is the control plane of this platform.',
    )
  })

  test('fetch() of a host that the platform serves is answered without leaving the machine', async () => {
    const { value } = await run(workerd, `return await (await fetch('http://other.localhost/x')).json()`)
    expect(value).toEqual({ internal: 'http://other.localhost/x', cf: null })
  })

  test('a function can not choose the client address that another function sees', async () => {
    const { value } = await run(
      workerd,
      `return await (await fetch('http://other.localhost/', { cf: { clientIp: '1.2.3.4', mine: 1 } })).json()`,
    )
    expect(value).toEqual({ internal: 'http://other.localhost/', cf: { mine: 1 } })
  })

  test('a subrequest goes out with its method, body and headers, and says which platform sent it', async () => {
    const { value } = await run(
      workerd,
      `const headers = { 'x-mine': 'yes', 'cf-worker': 'forged.example' }
       return await (await fetch('http://site.example/', { method: 'POST', body: 'text', headers })).json()`,
    )
    expect(value).toMatchObject({ method: 'POST', body: 'text' })
    const { headers } = value as { headers: [string, string][] }
    expect(headers).toContainEqual(['x-mine', 'yes'])
    expect(headers).toContainEqual(['cf-worker', 'localhost'])
  })

  const openSocket = (url: string) => `
    const { webSocket } = await fetch(${JSON.stringify(url)}, { headers: { upgrade: 'websocket' } })
    webSocket.accept()
    webSocket.send('hi')
    return await new Promise(done => webSocket.addEventListener('message', e => done(e.data)))`

  test('a WebSocket opens to a public address', async () => {
    expect(await run(workerd, openSocket('http://site.example/socket'))).toEqual({ value: 'echo hi' })
  })

  test('a WebSocket to this machine is refused', async () => {
    const { error } = await run(workerd, openSocket(`${workerd.url}/socket`))
    expect(error?.message).toMatch(/^ERR_EGRESS_REFUSED: /)
  })
})

describe('a function whose names are resolved by the restricted network', () => {
  let workerd: RunningWorkerd
  beforeAll(async () => {
    workerd = await startWorker({
      entry: 'outbound.ts',
      bindings: `${LOADER}, (name = "INTERNET", service = "net"), (name = "NETWORK", service = "net")`,
      fields: ['globalOutbound = "net"'],
      services: [PUBLIC],
    })
  })
  afterAll(() => workerd.stop())

  test('a name that does not resolve is reported with where to look', async () => {
    const { error } = await run(workerd, fetchText('http://name.invalid/'))
    expect(error?.message).toMatch(
      /^ERR_EGRESS_FAILED: fetch to name\.invalid failed: the name does not resolve .* under \w+\.$/,
    )
  })

  test.each([
    '127.0.0.1',
    'localhost',
    'LOCALHOST.',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '10.0.0.1',
    hostname(),
  ])('connect() to %s is refused: the socket ends, the log says why, nothing arrives', async place => {
    const address = `${place}:${trap.port}`
    expect(await run(workerd, talk(address))).toEqual({ value: '' })
    const line = await workerd.logged(new RegExp(`connect to ${address.replaceAll(/[.[\]]/g, '\\$&')} `))
    expect(line).toMatch(/account\/script: ERR_EGRESS_REFUSED: .* was refused: it is not a public address\./)
    expect(trap.hits).toBe(0)
  })

  test('connect() to port 25 is refused', async () => {
    expect(await run(workerd, talk('mail.example:25'))).toEqual({ value: '' })
    await workerd.logged(/ERR_EGRESS_REFUSED: connect to mail\.example:25 was refused: port 25/)
  })

  test('connect() with TLS says that it is not supported', async () => {
    const { error } = await run(workerd, `connect('example.com:443', { secureTransport: 'on' })`)
    expect(error?.message).toBe('Incoming CONNECT with TLS not supported')
  })
})

describe('a name that resolves to this machine', () => {
  let workerd: RunningWorkerd
  beforeAll(async () => {
    workerd = await startWorker({
      entry: 'outbound-network.ts',
      bindings: '(name = "INTERNET", service = "net")',
      fields: ['globalOutbound = "net"'],
      services: [PUBLIC],
    })
  })
  afterAll(() => workerd.stop())

  test('is refused by the network service itself, whatever its text looks like', async ({ skip }) => {
    const name = hostname()
    const { address } = await lookup(name).catch(() => ({ address: '' }))
    if (!address.startsWith('127.')) skip(`the name ${name} does not resolve to loopback here`)
    const response = await fetch(`${workerd.url}/?url=${encodeURIComponent(`http://${name}:${trap.port}/`)}`)
    expect(await response.text()).toMatch(/^internal error/)
    await workerd.logged(new RegExp(`connecting to ${name}:${trap.port} is not allowed`))
    expect(trap.hits).toBe(0)
  })
})

describe('the restricted network', () => {
  let workerd: RunningWorkerd
  beforeAll(async () => {
    workerd = await startWorker({
      entry: 'outbound-network.ts',
      bindings: '(name = "INTERNET", service = "net")',
      fields: ['globalOutbound = "net"'],
      services: [PUBLIC],
    })
  })
  afterAll(() => workerd.stop())

  // What a name may resolve to: so it must hold without our own check of the text.
  test.each([
    ...['0.0.0.0', '127.0.0.1', '10.0.0.5', '100.64.0.1', '169.254.169.254', '168.63.129.16', '192.168.1.1'],
    ...[
      '[::]',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[fd00::1]',
      '[fe80::1]',
      '[2002:7f00:1::]',
      '[64:ff9b::7f00:1]',
    ],
  ])('refuses to connect to %s', async place => {
    const response = await fetch(`${workerd.url}/?url=${encodeURIComponent(`http://${place}:${trap.port}/`)}`)
    expect(await response.text()).toMatch(/^internal error/)
    expect(trap.hits).toBe(0)
  })
})

describe('a function on a host without network services of its own', () => {
  let workerd: RunningWorkerd
  beforeAll(async () => {
    workerd = await startWorker({
      entry: 'outbound.ts',
      bindings: `${LOADER}, (name = "NETWORK", service = "net")`,
      fields: ['globalOutbound = (name = "main", entrypoint = "FakeInternet")'],
      services: [PUBLIC],
    })
  })
  afterAll(() => workerd.stop())

  test('goes out as the platform does', async () => {
    const { value } = await run(workerd, `return (await fetch('http://site.example/')).status`)
    expect(value).toBe(200)
  })

  test('is held to the same addresses', async () => {
    const { error } = await run(workerd, fetchText(`http://127.0.0.1:${trap.port}/`))
    expect(error?.message).toMatch(/^ERR_EGRESS_REFUSED: /)
    expect(await run(workerd, talk(`127.0.0.1:${trap.port}`))).toEqual({ value: '' })
    expect(trap.hits).toBe(0)
  })
})

describe('a function whose operator allows private addresses', () => {
  let workerd: RunningWorkerd
  let own: Trap
  let reachable: Trap
  beforeAll(async () => {
    own = await openTrap()
    reachable = await openTrap()
    workerd = await startWorker({
      entry: 'outbound.ts',
      bindings: `${LOADER}, (name = "INTERNET", service = "net"), (name = "INTRANET", service = "open"),
        (name = "NETWORK", service = "net"), (name = "SKERRY_LISTENS_ON", text = "127.0.0.1:${own.port}")`,
      fields: ['globalOutbound = "net"'],
      services: [PUBLIC, OPEN],
    })
  })
  afterAll(async () => {
    own.server.close()
    reachable.server.close()
    await workerd.stop()
  })

  test('reaches a service of its own by fetch()', async () => {
    expect(await run(workerd, fetchText(`http://127.0.0.1:${reachable.port}/`))).toEqual({ value: 'trapped' })
  })

  test('reaches a service of its own by connect()', async () => {
    expect(await run(workerd, talk(`127.0.0.1:${reachable.port}`))).toEqual({ value: 'got hello' })
  })

  test.each(['await socket.close()', ''])('lets go of its connection at the end, by %j', async end => {
    const { promise: gone, resolve } = Promise.withResolvers<string>()
    const silent = createServer({ allowHalfOpen: true }, socket => {
      socket.on('end', () => resolve('gone')).on('error', () => resolve('gone'))
      socket.resume().write('hi')
    }).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as { port: number }
    await run(
      workerd,
      `const socket = connect('127.0.0.1:${port}'); await socket.readable.getReader().read(); ${end}`,
    )
    expect(await gone).toBe('gone')
    silent.close()
  })

  test('reaches a WebSocket of its own', async () => {
    const code = `
      const { webSocket } = await fetch('${workerd.url}/socket', { headers: { upgrade: 'websocket' } })
      webSocket.accept()
      webSocket.send('hi')
      return await new Promise(done => webSocket.addEventListener('message', e => done(e.data)))`
    expect(await run(workerd, code)).toEqual({ value: 'echo hi' })
  })

  test('is told when a connection is refused at the other end, and that it may retry', async () => {
    const closed = await openTrap()
    closed.server.close()
    const { error } = await run(workerd, fetchText(`http://127.0.0.1:${closed.port}/`))
    expect(error).toMatchObject({ name: 'SkerryError', retryable: true })
    expect(error?.message).toMatch(/^ERR_EGRESS_FAILED: fetch to \S+ failed: .* Network connection lost\.$/)
  })

  test.each([
    '127.0.0.1',
    '127.0.0.2',
    'localhost',
    '[::1]',
    '[::ffff:127.0.0.1]',
    'name.example',
    hostname(),
  ])('never reaches the control plane as %s', async place => {
    const { error } = await run(workerd, fetchText(`http://${place}:${own.port}/`))
    expect(error?.message).toMatch(/^ERR_EGRESS_REFUSED: .* it is the control plane of this platform\.$/)
    expect(await run(workerd, talk(`${place}:${own.port}`))).toEqual({ value: '' })
    expect(own.hits).toBe(0)
  })

  test.each(['169.254.169.254', '[fe80::1]', '0.0.0.0', '[::]', '100.100.100.200'])(
    'never reaches %s',
    async place => {
      const { error } = await run(workerd, fetchText(`http://${place}:${reachable.port}/`))
      expect(error?.message).toMatch(/^ERR_EGRESS_REFUSED: .* and can not be allowed\.$/)
    },
  )
})
