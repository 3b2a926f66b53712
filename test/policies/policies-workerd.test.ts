import { createHash } from 'node:crypto'
import { request as send } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

/** Policies as they are set up for traffic that they let through. */
const POLICIES: Readonly<Record<string, object>> = {
  'body-limit': { max_bytes: 100_000 },
  canary: { versions: [{ version: 'new', percent: 50 }], cookie: 'v' },
  'circuit-breaker': {},
  compress: {},
  concurrency: { limit: 10 },
  cors: { origins: ['https://app.example.com'] },
  'json-schema': { body: {}, content_types: ['*/*'], body_required: false },
  maintenance: { enabled: false },
  openapi: { document: { openapi: '3.1.0', paths: {} }, unknown: 'pass' },
  retry: {},
  'security-headers': {},
  shadow: { url: 'http://shadow.invalid', percent: 0 },
  timeout: { after: 10 },
  transform: {
    response: { set: { 'x-set': 'yes' } },
    request: { set: { 'x-in': 'yes' } },
    query: { set: { q: '1' } },
  },
}
const TYPES = Object.keys(POLICIES)
/** All of them, one in the other. */
const ALL = TYPES.map(type => [type, POLICIES[type] ?? {}] as const)
const CASES: [string, readonly (readonly [string, object])[]][] = [
  ...ALL.map((policy): [string, readonly (readonly [string, object])[]] => [policy[0], [policy]]),
  ['all of them', ALL],
]

describe('policies in workerd let through', () => {
  let workerd: Workerd
  beforeAll(async () => {
    workerd = await startWorkerd({ modules: { 'main.js': await bundleModule('test/worker/policies.ts') } })
  })
  afterAll(() => workerd?.stop())

  const call = (path: string, policies: unknown, init: Parameters<Workerd['fetch']>[1] = {}) =>
    workerd.fetch(path, {
      ...init,
      headers: {
        'content-type': 'application/json',
        ...init.headers,
        'x-policies': JSON.stringify(policies),
      },
    })

  test.each(CASES)('a body of announced length, and one without: %s', async (_, policies) => {
    const body = JSON.stringify('x'.repeat(10_000))
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const response = await call('/echo', policies, { method: 'PUT', body, headers })
      const [method, , text] = (await response.json()) as string[]
      expect([response.status, method, text]).toEqual([200, 'PUT', body])
    }
  })

  test.each(CASES)('HEAD, and 304: %s', async (_, policies) => {
    const head = await call('/text', policies, { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('x-target')]).toEqual([200, '', 'asked'])
    const unchanged = await call('/unchanged', policies)
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, '"a"'])
  })

  test.each(CASES)('a stream, piece by piece: %s', async (_, policies) => {
    expect(await (await call('/stream', policies)).text()).toBe('piece 1;piece 2;')
  })

  test.each(CASES)('a WebSocket: %s', async (_, policies) => {
    expect(await talk(workerd.url, policies)).toBe('echo hello')
  })

  test('a request that fails once, with its body, sent again', async () => {
    const policies = [['retry', { methods: ['PUT'], backoff: 0 }]]
    const response = await call('/fails', policies, { method: 'PUT', body: '"again"' })
    expect([response.status, await response.json()]).toEqual([200, ['PUT', '7', '"again"']])
  })
})

describe('policies in workerd refuse', () => {
  let workerd: Workerd
  beforeAll(async () => {
    workerd = await startWorkerd({ modules: { 'main.js': await bundleModule('test/worker/policies.ts') } })
  })
  afterAll(() => workerd?.stop())

  test.each<[string, object, { body: string; headers?: Record<string, string> }, number]>([
    ['body-limit', { max_bytes: 10 }, { body: 'x'.repeat(11) }, 413],
    [
      'body-limit',
      { max_bytes: 10 },
      { body: 'x'.repeat(200_000), headers: { 'transfer-encoding': 'chunked' } },
      413,
    ],
    [
      'json-schema',
      { body: { type: 'number' } },
      { body: '"x"', headers: { 'content-type': 'application/json' } },
      400,
    ],
    ['json-schema', { body: {} }, { body: '{"a":', headers: { 'content-type': 'application/json' } }, 400],
    ['openapi', { document: { openapi: '3.1.0', paths: {} } }, { body: 'x' }, 404],
    ['maintenance', { html: '<p>soon' }, { body: 'x', headers: { accept: 'text/html' } }, 503],
  ])('%s %j', async (type, options, { body, headers = {} }, status) => {
    const policies = JSON.stringify([[type, options]])
    const init = { method: 'POST', body, headers: { ...headers, 'x-policies': policies } }
    const response = await workerd.fetch('/echo', init)
    expect(response.status).toBe(status)
    expect(response.headers.has('x-target')).toBe(false)
    expect(await response.text()).not.toBe('')
  })

  test('HEAD with a page', async () => {
    const policies = JSON.stringify([['maintenance', { html: '<p>soon' }]])
    const init = { method: 'HEAD', headers: { accept: 'text/html', 'x-policies': policies } }
    const response = await workerd.fetch('/text', init)
    expect([response.status, await response.text()]).toEqual([503, ''])
  })
})

/** Opens a WebSocket with headers of its own, says hello, and gives what comes back. */
function talk(url: string, policies: unknown): Promise<string> {
  const key = Buffer.from('0123456789abcdef').toString('base64')
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return new Promise((resolve, reject) => {
    const request = send(`${url}/socket`, {
      headers: {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': key,
        'x-policies': JSON.stringify(policies),
      },
    })
    request.on('error', reject)
    request.on('response', response => reject(new Error(`The answer is ${response.statusCode}.`)))
    request.on('upgrade', (response, socket) => {
      if (response.headers['sec-websocket-accept'] !== accept) reject(new Error('It was not accepted.'))
      socket.on('error', reject)
      // One text frame: its type, its length, its bytes.
      socket.once('data', (frame: Buffer) => {
        socket.destroy()
        resolve(frame.subarray(2).toString())
      })
      // Clients mask; a mask of zeros changes nothing.
      socket.write(Buffer.concat([Buffer.from([0x81, 0x85, 0, 0, 0, 0]), Buffer.from('hello')]))
    })
    request.end()
  })
}
