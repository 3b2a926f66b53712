import { beforeAll, describe, expect, test } from 'vitest'
import { checkDocument } from '../../routes/gateway/check.ts'
import { applyGateway, findRoute } from '../../src/edge-gateway.ts'

const POLICIES = { pages: { type: 'cors', origins: ['https://app.example.com'] } }
const ROUTES = [
  { name: 'read', match: '/api/*', methods: ['GET'], script: 'a', use: ['pages'] },
  { name: 'write', match: '/api/*', methods: ['PUT'], script: 'a' },
  { name: 'site', match: '/*', script: 'b' },
]

beforeAll(() => {
  const check = checkDocument({ routes: ROUTES, policies: POLICIES })
  const document = 'document' in check ? check.document : undefined
  expect(document).toBeDefined()
  applyGateway({
    accountId: 'acc',
    workersDomain: 'acc.localhost',
    from: 0,
    to: 1,
    scripts: ['a', 'b'].map(name => ({ name }) as never),
    removed: [],
    gateway: { revision: 1, document: JSON.stringify(document), secrets: {}, allowPrivate: false },
  })
})

describe('a preflight is for the route of the request that it asks for', () => {
  const host = 'a.acc.localhost'
  const routeOf = (path: string, headers: Record<string, string>, method = 'OPTIONS') => {
    const request = new Request(`https://${host}${path}`, { method, headers })
    const found = findRoute(host, path, request)
    return found?.kind === 'route' ? found.compiled.name : found?.kind
  }
  const asking = (method: string) => ({
    origin: 'https://app.example.com',
    'access-control-request-method': method,
  })

  test.each([
    ['a method whose route answers preflights', '/api/x', asking('GET'), 'read'],
    ['one whose route doesn’t', '/api/x', asking('PUT'), 'site'],
    ['one that no route is for', '/api/x', asking('DELETE'), 'site'],
    ['no method: no preflight', '/api/x', { origin: 'https://app.example.com' }, 'site'],
    ['no origin: no preflight', '/api/x', { 'access-control-request-method': 'GET' }, 'site'],
  ])('%s', (_, path, headers, expected) => {
    expect(routeOf(path, headers)).toBe(expected)
  })

  test('but a request of another method isn’t, whatever it asks for', () => {
    expect(routeOf('/api/x', asking('GET'), 'POST')).toBe('site')
  })
})
