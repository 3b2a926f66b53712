import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDocument } from '../../routes/gateway/check.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { findJsonFault } from '../../routes/policies/validate/json-fault.ts'
import { jsonSchemaPolicy } from '../../routes/policies/validate/json-schema.ts'
import { parseJson } from '../../routes/policies/validate/json-text.ts'
import { fitsType, parseMediaType } from '../../routes/policies/validate/media-type.ts'
import { decodeForm, parsePairs } from '../../routes/policies/validate/pairs.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const BODY = {
  type: 'object',
  required: ['n'],
  properties: { n: { type: 'number' } },
  additionalProperties: false,
}
const policy = (options: object = { body: BODY }) => createPhase(jsonSchemaPolicy, options)
const URL_TEXT = 'https://api.example.com/orders'

function post(
  body: string | Uint8Array<ArrayBuffer> | null,
  headers: Record<string, string> = {},
  method = 'POST',
) {
  return new Request(URL_TEXT, { method, body, headers: { 'content-type': 'application/json', ...headers } })
}

interface Problem {
  readonly code: string
  readonly detail: string
  readonly errors: readonly { pointer: string; in: string; detail: string }[]
}

/** The status, and each error as `in pointer detail`. */
async function tell(answer: Promise<Response>): Promise<[number, string[]]> {
  const response = await answer
  if (response.ok) return [response.status, []]
  const { errors = [] } = (await response.json()) as Problem
  return [
    response.status,
    errors.map(error => [error.in, error.pointer, error.detail].filter(Boolean).join(' ')),
  ]
}

const echo = async ({ request }: Exchange) => new Response(await request.text())

describe('a json-schema policy for bodies', () => {
  test.each<[string, string, [number, string[]]]>([
    ['one that fits passes', '{"n":1}', [200, []]],
    [
      'one that doesn’t is refused, with every reason',
      '{"n":"1","m":2}',
      [400, ['body /n must be a number, is a text', 'body /m is not known here']],
    ],
    [
      'text that isn’t JSON',
      '{"n":1,\n "m" 2}',
      [400, ['body is not JSON: a colon is wanted in line 2, column 6']],
    ],
    ['a member that is there twice', '{"n":1,"n":"x"}', [400, ['body /n is there twice']]],
    ['nothing', '', [400, ['body is missing']]],
  ])('%s', async (_, body, expected) => {
    expect(await tell(runPolicy(policy(), post(body)))).toEqual(expected)
  })

  test('the target gets the body as it was sent, byte for byte', async () => {
    const text = '{ "n" : 1.50 }\n'
    const response = await runPolicy(policy(), post(text), echo)
    expect(await response.text()).toBe(text)
  })

  test('a refusal is a problem with the code and a sentence', async () => {
    const response = await runPolicy(policy(), post('{"n":"1","m":2}'))
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({
      code: 'ERR_REQUEST_INVALID',
      detail: 'Not as it must be: body /n: must be a number, is a text, and 1 more.',
    })
  })

  test('a refusal repeats no long name', async () => {
    const response = await runPolicy(policy(), post(JSON.stringify({ ['x'.repeat(100_000)]: 1 })))
    expect((await response.text()).length).toBeLessThan(2000)
  })

  test.each([
    ['application/json; charset=UTF-8', 200],
    ['application/vnd.orders+json', 200],
    ['text/plain', 415],
    ['application/json; charset=latin1', 415],
    ['application/+json', 415],
    ['', 415],
  ])('a body of type %j: %d', async (type, status) => {
    const response = await runPolicy(policy(), post('{"n":1}', { 'content-type': type }))
    expect(response.status).toBe(status)
    if (status === 415) {
      expect(await codeOf(response)).toBe('ERR_MEDIA_TYPE')
      expect(response.headers.get('accept')).toBe('application/json, application/*+json')
    }
  })

  test('a compressed body is refused: it can’t be checked', async () => {
    const response = await runPolicy(policy(), post('{"n":1}', { 'content-encoding': 'gzip' }))
    expect([response.status, response.headers.get('accept-encoding')]).toEqual([415, 'identity'])
  })

  const padded = (bytes: number) => `{"n":1}${' '.repeat(bytes - 7)}`
  test.each([
    ['of just the length', 100, true, 200],
    ['one byte longer', 101, true, 413],
    ['of just the length, not announced', 100, false, 200],
    ['one byte longer, not announced', 101, false, 413],
  ])('a body %s', async (_, bytes, announced, status) => {
    const headers = announced ? { 'content-length': String(bytes) } : {}
    const response = await runPolicy(
      policy({ body: BODY, max_body_bytes: 100 }),
      post(padded(bytes), headers),
    )
    expect(response.status).toBe(status)
  })

  test.each([
    [3, 200],
    [4, 400],
  ])('lists that nest %d levels deep, of three: %d', async (depth, status) => {
    const phase = policy({ body: { type: 'array' }, max_depth: 3 })
    expect((await runPolicy(phase, post('['.repeat(depth) + ']'.repeat(depth)))).status).toBe(status)
  })

  test.each([
    ['POST', undefined, 400],
    ['POST', false, 200],
    ['GET', undefined, 200],
    ['GET', true, 400],
    ['DELETE', undefined, 200],
    ['HEAD', undefined, 200],
  ])('%s without a body, body_required = %s: %d', async (method, body_required, status) => {
    const phase = policy({ body: BODY, ...(body_required !== undefined && { body_required }) })
    expect((await runPolicy(phase, post(null, {}, method))).status).toBe(status)
  })

  test('a dry run wants no body', async () => {
    const trace = makeTrace()
    const exchange = makeExchange(post(null), { isDryRun: true, trace })
    expect((await runPolicy(policy(), exchange)).status).toBe(200)
    expect(trace.findings).toEqual(['There is no body to check.', 'The request is as it must be.'])
  })

  test('a body that takes too long to check is refused', async () => {
    const part = (type: string) => ({ properties: { a: { $ref: '#/$defs/n' }, b: { type } } })
    const body = { $ref: '#/$defs/n', $defs: { n: { anyOf: [part('string'), part('number')] } } }
    const nested = `${'{"a":'.repeat(50)}{"b":true}${'}'.repeat(50)}`
    expect(await tell(runPolicy(policy({ body }), post(nested)))).toEqual([
      400,
      ['body takes too long to check'],
    ])
  })
})

describe('a json-schema policy for query, params and headers', () => {
  const query = {
    additionalProperties: false,
    required: ['page'],
    properties: {
      page: { type: 'integer', minimum: 1 },
      open: { type: 'boolean' },
      tag: { type: 'array', items: { type: 'string', maxLength: 3 } },
      either: { anyOf: [{ type: 'integer' }, { enum: ['all'] }] },
    },
  }

  test.each<[string, string[]]>([
    ['page=2&open=true&tag=a&tag=b&either=all', []],
    ['page=2&either=5', []],
    ['page=0', ['query /page must be at least 1, is 0']],
    ['page=1e3', []],
    ['page=0x10', ['query /page must be a whole number, is a text']],
    ['page=', ['query /page must be a whole number, is a text']],
    ['', ['query /page is missing']],
    ['page=1&page=2', ['query /page must be a whole number, is a list']],
    ['page=1&open=yes', ['query /open must be true or false, is a text']],
    ['page=1&tag=long', ['query /tag/0 must have at most 3 characters, has 4']],
    ['page=1&tag=%41%42', []],
    ['page=1&x=1', ['query /x is not known here']],
    ['page=1&__proto__=1', ['query /__proto__ is not known here']],
  ])('?%s', async (text, errors) => {
    const request = new Request(`${URL_TEXT}?${text}`)
    expect(await tell(runPolicy(policy({ query }), request))).toEqual([errors.length > 0 ? 400 : 200, errors])
  })

  test('params are decoded, and read as numbers', async () => {
    const params = { properties: { id: { type: 'integer' }, name: { const: 'a b' } } }
    const at = (id: string) => makeExchange(new Request(URL_TEXT), { params: { id, name: 'a%20b' } })
    expect(await tell(runPolicy(policy({ params }), at('7')))).toEqual([200, []])
    expect(await tell(runPolicy(policy({ params }), at('x')))).toEqual([
      400,
      ['path /id must be a whole number, is a text'],
    ])
  })

  test('headers are found in any case; only those that are named are looked at', async () => {
    const headers = {
      required: ['X-Team'],
      properties: { 'X-Count': { type: 'integer' }, 'x-list': { type: 'array', maxItems: 2 } },
      additionalProperties: false,
    }
    const phase = policy({ headers: { ...headers, properties: { ...headers.properties, 'X-Team': {} } } })
    const call = (given: Record<string, string>) =>
      tell(runPolicy(phase, new Request(URL_TEXT, { headers: given })))
    expect(await call({ 'x-team': 'a', 'x-count': '3', 'x-list': 'a, b', 'x-other': 'z' })).toEqual([200, []])
    expect(await call({ 'x-count': 'many', 'x-list': 'a,b,c' })).toEqual([
      400,
      [
        'header /X-Team is missing',
        'header /X-Count must be a whole number, is a text',
        'header /x-list must have at most 2 entries, has 3',
      ],
    ])
  })

  test('all parts are checked, and told at once', async () => {
    const phase = policy({ body: BODY, query })
    const request = new Request(`${URL_TEXT}?page=0`, {
      method: 'POST',
      body: '{}',
      headers: { 'content-type': 'application/json' },
    })
    expect(await tell(runPolicy(phase, request))).toEqual([
      400,
      ['query /page must be at least 1, is 0', 'body /n is missing'],
    ])
  })

  test('without a schema for bodies, they pass unread', async () => {
    const request = post('no json')
    let seen: Request | undefined
    await runPolicy(policy({ query: { maxProperties: 0 } }), request, exchange => {
      seen = exchange.request
      return new Response()
    })
    expect(seen).toBe(request)
  })
})

describe('the options of json-schema', () => {
  test.each<[string, object, string]>([
    ['no schema', {}, 'There must be a schema'],
    [
      'a schema that is wrong',
      { body: { properties: { a: { type: 'x' } } } },
      'In "body", at /properties/a/type: "x" is no type',
    ],
    [
      'a text that is no JSON',
      { body: '{' },
      '"body" is not JSON: a name in double quotes is wanted in line 1, column 2',
    ],
    [
      'a header that can’t be',
      { headers: { properties: { 'a b': {} } } },
      '"a b" can\'t be the name of a header',
    ],
  ])('%s', (_, options, message) => {
    expect(() => policy(options)).toThrow(message)
  })

  test('a schema that is wrong is shown at its place in the file', () => {
    const body = { items: { properties: { 'a/b': { allOf: [{}, { type: 'x' }] } } } }
    const check = checkDocument({ policies: { order: { type: 'json-schema', body } } }, { secrets: {} })
    expect('issues' in check && check.issues.map(({ path }) => path)).toEqual([
      ['policies', 'order', 'body', 'items', 'properties', 'a/b', 'allOf', 1, 'type'],
    ])
  })

  test('a schema may be a text, and of an older draft', async () => {
    const $schema = 'http://json-schema.org/draft-07/schema#'
    const phase = policy({
      body: JSON.stringify({ $schema, items: [{ type: 'number' }], additionalItems: false }),
    })
    expect(await tell(runPolicy(phase, post('[1]')))).toEqual([200, []])
    expect(await tell(runPolicy(phase, post('[1,2]')))).toEqual([400, ['body /1 is not allowed here']])
  })
})

const bytesOf = (text: string) => new TextEncoder().encode(text)

describe('parseJson()', () => {
  test('takes what JSON.parse() takes', () => {
    fc.assert(
      fc.property(fc.json(), text => {
        expect(parseJson(bytesOf(text), 100)).toEqual({ value: JSON.parse(text) })
        expect(findJsonFault(text)).toBeUndefined()
      }),
    )
  })

  test('refuses what JSON.parse() refuses', () => {
    const damaged = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', ',', '"', '{', ']', '\\', '\n', '-', '.', 'e', '0', ':'),
      )
      .map(([text, at, put]) => text.slice(0, at % text.length) + put + text.slice((at % text.length) + 1))
    fc.assert(
      fc.property(damaged, text => {
        const isJson = canParse(text)
        const parsed = parseJson(bytesOf(text), 100)
        if (!isJson) expect(parsed).toHaveProperty('fault.path', [])
        expect(findJsonFault(text) === undefined).toBe('value' in parsed)
      }),
      { numRuns: 2000 },
    )
  })

  test.each<[string, string, string]>([
    ['an end too soon', '{"a":[1,', 'is not JSON: a value is wanted in line 1, column 9'],
    ['something behind it', '{} x', 'is not JSON: nothing more is wanted in line 1, column 4'],
    ['a trailing comma', '[1,]', 'is not JSON: a value is wanted in line 1, column 4'],
    ['single quotes', "{'a':1}", 'is not JSON: a name in double quotes is wanted in line 1, column 2'],
    ['a line break in a text', '"a\nb"', 'no line break or other control character'],
    ['a leading zero', '01', 'is not JSON: a value is wanted in line 1, column 1'],
    ['too many levels', '[[[[[]]]]]', 'nests 5 levels deep; 4 are allowed'],
  ])('%s', (_, text, detail) => {
    expect(parseJson(bytesOf(text), 4)).toHaveProperty('fault.detail', expect.stringContaining(detail))
  })

  test('brackets and colons within texts count for nothing', () => {
    expect(parseJson(bytesOf('{"[[[:\\"{":":[["}'), 1)).toEqual({ value: { '[[[:"{': ':[[' } })
  })

  test('a member that is there twice is found wherever it is, however it is written', () => {
    expect(parseJson(bytesOf('{"a":[{"b":1,"\\u0062":2}]}'), 9)).toEqual({
      fault: { path: ['a', 0, 'b'], detail: 'is there twice' },
    })
    expect(parseJson(bytesOf('{"__proto__":1,"__proto__":2}'), 9)).toHaveProperty('fault.path', ['__proto__'])
    expect(parseJson(bytesOf('{"__proto__":{"a":1}}'), 9)).not.toHaveProperty('fault')
  })

  test('bytes that are no UTF-8 are refused', () => {
    expect(parseJson(new Uint8Array([0x22, 0xff, 0x22]), 1)).toHaveProperty('fault.detail', 'is not UTF-8')
  })
})

function canParse(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test.each([
  ['application/json', { essence: 'application/json', charset: undefined }],
  [' Text/HTML ; charset="UTF-8"', { essence: 'text/html', charset: 'utf-8' }],
  ['json', undefined],
  ['a/b/c', undefined],
  [null, undefined],
])('parseMediaType(%j)', (header, expected) => {
  expect(parseMediaType(header)).toEqual(expected)
})

test.each([
  ['application/json', 'application/json', true],
  ['application/json', 'application/*', true],
  ['application/a+json', 'application/*+json', true],
  ['application/+json', 'application/*+json', false],
  ['text/a+json', 'application/*+json', false],
  ['a/b', '*/*', true],
])('fitsType(%s, %s): %s', (essence, pattern, expected) => {
  expect(fitsType(essence, pattern)).toBe(expected)
})

test('parsePairs() and decodeForm() read a query as URLSearchParams does', () => {
  const queries = fc.array(fc.constantFrom('a', 'b=', '=', '&', '+', '%41', '%', '%zz', '%ff', 'é', '#'), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(queries, parts => {
      const text = parts.join('')
      const ours = [...parsePairs(text)].flatMap(([name, values]) =>
        values.map(value => [name, decodeForm(value)]),
      )
      const sort = (pairs: string[][]) => pairs.map(pair => pair.join('=')).sort()
      expect(sort(ours)).toEqual(sort([...new URLSearchParams(text)]))
    }),
  )
})
