import { createSign, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto'
import { Api } from '../api.ts'
import { toRequest } from '../client.ts'
import { pinToCores } from '../cpu.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { readFunctionSource, type Server, startFixture, startPlatform } from '../servers.ts'
import {
  FIRST_REQUESTS,
  measureInTurns,
  type Round,
  type RowsOf,
  SLICE_REQUESTS,
  type Subject,
  toRows,
} from '../slices.ts'

const WARM_UP_REQUESTS = 12_000
/** Tokens that were never seen before must be made: fewer do. */
const WARM_UP_NEW_TOKENS = 1500
const REPETITIONS = 3
const ROUNDS = 12

type Variant =
  | 'bare'
  | 'control'
  | 'untouched'
  | 'rewritten'
  | 'rs256'
  | 'es256'
  | 'hello'
  | 'hit'
  | 'notModified'

/** The policies of a gateway file, against the bare loader; a cached hit, against hello-world. */
export async function measureGateway(): Promise<Row[]> {
  using _pinned = pinToCores()
  const rounds: Round<Variant>[] = []
  for (let i = 0; i < REPETITIONS; i++) rounds.push(...(await measureRounds()))
  const rows = (
    variant: Variant,
    what: string,
    atLeast?: number,
    against: Variant[] = ['bare', 'control'],
  ) => {
    const options: RowsOf<Variant> = { row: 'gateway', what, variant, against }
    return toRows(rounds, atLeast === undefined ? options : { ...options, budget: { of: 'ratio', atLeast } })
  }
  return [
    ...rows('untouched', 'JWT seen before + edge rate limit + function', 0.87),
    ...rows('rewritten', 'the same, identity and response headers rewritten', 0.75),
    ...rows('rs256', 'JWT never seen before, RS256', 0.58),
    ...rows('es256', 'JWT never seen before, ES256', 0.52),
    ...rows('control', 'bare loader, second copy'),
    ...rows('hit', 'cached hit, 1 KB, 12 headers', 0.75, ['hello']),
    ...rows('notModified', 'cached hit, 304', 0.88, ['hello']),
    ...rows('hello', 'hello world, no loader'),
  ]
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })

/** Answers 1 KB with ten headers of its own; a cache adds two. */
const CACHED = `export default {
  fetch() {
    const headers = { 'cache-control': 'public, max-age=86400', etag: '"bench"', 'content-type': 'text/plain' }
    for (let i = 0; i < 7; i++) headers['x-header-' + i] = 'value ' + i
    return new Response('x'.repeat(1024), { headers })
  },
}`

const GATEWAY = {
  routes: [
    { match: 'untouched.localhost/*', script: 'bench', use: ['rs256', 'limit'] },
    {
      match: 'rewritten.localhost/*',
      script: 'bench',
      use: ['rs256', 'limit', 'headers'],
      identity_headers: { secret: 'secret:IDENTITY' },
    },
    { match: 'new-rs256.localhost/*', script: 'bench', use: ['rs256', 'limit'] },
    { match: 'new-es256.localhost/*', script: 'bench', use: ['es256', 'limit'] },
    { match: 'cached.localhost/*', script: 'cached', use: ['cache'] },
  ],
  policies: {
    rs256: { type: 'jwt', keys: [rsa.publicKey.export({ format: 'jwk' })], algorithms: ['RS256'] },
    es256: { type: 'jwt', keys: [ec.publicKey.export({ format: 'jwk' })], algorithms: ['ES256'] },
    limit: {
      type: 'rate-limit',
      by: 'identity.sub',
      limit: 100_000_000,
      window: '1m',
      scope: 'edge',
      headers: false,
    },
    headers: { type: 'transform', response: { set: { 'x-served-by': 'skerry', 'x-frame-options': 'DENY' } } },
    cache: { type: 'cache' },
  },
}

async function measureRounds(): Promise<Round<Variant>[]> {
  using dir = makeTempDir()
  await using servers = new AsyncDisposableStack()
  const started = async <T extends Server>(server: Promise<T>) => servers.adopt(await server, s => s.stop())
  const platform = await started(startPlatform(dir.path, 2))
  const api = await Api.open(platform)
  await api.deploy('bench', readFunctionSource())
  await api.deploy('cached', CACHED)
  await api.putGatewaySecret('IDENTITY', randomUUID())
  await api.applyGateway(GATEWAY)
  api.close()

  const seen = withToken('untouched.localhost', signRs256())
  const bare = (server: Server): Subject => ({ server, request: seen, expected: HELLO })
  const subject = (request: Subject['request'], expected = HELLO): Subject => ({
    server: platform,
    request,
    expected,
  })
  const subjects: Record<Variant, Subject> = {
    bare: bare(await started(startFixture('bare-loader'))),
    untouched: subject(seen),
    rewritten: subject(withToken('rewritten.localhost', signRs256())),
    rs256: subject(inAdvance(() => withToken('new-rs256.localhost', signRs256()))),
    es256: subject(inAdvance(() => withToken('new-es256.localhost', signEs256()))),
    control: bare(await started(startFixture('bare-loader'))),
    hit: subject(toRequest('cached.localhost'), { status: 200, body: 'x'.repeat(1024) }),
    notModified: subject(toRequest('cached.localhost', '/', { headers: { 'if-none-match': '"bench"' } }), {
      status: 304,
      body: '',
    }),
    hello: {
      server: await started(startFixture('hello')),
      request: toRequest('cached.localhost'),
      expected: HELLO,
    },
  }
  const warmUps = (variant: Variant) =>
    variant === 'rs256' || variant === 'es256' ? WARM_UP_NEW_TOKENS : WARM_UP_REQUESTS
  // Awaited here: the servers end with this function.
  return await measureInTurns(subjects, ROUNDS, warmUps)
}

const HELLO = { status: 200, body: 'hello\n' }

/** Signing takes the client longer than verifying takes the server: all tokens are made before they are needed. */
function inAdvance(make: () => string): () => string {
  const made = Array.from(
    { length: WARM_UP_NEW_TOKENS + 1 + ROUNDS * (FIRST_REQUESTS + SLICE_REQUESTS) },
    make,
  )
  return () => {
    const next = made.pop()
    if (next === undefined) throw new Error('there are no more tokens')
    return next
  }
}

function withToken(host: string, token: string): string {
  return toRequest(host, '/', { headers: { authorization: `Bearer ${token}` } })
}

function signRs256(): string {
  const input = toSigningInput('RS256')
  return `${input}.${createSign('RSA-SHA256').update(input).sign(rsa.privateKey, 'base64url')}`
}

function signEs256(): string {
  const input = toSigningInput('ES256')
  const key: { key: KeyObject; dsaEncoding: 'ieee-p1363' } = { key: ec.privateKey, dsaEncoding: 'ieee-p1363' }
  return `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
}

function toSigningInput(alg: string): string {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const claims = { sub: 'bench', jti: randomUUID(), iat: nowSeconds, exp: nowSeconds + 3600, scope: 'a b' }
  return [{ alg, typ: 'JWT' }, claims]
    .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
}
