import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bodyLimitPolicy } from '../../routes/policies/body-limit.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { HeaderTemplate } from '../../routes/policies/template-value.ts'
import { transformPolicy } from '../../routes/policies/transform.ts'
import { codeOf, makeExchange, runPolicy } from './support.ts'

const URL_TEXT = 'https://api.example.com/v1/orders?a=1&a=2&b=3'
const get = (headers: Record<string, string> = {}) => new Request(URL_TEXT, { headers })

/** What the target of a transform saw, and what the caller got. */
async function transform(options: object, request = get(), init: object = {}) {
  let seen: Request | undefined
  const target = (exchange: Exchange) => {
    seen = exchange.takeRequest()
    return new Response('ok', { headers: { 'x-old': 'old', server: 'a' } })
  }
  const phase = createPhase(transformPolicy, options)
  const response = await runPolicy(phase, makeExchange(request, init), target)
  return { request: seen as Request, response }
}

describe('transform of request headers', () => {
  test.each([
    ['set', { set: { 'x-a': 'new' } }, { 'x-a': 'new', 'x-b': 'b' }],
    ['set of one that is not there', { set: { 'X-C': 'c' } }, { 'x-a': 'a', 'x-b': 'b', 'x-c': 'c' }],
    ['add', { add: { 'x-a': 'more' } }, { 'x-a': 'a, more', 'x-b': 'b' }],
    ['default', { default: { 'x-a': 'new', 'x-c': 'c' } }, { 'x-a': 'a', 'x-b': 'b', 'x-c': 'c' }],
    ['remove', { remove: ['X-A'] }, { 'x-b': 'b' }],
    ['rename', { rename: { 'x-a': 'x-b' } }, { 'x-b': 'a' }],
    ['rename of one that is not there', { rename: { 'x-c': 'x-b' } }, { 'x-a': 'a', 'x-b': 'b' }],
  ])('%s', async (_, changes, expected) => {
    const { request } = await transform({ request: changes }, get({ 'x-a': 'a', 'x-b': 'b' }))
    expect(Object.fromEntries(request.headers)).toEqual(expected)
  })

  test.each(['host', 'Content-Length', 'transfer-encoding', 'connection', 'upgrade'])(
    '%s can’t be changed',
    name => {
      expect(() => createPhase(transformPolicy, { request: { set: { [name]: 'x' } } })).toThrow(
        /frame or route/,
      )
    },
  )
})

test.each(['set', 'add', 'default', 'rename'])('transform can’t make up who calls by "%s"', how => {
  const change = { [how]: how === 'rename' ? { 'x-user': 'Skerry-Subject' } : { 'Skerry-Subject': 'ann' } }
  expect(() => createPhase(transformPolicy, { request: change })).toThrow(/can’t be made up/)
})

describe('transform of response headers', () => {
  test.each([
    ['set', { set: { server: 'b' } }, { server: 'b', 'x-old': 'old' }],
    ['remove', { remove: ['server'] }, { 'x-old': 'old' }],
    ['rename', { rename: { 'x-old': 'x-new' } }, { server: 'a', 'x-new': 'old' }],
  ])('%s', async (_, changes, expected) => {
    const { response } = await transform({ response: changes })
    const { 'content-type': _type, ...headers } = Object.fromEntries(response.headers)
    expect(headers).toEqual(expected)
  })
})

describe('transform of the URL', () => {
  test.each([
    ['query.remove', { query: { remove: ['a'] } }, '/v1/orders?b=3'],
    ['query.set', { query: { set: { a: '9' } } }, '/v1/orders?a=9&b=3'],
    ['query.add', { query: { add: { b: 'x y' } } }, '/v1/orders?a=1&a=2&b=3&b=x+y'],
    ['strip_prefix', { path: { strip_prefix: '/v1' } }, '/orders?a=1&a=2&b=3'],
    ['strip_prefix of the whole path', { path: { strip_prefix: '/v1/orders' } }, '/?a=1&a=2&b=3'],
    ['strip_prefix within a segment', { path: { strip_prefix: '/v1/ord' } }, '/v1/orders?a=1&a=2&b=3'],
    ['add_prefix', { path: { add_prefix: '/api' } }, '/api/v1/orders?a=1&a=2&b=3'],
    ['both', { path: { strip_prefix: '/v1', add_prefix: '/v2' } }, '/v2/orders?a=1&a=2&b=3'],
  ])('%s', async (_, options, expected) => {
    const { request } = await transform(options)
    expect(request.url).toBe(`https://api.example.com${expected}`)
  })

  test('a value of other characters than ASCII is encoded once', async () => {
    const { request } = await transform(
      { query: { set: { b: '{headers.x-name}' } } },
      get({ 'x-name': 'é&' }),
    )
    expect(new URL(request.url).searchParams.get('b')).toBe('é&')
  })

  test('to take out what isn’t there leaves the request as it is', async () => {
    const given = new Request('https://api.example.com/?q=%20a')
    const { request } = await transform({ query: { remove: ['x'] } }, given)
    expect(request).toBe(given)
  })

  test('the body goes along', async () => {
    const request = new Request(URL_TEXT, { method: 'POST', body: 'order' })
    const { request: seen } = await transform({ path: { strip_prefix: '/v1' } }, request)
    expect([seen.method, await seen.text()]).toEqual(['POST', 'order'])
  })
})

describe('placeholders', () => {
  const identity = {
    type: 'jwt',
    policy: 'id',
    subject: 'ann',
    scopes: ['a', 'b'],
    roles: [],
    claims: { team: { id: 7 }, name: 'Zoë\r\nset-cookie: a=b' },
  }
  test.each([
    ['{client_ip} {route} {method} {host} {path}', '192.0.2.1 orders GET api.example.com /v1/orders'],
    ['{params.id}', '42'],
    ['{params.constructor}', ''],
    ['{headers.x-a}', 'a'],
    ['{headers.x-none}', ''],
    ['{identity.sub}', 'ann'],
    ['{identity.scopes}', 'a b'],
    ['{identity.team.id}', '7'],
    ['{identity.name}', 'Zo%C3%AB%0D%0Aset-cookie: a=b'],
    ['{{literal}}', '{literal}'],
  ])('%s', async (text, expected) => {
    const exchange = makeExchange(get({ 'x-a': 'a' }), {
      clientIp: '192.0.2.1',
      route: 'orders',
      params: { id: '42' },
    })
    exchange.identity = identity
    expect(new HeaderTemplate(text).expand(exchange)).toBe(expected)
  })

  test.each(['{', '}', '{nobody}', '{identity.}', '{headers.a b}', '{{a}'])('"%s" is refused', text => {
    expect(() => createPhase(transformPolicy, { request: { set: { 'x-a': text } } })).toThrow(
      /brace|not known/,
    )
  })

  test('no value ends a header’s line', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), value => {
        const exchange = makeExchange(get())
        exchange.identity = { ...identity, subject: value }
        expect(new HeaderTemplate('{identity.sub}').expand(exchange)).toMatch(/^[\x20-\x7e]*$/)
      }),
    )
  })
})

describe('body-limit', () => {
  const limit = (options: object = {}) => createPhase(bodyLimitPolicy, { max_bytes: 10, ...options })
  const echo = async ({ request }: Exchange) => new Response(await request.text())
  const post = (bytes: number, announced: boolean) => {
    const text = 'x'.repeat(bytes)
    const body = announced ? text : new Blob([text]).stream()
    const headers = announced ? { 'content-length': String(bytes) } : {}
    return new Request(URL_TEXT, { method: 'POST', body, headers, duplex: 'half' } as RequestInit)
  }

  test.each([
    ['announced, at the limit', 10, true, 200],
    ['announced, one byte more', 11, true, 413],
    ['not announced, at the limit', 10, false, 200],
    ['not announced, one byte more', 11, false, 413],
    ['not announced, much more', 1_000_000, false, 413],
  ])('%s', async (_, bytes, announced, status) => {
    const response = await runPolicy(limit(), post(bytes, announced), echo)
    expect(response.status).toBe(status)
    if (status === 413) expect(await codeOf(response)).toBe('ERR_BODY_TOO_LARGE')
    else expect(await response.text()).toBe('x'.repeat(bytes))
  })

  test('a length that is no number counts for nothing', async () => {
    const headers = { 'content-length': 'ten' }
    const request = new Request(URL_TEXT, { method: 'POST', body: 'x'.repeat(11), headers })
    expect((await runPolicy(limit(), request, echo)).status).toBe(413)
  })

  test('a client that goes away still ends the call', async () => {
    const client = new AbortController()
    const body = new Blob(['x']).stream()
    const request = new Request(URL_TEXT, {
      method: 'POST',
      body,
      signal: client.signal,
      duplex: 'half',
    } as RequestInit)
    const response = await runPolicy(limit(), request, ({ request }) => {
      client.abort()
      return new Response(String(request.signal.aborted))
    })
    expect(await response.text()).toBe('true')
  })

  test('a length can be required', async () => {
    const response = await runPolicy(limit({ require_length: true }), post(5, false), echo)
    expect([response.status, await codeOf(response)]).toEqual([411, 'ERR_LENGTH_REQUIRED'])
  })

  test('a request without a body passes', async () => {
    expect((await runPolicy(limit({ max_bytes: 0, require_length: true }), get())).status).toBe(200)
  })
})
