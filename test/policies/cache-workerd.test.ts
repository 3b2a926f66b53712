import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

/** The policy in real workerd, in front of a real server: what streams, codings and connections do there. */

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let origin: Server
let proxy: Workerd
let compressing: Workerd
let handler: Handler
let count = 0

beforeAll(async () => {
  origin = createServer((request, response) => {
    count++
    handler(request, response)
  }).listen(0, '127.0.0.1')
  await once(origin, 'listening')
  proxy = await startProxy()
  compressing = await startProxy({ name: 'COMPRESS', text: '1' })
})

async function startProxy(...more: { name: string; text: string }[]): Promise<Workerd> {
  return startWorkerd({
    modules: { 'main.js': await bundleModule('test/worker/cache-proxy.ts') },
    bindings: [
      { name: 'ORIGIN', text: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` },
      { name: 'OPTIONS', text: '{"max_object_bytes":100000}' },
      ...more,
    ],
    globalOutbound: 'origin',
    services: [{ name: 'origin', network: { allow: ['private'] } }],
  })
}

afterEach(() => {
  count = 0
})

afterAll(async () => {
  await Promise.all([proxy?.stop(), compressing?.stop()])
  origin?.closeAllConnections()
  origin?.close()
})

const FRESH = { 'cache-control': 'max-age=60' }

describe('cache in workerd', () => {
  test('asks the origin once for a hundred requests at the same time', async () => {
    handler = (_, response) => {
      setTimeout(() => response.writeHead(200, FRESH).end('once'), 100)
    }
    const answers = await Promise.all(Array.from({ length: 100 }, () => proxy.fetch('/hundred')))
    expect(await Promise.all(answers.map(answer => answer.text()))).toEqual(Array(100).fill('once'))
    expect(count).toBe(1)
  })

  test('makes nobody wait for what turned out not to be for others', async () => {
    let most = 0
    let now = 0
    handler = (_, response) => {
      most = Math.max(most, ++now)
      setTimeout(() => {
        now--
        response.writeHead(200, { 'cache-control': 'private' }).end('mine')
      }, 50)
    }
    await proxy.fetch('/private')
    const answers = await Promise.all(Array.from({ length: 10 }, () => proxy.fetch('/private')))
    expect(answers.map(answer => answer.status)).toEqual(Array(10).fill(200))
    expect(count).toBe(11)
    expect(most).toBeGreaterThan(5)
  })

  test.each([
    ['gzip', gzipSync('coded '.repeat(500)), true],
    ['gzip', gzipSync('coded '.repeat(500)), false],
    ['br', brotliCompressSync('coded '.repeat(500)), true],
    ['br', brotliCompressSync('coded '.repeat(500)), false],
  ])('leaves %s bodies as they are, on misses and hits', async (coding, bytes, hasLength) => {
    handler = (_, response) => {
      response.writeHead(200, {
        ...FRESH,
        'content-encoding': coding,
        ...(hasLength && { 'content-length': bytes.byteLength }),
      })
      response.end(bytes)
    }
    const path = `/coded-${coding}-${hasLength}`
    for (let i = 0; i < 3; i++) {
      const answer = await proxy.fetch(path, { headers: { 'accept-encoding': 'gzip, br' } })
      expect(answer.headers.get('content-encoding')).toBe(coding)
      expect(Buffer.from(await answer.arrayBuffer()).equals(bytes)).toBe(true)
      if (i > 0) expect(answer.headers.get('content-length')).toBe(String(bytes.byteLength))
    }
    expect(count).toBe(1)
  })

  test.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
  ])('stores what a policy behind it compresses with %s, and gives it whole', async (coding, decode) => {
    const text = 'compressible '.repeat(500)
    handler = (_, response) => {
      response.writeHead(200, { ...FRESH, 'content-type': 'text/plain' }).end(text)
    }
    for (let i = 0; i < 3; i++) {
      const answer = await compressing.fetch('/text', {
        headers: { 'accept-encoding': coding, ...(i === 2 && { range: 'bytes=0-1' }) },
      })
      expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, coding])
      expect(decode(new Uint8Array(await answer.arrayBuffer())).toString()).toBe(text)
    }
    const head = await compressing.fetch('/text', { method: 'HEAD', headers: { 'accept-encoding': coding } })
    expect(head.headers.get('content-length')).not.toBe(String(text.length))
    expect(count).toBe(1)
    expect(await (await compressing.fetch('/text')).text()).toBe(text)
  })

  test('streams a miss: the first bytes reach the client before the last are there', async () => {
    const { promise: arrived, resolve } = Promise.withResolvers<void>()
    handler = async (_, response) => {
      response.writeHead(200, FRESH).write('first ')
      await arrived
      response.end('last')
    }
    const response = await open('/streamed')
    const [chunk] = (await once(response, 'data')) as [Buffer]
    expect(String(chunk)).toBe('first ')
    resolve()
    await once(response, 'end')
    expect(await (await proxy.fetch('/streamed')).text()).toBe('first last')
    expect(count).toBe(1)
  })

  test('goes on filling when the client that began goes away, for those who wait and those who come', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    handler = async (_, response) => {
      response.writeHead(200, FRESH).write('half ')
      await gone
      setTimeout(() => response.end('whole'), 100)
    }
    const response = await open('/left')
    await once(response, 'data')
    const waiting = proxy.fetch('/left')
    response.destroy()
    resolve()
    expect(await (await waiting).text()).toBe('half whole')
    expect(await (await proxy.fetch('/left')).text()).toBe('half whole')
    expect(count).toBe(1)
  })

  test('goes on when that client went away before the head was there', async () => {
    const { promise: gone, resolve } = Promise.withResolvers<void>()
    const { promise: asked, resolve: tellAsked } = Promise.withResolvers<void>()
    handler = async (_, response) => {
      tellAsked()
      await gone
      setTimeout(() => response.writeHead(200, FRESH).end('headless'), 100)
    }
    const leaving = get(`${proxy.url}/left-early`)
    leaving.on('error', () => {})
    await asked
    const waiting = proxy.fetch('/left-early')
    // The waiting request must have arrived, before the first one leaves.
    await new Promise(done => setTimeout(done, 50))
    leaving.destroy()
    resolve()
    expect(await (await waiting).text()).toBe('headless')
    expect(count).toBe(1)
  })

  test('does not store what breaks off, and passes it on as broken', async () => {
    handler = (_, response) => {
      response.writeHead(200, { ...FRESH, 'content-length': 10 })
      response.write('short')
      setTimeout(() => response.destroy(), 20)
    }
    await expect(proxy.fetch('/broken').then(answer => answer.text())).rejects.toThrow()
    await proxy.fetch('/broken').catch(() => undefined)
    expect(count).toBe(2)
  })

  test.each([
    ['at the bound', 100_000, 1],
    ['one byte above', 100_001, 2],
  ])('stores a body of no announced length %s or not', async (_what, bytes, requests) => {
    handler = (_, response) => {
      response.writeHead(200, FRESH)
      response.write(Buffer.alloc(50_000))
      response.end(Buffer.alloc(bytes - 50_000))
    }
    for (let i = 0; i < 2; i++) {
      const answer = await proxy.fetch(`/long-${bytes}`)
      expect((await answer.arrayBuffer()).byteLength).toBe(bytes)
    }
    expect(count).toBe(requests)
  })

  test('answers HEAD from a stored GET, with its length', async () => {
    handler = (_, response) => {
      response.writeHead(200, FRESH).end('twelve bytes')
    }
    await proxy.fetch('/head')
    const answer = await proxy.fetch('/head', { method: 'HEAD' })
    expect(answer.headers.get('content-length')).toBe('12')
    expect(await answer.text()).toBe('')
    expect(count).toBe(1)
  })

  test('gives a stale response at once, and fetches a new one behind', async () => {
    let version = 0
    const { promise: refreshed, resolve } = Promise.withResolvers<void>()
    handler = (_, response) => {
      version++
      response.writeHead(200, { 'cache-control': 'max-age=0, stale-while-revalidate=60' }).end(`v${version}`)
      if (version === 2) response.on('close', resolve)
    }
    expect(await (await proxy.fetch('/swr')).text()).toBe('v1')
    expect(await (await proxy.fetch('/swr')).text()).toBe('v1')
    await refreshed
    await expect.poll(async () => (await proxy.fetch('/swr')).text()).not.toBe('v1')
  })
})

function open(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get(proxy.url + path, { agent: false }, resolve).on('error', reject)
  })
}
