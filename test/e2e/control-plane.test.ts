import { beforeAll, describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

const hosts = await openHosts('out-of-reach')

/** Does what it is told with the operator's own token, and says what came of it. */
const BURGLAR = `
import { connect } from 'cloudflare:sockets'
export default {
  async fetch(request, env) {
    const { how, url, token } = await request.json()
    const headers = { authorization: 'Bearer ' + token }
    try {
      if (how === 'connect') {
        const socket = connect(url)
        const writer = socket.writable.getWriter()
        const text = 'GET /client/v4/accounts HTTP/1.1\\r\\nhost: localhost\\r\\nconnection: close\\r\\nauthorization: Bearer ' + token + '\\r\\n\\r\\n'
        await writer.write(new TextEncoder().encode(text))
        let bytes = 0
        for await (const chunk of socket.readable) bytes += chunk.byteLength
        return Response.json({ bytes })
      }
      const response = await (
        how === 'host' ? fetch(url, { headers: { ...headers, host: 'localhost' } })
        : how === 'socket' ? fetch(url, { headers: { ...headers, upgrade: 'websocket' } })
        : how === 'binding' ? env.VICTIM.fetch(url, { headers })
        : fetch(url, { headers }))
      return Response.json({ status: response.status, text: await response.text() })
    } catch (error) {
      return Response.json({ message: error.message })
    }
  },
}`

/** Sends whoever comes to where the path says, or answers. */
const VICTIM = `export default {
  fetch(request) {
    const { hostname, searchParams } = new URL(request.url)
    const to = searchParams.get('to')
    return to ? Response.redirect(to, 307) : new Response('victim at ' + hostname + ' for ' + request.headers.get('host'))
  },
}`

describe.each(hosts)('the control plane of `npm $kind`', platform => {
  const { domain, port } = platform
  const API = '/client/v4/accounts'
  const attempt = async (how: string, url: string) => {
    const body = JSON.stringify({ how, url, token: platform.token })
    return JSON.parse(await platform.read('burglar', '/', { method: 'POST', body })) as Record<
      string,
      unknown
    >
  }
  /** What the function is told: the host as URLs spell it, in an error with our code. */
  const refusalOf = (host: string) => `ERR_EGRESS_REFUSED: fetch to ${host} was refused: `

  beforeAll(async () => {
    await platform.upload('victim', VICTIM)
    const bindings = [{ type: 'service', name: 'VICTIM', service: 'victim' }]
    await platform.upload('burglar', BURGLAR, { bindings })
  })

  const SPELLINGS = [
    { host: '127.0.0.1', canonical: '127.0.0.1' },
    { host: '127.1', canonical: '127.0.0.1' },
    { host: '2130706433', canonical: '127.0.0.1' },
    { host: '0x7f000001', canonical: '127.0.0.1' },
    { host: '0177.0.0.1', canonical: '127.0.0.1' },
    { host: '127.0.0.2', canonical: '127.0.0.2' },
    { host: '0.0.0.0', canonical: '0.0.0.0' },
    { host: '0', canonical: '0.0.0.0' },
    { host: '[::1]', canonical: '[::1]' },
    { host: '[::]', canonical: '[::]' },
    { host: '[::ffff:127.0.0.1]', canonical: '[::ffff:7f00:1]' },
    { host: '[0:0:0:0:0:ffff:7f00:1]', canonical: '[::ffff:7f00:1]' },
    { host: 'localhost', canonical: 'localhost' },
    { host: 'localhost.', canonical: 'localhost.' },
    { host: 'LOCALHOST', canonical: 'localhost' },
    { host: 'l%6fcalhost', canonical: 'localhost' },
    { host: '\uff11\uff12\uff17.0.0.1', canonical: '127.0.0.1' },
    { host: 'user:pass@localhost', canonical: 'localhost' },
    { host: domain, canonical: domain },
    { host: `nobody.${domain}`, canonical: `nobody.${domain}` },
  ]

  test.each(SPELLINGS)(
    "can't be fetched by a function as $host, whatever its token",
    async ({ host, canonical }) => {
      const answer = await attempt('fetch', `http://${host}:${port}${API}`)
      expect(answer).toEqual({ message: expect.stringContaining(refusalOf(`${canonical}:${port}`)) })
    },
  )

  test.each(['http://localhost', 'https://localhost', 'http://127.0.0.1', 'https://[::1]'])(
    "can't be fetched by a function at the usual port: %s",
    async origin => {
      const answer = await attempt('fetch', `${origin}${API}`)
      expect(answer).toEqual({ message: expect.stringContaining(refusalOf(new URL(origin).host)) })
    },
  )

  test("can't be reached by a WebSocket, nor by a redirect of another function", async () => {
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      const target = `http://${host}:${port}${API}`
      const refused = { message: expect.stringContaining(refusalOf(`${host}:${port}`)) }
      expect(await attempt('socket', target)).toEqual(refused)
      const redirect = `http://victim.${domain}:${port}/?${new URLSearchParams({ to: target })}`
      expect(await attempt('fetch', redirect)).toEqual(refused)
    }
  })

  test('is not what a forged Host header or a service binding leads to', async () => {
    const own = `victim.${domain}`
    expect(await attempt('host', `http://${own}:${port}${API}`)).toMatchObject({
      text: expect.stringMatching(`^victim at ${own} for `),
    })
    expect(await attempt('binding', `http://localhost:${port}${API}`)).toMatchObject({
      text: expect.stringMatching('^victim at localhost for '),
    })
  })

  test.each(['127.0.0.1', 'localhost', '[::1]', '0.0.0.0', '[::ffff:127.0.0.1]', '2130706433'])(
    'gives no byte to a socket that a function opens to %s',
    async host => {
      const answer = await attempt('connect', `${host}:${port}`)
      expect(answer.bytes ?? 0).toBe(0)
      expect(Object.keys(answer)).toHaveLength(1)
    },
  )

  test('gives no byte to a socket that a function opens to its own host name', async () => {
    const answer = await attempt('connect', `burglar.${domain}:${port}`)
    expect(answer.bytes ?? 0).toBe(0)
  })
})
