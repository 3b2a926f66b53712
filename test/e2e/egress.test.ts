import { createServer, type Server } from 'node:http'
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('egress')

/** Fetches what the query names, and says what came of it. */
const FETCHER = `export default {
  async fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === '/hello') return new Response('hello from ' + url.hostname)
    const target = url.searchParams.get('redirect')
    if (target) return Response.redirect(target, 302)
    try {
      const response = await fetch(url.searchParams.get('url'), { redirect: url.searchParams.get('mode') ?? 'follow' })
      return Response.json({ status: response.status, url: response.url, text: await response.text() })
    } catch (error) {
      return Response.json({ name: error.name, message: error.message })
    }
  },
}`

/** A server of this machine that no function may reach. */
let trap: { readonly server: Server; readonly port: number; hits: number }

beforeAll(async () => {
  const server = createServer((_, response) => {
    trap.hits++
    response.end('trapped')
  })
  await new Promise<void>(resolve => server.listen(0, '::', resolve))
  trap = { server, port: (server.address() as { port: number }).port, hits: 0 }
})
afterAll(() => void trap.server.close())

const OWN_ADDRESSES = Object.values(networkInterfaces())
  .flatMap(addresses => addresses ?? [])
  .filter(({ family, internal }) => family === 'IPv4' && !internal)
  .map(({ address }) => address)

describe.each(hosts)('a function on `npm $kind`', platform => {
  const from = async (url: string, mode = 'follow') => {
    const query = new URLSearchParams({ url, mode })
    return JSON.parse(await platform.read('fetcher', `/?${query}`)) as Record<string, unknown>
  }
  const hostOf = (script: string) => `${script}.${platform.domain}:${platform.port}`

  beforeAll(async () => {
    await platform.upload('fetcher', FETCHER)
    await platform.upload('other', FETCHER)
  })

  const places = (port: number) => [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `http://[::1]:${port}/`,
    `http://[::ffff:127.0.0.1]:${port}/`,
    `http://127.1:${port}/`,
    `http://2130706433:${port}/`,
    `http://0x7f.1:${port}/`,
    `http://0.0.0.0:${port}/`,
    `http://0:${port}/`,
    `http://LOCALHOST.:${port}/`,
    ...OWN_ADDRESSES.map(address => `http://${address}:${port}/`),
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'http://[fd00::1]/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://[64:ff9b::7f00:1]/',
    'http://224.0.0.1/',
  ]

  test('is refused every address that is not public, with an error that says why', async () => {
    const before = trap.hits
    for (const url of places(trap.port)) {
      const answer = await from(url)
      expect([url, answer.message]).toEqual([
        url,
        expect.stringMatching(/ERR_EGRESS_REFUSED: fetch to .* was refused: /),
      ])
    }
    expect(trap.hits).toBe(before)
  })

  test('is refused the control plane under every name it has', async () => {
    for (const url of [
      `http://127.0.0.1:${platform.port}/client/v4/accounts`,
      `http://localhost:${platform.port}/client/v4/accounts`,
      'http://localhost/healthz',
      `http://[::1]:${platform.port}/healthz`,
    ]) {
      const answer = await from(url)
      expect([url, answer.message]).toEqual([url, expect.stringMatching(/ERR_EGRESS_REFUSED/)])
    }
  })

  test('is refused a redirect to an address that is not public, by whomever', async () => {
    const before = trap.hits
    for (const target of [
      `http://127.0.0.1:${trap.port}/`,
      'http://169.254.169.254/',
      `http://[::1]:${trap.port}/`,
    ]) {
      const url = `http://${hostOf('other')}/?${new URLSearchParams({ redirect: target })}`
      const answer = await from(url)
      expect([target, answer.message]).toEqual([target, expect.stringMatching(/ERR_EGRESS_REFUSED/)])
      expect(await from(url, 'manual')).toMatchObject({ status: 302 })
    }
    expect(trap.hits).toBe(before)
  })

  test("reaches its own and other functions' public hosts, without leaving the machine", async () => {
    for (const script of ['fetcher', 'other']) {
      const url = `http://${hostOf(script)}/hello`
      expect(await from(url)).toEqual({ status: 200, url, text: `hello from ${script}.${platform.domain}` })
    }
    // Without the port, and by https: as the world would name them.
    expect(await from(`https://other.${platform.domain}/hello`)).toMatchObject({ status: 200 })
  })

  test('follows redirects between functions', async () => {
    const target = `http://${hostOf('fetcher')}/hello`
    const answer = await from(`http://${hostOf('other')}/?${new URLSearchParams({ redirect: target })}`)
    expect(answer).toMatchObject({ status: 200, url: target })
  })

  test('gets 404 for a host of the platform that leads nowhere, and an error for a name that does not resolve', async () => {
    expect(await from(`http://${hostOf('nobody')}/`)).toMatchObject({
      message: expect.stringMatching(/ERR_EGRESS_REFUSED/),
    })
    const answer = await from('http://does-not-exist.invalid/')
    expect(answer.message).toMatch(/ERR_EGRESS_FAILED|ERR_EGRESS_REFUSED/)
  })

  test('that calls itself without end is stopped, and others go on', async () => {
    const source = 'export default { fetch: request => fetch(request) }'
    await platform.upload('ouroboros', source)
    const response = await platform.call('ouroboros')
    expect(response.status).toBeGreaterThanOrEqual(400)
    expect(await platform.read('fetcher', '/hello')).toContain('hello')
  })

  test('is refused raw sockets to addresses that are not public', async () => {
    const source = `import { connect } from 'cloudflare:sockets'
      export default {
        async fetch(request) {
          try {
            const socket = connect(new URL(request.url).searchParams.get('to'))
            const writer = socket.writable.getWriter()
            await writer.write(new TextEncoder().encode('GET / HTTP/1.0\\r\\n\\r\\n'))
            const { value } = await socket.readable.getReader().read()
            return new Response('read ' + new TextDecoder().decode(value))
          } catch (error) {
            return new Response('refused')
          }
        },
      }`
    await platform.upload('socket', source)
    const before = trap.hits
    for (const to of [`127.0.0.1:${trap.port}`, `localhost:${trap.port}`, `127.0.0.1:${platform.port}`]) {
      expect([to, await platform.read('socket', `/?to=${to}`)]).toEqual([
        to,
        expect.stringMatching(/^refused$|^read $/),
      ])
    }
    expect(trap.hits).toBe(before)
  })
})
