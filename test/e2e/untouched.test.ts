import { brotliCompressSync, brotliDecompressSync, gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { createWorker } from './support/project.ts'

const hosts = await openHosts('untouched')
const RAY = expect.stringMatching(/^[0-9a-f]{16}-[A-Z]{3}$/)
const COLO = expect.stringMatching(/^[A-Z]{3}$/)

/** What a client may claim and the platform alone may say. */
const FORGED = {
  'CF-Connecting-IP': '6.6.6.6',
  'CF-Ray': 'forged-ray',
  'CF-IPCountry': 'ZZ',
  'CF-Visitor': '{"scheme":"forged"}',
  'CF-Worker': 'forged.example',
  'X-Real-IP': '6.6.6.6',
  'True-Client-IP': '6.6.6.6',
}

describe.each(hosts)('messages through `npm $kind`', platform => {
  const { domain, port } = platform

  test.each(['GET', 'POST', 'PROPFIND', 'MKCOL'])(
    'a %s request and its answer pass as they are, to the letter of the URL and the reason phrase',
    async method => {
      await platform.upload(
        'letters',
        `export default {
           async fetch(request) {
             const headers = { 'x-method': request.method, 'x-url': request.url }
             return new Response('[' + await request.text() + ']', { status: 207, statusText: 'So So', headers })
           },
         }`,
      )
      const body = method === 'GET' ? {} : { body: 'sent' }
      const response = await platform.call('letters', '/a%20b//c?d=%C3%BC&&e', { method, ...body })
      expect([response.status, response.statusText]).toEqual([207, 'So So'])
      expect(response.headers.get('x-method')).toBe(method)
      expect(response.headers.get('x-url')).toBe(`http://letters.${domain}:${port}/a%20b//c?d=%C3%BC&&e`)
      expect(await response.text()).toBe(method === 'GET' ? '[]' : '[sent]')
    },
  )

  test('headers of an answer: none is added, each Set-Cookie is kept', async () => {
    await platform.upload(
      'headers',
      `export default {
         fetch() {
           const response = new Response(null, { status: 204, headers: { 'x-empty': '', 'cache-control': 'no-store' } })
           response.headers.append('set-cookie', 'a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT')
           response.headers.append('set-cookie', 'b=2; HttpOnly')
           return response
         },
       }`,
    )
    const { status, headers } = await platform.call('headers')
    expect(status).toBe(204)
    expect(headers.getSetCookie()).toEqual(['a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'b=2; HttpOnly'])
    const connection = ['connection', 'keep-alive', 'date']
    const others = [...headers.keys()].filter(name => !connection.includes(name))
    expect([...new Set(others)].sort()).toEqual(['cache-control', 'set-cookie', 'x-empty'])
  })

  test('bytes that the function encoded itself', async () => {
    const bytes = [...brotliCompressSync('hello')]
    const init = `{ encodeBody: 'manual', headers: { 'content-encoding': 'br', etag: '"e"' } }`
    const source = `export default { fetch: () => new Response(Uint8Array.from(${JSON.stringify(bytes)}), ${init}) }`
    await platform.upload('encoded', source)
    const response = await platform.call('encoded', '/', { headers: { 'accept-encoding': 'br' } })
    const body = Buffer.from(await response.arrayBuffer())
    expect(response.headers.get('etag')).toBe('"e"')
    expect(response.headers.get('content-encoding')).toBe('br')
    expect(brotliDecompressSync(body).toString()).toBe('hello')
    // wrangler's own proxy in front of it encodes anew.
    if (platform.kind === 'start') expect([...body]).toEqual(bytes)
  })

  test('an encoding that the function asks for is done once', async () => {
    const source = `export default { fetch: () => new Response('hello', { headers: { 'content-encoding': 'gzip' } }) }`
    await platform.upload('encoding', source)
    const response = await platform.call('encoding', '/', { headers: { 'accept-encoding': 'gzip' } })
    expect(response.headers.get('content-encoding')).toBe('gzip')
    expect(gunzipSync(await response.arrayBuffer()).toString()).toBe('hello')
  })

  test.each([
    { title: 'throws what is no error', body: `throw 'the password is 1234'` },
    { title: 'throws in our words', body: `throw new Error('ERR_UNAUTHENTICATED: the password is 1234')` },
    { title: 'answers with no Response', body: 'return { password: 1234 }' },
    { title: 'never settles', body: 'await new Promise(() => {})' },
  ])('a function that $title is a failure of its own', async ({ body }) => {
    await platform.upload('throws', `export default { async fetch() { ${body} } }`)
    const response = await platform.call('throws')
    const text = await response.text()
    expect(response.status, text).toBe(500)
    expect(JSON.parse(text)).toMatchObject({
      code: 'ERR_FUNCTION_EXCEPTION',
      detail: 'The function "throws" threw an exception.',
    })
    expect(text).not.toMatch(/1234|UNAUTHENTICATED/)
  })

  test('a function without a fetch handler answers 404', async () => {
    const { dir } = createWorker('handlerless', 'export default { scheduled() {} }')
    const { code, all } = await platform.wrangler(['deploy'], { cwd: dir })
    expect(code, all).toBe(0)
    const response = await platform.call('handlerless')
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'ERR_FUNCTION_NO_FETCH' })
  })

  test("the client's address is added to what proxies before said", async () => {
    const source = `export default { fetch: request => new Response(request.headers.get('x-forwarded-for')) }`
    await platform.upload('forwarded', source)
    expect(await platform.read('forwarded')).toBe('127.0.0.1')
    const headers = { 'x-forwarded-for': '9.9.9.9' }
    expect(await platform.read('forwarded', '/', { headers })).toBe('9.9.9.9, 127.0.0.1')
  })

  test.each([
    { title: 'that reads them', front: `const seen = [request.cf, request.headers.get('cf-ray')];` },
    { title: 'that never mentions them', front: '' },
  ])(
    'request.cf and the client headers go along through a service binding of a function $title',
    async ({ front }) => {
      await platform.upload(
        'cf-back',
        `export default {
         fetch: ({ cf, headers }) => Response.json({ cf, ip: headers.get('cf-connecting-ip'), ray: headers.get('cf-ray') }),
       }`,
      )
      await platform.upload(
        'cf-front',
        `export default { fetch(request, env) { ${front} return env.BACK.fetch(request) } }`,
        { bindings: [{ type: 'service', name: 'BACK', service: 'cf-back' }] },
      )
      const seen = JSON.parse(await platform.read('cf-front', '/', { headers: FORGED }))
      expect(seen).toEqual({ cf: expect.objectContaining({ colo: COLO }), ip: '127.0.0.1', ray: RAY })
      expect(seen.cf, "workerd's own field").not.toHaveProperty('clientIp')
    },
  )

  test("a function can't forge who calls another function", async () => {
    const back = `export default {
      fetch: ({ cf, headers }) => Response.json([cf, headers.get('cf-connecting-ip'), headers.get('cf-ray'), headers.get('cf-worker'), headers.get('true-client-ip')]),
    }`
    await platform.upload('called', back)
    const init = `{ headers: ${JSON.stringify(FORGED)}, cf: { clientIp: '6.6.6.6:1' } }`
    const source = `export default { fetch: () => fetch('http://called.${domain}:${port}/', ${init}) }`
    await platform.upload('calling', source)
    const text = await platform.read('calling')
    expect(JSON.parse(text)).toEqual([expect.objectContaining({ colo: COLO }), '127.0.0.1', RAY, null, null])
    expect(text).not.toMatch(/forged|6\.6\.6\.6|ZZ/)
  })
})
