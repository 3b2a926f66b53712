import { execFileSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import {
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as policies from '../../routes/policies/index.ts'
import { POLICY_KINDS } from '../../routes/policies/kinds.ts'
import { CLIENT_SECRET } from '../policies/fake-provider.ts'
import { type Origin, startOrigin } from '../support/origin.ts'
import { runCommand } from './support/command.ts'
import type { SendInit } from './support/http.ts'
import { type FakeIdentityProvider, startIdentityProvider } from './support/identity-provider.ts'
import { type DevWorker, startWranglerDev } from './support/wrangler-dev.ts'

const ROOT = join(import.meta.dirname, '../..')
const PASSWORD = 'not-a-secret-anns-password'
const API_KEY = 'not-a-secret-partner-key'
const WEBHOOK_SECRET = 'not-a-secret-webhook'
/** What wrangler takes for the client's address, from the one it is told by whoever is in front. */
const INSIDE = { 'cf-connecting-ip': '192.0.2.7' }
const ANN = { authorization: `Basic ${btoa(`ann:${PASSWORD}`)}` }

/** The names of all policies: a new one makes this file wrong until it is shown. */
type PolicyName = {
  [Name in keyof typeof policies]: (typeof policies)[Name] extends (...given: never[]) => policies.Middleware
    ? Name
    : never
}[keyof typeof policies]

type Shown = readonly [title: string, run: () => Promise<void>]

let dir: string
let worker: DevWorker
let provider: FakeIdentityProvider
/** What the Worker calls, in place of the operator's own services. */
let fakeUpstream: Origin
/** How the fake upstream answers a path; by default 200. */
const answers = new Map<string, (response: ServerResponse) => void>()

beforeAll(async () => {
  execFileSync(process.execPath, [join(ROOT, 'bin/build-policies.mjs')], { stdio: 'pipe' })
  provider = await startIdentityProvider()
  fakeUpstream = await startOrigin((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://fake')
    const answer = answers.get(pathname)
    if (answer) answer(response)
    else response.end(`From upstream: ${pathname}`)
  })
  dir = copyExample()
  writeFileSync(
    join(dir, '.dev.vars'),
    [
      `ISSUER="${provider.issuer}"`,
      `INTROSPECTION_ENDPOINT="${fakeUpstream.url}/introspect"`,
      `LOGIN_ISSUER="${provider.people.issuer}"`,
      `CLIENT_SECRET="${CLIENT_SECRET}"`,
      `UPSTREAM="${fakeUpstream.url}"`,
      `SHADOW="${fakeUpstream.url}/next"`,
    ].join('\n'),
  )
  worker = await startWranglerDev(dir)
})

afterAll(async () => {
  await worker?.stop()
  await Promise.all([provider?.stop(), fakeUpstream?.stop()])
  rmSync(dir, { recursive: true, force: true })
})

const SHOWN: Record<PolicyName, readonly [accepted: Shown, refused: Shown]> = {
  jwt: [
    [
      'a token of the issuer passes, and the handler learns whose it is',
      async () => {
        const answer = await ask('/jwt', bearer(await provider.sign({ sub: 'ann' })))
        expect(answer).toMatchObject({ status: 200, body: '{"type":"jwt","subject":"ann"}' })
      },
    ],
    [
      'a token for another audience is refused',
      async () => {
        const answer = await ask('/jwt', bearer(await provider.sign({ aud: 'invoices' })))
        expect(answer).toMatchObject({ status: 401, code: 'ERR_JWT_INVALID' })
      },
    ],
  ],
  introspection: [
    [
      'a token passes that the provider calls active',
      async () => {
        answers.set('/introspect', json({ active: true, sub: 'ann' }))
        const answer = await ask('/introspection', bearer('opaque-1'))
        expect(answer).toMatchObject({ status: 200, body: '{"type":"introspection","subject":"ann"}' })
      },
    ],
    [
      'one that is not active is refused',
      async () => {
        answers.set('/introspect', json({ active: false }))
        const answer = await ask('/introspection', bearer('opaque-2'))
        expect(answer).toMatchObject({ status: 401, code: 'ERR_ACCESS_TOKEN_INVALID' })
      },
    ],
  ],
  apiKey: [
    [
      'a key of the table passes',
      async () => {
        const answer = await ask('/api-key', { headers: { 'x-api-key': API_KEY } })
        expect(answer).toMatchObject({ status: 200, body: '{"type":"api-key","subject":"partner-1"}' })
      },
    ],
    [
      'another key is refused',
      async () => {
        const answer = await ask('/api-key', { headers: { 'x-api-key': `${API_KEY}-2` } })
        expect(answer).toMatchObject({ status: 401, code: 'ERR_API_KEY_INVALID' })
      },
    ],
  ],
  basic: [
    [
      'a user with his password passes',
      async () => {
        expect(await ask('/basic', { headers: ANN })).toMatchObject({
          status: 200,
          body: '{"type":"basic","subject":"ann"}',
        })
      },
    ],
    [
      'without one, browsers are asked for it',
      async () => {
        const { status, headers } = await ask('/basic')
        expect(status).toBe(401)
        expect(headers['www-authenticate']).toBe('Basic realm="The back office", charset="UTF-8"')
      },
    ],
  ],
  hmac: [
    [
      'a signed message passes, and its body is still there',
      async () => {
        expect(await ask('/hmac', signed('first'))).toMatchObject({
          status: 200,
          body: '{"type":"hmac","subject":"github"}',
        })
      },
    ],
    [
      'a changed message is refused, and one that came before',
      async () => {
        const changed = { ...signed('second'), body: 'sec0nd' }
        expect(await ask('/hmac', changed)).toMatchObject({ status: 401, code: 'ERR_SIGNATURE_INVALID' })
        expect(await ask('/hmac', signed('third'))).toMatchObject({ status: 200 })
        expect(await ask('/hmac', signed('third'))).toMatchObject({ code: 'ERR_WEBHOOK_REPLAYED' })
      },
    ],
  ],
  mtls: [
    [
      'a client passes whose certificate Cloudflare has verified',
      async () => {
        const answer = await ask('/mtls', withCertificate('CN=till-7,O=Example'))
        expect(answer).toMatchObject({
          status: 200,
          body: '{"type":"mtls","subject":"CN=till-7,O=Example"}',
        })
      },
    ],
    [
      'another subject is refused, and a client without certificate',
      async () => {
        const answer = await ask('/mtls', withCertificate('CN=till-8,O=Example'))
        expect(answer).toMatchObject({ status: 403, code: 'ERR_CLIENT_CERT_REFUSED' })
        expect(await ask('/mtls')).toMatchObject({ status: 403, code: 'ERR_CLIENT_CERT_MISSING' })
      },
    ],
  ],
  oidc: [
    [
      'whoever logs in at the provider is known from then on',
      async () => {
        const login = await ask('/oidc', { headers: BROWSER })
        const back = new URL(provider.people.authorize(login.headers.location ?? ''))
        const callback = await ask(back.pathname + back.search, {
          headers: { ...BROWSER, cookie: cookiesOf(login) },
        })
        expect(callback).toMatchObject({ status: 302, headers: { location: `${worker.url}/oidc` } })
        const answer = await ask('/oidc', { headers: { ...BROWSER, cookie: cookiesOf(callback) } })
        expect(answer).toMatchObject({ status: 200, body: '{"type":"oidc","subject":"ann"}' })
      },
    ],
    [
      'browsers without a session are sent to the provider, other clients refused',
      async () => {
        const { status, headers } = await ask('/oidc', { headers: BROWSER })
        expect(status).toBe(302)
        const login = new URL(headers.location ?? '')
        expect(login.origin + login.pathname).toBe(`${provider.people.issuer}/authorize`)
        expect(login.searchParams.get('redirect_uri')).toBe(`${worker.url}/.auth/callback`)
        expect(await ask('/oidc')).toMatchObject({ status: 401, code: 'ERR_LOGIN_REQUIRED' })
      },
    ],
  ],
  anyOf: [
    [
      'a token passes, a key too, and who has nothing passes as nobody',
      async () => {
        const token = await ask('/any-of', bearer(await provider.sign({ sub: 'ann' })))
        expect(token.body).toBe('{"type":"jwt","subject":"ann"}')
        const key = await ask('/any-of', { headers: { 'x-api-key': API_KEY } })
        expect(key.body).toBe('{"type":"api-key","subject":"partner-1"}')
        expect((await ask('/any-of')).body).toBe('{"type":"anonymous","subject":"anonymous"}')
      },
    ],
    [
      'a wrong token does not make anybody nobody',
      async () => {
        expect(await ask('/any-of', bearer('nonsense'))).toMatchObject({ status: 401 })
      },
    ],
  ],
  rbac: [
    [
      'who has the role may read',
      async () => {
        expect(await ask('/rbac', { headers: ANN })).toMatchObject({ status: 200 })
      },
    ],
    [
      'but not write',
      async () => {
        const answer = await ask('/rbac', { method: 'POST', headers: ANN })
        expect(answer).toMatchObject({ status: 403, code: 'ERR_ACCESS_REFUSED' })
      },
    ],
  ],
  ip: [
    [
      'an address of the network passes',
      async () => {
        expect(await ask('/ip', { headers: INSIDE })).toMatchObject({ status: 200 })
      },
    ],
    [
      'another is refused',
      async () => {
        expect(await ask('/ip')).toMatchObject({ status: 403, code: 'ERR_IP_REFUSED' })
      },
    ],
  ],
  rateLimit: [
    [
      'callers within the limit pass, and learn what is left',
      async () => {
        const { status, headers } = await ask('/rate-limit', { headers: INSIDE })
        expect([status, headers['ratelimit-policy']]).toEqual([200, '"rate-limit";q=5;w=60'])
        expect(headers.ratelimit).toMatch(/^"rate-limit";r=4;/)
      },
    ],
    [
      'the sixth of a minute is refused; other callers are not',
      async () => {
        const statuses: number[] = []
        for (let i = 0; i < 6; i++) statuses.push((await ask('/rate-limit')).status)
        expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
        const { code, headers } = await ask('/rate-limit')
        expect([code, Number(headers['retry-after']) > 0]).toEqual(['ERR_RATE_LIMIT', true])
        expect((await ask('/rate-limit', { headers: INSIDE })).status).toBe(200)
      },
    ],
  ],
  quota: [
    [
      'callers within the quota pass',
      async () => {
        expect(await ask('/quota', { headers: INSIDE })).toMatchObject({ status: 200 })
      },
    ],
    [
      'the fourth of a day is refused',
      async () => {
        const statuses: number[] = []
        for (let i = 0; i < 4; i++) statuses.push((await ask('/quota')).status)
        expect(statuses).toEqual([200, 200, 200, 429])
        expect((await ask('/quota')).code).toBe('ERR_QUOTA_EXCEEDED')
      },
    ],
  ],
  concurrency: [
    [
      'a request passes when no other is under way',
      async () => {
        expect(await ask('/concurrency')).toMatchObject({ status: 200, body: 'From upstream: /report' })
      },
    ],
    [
      'a second one is refused while the first is under way',
      async () => {
        const reached = Promise.withResolvers<ServerResponse>()
        answers.set('/report', response => reached.resolve(response))
        const first = ask('/concurrency')
        const held = await reached.promise
        expect(await ask('/concurrency')).toMatchObject({ status: 503, code: 'ERR_ROUTE_CONCURRENCY' })
        held.end('done')
        expect(await first).toMatchObject({ status: 200, body: 'done' })
      },
    ],
  ],
  idempotency: [
    [
      'a request that is sent twice is carried out once',
      async () => {
        const first = await ask('/idempotency', keyed('pay-1', '5 fish'))
        const second = await ask('/idempotency', keyed('pay-1', '5 fish'))
        expect([first.status, second.status]).toEqual([201, 201])
        expect(second.body).toBe(first.body)
        expect(second.headers['idempotency-replayed']).toBe('true')
      },
    ],
    [
      'another request with its key is refused, and one without',
      async () => {
        await ask('/idempotency', keyed('pay-2', '5 fish'))
        const other = await ask('/idempotency', keyed('pay-2', '6 fish'))
        expect(other).toMatchObject({ status: 422, code: 'ERR_IDEMPOTENCY_REUSED' })
        expect(await ask('/idempotency', { method: 'POST', body: '5 fish' })).toMatchObject({
          status: 400,
          code: 'ERR_IDEMPOTENCY_KEY',
        })
      },
    ],
  ],
  bodyLimit: [
    [
      'a body of 16 bytes passes',
      async () => {
        const body = 'x'.repeat(16)
        expect(await ask('/body-limit', { method: 'POST', body })).toMatchObject({ status: 200, body })
      },
    ],
    [
      'one of 17 is refused',
      async () => {
        const answer = await ask('/body-limit', { method: 'POST', body: 'x'.repeat(17) })
        expect(answer).toMatchObject({ status: 413, code: 'ERR_BODY_TOO_LARGE' })
      },
    ],
  ],
  maintenance: [
    [
      'who works on it sees it',
      async () => {
        expect(await ask('/maintenance', { headers: INSIDE })).toMatchObject({ status: 200 })
      },
    ],
    [
      'others are told when to come back',
      async () => {
        const answer = await ask('/maintenance')
        expect(answer).toMatchObject({
          status: 503,
          code: 'ERR_MAINTENANCE',
          headers: { 'retry-after': '3600' },
        })
      },
    ],
  ],
  jsonSchema: [
    [
      'a request passes whose path and body are as they should be',
      async () => {
        const answer = await ask('/json-schema/7', put({ fish: 'herring' }))
        expect(answer).toMatchObject({ status: 200, body: '{"id":"7","fish":"herring"}' })
      },
    ],
    [
      'one whose path or body is not is refused',
      async () => {
        const refusal = { status: 400, code: 'ERR_REQUEST_INVALID' }
        expect(await ask('/json-schema/7', put({ fowl: 'goose' }))).toMatchObject(refusal)
        expect(await ask('/json-schema/seven', put({ fish: 'herring' }))).toMatchObject(refusal)
      },
    ],
  ],
  openApi: [
    [
      'a request passes that the document has',
      async () => {
        expect(await ask('/openapi/tides?days=7')).toMatchObject({ status: 200, body: '{"days":7}' })
      },
    ],
    [
      'others are refused',
      async () => {
        expect(await ask('/openapi/tides?days=8')).toMatchObject({ status: 400, code: 'ERR_REQUEST_INVALID' })
        expect(await ask('/openapi/moon')).toMatchObject({ status: 404, code: 'ERR_OPERATION_NOT_FOUND' })
      },
    ],
  ],
  transform: [
    [
      'what has nothing to be changed stays',
      async () => {
        const { body } = await ask('/transform?port=Hull', { headers: { 'x-team': 'tides' } })
        expect(JSON.parse(body)).toMatchObject({ headers: { 'x-team': 'tides' }, query: { port: 'Hull' } })
      },
    ],
    [
      'headers and query are changed on the way in, headers on the way out',
      async () => {
        const { body, headers } = await ask('/transform?port=Hull&utm_source=post', {
          headers: { ...INSIDE, 'x-client': 'made up', 'x-debug': 'yes' },
        })
        const seen = JSON.parse(body) as { headers: Record<string, string>; query: Record<string, string> }
        expect(seen.headers['x-client']).toBe('192.0.2.7')
        expect(seen.headers).not.toHaveProperty('x-debug')
        expect(seen.query).toEqual({ port: 'Hull' })
        expect(headers).toMatchObject({ 'x-served-by': 'tides' })
        expect(headers).not.toHaveProperty('x-upstream')
      },
    ],
  ],
  cors: [
    [
      'pages of the origin may read',
      async () => {
        const { status, headers } = await ask('/cors', { headers: { origin: 'https://app.example.com' } })
        expect([status, headers['access-control-allow-origin']]).toEqual([200, 'https://app.example.com'])
      },
    ],
    [
      'others may not',
      async () => {
        const origin = 'https://evil.example.com'
        const { status, headers } = await ask('/cors', { headers: { origin } })
        expect([status, headers['access-control-allow-origin']]).toEqual([200, undefined])
        const preflight = { origin, 'access-control-request-method': 'PUT' }
        expect(await ask('/cors', { method: 'OPTIONS', headers: preflight })).toMatchObject({
          status: 403,
          code: 'ERR_CORS_REFUSED',
        })
      },
    ],
  ],
  securityHeaders: [
    [
      'answers of handlers have the headers',
      async () => {
        expect((await ask('/')).headers).toMatchObject({ 'x-content-type-options': 'nosniff' })
      },
    ],
    [
      'refusals of policies behind it have them too',
      async () => {
        const { status, headers } = await ask('/jwt')
        expect(status).toBe(401)
        expect(headers['content-security-policy']).toBe("default-src 'none'")
      },
    ],
  ],
  compress: [
    // wrangler compresses texts by itself, as Cloudflare does; the policy is known by what it says of the answer.
    [
      'a long text is compressed, and its ETag says that the bytes are others',
      async () => {
        const { headers } = await ask('/compress', { headers: { 'accept-encoding': 'br' } })
        expect(headers).toMatchObject({ 'content-encoding': 'br', vary: 'Accept-Encoding', etag: 'W/"100"' })
      },
    ],
    [
      'a short one is not',
      async () => {
        const { headers } = await ask('/compress?times=1', { headers: { 'accept-encoding': 'br' } })
        expect([headers.vary, headers.etag]).toEqual([undefined, '"1"'])
      },
    ],
  ],
  cache: [
    [
      'the first answer is stored, and the second the same',
      async () => {
        const first = await ask('/cache/now?1')
        const second = await ask('/cache/now?1')
        expect(first.headers['cache-status']).toBe('Skerry; fwd=uri-miss; stored')
        expect(second.headers['cache-status']).toMatch(/^Skerry; hit; ttl=/)
        expect(second.body).toBe(first.body)
      },
    ],
    [
      'a stale one is given at once, and made anew in the background',
      async () => {
        const first = await ask('/cache/now?2')
        const found: (string | undefined)[] = []
        const bodyNow = async () => {
          const { body, headers } = await ask('/cache/now?2')
          found.push(headers['cache-status'])
          return body
        }
        await expect.poll(bodyNow, { timeout: 10_000 }).not.toBe(first.body)
        expect(JSON.parse(await bodyNow())).toEqual({ made: expect.any(String) })
        expect(found.filter(status => !status?.startsWith('Skerry; hit;'))).toEqual([])
      },
    ],
  ],
  timeout: [
    [
      'an answer in time passes',
      async () => {
        expect(await ask('/timeout')).toMatchObject({ status: 200, body: 'From upstream: /slow' })
      },
    ],
    [
      'whoever waits for too long gets 504',
      async () => {
        answers.set('/slow', () => {})
        expect(await ask('/timeout')).toMatchObject({ status: 504, code: 'ERR_ROUTE_TIMEOUT' })
      },
    ],
  ],
  retry: [
    [
      'the second attempt answers when the first one failed',
      async () => {
        answers.set('/moody', response => {
          answers.delete('/moody')
          response.writeHead(503).end()
        })
        expect(await ask('/retry')).toMatchObject({ status: 200, body: 'From upstream: /moody' })
      },
    ],
    [
      'the third failure is the answer',
      async () => {
        answers.set('/moody', response => response.writeHead(503).end('in a mood'))
        const before = asksOf('/moody')
        expect(await ask('/retry')).toMatchObject({ status: 503, body: 'in a mood' })
        expect(asksOf('/moody') - before).toBe(3)
      },
    ],
  ],
  circuitBreaker: [
    [
      'answers pass while upstream is well',
      async () => {
        expect(await ask('/circuit-breaker')).toMatchObject({ status: 200 })
      },
    ],
    [
      'after two failures upstream is left alone',
      async () => {
        answers.set('/broken', response => response.writeHead(500).end())
        expect([(await ask('/circuit-breaker')).status, (await ask('/circuit-breaker')).status]).toEqual([
          500, 500,
        ])
        const before = asksOf('/broken')
        expect(await ask('/circuit-breaker')).toMatchObject({ status: 503, code: 'ERR_CIRCUIT_OPEN' })
        expect(asksOf('/broken')).toBe(before)
      },
    ],
  ],
  canary: [
    [
      'callers get what is deployed, and stay with it',
      async () => {
        const { body, headers } = await ask('/canary')
        expect(body).toBe('The old way.')
        expect(headers['set-cookie']).toMatch(/^version=deployed; /)
      },
    ],
    [
      'who asks for the next version gets it, and stays with it by cookie',
      async () => {
        expect((await ask('/canary', { headers: { 'x-version': 'next' } })).body).toBe('The new way.')
        expect((await ask('/canary', { headers: { cookie: 'version=next' } })).body).toBe('The new way.')
      },
    ],
  ],
  shadow: [
    [
      'a copy of a GET goes elsewhere, without credentials',
      async () => {
        const answer = await ask('/shadow?1', { headers: ANN })
        expect(answer).toMatchObject({ status: 200, body: 'From the service that counts.' })
        await expect.poll(() => asksOf('/next/shadow?1')).toBe(1)
        const copy = fakeUpstream.seen.find(({ url }) => url === '/next/shadow?1')
        expect(copy?.headers).toMatchObject({ 'skerry-shadow': '1' })
        expect(copy?.headers).not.toHaveProperty('authorization')
      },
    ],
    [
      'none of a POST does',
      async () => {
        expect(await ask('/shadow?2', { method: 'POST', body: 'x' })).toMatchObject({ status: 200 })
        await ask('/shadow?3')
        await expect.poll(() => asksOf('/next/shadow?3')).toBe(1)
        expect(asksOf('/next/shadow?2')).toBe(0)
      },
    ],
  ],
}

describe('the policies in a Worker under plain `wrangler dev`', () => {
  describe.each(Object.entries(SHOWN))('%s', (_name, shown) => {
    test.each(shown)('%s', async (_title, run) => {
      await run()
    })
  })

  test('answers of handlers that set headers keep them, and refusals those of middleware around them', async () => {
    const { headers } = await ask('/transform')
    expect(headers).toMatchObject({ 'x-served-by': 'tides', 'x-frame-options': 'SAMEORIGIN' })
  })

  test('counts and records in a Durable Object outlast a restart', async () => {
    await worker.stop()
    worker = await startWranglerDev(dir)
    expect(await ask('/quota')).toMatchObject({ status: 429, code: 'ERR_QUOTA_EXCEEDED' })
    expect(await ask('/quota', { headers: INSIDE })).toMatchObject({ status: 200 })
    expect(await ask('/hmac', signed('first'))).toMatchObject({ code: 'ERR_WEBHOOK_REPLAYED' })
  })
})

describe('what this file and the example show', () => {
  const names = Object.entries(policies).flatMap(([name, value]) =>
    typeof value === 'function' && !HELPERS.has(name) ? [name] : [],
  )

  test('is every policy that `skerry/policies` exports', () => {
    expect(Object.keys(SHOWN).sort()).toEqual(names.sort())
  })

  test('is every policy that a gateway file may use', () => {
    const plain = (text: string) => text.replaceAll('-', '').toLowerCase()
    expect(names.map(plain).sort()).toEqual([...POLICY_KINDS.keys()].map(plain).sort())
  })

  test('is in the source of the example', () => {
    const source = globSync('examples/policies/src/*.ts', { cwd: ROOT })
      .map(path => readFileSync(join(ROOT, path), 'utf8'))
      .join('\n')
    expect(names.filter(name => !new RegExp(`\\b${name}\\(`).test(source))).toEqual([])
  })
})

describe('the package', () => {
  test.each([
    ['with the ordinary options of a Worker project', []],
    ['with declarations of packages checked too', ['--skipLibCheck', 'false']],
  ])('has types that the example fits, %s', async (_title, options) => {
    const { code, all } = await tsc(options)
    expect(all).toBe('')
    expect(code).toBe(0)
  })

  test('has types that a wrong option does not fit', async () => {
    writeFileSync(
      join(dir, 'src/wrong.ts'),
      `import { jwt, retry } from 'skerry/policies'\njwt({ audiance: 'orders' })\njwt({ leeway: true })\nretry({})\n`,
    )
    const { code, all } = await tsc([])
    rmSync(join(dir, 'src/wrong.ts'))
    expect(code).not.toBe(0)
    expect([...all.matchAll(/wrong\.ts\((\d+),/g)].map(([, line]) => Number(line))).toEqual([2, 3, 4])
  })

  test('leaves policies out of a bundle that a Worker does not use', async () => {
    const { metafile } = await build({
      stdin: { contents: `export { ip } from 'skerry/policies'`, resolveDir: dir },
      ...{ bundle: true, format: 'esm', write: false, metafile: true, minify: true },
    })
    const [output] = Object.values(metafile.outputs)
    const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    expect(inputs.filter(([path]) => /\/(jwt|oidc|validate|cache)\/|\/jose\//.test(path))).toEqual([])
    expect(output?.bytes).toBeLessThan(100_000)
  })
})

/** Exports that are functions, but no policies. */
const HELPERS: ReadonlySet<string> = new Set([
  'createLocalServices',
  'createPhase',
  'grantOfQuota',
  'hashPassword',
  'periodEndMs',
])

const BROWSER = { accept: 'text/html', 'sec-fetch-mode': 'navigate' }

/** An answer, read. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly cookies: readonly string[]
  readonly body: string
  /** Of a refusal. */
  readonly code: unknown
}

async function ask(path: string, init?: SendInit): Promise<Answer> {
  const response = await worker.fetch(path, init)
  const body = await response.text()
  const isProblem = response.headers.get('content-type') === 'application/problem+json'
  const { code } = (isProblem ? JSON.parse(body) : {}) as { code?: unknown }
  const { status, headers } = response
  return { status, body, code, headers: Object.fromEntries(headers), cookies: headers.getSetCookie() }
}

/** How often the fake upstream was asked for a path. */
function asksOf(path: string): number {
  return fakeUpstream.seen.filter(({ url }) => url === path).length
}

function cookiesOf({ cookies }: Answer): string {
  return cookies.map(cookie => cookie.split(';', 1)[0]).join('; ')
}

function bearer(token: string): SendInit {
  return { headers: { authorization: `Bearer ${token}` } }
}

function signed(body: string): SendInit {
  const signature = createHmac('sha256', WEBHOOK_SECRET).update(body).digest('hex')
  return { method: 'POST', body, headers: { 'x-hub-signature-256': `sha256=${signature}` } }
}

function keyed(key: string, body: string): SendInit {
  return { method: 'POST', body, headers: { 'idempotency-key': `"${key}"` } }
}

function put(body: object): SendInit {
  return { method: 'PUT', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
}

/** wrangler takes this header for what Cloudflare's edge tells in `request.cf`. */
function withCertificate(subject: string): SendInit {
  const tlsClientAuth = {
    ...{ certPresented: '1', certVerified: 'SUCCESS', certRevoked: '0' },
    certSubjectDNRFC2253: subject,
  }
  return { headers: { 'mf-cf-blob': JSON.stringify({ clientAcceptEncoding: 'identity', tlsClientAuth }) } }
}

function json(value: object): (response: ServerResponse) => void {
  return response => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

/** As `npm install` in it would leave it. */
function copyExample(): string {
  const copy = mkdtempSync(join(tmpdir(), 'skerry-policies-'))
  cpSync(join(ROOT, 'examples/policies'), copy, { recursive: true })
  const packages = { skerry: ROOT, ...inRoot('hono'), ...inRoot('@cloudflare/workers-types') }
  for (const [name, path] of Object.entries(packages)) {
    const link = join(copy, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(path, link)
  }
  return copy
}

function inRoot(name: string): Record<string, string> {
  return { [name]: join(ROOT, 'node_modules', name) }
}

function tsc(options: readonly string[]) {
  return runCommand(join(ROOT, 'node_modules/typescript/bin/tsc'), options, {}, { cwd: dir })
}
