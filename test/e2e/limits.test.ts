import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { LIMIT_TABLE, LIMITS } from '../../src/core/limits.ts'
import type { Platform } from './support/client.ts'
import { openHosts } from './support/hosts.ts'
import { answering } from './support/project.ts'

const hosts = await openHosts('limits')
const MAX = LIMITS.requestBodyBytes

/** Answers after as long as its path says, in milliseconds. */
const SLOW = `export default {
  async fetch(request) {
    await scheduler.wait(Number(new URL(request.url).pathname.slice(1)))
    return new Response('done')
  },
}`

/**
 * Sends many requests at once to functions, all through the edge that it runs in, and counts the answers.
 *
 * @returns an object from status to count, `details` of those refused, and the time of the slowest in `ms`
 */
const BURST = `export default {
  async fetch(request) {
    const { urls, times } = await request.json()
    const startedAtMs = Date.now()
    const counts = {}
    const details = new Set()
    await Promise.all(urls.flatMap(url => Array.from({ length: times }, async () => {
      const response = await fetch(url)
      counts[response.status] = (counts[response.status] ?? 0) + 1
      if (response.status !== 503) return response.text()
      const { code, detail } = await response.json()
      details.add([code, response.headers.get('retry-after'), detail].join(' | '))
    })))
    return Response.json({ counts, details: [...details], ms: Date.now() - startedAtMs })
  },
}`

/** Fills a function's places with requests that it gives up, and then asks it for something short. */
const IMPATIENT = `export default {
  async fetch(request) {
    const { slow, short, times } = await request.json()
    const given = await Promise.allSettled(
      Array.from({ length: times }, () => fetch(slow, { signal: AbortSignal.timeout(200) })),
    )
    const response = await fetch(short)
    return Response.json({
      answered: given.filter(({ status }) => status === 'fulfilled').length,
      status: response.status,
      text: await response.text(),
    })
  },
}`

interface LimitsAnswer {
  readonly host: string
  readonly limits: Record<string, { readonly this_host: string | null }>
}

interface BurstResult {
  readonly counts: Record<string, number>
  readonly details: readonly string[]
  readonly ms: number
}

async function burst(
  platform: Platform,
  scripts: readonly string[],
  times: number,
  path: string,
): Promise<BurstResult> {
  const urls = scripts.map(script => `http://${script}.${platform.domain}${path}`)
  const response = await platform.call('burst', '/', {
    method: 'POST',
    body: JSON.stringify({ urls, times }),
  })
  return (await response.json()) as BurstResult
}

// Together, as one of them takes half a minute.
describe.concurrent.each(hosts)('limits of `npm $kind`', platform => {
  test('the limits say who enforces them here', async () => {
    const host = platform.kind === 'start' ? 'self-host' : 'dev'
    const { body } = await platform.v1<LimitsAnswer>('GET', '/limits')
    expect(body.host).toBe(host)
    expect(Object.keys(body.limits)).toEqual(Object.keys(LIMIT_TABLE))
    expect(body.limits.turnMs).toMatchObject({ value: 500, this_host: host === 'dev' ? null : 'supervisor' })
    expect(body.limits.cpuMsPerInvocation).toMatchObject({
      value: null,
      this_host: null,
      enforced_by: { 'self-host': null, dev: null, cloudflare: 'Cloudflare' },
    })
    const listed = await platform.skerry(['limits', '--json'])
    expect(JSON.parse(listed.stdout)).toEqual(body)
    const explained = await platform.skerry(['limits', 'urlBytes'])
    expect(explained.stdout).toContain('urlBytes: 16,384 bytes\n')
    expect((await platform.skerry(['limits', 'none'])).stderr).toContain('There is no limit "none"')
  })

  test('an answer that has begun in time may take longer', { timeout: 60_000 }, async () => {
    await platform.upload(
      'long-answer',
      `export default {
         fetch() {
           const { readable, writable } = new TransformStream()
           const writer = writable.getWriter()
           const write = text => writer.write(new TextEncoder().encode(text))
           void write('begin ').then(() => scheduler.wait(31_000)).then(() => write('end')).then(() => writer.close())
           return new Response(readable)
         },
       }`,
    )
    expect(await platform.read('long-answer')).toBe('begin end')
  })

  test('a function that calls itself without end is stopped, and can be mended', async () => {
    await platform.upload('endless', 'export default { fetch: request => fetch(request.url) }')
    const endless = await platform.call('endless')
    expect(endless.status).toBe(503)
    expect(await endless.json()).toMatchObject({ code: 'ERR_CONCURRENCY_LIMIT' })
    await platform.upload('endless', answering('over'))
    expect(await platform.read('endless')).toBe('over')
  })

  test('a request that is passed on in a circle is stopped: 508', async () => {
    await platform.upload('circle', 'export default { fetch: request => fetch(request) }')
    const source = `export default { fetch(request, env, ctx) { ctx.passThroughOnException(); throw new Error('no') } }`
    await platform.upload('pass-through', source)
    for (const script of ['circle', 'pass-through']) {
      for (const init of [{}, { method: 'POST', body: 'sent' }]) {
        const response = await platform.call(script, '/', init)
        expect([script, response.status]).toEqual([script, 508])
        expect(await response.json()).toMatchObject({ code: 'ERR_LOOP' })
      }
    }
    await platform.upload('no-circle', answering('here'))
    const claimed = { headers: { 'cdn-loop': 'skerry; hops=99' } }
    expect(await platform.read('no-circle', '/', claimed), "a client's own claim counts nothing").toBe('here')
  })

  test('a URL as long as the limit reaches the function, one byte more is refused: 414', async () => {
    await platform.upload('url', 'export default { fetch: request => new Response(request.url.length) }')
    const path = '/'.padEnd(LIMITS.urlBytes - Number(await platform.read('url', '/')) + 1, 'a')
    expect(await platform.read('url', path)).toBe(String(LIMITS.urlBytes))
    const response = await platform.call('url', `${path}a`)
    expect(response.status).toBe(414)
    expect(await response.json()).toMatchObject({
      code: 'ERR_URL_TOO_LONG',
      detail: `The URL has ${LIMITS.urlBytes + 1} bytes; the limit is ${LIMITS.urlBytes}.`,
    })
  })

  test.runIf(platform.kind === 'start')(
    "workerd's bounds of a request's head: at each passes, past it 431",
    async () => {
      await platform.upload('head', answering('here'))
      const line = `GET / HTTP/1.1\r\nHost: head.${platform.domain}\r\n`
      const withBytes = (bytes: number) => `${line}X: ${'a'.repeat(bytes - line.length - 7)}\r\n\r\n`
      const withLines = (lines: number) => `${line}${'X: a\r\n'.repeat(lines - 1)}\r\n`
      expect(await exchange(platform.port, withBytes(LIMITS.headerBytes))).toMatch(/^HTTP.1.1 200 /)
      expect(await exchange(platform.port, withBytes(540_000))).toMatch(/^HTTP.1.1 431 /)
      expect(await exchange(platform.port, withLines(LIMITS.headerLines))).toMatch(/^HTTP.1.1 200 /)
      expect(await exchange(platform.port, withLines(LIMITS.headerLines + 1))).toMatch(/^HTTP.1.1 431 /)
    },
  )

  test('a connection without a whole request on it is ended', async () => {
    const startedAtMs = performance.now()
    const answers = await Promise.all(
      ['', 'GET / HTTP/1.1\r\nHost: a'].map(begin => exchange(platform.port, begin)),
    )
    expect(answers).toEqual(['', ''])
    expect(performance.now() - startedAtMs).toBeGreaterThan(LIMITS.headMs - 1000)
    expect(performance.now() - startedAtMs).toBeLessThan(LIMITS.headMs + 5000)
  })

  test('a body that stops coming is waited for only until the function must have answered', async () => {
    await platform.upload(
      'reads',
      'export default { fetch: async request => new Response(await request.text()) }',
    )
    const head = `POST / HTTP/1.1\r\nHost: reads.${platform.domain}\r\nContent-Length: 9\r\n\r\nbegin`
    expect(await exchange(platform.port, head)).toMatch(/^HTTP.1.1 504 [\s\S]*ERR_FUNCTION_TIMEOUT/)
  })

  test('a body announced as large as the limit reaches the function', async () => {
    const source = `export default {
      async fetch(request) {
        let bytes = 0
        for await (const chunk of request.body) bytes += chunk.byteLength
        return new Response(bytes)
      },
    }`
    await platform.upload('announced', source)
    const headers = { 'content-length': String(MAX) }
    const body = bodyOf(MAX)
    expect(await platform.read('announced', '/', { method: 'POST', headers, body })).toBe(String(MAX))
  })

  // wrangler's own proxy keeps an answer back that comes before the body's end.
  test.runIf(platform.kind === 'start')(
    'a body announced as one byte larger is refused before it is sent, by functions and control plane',
    async () => {
      await platform.upload('announced-larger', answering('never'))
      const headers = { 'content-length': String(MAX + 1), authorization: `Bearer ${platform.token}` }
      const api = `/client/v4/accounts/${platform.accountId}/workers/scripts/any`
      for (const [host, path] of [
        [`announced-larger.${platform.domain}`, '/'],
        [`127.0.0.1:${platform.port}`, api],
      ] as const) {
        const response = await platform.fetch(host, path, { method: 'PUT', headers })
        expect([host, response.status]).toEqual([host, 413])
        expect(await response.json()).toMatchObject({
          code: 'ERR_BODY_TOO_LARGE',
          detail: "The request's body exceeds the limit of 100000000 bytes.",
        })
      }
    },
  )

  test('a body that turns out too large breaks the answer off that it flows into: it never looks whole', async () => {
    await platform.upload('echo', 'export default { fetch: request => new Response(request.body) }')
    const response = await platform.call('echo', '/', { method: 'POST', body: bodyOf(MAX + 1) })
    expect(response.status).toBe(200)
    await expect(drain(response)).rejects.toThrow()
  })
})

// One after the other: they need the machine for themselves.
describe.each(hosts)('places and queues of `npm $kind`', platform => {
  test.each([
    [LIMITS.concurrency + LIMITS.queueLength, 0],
    [LIMITS.concurrency + LIMITS.queueLength + 1, 1],
  ])(
    'of %i requests to one function at once, %i is refused: its places and its queue are full',
    async (times, refused) => {
      const script = `queued-${refused}`
      await platform.upload('burst', BURST)
      await platform.upload(script, SLOW)
      await platform.read(script, '/0')
      const { counts, details } = await burst(platform, [script], times, '/150')
      expect(counts).toEqual({ 200: times - refused, ...(refused && { 503: refused }) })
      expect(details).toEqual(
        refused
          ? [
              expect.stringContaining(
                `ERR_CONCURRENCY_LIMIT | 1 | The function "${script}" is handling 100 requests`,
              ),
            ]
          : [],
      )
    },
  )

  test.each([
    [LIMITS.concurrency, 0],
    [LIMITS.concurrency + 1, 1],
  ])('of %i requests that take longer than the queue lasts, %i is refused', async (times, refused) => {
    const script = `held-${refused}`
    await platform.upload('burst', BURST)
    await platform.upload(script, SLOW)
    await platform.read(script, '/0')
    const { counts } = await burst(platform, [script], times, '/1500')
    expect(counts).toEqual({ 200: times, ...(refused && { 200: times - refused, 503: refused }) })
  })

  test('places whose callers gave up are free again, though nothing has ended', async () => {
    await platform.upload('impatient', IMPATIENT)
    await platform.upload('left', SLOW)
    await platform.read('left', '/0')
    const url = `http://left.${platform.domain}`
    const body = JSON.stringify({ slow: `${url}/20000`, short: `${url}/0`, times: LIMITS.concurrency })
    const response = await platform.call('impatient', '/', { method: 'POST', body })
    expect(await response.json()).toEqual({ answered: 0, status: 200, text: 'done' })
  })

  test("the functions of an account share its places, and another account's have their own", async () => {
    const names = ['share-a', 'share-b', 'share-c', 'share-d', 'share-e']
    const own = await platform.as('limits-shared')
    await own.upload('burst', BURST)
    for (const name of names) await own.upload(name, SLOW)
    for (const name of names) await own.read(name, '/0')
    const elsewhere = await platform.as('limits-elsewhere')
    await elsewhere.upload('calm', answering('calm'))
    const bursting = burst(own, names, 90, '/2000')
    const calm = await Promise.all(Array.from({ length: 20 }, () => elsewhere.read('calm')))
    expect(new Set(calm)).toEqual(new Set(['calm']))
    const { counts, details } = await bursting
    // One place is taken by the function that calls the others.
    expect(counts).toEqual({ 200: LIMITS.accountConcurrency - 1, 503: 450 - LIMITS.accountConcurrency + 1 })
    const full = "ERR_CONCURRENCY_LIMIT | 1 | The account's functions are handling 400 requests already; "
    expect(details).toEqual(expect.arrayContaining([`${full}none of them ended within 250 ms.`]))
    expect(details.filter(detail => !detail.startsWith(full))).toEqual([])
  })
})

/** What comes back on a connection of its own until it ends; after an answer we end it. */
function exchange(port: number, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let received = ''
  const socket = connect(port, '127.0.0.1', () => socket.write(text))
  socket.setEncoding('latin1')
  socket.on('data', chunk => {
    received += chunk
    if (/\r\n\r\n[\s\S]*\S\s*$/.test(received)) socket.end()
  })
  socket.on('error', error => (received ? resolve(received) : reject(error)))
  socket.on('close', () => resolve(received))
  return promise
}

async function drain(response: Response): Promise<number> {
  let bytes = 0
  for await (const chunk of response.body as ReadableStream<Uint8Array>) bytes += chunk.byteLength
  return bytes
}

/** That many bytes, in chunks of a megabyte at most. */
function bodyOf(bytes: number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(1_000_000)
  let left = bytes
  return new ReadableStream({
    pull(controller) {
      controller.enqueue(chunk.subarray(0, left))
      left -= Math.min(left, chunk.byteLength)
      if (left === 0) controller.close()
    },
  })
}
