import { describe, expect, test, vi } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { openHosts } from './support/hosts.ts'
import { answering } from './support/project.ts'

const hosts = await openHosts('limits')
const SECOND = 1000

// Together, as some of them wait for half a minute.
describe.concurrent.each(hosts)('limits of a request on `npm $kind`', platform => {
  test('100 requests may wait for a function; the next gets 503, until one is answered', async () => {
    await platform.upload(
      'counter',
      `let count = 0
       export default { fetch: request => new Response(request.method === 'POST' ? ++count : count) }`,
    )
    await platform.upload(
      'crowded',
      `export default {
         async fetch(request, env) {
           if (request.method === 'GET') return new Response('free')
           await env.COUNTER.fetch('http://counter/', { method: 'POST' })
           return new Response(await request.text())
         },
       }`,
      { bindings: [{ type: 'service', name: 'COUNTER', service: 'counter' }] },
    )
    // Each is held up until the test ends its body.
    const held = Array.from({ length: LIMITS.concurrency }, () => {
      const { body, end } = openBody()
      return { end, answer: platform.read('crowded', '/', { method: 'POST', body }) }
    })
    await vi.waitFor(
      async () => expect(Number(await platform.read('counter'))).toBe(LIMITS.concurrency),
      20 * SECOND,
    )

    const refused = await platform.call('crowded')
    expect(refused.status).toBe(503)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(refused.headers.get('content-type')).toBe('application/problem+json')
    expect(await refused.json()).toMatchObject({
      code: 'ERR_CONCURRENCY_LIMIT',
      detail: 'The function "crowded" is handling 100 requests already.',
    })
    expect(await platform.read('counter'), 'other functions are not concerned').toBe('100')

    await held[0]?.end()
    expect(await held[0]?.answer).toBe('held')
    expect(await platform.read('crowded')).toBe('free')
    for (const { end } of held.slice(1)) await end()
    expect(new Set(await Promise.all(held.map(({ answer }) => answer)))).toEqual(new Set(['held']))
    const after = await Promise.all(Array.from({ length: 50 }, () => platform.read('crowded')))
    expect(new Set(after)).toEqual(new Set(['free']))
  })

  describe('a body', () => {
    const MAX = LIMITS.requestBodyBytes
    const deployCounting = async (name: string) => {
      const source = `export default {
        async fetch(request) {
          let bytes = 0
          for await (const chunk of request.body) bytes += chunk.byteLength
          return new Response(bytes)
        },
      }`
      await platform.upload(name, source)
    }

    test.each([
      { name: 'announced', headers: { 'content-length': String(MAX) } },
      { name: 'chunked', headers: {} },
    ])('of the largest size, $name, reaches the function', async ({ name, headers }) => {
      await deployCounting(name)
      expect(await platform.read(name, '/', { method: 'POST', headers, body: bodyOf(MAX) })).toBe(String(MAX))
    })

    test('announced as larger than the limit is answered 413 before it is sent', async () => {
      await deployCounting('announced-larger')
      const headers = { 'content-length': String(MAX + 1) }
      await expectTooLarge(platform.call('announced-larger', '/', { method: 'POST', headers }))
    })

    test('that turns out larger than the limit is answered 413', async () => {
      await deployCounting('chunked-larger')
      await expectTooLarge(platform.call('chunked-larger', '/', { method: 'POST', body: bodyOf(MAX + 1) }))
    })

    test('larger than the limit is refused by the platform itself too', async () => {
      const headers = { 'content-length': String(MAX + 1), authorization: `Bearer ${platform.token}` }
      const host = `127.0.0.1:${platform.port}`
      const path = `/client/v4/accounts/${platform.accountId}/workers/scripts/any`
      await expectTooLarge(platform.fetch(host, path, { method: 'PUT', headers }))
    })
  })

  test('a function that takes too long is answered for: 504 after 30 seconds', {
    timeout: 50_000,
  }, async () => {
    await platform.upload(
      'slow',
      'export default { fetch: () => scheduler.wait(60_000).then(() => new Response()) }',
    )
    const startedMs = performance.now()
    const response = await platform.call('slow')
    const tookMs = performance.now() - startedMs
    expect(response.status).toBe(504)
    expect(await response.json()).toMatchObject({
      code: 'ERR_FUNCTION_TIMEOUT',
      detail: 'The function "slow" did not answer within 30 seconds.',
    })
    expect(tookMs).toBeGreaterThan(LIMITS.wallClockMs - 100)
    expect(tookMs).toBeLessThan(LIMITS.wallClockMs + 5000)
  })

  test('an answer that has begun may take longer than that', { timeout: 50_000 }, async () => {
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

  test('a function that calls itself without end is stopped', async () => {
    await platform.upload('endless', 'export default { fetch: request => fetch(request.url) }')
    const response = await platform.call('endless')
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'ERR_CONCURRENCY_LIMIT' })

    await platform.upload('circle', 'export default { fetch: request => fetch(request) }')
    const circle = await platform.call('circle')
    expect(circle.status).toBe(508)
    expect(await circle.json()).toMatchObject({ code: 'ERR_LOOP' })

    await platform.upload('endless', answering('over'))
    expect(await platform.read('endless')).toBe('over')
  })
})

async function expectTooLarge(answer: Promise<Response>): Promise<void> {
  const response = await answer
  if (response.status !== 413) throw new Error('GOT ' + response.status + (await response.text()))
  expect(response.status).toBe(413)
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(await response.json()).toMatchObject({
    code: 'ERR_BODY_TOO_LARGE',
    detail: "The request's body exceeds the limit of 100000000 bytes.",
  })
}

/** A body that has begun and goes on until it is ended. */
function openBody() {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  // Node sends a request's head with the first bytes of its body.
  void writer.write(Buffer.from('held'))
  return { body: readable, end: () => writer.close() }
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
