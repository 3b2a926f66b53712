import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { applyGateway, uploadMirror } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'
import { type FakeIdentityProvider, startIdentityProvider } from './support/identity-provider.ts'

/** Where a gateway file may send the platform: behind its walls only if an admin of all of it said so. */

const hosts = await openHosts('gateway-private')
const HOST = 'private.example'

/** This machine, in every spelling that something takes for it. */
const NAMES = [
  '127.0.0.1',
  'localhost',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '127.1',
  '0x7f000001',
  '0.0.0.0',
  '[::]',
  'localhost.',
]

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const BROWSER = { headers: { 'sec-fetch-mode': 'navigate' } }

/** Routes that would each connect to the origin: by policies and as an upstream. */
function documentFor(origin: string) {
  const allow_http = true
  const client = { client_id: 'x', client_secret: 'x' }
  const policies = {
    keys: { type: 'jwt', issuer: origin, jwks: `${origin}/keys`, allow_http },
    discovery: { type: 'jwt', issuer: origin, allow_http },
    introspection: { type: 'introspection', endpoint: `${origin}/introspect`, allow_http, ...client },
    login: { type: 'oidc', issuer: origin, session_secret: 'x'.repeat(32), allow_http, ...client },
    copies: { type: 'shadow', url: origin },
  }
  return {
    routes: [
      ...Object.keys(policies).map(name => ({ match: `${HOST}/${name}`, script: 'mirror', use: [name] })),
      { match: `${HOST}/upstream`, upstream: origin },
      {
        match: `${HOST}/upstreams`,
        upstream: { servers: [{ url: origin }, { url: origin }] },
        use: ['again'],
      },
    ],
    policies: { ...policies, again: { type: 'retry' } },
  }
}

describe.each(hosts)('a file that a deployer of one account applied, on `npm $kind`,', platform => {
  // There is one way out for all.
  const isDev = platform.kind === 'dev'
  let tenant: Platform
  let token: string
  let provider: FakeIdentityProvider
  let listener: Server
  let port = 0
  let connections = 0

  beforeAll(async () => {
    tenant = await platform.as('gateway-private-tenant')
    token = await tenant.createToken('deployer')
    await uploadMirror(tenant, 'mirror')
    provider = await startIdentityProvider()
    listener = createServer(socket => {
      connections++
      socket.destroy()
    }).listen(0)
    await once(listener, 'listening')
    port = (listener.address() as { port: number }).port
  })
  afterAll(async () => {
    listener?.close()
    await provider?.stop()
  })

  const apply = (document: object) => tenant.v1('PUT', '$A/gateway', document, token, { 'if-match': '*' })

  test.skipIf(isDev).each(NAMES)('makes nobody connect to %s', async name => {
    const before = connections
    const applied = await apply(documentFor(`http://${name}:${port}`))
    expect([applied.status, applied.body]).toMatchObject([200, { applied: true }])
    const signed = bearer(await provider.sign({ iss: `http://${name}:${port}` }))
    for (const [path, init, status] of [
      ['keys', signed, 503],
      ['discovery', signed, 503],
      ['introspection', signed, 503],
      ['login', BROWSER, 503],
      ['copies', signed, 200],
      ['upstream', {}, 502],
      ['upstreams', {}, 502],
    ] as const) {
      const response = await tenant.fetch(HOST, `/${path}`, init)
      expect([path, response.status]).toEqual([path, status])
      // What is told doesn't tell what is there.
      if (status !== 200) expect(await response.text()).not.toContain(`${port}`)
      const request = { url: `http://${HOST}/${path}`, ...init }
      expect((await tenant.v1('POST', '$A/explain', request, token)).status).toBe(200)
    }
    expect(connections).toBe(before)
  })

  test('connects where an admin of the platform says so', async () => {
    await applyGateway(tenant, documentFor(`http://127.0.0.1:${port}`))
    for (const path of ['keys', 'introspection', 'upstream']) {
      const before = connections
      await tenant.fetch(HOST, `/${path}`, bearer(await provider.sign({ iss: `http://127.0.0.1:${port}` })))
      expect([path, connections - before]).not.toEqual([path, 0])
    }
  })

  test.skipIf(isDev)('reaches nothing any more that an admin’s file did', async () => {
    const document = {
      routes: [{ match: `${HOST}/`, script: 'mirror', use: ['tokens'] }],
      policies: { tokens: { type: 'jwt', issuer: provider.issuer, audience: 'orders' } },
    }
    await applyGateway(tenant, document)
    const call = async () => (await tenant.fetch(HOST, '/', bearer(await provider.sign()))).status
    expect(await call()).toBe(200)
    // Another policy, so that its keys are to be fetched.
    const policies = { tokens: { ...document.policies.tokens, realm: 'changed' } }
    expect((await apply({ ...document, policies })).status).toBe(200)
    const asked = provider.asked.length
    expect(await call()).toBe(503)
    expect(provider.asked).toHaveLength(asked)
  })
})
