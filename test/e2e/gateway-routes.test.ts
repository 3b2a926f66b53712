import { setTimeout as delay } from 'node:timers/promises'
import { jwtVerify } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { applyGateway, type Mirrored, putGatewaySecret, uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('gateway-routes')
const HOST = 'routes.example'
const SECRET = 'a secret for identity headers, of 32 bytes at least'
const BASIC = { authorization: `Basic ${btoa('ann:pass-1234')}` }

const SOCKET = `export default {
  fetch() {
    const [client, server] = Object.values(new WebSocketPair())
    server.accept()
    server.addEventListener('message', ({ data }) => server.send('got ' + data))
    return new Response(null, { status: 101, webSocket: client })
  },
}`

const DOCUMENT = {
  routes: [
    { match: `${HOST}/mirror/:id`, script: 'mirror', use: ['users'] },
    {
      match: `${HOST}/signed`,
      script: 'mirror',
      use: ['users'],
      identity_headers: { secret: 'secret:IDENTITY' },
      name: 'signed',
    },
    { match: `${HOST}/open/*`, script: 'mirror' },
    { match: `${HOST}/rewritten/:id`, script: 'mirror', rewrite: '/v2/:id?from=route' },
    { match: `${HOST}/get`, methods: ['GET'], script: 'mirror' },
    { match: `${HOST}/fixed`, respond: { status: 203, headers: { 'x-own': 'yes' }, body: 'fixed' } },
    { match: `${HOST}/moved/*`, redirect: { to: 'https://new.example/*', status: 301 } },
    { match: `${HOST}/socket`, script: 'socket', use: ['headers'] },
    { match: `${HOST}/told`, script: 'mirror', request_id: true, server_timing: true },
    { match: `${HOST}/broken`, script: 'nobody' },
    { match: `${HOST}/old`, script: 'versioned', version: 'first' },
    { match: `${HOST}/live`, script: 'versioned', use: ['canary'] },
    { match: `${HOST}/special`, headers: { 'x-team': ['a', 'b'] }, query: { beta: true }, script: 'mirror' },
  ],
  policies: {
    users: { type: 'basic', users: { ann: 'secret:ANN' } },
    headers: { type: 'security-headers' },
    canary: { type: 'canary', versions: [{ version: 'first' }], header: 'x-version' },
  },
}

/** The record is kept after the answer was given. */
async function until<T>(read: () => Promise<T | undefined>): Promise<T> {
  for (const endMs = performance.now() + 5000; performance.now() < endMs; await delay(20)) {
    const found = await read()
    if (found !== undefined) return found
  }
  throw new Error('nothing came within 5 seconds')
}

describe.each(hosts)('gateway routes on `npm $kind`', platform => {
  const call = (
    path: string,
    init: { method?: string; headers?: Record<string, string>; body?: string } = {},
  ) => platform.fetch(HOST, path, init)
  const mirrored = async (path: string, init = {}) => (await (await call(path, init)).json()) as Mirrored

  beforeAll(async () => {
    await uploadMirror(platform, 'mirror')
    await platform.upload('socket', SOCKET)
    const answer = (text: string) => `export default { fetch: () => new Response('${text}') }`
    await platform.upload('versioned', answer('first'), { annotations: { 'workers/tag': 'first' } })
    await platform.upload('versioned', answer('second'), { annotations: { 'workers/tag': 'second' } })
    await putGatewaySecret(platform, 'ANN', 'pass-1234')
    await putGatewaySecret(platform, 'IDENTITY', SECRET)
    await applyGateway(platform, DOCUMENT)
  })

  test('a policy refuses with problem JSON, and the function is not called', async () => {
    const response = await call('/mirror/7')
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="users", charset="UTF-8"',
    ])
    expect(await response.json()).toMatchObject({ code: 'ERR_CREDENTIALS_MISSING', status: 401 })
  })

  test('the identity reaches the function in ctx.props, and no header tells of it', async () => {
    const { props, headers } = await mirrored('/mirror/7', { headers: BASIC })
    expect(props.identity).toMatchObject({ type: 'basic', policy: 'users', subject: 'ann' })
    expect(Object.keys(headers).filter(name => name.startsWith('skerry-'))).toEqual([])
  })

  test('without a policy that authenticates there is no identity', async () => {
    expect((await mirrored('/open/x')).props).toEqual({})
  })

  test('on routes that ask, signed headers tell of the identity', async () => {
    const { headers } = await mirrored('/signed', { headers: BASIC })
    expect(headers['skerry-subject']).toBe('ann')
    const { payload } = await jwtVerify(headers['skerry-identity'] ?? '', new TextEncoder().encode(SECRET), {
      audience: 'signed',
      issuer: 'skerry',
      algorithms: ['HS256'],
    })
    expect(payload).toMatchObject({ sub: 'ann', policy: 'users', type: 'basic' })
  })

  test.each(['/open/x', '/signed'])('identity headers of a client never get in at %s', async path => {
    const forged = {
      'skerry-identity': 'forged',
      'Skerry-Subject': 'root',
      'SKERRY-SCOPES': 'admin',
      'skerry-roles': 'admin',
    }
    const { headers } = await mirrored(path, { headers: { ...forged, ...(path === '/signed' ? BASIC : {}) } })
    const seen = Object.entries(headers).filter(([name]) => name.startsWith('skerry-'))
    expect(seen.filter(([, value]) => /forged|root|admin/.test(value))).toEqual([])
  })

  test('`rewrite` changes what the target sees, body and query go along', async () => {
    const { url, body, method } = await mirrored('/rewritten/7?a=1', { method: 'POST', body: 'sent' })
    expect([url, method, body]).toEqual([`http://${HOST}/v2/7?from=route&a=1`, 'POST', 'sent'])
  })

  test('another method than the route’s gets 405, and learns which is allowed', async () => {
    expect((await call('/get')).status).toBe(200)
    expect((await call('/get', { method: 'HEAD' })).status).toBe(200)
    const response = await call('/get', { method: 'DELETE' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('fixed responses and redirects', async () => {
    const fixed = await call('/fixed')
    expect([fixed.status, fixed.headers.get('x-own'), await fixed.text()]).toEqual([203, 'yes', 'fixed'])
    const moved = await call('/moved/a/b?c=d')
    expect([moved.status, moved.headers.get('location')]).toEqual([301, 'https://new.example/a/b?c=d'])
  })

  test('a WebSocket passes through policies', async () => {
    const socket = await openSocket(platform.port, HOST, '/socket')
    socket.send('hello')
    expect(await socket.next()).toBe('got hello')
    socket.close()
  })

  test('`request_id` and `server_timing` say so in the answer', async () => {
    const { headers } = await call('/told')
    expect(headers.get('skerry-request-id')).toMatch(/^[0-9a-f]{32}$/)
    expect(headers.get('server-timing')).toMatch(/policy;dur=\d+, function;dur=\d+/)
  })

  test('a route to a function that is not deployed is a 404 that names it', async () => {
    const response = await call('/broken')
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('nobody')])
  })

  test('a route may name a version by its tag, and a canary give another', async () => {
    expect(await (await call('/old')).text()).toBe('first')
    expect(await (await call('/live')).text()).toBe('second')
    expect(await (await call('/live', { headers: { 'x-version': 'first' } })).text()).toBe('first')
  })

  test.each([
    ['header and query', { 'x-team': 'a' }, '?beta', 200],
    ['no header', {}, '?beta', 404],
    ['another header', { 'x-team': 'c' }, '?beta', 404],
    ['no query', { 'x-team': 'b' }, '', 404],
  ])('conditions: %s', async (_, headers, query, status) => {
    expect((await call(`/special${query}`, { headers })).status).toBe(status)
  })

  test('a script that a route names answers on its own host no more, others do', async () => {
    expect((await platform.call('mirror')).status).toBe(404)
    await uploadMirror(platform, 'unrouted')
    expect((await platform.call('unrouted')).status).toBe(200)
  })

  test('`explain` tells why, by the same policies, and calls nothing', async () => {
    const ask = (url: string, headers = {}) =>
      platform.v1<Record<string, unknown>>('POST', '$A/explain', { method: 'GET', url, headers })
    const { body: passed } = await ask(`http://${HOST}/signed`, BASIC)
    expect(passed).toMatchObject({ route: 'signed', target: 'script mirror', identity: { subject: 'ann' } })
    const { body: refused } = await ask(`http://${HOST}/signed`)
    expect(refused).toMatchObject({ target: 'policy users', status: 401, code: 'ERR_CREDENTIALS_MISSING' })
    expect(JSON.stringify(passed)).not.toContain('pass-1234')
  })

  test('a request with an operator’s token leaves the record of what happened to it', async () => {
    const { body } = await platform.v1<{ header: string; token: string }>('POST', '$A/traces', { minutes: 5 })
    const trace = { [body.header]: body.token }
    const response = await call('/signed', { headers: { ...BASIC, ...trace } })
    const { headers } = (await response.json()) as Mirrored
    expect(Object.keys(headers)).not.toContain('skerry-trace')
    expect(response.headers.get('server-timing')).toMatch(/function;dur=/)
    const id = response.headers.get('skerry-request-id')
    const record = await until(async () => {
      const found = await platform.v1<{ status: number }>('GET', `$A/traces/${id}`)
      return found.status === 200 ? found.body : undefined
    })
    expect(record).toMatchObject({
      request_id: id,
      method: 'GET',
      status: 200,
      route: 'signed',
      target: 'script mirror',
      policies: [{ name: 'users', verdict: 'passed', notes: [{ finding: 'The password is right.' }] }],
    })

    const forged = { 'skerry-trace': body.token.replace(/.$/, last => (last === '0' ? '1' : '0')) }
    const untraced = await call('/signed', { headers: { ...BASIC, ...forged } })
    expect([untraced.status, untraced.headers.has('skerry-request-id')]).toEqual([200, false])
    expect((await platform.v1('POST', '$A/traces', {}, await platform.createToken('deployer'))).status).toBe(
      403,
    )
  })

  test('the first page and `script show` tell of the file, and offer no host name that doesn’t answer', async () => {
    const token = await platform.createToken('viewer')
    const headers = { authorization: `Bearer ${token}`, accept: 'text/plain' }
    const page = await (await platform.fetch(`127.0.0.1:${platform.port}`, '/', { headers })).text()
    expect(page).toMatch(
      new RegExp(`Gateway: ${DOCUMENT.routes.length} routes, 3 policies, revision \\d+, applied by`),
    )
    expect(page).toMatch(new RegExp(`^  mirror  ${HOST}/mirror/:id`, 'm'))
    const { body } = await platform.v1<object>('GET', '$A/scripts/mirror')
    expect(body).toMatchObject({ hosts: [], gateway_routes: expect.arrayContaining([`${HOST}/signed`]) })
  })

  test('/metrics counts answers by route and policy, for viewers of the account', async () => {
    await call('/mirror/1')
    const token = await platform.createToken('viewer')
    const host = `127.0.0.1:${platform.port}`
    const read = (authorization: string) => platform.fetch(host, '/metrics', { headers: { authorization } })
    const response = await read(`Bearer ${token}`)
    const text = await response.text()
    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text/)
    const labels = `account="${platform.accountId}",route="${HOST}-mirror-id"`
    expect(text).toMatch(
      new RegExp(`skerry_route_requests_total\\{${labels},process="[\\w-]+",status="4xx"\\} [1-9]`),
    )
    expect(text).toMatch(
      new RegExp(`skerry_policy_answers_total\\{${labels},process="[\\w-]+",policy="users"\\} [1-9]`),
    )
    expect(text.endsWith('# EOF\n')).toBe(true)
    expect((await read('Bearer nobody')).status).toBe(401)
  })

  test('functions that call a routed host meet its policies', async () => {
    const source = `export default { fetch: request => fetch('http://${HOST}/mirror/1', { headers: request.headers }) }`
    await platform.upload('caller', source)
    expect((await platform.call('caller')).status).toBe(401)
    const forged = { headers: { 'skerry-subject': 'root' } }
    expect((await platform.call('caller', '/', forged)).status).toBe(401)
  })
})
