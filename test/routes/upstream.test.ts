import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import type { UpstreamOptions } from '../../routes/gateway/document.ts'
import { createUpstream, type UpstreamSettings } from '../../routes/gateway/upstream.ts'
import { codeOf, makeExchange } from '../policies/support.ts'
import { type Origin, startOrigin } from '../support/origin.ts'

const services = { fetch: (input: Request | string, init?: RequestInit) => fetch(input, init) }
const optionsOf = (urls: readonly string[], more: Partial<UpstreamOptions> = {}): UpstreamOptions => ({
  servers: urls.map(url => ({ url, weight: 1 })),
  host: 'upstream',
  timeout_ms: 5000,
  max_fails: 3,
  fail_seconds: 10,
  ...more,
})

/** Sends a request through a new upstream. */
async function send(
  options: UpstreamOptions | string,
  request: Request,
  settings: UpstreamSettings = {},
  params: Record<string, string> = {},
): Promise<Response> {
  return createUpstream(options, settings)(makeExchange(request, { services, params }))
}

beforeAll(() => {
  // What the operator reads of failing servers.
  vi.spyOn(console, 'warn').mockImplementation(() => {})
})
afterAll(() => vi.restoreAllMocks())

let origin: Origin
beforeAll(async () => {
  origin = await startOrigin()
})
afterAll(() => origin.stop())

describe('an upstream sees', () => {
  test.each([
    ['the path and the query', '', undefined, '/a/b?c=d', {}, '/a/b?c=d'],
    ['them below the path of its URL', '/base/', undefined, '/a?c=d', {}, '/base/a?c=d'],
    [
      'the path of the rewrite, and the query',
      '',
      '/v2/:id/*',
      '/x/7/y?c=d',
      { id: '7', '*': 'y/z' },
      '/v2/7/y/z?c=d',
    ],
    ['the rewrite below the path of its URL', '/base', '/v2', '/x', {}, '/base/v2'],
    ['the query of the rewrite before that of the request', '', '/v2?a=1', '/x?b=2', {}, '/v2?a=1&b=2'],
    ['two slashes as they are', '', undefined, '//evil.test/x', {}, '//evil.test/x'],
    ['escapes as they are', '', undefined, '/a%20b%2Fc?q=%26', {}, '/a%20b%2Fc?q=%26'],
  ])('%s', async (_what, base, rewrite, path, params, expected) => {
    const request = new Request(`http://client.test${path}`)
    const response = await send(
      `${origin.url}${base}`,
      request,
      { rewrite },
      params as Record<string, string>,
    )
    expect(await response.json()).toMatchObject({ url: expected })
  })

  test('nothing outside of the path of its URL', async () => {
    const request = new Request('http://client.test/x')
    const response = await send(`${origin.url}/base`, request, { rewrite: '/:p' }, { p: '../admin' })
    expect([response.status, await codeOf(response)]).toEqual([400, 'ERR_PATH_REFUSED'])
  })

  test('method and body', async () => {
    const response = await send(
      origin.url,
      new Request('http://client.test/', { method: 'PUT', body: 'hello' }),
    )
    expect(await response.json()).toEqual({ method: 'PUT', url: '/', body: 'hello' })
  })

  test.each(['GET', 'TRACE'])('no %s that it could not be given as it is', async method => {
    const request = new Request('http://client.test/')
    Object.defineProperty(request, 'method', { value: method })
    Object.defineProperty(request, 'body', { value: new ReadableStream() })
    const response = await send(origin.url, request)
    expect([response.status, await codeOf(response)]).toEqual([400, 'ERR_BAD_REQUEST'])
  })

  test('no request that went in circles', async () => {
    const at = (hops: number) =>
      send(
        origin.url,
        new Request('http://client.test/', { headers: { 'cdn-loop': `skerry; hops=${hops}` } }),
      )
    expect((await at(15)).status).toBe(200)
    expect(await codeOf(await at(16))).toBe('ERR_LOOP')
  })
})

describe('what an upstream answers', () => {
  const answering = async (status: number, headers: Record<string, string>) => {
    const made = await startOrigin((_request, response) => void response.writeHead(status, headers).end())
    onTestFinished(() => made.stop())
    return made
  }

  test('loses the headers of the connection', async () => {
    const headers = {
      connection: 'x-secret, keep-alive',
      'x-secret': '1',
      'keep-alive': 'timeout=5',
      'proxy-authenticate': 'Basic',
      'x-kept': '1',
    }
    const response = await send((await answering(200, headers)).url, new Request('http://client.test/'))
    expect([...response.headers.keys()].sort()).toEqual(['date', 'x-kept'])
  })

  test.each([
    ['an absolute redirect to itself', '', undefined, '$ORIGIN/login?a=1#b', '/login?a=1#b'],
    ['one below the path of its URL', '/base', undefined, '$ORIGIN/base/login', '/login'],
    ['a path below that', '/base', undefined, '/base/login', '/login'],
    ['the root of it', '/base', undefined, '$ORIGIN/base', '/'],
    ['a path that would be a host', '/base', undefined, '$ORIGIN/base//evil.test', '/evil.test'],
  ])('leads here for %s', async (_what, base, rewrite, location, expected) => {
    const made = await startOrigin((_request, response) => {
      response.writeHead(302, { location: location.replace('$ORIGIN', made.url) }).end()
    })
    onTestFinished(() => made.stop())
    const response = await send(`${made.url}${base}`, new Request('http://client.test/'), { rewrite })
    expect([response.status, response.headers.get('location')]).toEqual([302, expected])
  })

  test.each(['https://elsewhere.test/x', '//elsewhere.test/x', '/other', 'relative', '?q'])(
    'keeps the redirect to %s',
    async location => {
      const { url } = await answering(307, { location })
      const response = await send(`${url}/base`, new Request('http://client.test/'))
      expect(response.headers.get('location')).toBe(location)
    },
  )

  test('is not repeated in place of the caller, be it a redirect or an error', async () => {
    const made = await answering(500, {})
    expect((await send(made.url, new Request('http://client.test/'))).status).toBe(500)
    expect(made.seen).toHaveLength(1)
  })
})

describe('an upstream that fails', () => {
  test('is a 502 that names no address', async () => {
    const response = await send(`http://127.0.0.1:${await closedPort()}`, new Request('http://client.test/'))
    const text = await response.text()
    expect([response.status, JSON.parse(text).code]).toEqual([502, 'ERR_UPSTREAM_FAILED'])
    expect(text).not.toContain('127.0.0.1')
  })

  test('is a 504 when it does not begin to answer in time, and is let go', async () => {
    const silent = await startOrigin(() => {})
    onTestFinished(() => silent.stop())
    const options = optionsOf([silent.url], { timeout_ms: 100 })
    const response = await send(options, new Request('http://client.test/'))
    expect([response.status, await codeOf(response)]).toEqual([504, 'ERR_UPSTREAM_TIMEOUT'])
    expect(await silent.seen[0]?.isCutOff).toBe(true)
    expect(silent.seen).toHaveLength(1)
  })

  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])(
    'is left for another server by a %s that carries no body',
    async method => {
      const options = optionsOf([`http://127.0.0.1:${await closedPort()}`, origin.url])
      const upstream = createUpstream(options)
      for (let i = 0; i < 4; i++) {
        const exchange = makeExchange(new Request('http://client.test/', { method }), { services })
        expect((await upstream(exchange)).status).toBe(200)
      }
    },
  )

  test.each([502, 503, 504])('is left for another server when it answers %i', async status => {
    const failing = await startOrigin((_request, response) => void response.writeHead(status).end('no'))
    onTestFinished(() => failing.stop())
    const response = await send(optionsOf([failing.url, origin.url]), new Request('http://client.test/'))
    expect([response.status, failing.seen.length]).toEqual([200, 1])
  })

  test('is asked once only if it answers 503, and there is no other', async () => {
    const failing = await startOrigin(
      (_request, response) => void response.writeHead(503, { 'retry-after': '7' }).end('no'),
    )
    onTestFinished(() => failing.stop())
    const response = await send(failing.url, new Request('http://client.test/'))
    expect([response.status, response.headers.get('retry-after'), failing.seen.length]).toEqual([503, '7', 1])
  })

  test.each([
    ['a POST', { method: 'POST' }],
    ['a PUT with a body', { method: 'PUT', body: 'x' }],
  ])('is not left for another server by %s', async (_what, init) => {
    const failing = await startOrigin((_request, response) => void response.writeHead(503).end())
    onTestFinished(() => failing.stop())
    const response = await send(
      optionsOf([failing.url, origin.url]),
      new Request('http://client.test/', init),
    )
    expect(response.status).toBe(503)
  })

  test('is out for fail_seconds after max_fails, then tried again', async () => {
    let isDown = true
    const shaky = await startOrigin((_request, response) => void response.writeHead(isDown ? 503 : 200).end())
    onTestFinished(() => shaky.stop())
    let nowMs = 1000
    const options = optionsOf([shaky.url, origin.url], { max_fails: 2, fail_seconds: 10 })
    const upstream = createUpstream(options, { now: () => nowMs })
    const post = () =>
      upstream(makeExchange(new Request('http://client.test/', { method: 'POST' }), { services }))

    for (let i = 0; i < 12; i++) await post()
    expect(shaky.seen).toHaveLength(2)
    isDown = false
    nowMs += 10_000
    for (let i = 0; i < 8; i++) expect((await post()).status).toBe(200)
    expect(shaky.seen.length).toBeGreaterThan(4)
  })

  test('is not put out by clients whose bodies break', async () => {
    const upstream = createUpstream(optionsOf([origin.url, `${origin.url}/second`], { max_fails: 1 }))
    for (let i = 0; i < 4; i++) {
      const body = new ReadableStream({
        pull: controller => controller.error(new Error('Network connection lost.')),
      })
      const request = new Request('http://client.test/', {
        method: 'POST',
        body,
        duplex: 'half',
      } as RequestInit)
      expect(await codeOf(await upstream(makeExchange(request, { services })))).toBe('ERR_BAD_REQUEST')
    }
    const paths = new Set<string>()
    for (let i = 0; i < 2; i++) {
      const response = await upstream(makeExchange(new Request('http://client.test/'), { services }))
      paths.add(((await response.json()) as { url: string }).url)
    }
    expect([...paths].sort()).toEqual(['/', '/second/'])
  })

  test('is not put out by a client that sends its body slowly; a client that stops is told', async () => {
    const options = optionsOf([origin.url], { timeout_ms: 150, max_fails: 1 })
    const sendPieces = (pieces: number, ends: boolean) => {
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise(resolve => setTimeout(resolve, 60))
          if (pieces-- > 0) return controller.enqueue(Buffer.from('x'))
          if (ends) return controller.close()
          return new Promise(() => {})
        },
      })
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit
      return send(options, new Request('http://client.test/', init))
    }
    expect((await sendPieces(5, true)).status).toBe(200)
    const stopped = await sendPieces(1, false)
    expect([stopped.status, await codeOf(stopped)]).toEqual([400, 'ERR_BAD_REQUEST'])
  })
})

test('a policy that sends the exchange again leaves its own header changes in place', async () => {
  const upstream = createUpstream(origin.url)
  const exchange = makeExchange(
    new Request('http://client.test/', { headers: { 'x-forwarded-proto': 'evil' } }),
    {
      services,
    },
  )
  exchange.requestHeaders.set('x-forwarded-proto', 'https')
  await upstream(exchange)
  await upstream(exchange)
  expect(origin.seen.slice(-2).map(({ headers }) => headers['x-forwarded-proto'])).toEqual(['https', 'https'])
})

/** A port of loopback where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
