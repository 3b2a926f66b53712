import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Origin, startOrigin } from '../support/origin.ts'
import { applyGateway } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('gateway-upstream')
const HOST = 'upstreams.example'

describe.each(hosts)('upstreams on `npm $kind`', platform => {
  let origin: Origin

  beforeAll(async () => {
    origin = await startOrigin()
    await applyGateway(platform, {
      routes: [
        { match: `${HOST}/base/*`, upstream: `${origin.url}/v1` },
        { match: `${HOST}/orders/:id`, rewrite: '/o/:id', upstream: { servers: [{ url: origin.url }] } },
        { match: `${HOST}/down`, upstream: `http://127.0.0.1:1`, use: ['headers'] },
        { match: `${HOST}/socket`, upstream: origin.url },
      ],
      policies: { headers: { type: 'security-headers' } },
    })
  })
  afterAll(() => origin?.stop())

  test('are on the machine itself, where an admin of the platform says so', async () => {
    const response = await platform.fetch(HOST, '/base/a?b=c', { method: 'POST', body: 'hello' })
    expect(await response.json()).toEqual({ method: 'POST', url: '/v1/base/a?b=c', body: 'hello' })
    expect(origin.seen.at(-1)?.headers).toMatchObject({
      'x-forwarded-host': HOST,
      'x-forwarded-for': '127.0.0.1',
    })
  })

  test('see the path of the rewrite', async () => {
    expect(await (await platform.fetch(HOST, '/orders/7?x=1')).json()).toMatchObject({ url: '/o/7?x=1' })
  })

  test('that are down are a 502, with what the policies of the route add', async () => {
    const response = await platform.fetch(HOST, '/down')
    expect(await response.json()).toMatchObject({ status: 502, code: 'ERR_UPSTREAM_FAILED' })
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('speak WebSocket', async () => {
    const socket = await openSocket(platform.port, HOST, '/socket')
    socket.send('hi')
    expect(await socket.next()).toBe('echo hi')
    socket.close()
  })

  // Under `wrangler dev` there is one way out for all.
  test.skipIf(platform.kind === 'dev')(
    'are not on the machine itself for a file of an account of its own',
    async () => {
      const tenant = await platform.as('upstream-tenant')
      const token = await tenant.createToken('admin')
      const document = { routes: [{ match: 'tenant.example/*', upstream: origin.url }] }
      const headers = { 'if-match': '*' }
      expect((await tenant.v1('PUT', '$A/gateway', document, token, headers)).status).toBe(200)
      const response = await tenant.fetch('tenant.example', '/')
      expect(await response.json()).toMatchObject({ status: 502, code: 'ERR_UPSTREAM_FAILED' })
    },
  )
})
