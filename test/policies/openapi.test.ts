import { describe, expect, test } from 'vitest'
import type { Exchange } from '../../routes/policies/exchange.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { PathTable } from '../../routes/policies/validate/openapi/path-table.ts'
import { openApiPolicy } from '../../routes/policies/validate/openapi.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const DOCUMENT = {
  openapi: '3.1.0',
  info: { title: 'Orders', version: '1' },
  servers: [{ url: 'https://api.example.com/{stage}/v1', variables: { stage: { default: 'live' } } }],
  security: [{ key: [] }],
  paths: {
    '/orders': {
      get: {
        parameters: [
          { name: 'limit', in: 'query', schema: { type: 'integer', maximum: 100 } },
          { name: 'tag', in: 'query', schema: { type: 'array', items: { type: 'string' } } },
          { name: 'ids', in: 'query', explode: false, schema: { type: 'array', items: { type: 'integer' } } },
          {
            name: 'range',
            in: 'query',
            style: 'pipeDelimited',
            explode: false,
            schema: { type: 'array', maxItems: 2 },
          },
          {
            name: 'filter',
            in: 'query',
            style: 'deepObject',
            schema: { $ref: '#/components/schemas/Filter' },
          },
          { name: 'where', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
          { $ref: '#/components/parameters/Team' },
          { name: 'session', in: 'cookie', schema: { type: 'string', minLength: 3 } },
        ],
      },
      post: { requestBody: { $ref: '#/components/requestBodies/Order' } },
    },
    '/orders/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
      get: {},
      put: {
        parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string', pattern: '^x' } }],
        requestBody: {
          content: {
            'application/x-www-form-urlencoded': {
              schema: {
                type: 'object',
                required: ['count'],
                properties: { count: { type: 'integer' }, tags: { type: 'array', items: { maxLength: 2 } } },
              },
            },
            'image/*': {},
          },
        },
      },
    },
    '/orders/mine': { get: {} },
    '/files/{name}.{format}': {
      get: {
        parameters: [
          { name: 'name', in: 'path', required: true, schema: { maxLength: 3 } },
          { name: 'format', in: 'path', required: true, schema: { enum: ['json', 'xml'] } },
        ],
      },
    },
  },
  components: {
    parameters: { Team: { name: 'X-Team', in: 'header', required: true, schema: { enum: ['a', 'b'] } } },
    requestBodies: {
      Order: {
        required: true,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
      },
    },
    schemas: {
      Filter: { type: 'object', properties: { min: { type: 'number' }, name: { type: 'string' } } },
      Order: {
        type: 'object',
        required: ['id', 'items'],
        properties: {
          id: { type: 'integer', readOnly: true },
          items: { type: 'array', items: { $ref: '#/components/schemas/Item' } },
          parent: { $ref: '#/components/schemas/Order' },
        },
      },
      Item: { type: 'object', properties: { price: { type: 'number' } } },
    },
  },
}

const policy = (options: object = {}) => createPhase(openApiPolicy, { document: DOCUMENT, ...options })
const BASE = 'https://api.example.com/live/v1'
const TEAM = { 'x-team': 'a' }

async function tell(answer: Promise<Response>): Promise<[number, string[]]> {
  const response = await answer
  if (response.ok) return [response.status, []]
  const { errors = [] } = (await response.json()) as {
    errors?: { in: string; pointer: string; detail: string }[]
  }
  return [
    response.status,
    errors.map(error => [error.in, error.pointer, error.detail].filter(Boolean).join(' ')),
  ]
}

const call = (path: string, init: RequestInit = {}, options: object = {}) =>
  runPolicy(policy(options), new Request(BASE + path, init))

describe('the operation of a request', () => {
  test.each([
    ['GET', '/orders/5', 200],
    ['GET', '/orders/5/', 200],
    ['GET', '/orders/mine', 200],
    ['GET', '/%6frders/5', 200],
    ['HEAD', '/orders/5', 200],
    ['GET', '/orders/five', 400],
    ['GET', '/', 404],
    ['GET', '/orders/5/6', 404],
    ['GET', '/orders//', 404],
    ['DELETE', '/orders', 405],
  ])('%s %s: %d', async (method, path, status) => {
    expect((await call(path, { method })).status).toBe(status)
  })

  test('is looked for below the servers’ paths, or base_path', async () => {
    const at = (url: string, options: object) => runPolicy(policy(options), new Request(url))
    expect((await at('https://api.example.com/orders/5', {})).status).toBe(404)
    expect((await at('https://api.example.com/orders/5', { base_path: '' })).status).toBe(200)
    expect((await at('https://api.example.com/a/b/orders/5', { base_path: '/a/b' })).status).toBe(200)
    expect((await at('https://api.example.com/a/bc/orders/5', { base_path: '/a/b' })).status).toBe(404)
  })

  test('a method that there isn’t: the answer names those that there are', async () => {
    const response = await call('/orders/5', { method: 'DELETE' })
    expect([await codeOf(response), response.headers.get('allow')]).toEqual([
      'ERR_METHOD_NOT_ALLOWED',
      'GET, PUT, HEAD',
    ])
  })

  test('unknown ones pass where the operator says so', async () => {
    const options = { unknown: 'pass' }
    expect((await call('/nowhere', {}, options)).status).toBe(200)
    expect((await call('/orders', { method: 'DELETE' }, options)).status).toBe(200)
    expect((await call('/orders/five', {}, options)).status).toBe(400)
  })
})

describe('parameters', () => {
  test.each<[string, string[]]>([
    ['limit=100', []],
    ['limit=101', ['query /limit must be at most 100, is 101']],
    ['limit=1&limit=2', ['query /limit may be there only once']],
    ['tag=a&tag=b', []],
    ['ids=1,2,3', []],
    ['ids=', []],
    ['ids=1,x', ['query /ids/1 must be a whole number, is a text']],
    ['ids=1%2C2', ['query /ids/0 must be a whole number, is a text']],
    ['range=a|b', []],
    ['range=a%7Cb%7Cc', ['query /range must have at most 2 entries, has 3']],
    ['filter[min]=3&filter[name]=x', []],
    ['filter%5Bmin%5D=x', ['query /filter/min must be a number, is a text']],
    ['where=%7B%22a%22%3A1%7D', []],
    ['where=%7B', ['query /where is not JSON']],
    ['other=1', []],
  ])('?%s', async (query, errors) => {
    expect(await tell(call(`/orders?${query}`, { headers: TEAM }))).toEqual([
      errors.length > 0 ? 400 : 200,
      errors,
    ])
  })

  test('in headers and cookies', async () => {
    expect(await tell(call('/orders'))).toEqual([400, ['header /X-Team is missing']])
    expect(await tell(call('/orders', { headers: { 'x-team': 'c', cookie: 'session=ab' } }))).toEqual([
      400,
      ['header /X-Team must be "a" or "b"', 'cookie /session must have at least 3 characters, has 2'],
    ])
  })

  test('in paths: those of the operation go before those of the path', async () => {
    const init = {
      method: 'PUT',
      body: 'count=1',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }
    expect(await tell(call('/orders/x1', init))).toEqual([200, []])
    expect(await tell(call('/orders/5', init))).toEqual([400, ['path /id must match the pattern ^x']])
  })

  test('several in one segment', async () => {
    expect(await tell(call('/files/a.json'))).toEqual([200, []])
    expect(await tell(call('/files/abcd.pdf'))).toEqual([
      400,
      ['path /name must have at most 3 characters, has 4', 'path /format must be "json" or "xml"'],
    ])
  })

  test('unknown ones in the query are refused where the operator says so', async () => {
    const ask = (query: string) =>
      tell(call(`/orders?${query}`, { headers: TEAM }, { unknown_query: 'refuse' }))
    expect(await ask('limit=1&filter[min]=1')).toEqual([200, []])
    expect(await ask('limit=1&limt=1')).toEqual([400, ['query /limt is not known here']])
  })
})

describe('bodies', () => {
  const post = (body: string | null, type = 'application/json') =>
    call('/orders', { method: 'POST', body, headers: { 'content-type': type } })
  const put = (body: string, type = 'application/x-www-form-urlencoded') =>
    call('/orders/x', { method: 'PUT', body, headers: { 'content-type': type } })

  test.each<[string, Promise<Response>, [number, string[]]]>([
    ['one that fits, without what is read-only', post('{"items":[{"price":1}]}'), [200, []]],
    [
      'one that doesn’t',
      post('{"items":[{"price":"1"}],"parent":{"items":1}}'),
      [
        400,
        ['body /items/0/price must be a number, is a text', 'body /parent/items must be a list, is a number'],
      ],
    ],
    ['none where one must be', post(null), [400, ['body is missing']]],
    ['a type that has +json, but isn’t named', post('{}', 'application/a+json'), [415, []]],
    ['a form', put('count=1&tags=ab&tags=c'), [200, []]],
    [
      'a form that doesn’t fit',
      put('count=a&tags=abc'),
      [
        400,
        [
          'body /count must be a whole number, is a text',
          'body /tags/0 must have at most 2 characters, has 3',
        ],
      ],
    ],
    ['a picture, which isn’t read', put('x', 'image/png'), [200, []]],
    ['one of a type that isn’t taken', put('x', 'text/plain'), [415, []]],
    [
      'one where the document has none',
      call('/orders/5', { method: 'PUT' }),
      [400, ['path /id must match the pattern ^x']],
    ],
  ])('%s', async (_, answer, expected) => {
    expect(await tell(answer)).toEqual(expected)
  })

  test('one where the document has none is refused, unless unknown things pass', async () => {
    const document = { openapi: '3.1.0', paths: { '/a': { post: {} } } }
    const ask = (options: object, body: string) =>
      tell(
        runPolicy(
          createPhase(openApiPolicy, { document, ...options }),
          new Request('https://api.example.com/a', { method: 'POST', body }),
        ),
      )
    expect(await ask({}, 'x')).toEqual([400, ['body is not wanted here']])
    expect(await ask({}, '')).toEqual([200, []])
    expect(await ask({ unknown: 'pass' }, 'x')).toEqual([200, []])
  })

  test('the target gets it as it was sent', async () => {
    const text = '{ "items" : [] }'
    const request = new Request(`${BASE}/orders`, {
      method: 'POST',
      body: text,
      headers: { 'content-type': 'application/json; charset=utf-8' },
    })
    const echo = async ({ request }: Exchange) => new Response(await request.text())
    expect(await (await runPolicy(policy(), request, echo)).text()).toBe(text)
  })
})

test('a dry run tells the operation, and wants no body', async () => {
  const trace = makeTrace()
  const request = new Request(`${BASE}/orders`, { method: 'POST' })
  const response = await runPolicy(policy(), makeExchange(request, { trace, isDryRun: true }))
  expect(response.status).toBe(200)
  expect(trace.findings).toEqual([
    'The operation was found. {"operation":"POST /orders"}',
    'There is no body to check.',
    'The request is as it must be.',
  ])
})

test('version 3.0: nullable, and bounds that are excluded', async () => {
  const schema = {
    type: 'object',
    properties: { a: { type: 'string', nullable: true }, n: { minimum: 1, exclusiveMinimum: true } },
  }
  const document = {
    openapi: '3.0.3',
    paths: { '/a': { post: { requestBody: { content: { 'application/json': { schema } } } } } },
  }
  const ask = (body: string) =>
    tell(
      runPolicy(
        createPhase(openApiPolicy, { document: JSON.stringify(document) }),
        new Request('https://api.example.com/a', {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/json' },
        }),
      ),
    )
  expect(await ask('{"a":null,"n":2}')).toEqual([200, []])
  expect(await ask('{"a":1,"n":1}')).toEqual([
    400,
    ['body /a must be a text or null, is a number', 'body /n must be more than 1, is 1'],
  ])
})

describe('a document is refused', () => {
  const withPath = (template: string, item: object) => ({ openapi: '3.1.0', paths: { [template]: item } })
  test.each<[string, object, string]>([
    ['of Swagger 2', { swagger: '2.0' }, 'version 3.0 or 3.1, not Swagger 2.0'],
    [
      'that refers to another',
      withPath('/a', { $ref: 'other.json' }),
      'In "document", at /paths/~1a: The reference "other.json" leads out',
    ],
    [
      'with two paths that are the same',
      { openapi: '3.1.0', paths: { '/a/{b}': {}, '/a/{c}': {} } },
      'Another path of the document',
    ],
    [
      'with a parameter that its path lacks',
      withPath('/a', { get: { parameters: [{ name: 'b', in: 'path' }] } }),
      'The path has no "{b}"',
    ],
    [
      'with a style that isn’t read',
      withPath('/{a}', { get: { parameters: [{ name: 'a', in: 'path', style: 'matrix' }] } }),
      'The style "matrix" isn\'t read in path',
    ],
    [
      'with a schema that is wrong',
      withPath('/a', {
        post: { requestBody: { content: { 'application/json': { schema: { type: 'x' } } } } },
      }),
      'at /paths/~1a/post/requestBody/content/application~1json/schema/type: "x" is no type',
    ],
  ])('%s', (_, document, message) => {
    expect(() => createPhase(openApiPolicy, { document })).toThrow(message)
  })
})

describe('PathTable', () => {
  const table = new PathTable<string>()
  for (const path of ['/', '/a/{x}', '/a/b', '/a/{x}/c', '/{y}/b/d', '/a/{x}-{y}', '/a/v{x}'])
    table.add(path, path)

  test.each([
    ['/', '/', {}],
    ['/a/b', '/a/b', {}],
    ['/a/z', '/a/{x}', { x: 'z' }],
    ['/a/b/c', '/a/{x}/c', { x: 'b' }],
    ['/a/b/d', '/{y}/b/d', { y: 'a' }],
    ['/a/1-2', '/a/{x}-{y}', { x: '1', y: '2' }],
    ['/a/v7', '/a/v{x}', { x: '7' }],
  ])('%s: %s', (path, value, params) => {
    expect(table.find(path)).toEqual({ value, params })
  })

  test.each(['/a', '/a//c', '/b/c/d', '/a/b/c/d'])('%s leads nowhere', path => {
    expect(table.find(path)).toBeUndefined()
  })
})
