import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { openHosts } from './support/hosts.ts'
import { answering } from './support/project.ts'

const hosts = await openHosts('limits')
const MAX = LIMITS.requestBodyBytes

// Together, as one of them takes half a minute.
describe.concurrent.each(hosts)('limits of `npm $kind`', platform => {
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
