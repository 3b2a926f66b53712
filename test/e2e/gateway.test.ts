import { beforeAll, describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('gateway')

const SOURCE = `
const encoder = new TextEncoder()
export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url)
    switch (url.pathname) {
      case '/echo': return new Response(request.body)
      case '/see': return Response.json({ method: request.method, url: request.url, headers: [...request.headers], body: await request.text() })
      case '/cf': return Response.json(request.cf)
      case '/client': return Response.json(['cf-connecting-ip', 'cf-ray', 'x-real-ip', 'true-client-ip', 'cf-ipcountry', 'cf-worker', 'cf-visitor'].map(name => request.headers.get(name)))
      case '/count': {
        let bytes = 0
        for await (const chunk of request.body) bytes += chunk.byteLength
        return new Response(String(bytes))
      }
      case '/events': {
        const { readable, writable } = new TransformStream()
        const writer = writable.getWriter()
        ctx.waitUntil((async () => {
          for (let n = 0; n < 3; n++) {
            await writer.write(encoder.encode('data: ' + n + '\\n\\n'))
            await scheduler.wait(100)
          }
          await writer.close()
        })())
        return new Response(readable, { headers: { 'content-type': 'text/event-stream' } })
      }
      case '/socket': {
        const [client, server] = Object.values(new WebSocketPair())
        server.accept()
        server.binaryType = 'arraybuffer'
        server.addEventListener('message', ({ data }) => server.send(typeof data === 'string' ? data.toUpperCase() : data))
        return new Response(null, { status: 101, webSocket: client })
      }
      case '/later':
        ctx.waitUntil(scheduler.wait(300).then(() => env.KV.put('later', url.searchParams.get('n'))))
        return new Response('now')
      case '/stored': return new Response(await env.KV.get('later'))
      case '/throw': throw new Error('the secret is 1234')
      case '/pass': ctx.passThroughOnException(); throw new Error('the secret is 1234')
      case '/status': return new Response(null, { status: Number(url.searchParams.get('n')), headers: { location: 'http://elsewhere.example/', 'x-own': 'yes', 'set-cookie': 'a=1' } })
      default: return new Response('hello', { headers: { 'x-path': url.pathname } })
    }
  },
}`

interface Hanging {
  readonly response: Response
  readonly tookMs: number
}
/** Takes half a minute, so it is under way while the other tests run. */
const hanging = new Map<string, Promise<Hanging>>()

beforeAll(async () => {
  for (const platform of hosts) {
    await platform.upload('hanging', 'export default { fetch: () => scheduler.wait(45_000) }')
    const startedAtMs = performance.now()
    const answer = platform.call('hanging')
    hanging.set(
      platform.kind,
      answer.then(response => ({ response, tookMs: performance.now() - startedAtMs })),
    )
  }
})

describe.each(hosts)('the gateway of `npm $kind`', platform => {
  const call = (path: string, init = {}) => platform.call('gate', path, init)
  beforeAll(async () => {
    const bindings = [{ type: 'kv_namespace', name: 'KV', namespace_id: `9a7e${'0'.repeat(28)}` }]
    await platform.upload('gate', SOURCE, { bindings })
  })

  test('passes method, URL, headers and body on as they came', async () => {
    const response = await call('/see?a=%20b&c', {
      method: 'PATCH',
      headers: { 'x-own': 'kept', cookie: 'a=1; b=2', 'user-agent': 'mine' },
      body: 'a body',
    })
    const seen = (await response.json()) as { headers: [string, string][] }
    expect(seen).toMatchObject({
      method: 'PATCH',
      url: `http://gate.${platform.domain}:${platform.port}/see?a=%20b&c`,
      body: 'a body',
    })
    const headers = Object.fromEntries(seen.headers)
    expect(headers).toMatchObject({ 'x-own': 'kept', cookie: 'a=1; b=2', 'user-agent': 'mine' })
    expect(headers.host).toBe(`gate.${platform.domain}:${platform.port}`)
  })

  test.each(['PUT', 'DELETE', 'OPTIONS', 'PATCH'])('passes the method %s on', async method => {
    expect(await (await call('/see', { method })).json()).toMatchObject({ method })
  })

  test('answers HEAD with the headers alone', async () => {
    const response = await call('/anything', { method: 'HEAD' })
    expect([response.status, response.headers.get('x-path'), await response.text()]).toEqual([
      200,
      '/anything',
      '',
    ])
  })

  test.each([201, 204, 301, 304, 404, 500])('passes the status %i on, untouched', async status => {
    const response = await call(`/status?n=${status}`)
    expect([response.status, response.headers.get('x-own')]).toEqual([status, 'yes'])
    expect(response.headers.get('set-cookie')).toBe('a=1')
  })

  test('finds a script whatever the spelling of the host', async () => {
    const response = await platform.fetch(`GATE.${platform.domain.toUpperCase()}:${platform.port}`, '/x')
    expect(response.headers.get('x-path')).toBe('/x')
  })

  test('answers an unknown host with 404 as problem JSON', async () => {
    for (const host of [`nobody.${platform.domain}`, 'unknown.example', `a.gate.${platform.domain}`]) {
      const response = await platform.fetch(host, '/')
      expect([host, response.status, response.headers.get('content-type')]).toEqual([
        host,
        404,
        expect.stringContaining('application/problem+json'),
      ])
      const problem = (await response.json()) as { request_id: string }
      expect(problem).toMatchObject({ code: 'ERR_ROUTE_NOT_FOUND', status: 404 })
      expect(problem.request_id).toBe(response.headers.get('skerry-request-id'))
    }
  })

  test('streams both ways: an answer begins before the request has ended', async () => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const encode = (text: string) => new TextEncoder().encode(text)
    const answering = call('/echo', { method: 'POST', body: readable })
    await writer.write(encode('first'))
    const reader = (await answering).body?.getReader()
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('first')
    await writer.write(encode('second'))
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('second')
    await writer.close()
    expect((await reader?.read())?.done).toBe(true)
  })

  test('passes events of a stream on when they happen', async () => {
    const response = await call('/events')
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const arrivals: [string, number][] = []
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      arrivals.push([new TextDecoder().decode(part.value), performance.now()])
    }
    expect(arrivals.map(([text]) => text)).toEqual(['data: 0\n\n', 'data: 1\n\n', 'data: 2\n\n'])
    expect((arrivals[2]?.[1] ?? 0) - (arrivals[0]?.[1] ?? 0)).toBeGreaterThan(100)
  })

  test('carries WebSockets, in text and binary', async () => {
    const socket = await openSocket(platform.port, `gate.${platform.domain}`, '/socket')
    socket.send('hello')
    expect(await socket.next()).toBe('HELLO')
    socket.send(Uint8Array.of(1, 2, 3))
    expect(await socket.next()).toEqual(Uint8Array.of(1, 2, 3))
    socket.close()
  })

  test('lets waitUntil finish after the answer', async () => {
    const n = crypto.randomUUID()
    expect(await (await call(`/later?n=${n}`)).text()).toBe('now')
    await expect.poll(() => platform.read('gate', '/stored'), { timeout: 5000 }).toBe(n)
  })

  test('answers an exception with 500 as problem JSON, and keeps its text to itself', async () => {
    const response = await call('/throw')
    const text = await response.text()
    expect(response.status).toBe(500)
    expect(JSON.parse(text)).toMatchObject({ code: 'ERR_FUNCTION_EXCEPTION' })
    expect(text).not.toContain('1234')
  })

  test('answers an exception after passThroughOnException with an error, as there is no origin', async () => {
    const response = await call('/pass')
    expect(response.status).toBeGreaterThanOrEqual(500)
    expect(await response.text()).not.toContain('1234')
  })

  test('tells code that asks where a request comes from, and never what the client forged', async () => {
    const forged = {
      'cf-connecting-ip': '6.6.6.6',
      'cf-ray': 'forged',
      'x-real-ip': '6.6.6.6',
      'true-client-ip': '6.6.6.6',
      'cf-ipcountry': 'ZZ',
      'cf-worker': 'forged',
      'cf-visitor': 'forged',
    }
    for (const headers of [{}, forged]) {
      const [ip, ray, real, trueClient, country, worker, visitor] = (await (
        await call('/client', { headers })
      ).json()) as string[]
      expect([ip, real]).toEqual(['127.0.0.1', '127.0.0.1'])
      expect(ray).toMatch(/^[0-9a-f]{16}-[A-Z]{3}$/)
      expect(visitor).toBe('{"scheme":"http"}')
      expect([trueClient, country, worker]).not.toContain('6.6.6.6')
      expect([country, worker].filter(value => value === 'ZZ' || value === 'forged')).toEqual([])
    }
    const cf = await (await call('/cf')).json()
    expect(cf).toMatchObject({
      colo: expect.any(String),
      country: expect.any(String),
      asn: expect.any(Number),
      timezone: expect.any(String),
      httpProtocol: expect.stringMatching(/^HTTP\//),
    })
    expect(cf).not.toHaveProperty('clientIp')
  })

  test('never shows forged headers to code that does not ask by name', async () => {
    const source = 'export default { fetch: request => Response.json([...request.headers]) }'
    await platform.upload('plain', source)
    const headers = { 'CF-Connecting-IP': '6.6.6.6', 'Cf-Ray': 'forged', 'x-mine': '1' }
    const seen = Object.fromEntries(JSON.parse(await platform.read('plain', '/', { headers })))
    expect(seen['x-mine']).toBe('1')
    expect(Object.values(seen)).not.toContain('6.6.6.6')
    expect(Object.values(seen)).not.toContain('forged')
  })

  test('refuses a body whose announced length is over the limit', async () => {
    const headers = { 'content-length': '100000001' }
    const { readable } = new TransformStream<Uint8Array, Uint8Array>()
    const response = await call('/count', { method: 'POST', headers, body: readable })
    expect(response.status).toBe(413)
    expect(await response.json()).toMatchObject({ code: 'ERR_BODY_TOO_LARGE' })
  })

  test('counts a body of unknown length: at the limit it passes, one byte more is refused', async () => {
    const limit = 100_000_000
    const atLimit = await call('/count', { method: 'POST', body: bodyOf(limit) })
    expect([atLimit.status, await atLimit.text()]).toEqual([200, String(limit)])
    const over = await call('/count', { method: 'POST', body: bodyOf(limit + 1) })
    expect([over.status, await over.text()]).toEqual([413, expect.stringContaining('ERR_BODY_TOO_LARGE')])
  })

  test('gives up on a function that has not answered within 30 seconds', async () => {
    const { response, tookMs } = (await hanging.get(platform.kind)) as Hanging
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({ code: 'ERR_FUNCTION_TIMEOUT' })
    expect(tookMs).toBeGreaterThan(29_000)
    expect(tookMs).toBeLessThan(36_000)
  })
})

/** So many bytes, sent in chunks without announcing how many. */
function bodyOf(bytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(256 * 1024)
  let left = bytes
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, chunk.byteLength)
      if (size > 0) controller.enqueue(chunk.subarray(0, size))
      left -= size
      if (left === 0) controller.close()
    },
  })
}
