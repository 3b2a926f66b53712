import { describe, expect, test } from 'vitest'
import { corsPolicy } from '../../routes/policies/cors.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { codeOf, runPolicy } from './support.ts'

const ORIGIN = 'https://app.example.com'
const cors = (options: object = {}) => createPhase(corsPolicy, { origins: [ORIGIN], ...options })

const call = (origin?: string, init: RequestInit = {}) =>
  new Request('https://api.example.com/orders', {
    ...init,
    headers: { ...(init.headers as Record<string, string>), ...(origin && { origin }) },
  })

const preflight = (origin: string, headers = 'content-type') =>
  call(origin, {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'PUT', 'access-control-request-headers': headers },
  })

describe('cors origins', () => {
  test.each([
    ['the origin itself', [ORIGIN], ORIGIN, true],
    ['another scheme', [ORIGIN], 'http://app.example.com', false],
    ['another port', [ORIGIN], 'https://app.example.com:8443', false],
    ['a longer name', [ORIGIN], 'https://app.example.com.evil.test', false],
    ['a name below a wildcard', ['https://*.example.com'], 'https://a.b.example.com', true],
    ['the bare name of a wildcard', ['https://*.example.com'], 'https://example.com', false],
    ['a name that only ends like a wildcard', ['https://*.example.com'], 'https://evilexample.com', false],
    ['user info before a wildcard', ['https://*.example.com'], 'https://evil.test/.example.com', false],
    ['"null" unless it is named', [ORIGIN], 'null', false],
    ['"null" if it is named', ['null'], 'null', true],
  ])('%s', async (_, origins, origin, isAllowed) => {
    const response = await runPolicy(cors({ origins }), call(origin))
    expect(response.headers.get('access-control-allow-origin')).toBe(isAllowed ? origin : null)
    expect(response.headers.get('vary')).toBe('Origin')
    expect(await response.text()).toBe('ok')
  })

  test('"*" lets every page read, and needs no Vary', async () => {
    const response = await runPolicy(cors({ origins: ['*'] }), call('https://any.test'))
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.has('vary')).toBe(false)
  })

  // Any site can put a page in a sandboxed frame, whose origin is "null".
  test.each(['*', 'null'])('"%s" with credentials is refused when the policy is made', origin => {
    expect(() => cors({ origins: [ORIGIN, origin], credentials: true })).toThrow(/origins must be named/)
  })

  test('the text of a wildcard is no origin that it stands for', async () => {
    const wildcard = 'https://*.example.com'
    const response = await runPolicy(cors({ origins: [wildcard] }), call(wildcard))
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
  })

  test.each([
    'https://App.example.com',
    'https://app.example.com/',
    'app.example.com',
    'https://*example.com',
  ])('%s is refused when the policy is made: no browser sends it', origin => {
    expect(() => cors({ origins: [origin] })).toThrow(/lower case and without a path/)
  })
})

describe('a cors preflight', () => {
  test('is answered without asking the target', async () => {
    const phase = cors({ credentials: true, methods: ['GET', 'PUT'], max_age: '1h' })
    const response = await runPolicy(phase, preflight(ORIGIN, 'x-a, x-b'), () => {
      throw new Error('the target was asked')
    })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toEqual({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-methods': 'GET, PUT',
      'access-control-allow-headers': 'x-a, x-b',
      'access-control-allow-credentials': 'true',
      'access-control-max-age': '3600',
      vary: 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers',
    })
  })

  test('of another origin is refused', async () => {
    const response = await runPolicy(cors(), preflight('https://evil.test'))
    expect([response.status, await codeOf(response)]).toEqual([403, 'ERR_CORS_REFUSED'])
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
  })

  test.each([
    [['put'], 'PUT'],
    [['*'], 'PUT'],
    [['GET', 'PATCH'], 'GET, PATCH'],
  ])('with methods = %j: %s', async (methods, expected) => {
    const response = await runPolicy(cors({ methods, credentials: true }), preflight(ORIGIN))
    expect(response.headers.get('access-control-allow-methods')).toBe(expected)
  })

  test('allows only the headers that are named', async () => {
    const response = await runPolicy(cors({ headers: ['x-a'] }), preflight(ORIGIN, 'x-a, x-evil'))
    expect(response.headers.get('access-control-allow-headers')).toBe('x-a')
  })
})

test('cors: an OPTIONS request that is no preflight reaches the target', async () => {
  const response = await runPolicy(cors(), call(ORIGIN, { method: 'OPTIONS' }))
  expect(await response.text()).toBe('ok')
})

test("cors: the target's own words don't let in whom the file keeps out", async () => {
  const open = {
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
    vary: 'Accept',
  }
  const response = await runPolicy(
    cors(),
    call('https://evil.test'),
    () => new Response('ok', { headers: open }),
  )
  expect(response.headers.has('access-control-allow-origin')).toBe(false)
  expect(response.headers.has('access-control-allow-credentials')).toBe(false)
  expect(response.headers.get('vary')).toBe('Accept, Origin')
})
