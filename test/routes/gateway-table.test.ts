import { describe, expect, test, vi } from 'vitest'
import type { GatewayEntry } from '../../routes/gateway/account-routes.ts'
import { compileConditions } from '../../routes/gateway/conditions.ts'
import type { RouteChoice } from '../../routes/gateway/leaf.ts'
import { DEFAULT_PATHS, normalisePath, type PathOptions } from '../../routes/gateway/path.ts'
import { GatewayTable } from '../../routes/gateway/table.ts'

type Written = string | (Partial<RouteChoice> & Pick<RouteChoice, 'match'> & { name?: string })

/** Routes by their match, or a name. */
function entries(...routes: Written[]): GatewayEntry<string>[] {
  return routes.map(written => {
    const route = typeof written === 'string' ? { match: written } : written
    const value = 'name' in route && route.name ? route.name : String(route.match)
    return { route: { priority: 0, ...route }, value }
  })
}

const options = (paths: Partial<PathOptions> = {}, workersDomain = 'localhost') => ({
  paths: { ...DEFAULT_PATHS, ...paths },
  workersDomain,
})

function tableOf(routes: Written[], paths: Partial<PathOptions> = {}): GatewayTable<string> {
  const table = new GatewayTable<string>()
  table.set('a', entries(...routes), options(paths))
  return table
}

function ask(table: GatewayTable<string>, url: string, init: RequestInit = {}) {
  const request = new Request(url.startsWith('/') ? `http://app.localhost${url}` : `http://${url}`, init)
  const { hostname, pathname } = new URL(request.url)
  const normal = normalisePath(pathname, table.paths(hostname))
  if (normal.refused !== undefined) throw new Error(normal.refused)
  return { host: hostname, path: normal.path, request }
}

function find(table: GatewayTable<string>, url: string, init?: RequestInit) {
  const { host, path, request } = ask(table, url, init)
  return table.match(host, path, request)
}

describe('GatewayTable.match() by path', () => {
  const table = tableOf([
    '/*',
    '/:any',
    '/users/:id',
    '/users/me',
    '/users/:id/posts/:post',
    '/users/:id/posts/new',
    '/files/*',
    '/files/:name.json',
    '/files/a:name.json',
    '/files/:name',
    '/assets*',
    '/assets-v2*',
    '/:tenant/dash',
    '/a/*/b',
    '/opt/:x?/end',
  ])
  test.each([
    ['/', '/*', { '*': '' }, 'the rest may be nothing'],
    ['/x', '/:any', { any: 'x' }, 'a parameter before *'],
    ['/x/y/z', '/*', { '*': 'x/y/z' }, '* takes several segments'],
    ['/users/me', '/users/me', {}, 'a literal before a parameter'],
    ['/users/me/', '/users/me', {}, 'a trailing slash is ignored'],
    ['/users/7', '/users/:id', { id: '7' }, 'a parameter'],
    ['/users/7/', '/users/:id', { id: '7' }, 'a parameter with a slash after it'],
    ['/users/me/posts/new', '/users/:id/posts/new', { id: 'me' }, 'back from a literal that leads nowhere'],
    ['/users/7/posts/8', '/users/:id/posts/:post', { id: '7', post: '8' }, 'two parameters'],
    ['/users', '/:any', { any: 'users' }, 'a parameter is not empty'],
    ['/files', '/files/*', { '*': '' }, '/* takes the path without the slash, too'],
    ['/files/a/b/', '/files/*', { '*': 'a/b/' }, 'the rest is as it is in the path'],
    ['/files/b.json', '/files/:name.json', { name: 'b' }, 'a parameter with a suffix before one without'],
    ['/files/ab.json', '/files/a:name.json', { name: 'b' }, 'the longer affixes'],
    ['/files/.json', '/files/:name', { name: '.json' }, 'nothing between affixes is no parameter'],
    ['/assets', '/assets*', { '*': '' }, 'text* takes the text alone'],
    ['/assets/x', '/assets*', { '*': '/x' }, 'text* goes on over slashes'],
    ['/assets-v2/x', '/assets-v2*', { '*': '/x' }, 'the longer text*'],
    ['/assets9/dash', '/assets*', { '*': '9/dash' }, 'text* before a parameter'],
    ['/t/dash', '/:tenant/dash', { tenant: 't' }, 'a parameter, then a literal'],
    ['/a/x/b', '/a/*/b', {}, '* in the middle takes one segment'],
    ['/a/x/y/b', '/*', { '*': 'a/x/y/b' }, '* in the middle takes no more than one'],
    ['/opt/1/end', '/opt/:x?/end', { x: '1' }, 'an optional parameter that is there'],
    ['/opt/end', '/opt/:x?/end', {}, 'an optional parameter that is not'],
    ['/users/a%20b;v=1', '/users/:id', { id: 'a%20b;v=1' }, 'parameters are not decoded'],
    ['/users/%40me', '/users/:id', { id: '%40me' }, 'parameters are not decoded'],
    ['/files/%40x%2541.json', undefined, {}, 'a path that is refused'],
    ['/files/%40x.json;v=1', '/files/:name.json', { name: '%40x' }, 'affixes leave path parameters out'],
    ['/assets%21/y;z', '/assets*', { '*': '!/y;z' }, 'text* in another spelling'],
  ] as [string, string | undefined, Record<string, string>, string][])(
    '%s → %s %j: %s',
    (path, value, params) => {
      if (value === undefined) expect(() => find(table, path)).toThrow('double encoding')
      else expect(find(table, path)).toEqual({ value, params })
    },
  )

  test.each([
    ['/@me', '/%40me'],
    ['/café', '/cafe%CC%81'],
    ['/admin', '/admin;x=1'],
    ['/a%7Eb', '/a~b'],
  ])('takes for %s the spelling %s', (match, path) => {
    expect(find(tableOf([match, '/*']), path)?.value).toBe(match)
  })

  test('tells case by default, and ignores it when asked to', () => {
    const routes = ['/Admin/:id', '/*']
    expect(find(tableOf(routes), '/ADMIN/Xy')?.value).toBe('/*')
    expect(find(tableOf(routes, { case: 'insensitive' }), '/ADMIN/Xy')).toEqual({
      value: '/Admin/:id',
      params: { id: 'Xy' },
    })
  })

  test('tells trailing slashes where it is strict', () => {
    const table = tableOf(['/a', '/a/', '/b', '/c/*', '/d/:x', '/'], { trailing_slash: 'strict' })
    const at = (path: string) => find(table, path)?.value
    expect(['/a', '/a/', '/b', '/c/', '/c/x/', '/d/x', '/'].map(at)).toEqual([
      ...['/a', '/a/', '/b', '/c/*', '/c/*', '/d/:x', '/'],
    ])
    expect(['/b/', '/c', '/d/', '/d/x/'].map(at)).toEqual([undefined, undefined, undefined, undefined])
  })

  test('takes any of a list of matches', () => {
    const table = tableOf([{ match: ['/a', '/b/:x'], name: 'both' }])
    expect(find(table, '/a')).toEqual({ value: 'both', params: {} })
    expect(find(table, '/b/1')).toEqual({ value: 'both', params: { x: '1' } })
  })

  test('names parameters after whatever an object has', () => {
    expect(find(tableOf(['/:constructor/:toString']), '/a/b')?.params).toEqual({
      constructor: 'a',
      toString: 'b',
    })
  })
})

describe('GatewayTable.match() by host', () => {
  const table = new GatewayTable<string>()
  table.set(
    'a',
    entries(
      'api.example.com/*',
      '*.example.com/*',
      '*.deep.example.com/*',
      '/hostless',
      'api.example.com/only/:x',
    ),
    options(),
  )
  table.set('b', entries('shop.example.com/b/*', '/*'), options({}, 'acme.localhost'))
  test.each([
    ['api.example.com/x', 'api.example.com/*', 'an exact host'],
    ['www.example.com/x', '*.example.com/*', 'a wildcard'],
    ['a.b.example.com/x', '*.example.com/*', 'a wildcard at any depth'],
    ['a.deep.example.com/x', '*.deep.example.com/*', 'the longer wildcard'],
    ['deep.example.com/x', '*.example.com/*', 'a wildcard leaves its own name out'],
    ['example.com/x', undefined, 'a wildcard leaves its own name out'],
    ['app.localhost/hostless', '/hostless', 'a route without host on a host of the account'],
    ['api.example.com/hostless', 'api.example.com/*', 'an exact host before a better path'],
    ['localhost/hostless', undefined, 'the apex is the platform’s'],
    ['a.b.localhost/hostless', undefined, 'deeper names may be another account’s'],
    ['app.acme.localhost/x', '/*', 'the other account’s own'],
    ['acme.localhost/hostless', '/hostless', 'one label below the first account’s domain'],
    ['shop.example.com/b/1', 'shop.example.com/b/*', 'a host that another account names'],
    ['shop.example.com/hostless', '/*', 'is its host altogether'],
    ['other.org/x', undefined, 'nobody’s host'],
  ] as [string, string | undefined, string][])('%s → %s: %s', (url, expected) => {
    expect(find(table, url)?.value).toBe(expected)
    expect(table.serves(url.slice(0, url.indexOf('/')))).toBe(expected !== undefined)
  })

  test('lets no priority of one account reach into a host of another', () => {
    const table = new GatewayTable<string>()
    table.set('a', entries({ match: '*.example.com/*', priority: 1000 }), options())
    table.set('b', entries('b.example.com/x'), options())
    expect(find(table, 'b.example.com/x')?.value).toBe('b.example.com/x')
    expect(find(table, 'b.example.com/y')).toBeUndefined()
  })

  test('gives a host that two accounts seem to have to the same one, whoever came first', () => {
    for (const order of [
      ['a', 'b'],
      ['b', 'a'],
    ]) {
      const table = new GatewayTable<string>()
      for (const id of order)
        table.set(id, [{ route: { match: 'x.com/', priority: 0 }, value: id }], options())
      expect(find(table, 'x.com/')?.value).toBe('a')
      table.set('a', undefined, options())
      expect(find(table, 'x.com/')?.value).toBe('b')
    }
  })

  test('keeps the paths of each account', () => {
    const table = new GatewayTable<string>()
    table.set('a', entries('a.com/X'), options({ case: 'insensitive' }))
    table.set('b', entries('b.com/X'), options())
    expect(table.paths('a.com')?.case).toBe('insensitive')
    expect(table.paths('c.com')).toBeUndefined()
    expect(find(table, 'a.com/x')?.value).toBe('a.com/X')
    expect(find(table, 'b.com/x')).toBeUndefined()
  })
})

describe('GatewayTable.match() by conditions', () => {
  const table = tableOf([
    { match: '/m', methods: ['GET', 'POST'], name: 'get or post' },
    { match: '/m', methods: ['DELETE'], name: 'delete' },
    { match: '/h', name: 'plain' },
    { match: '/h', headers: { 'X-Team': 'red' }, name: 'red' },
    { match: '/h', headers: { 'x-team': ['blue', 'green'], 'x-beta': true }, name: 'blue or green beta' },
    { match: '/h', headers: { 'x-team': false, 'x-beta': 'only' }, name: 'beta without team' },
    { match: '/q', query: { v: '2' }, name: 'v2' },
    { match: '/q', query: { v: ['3', '4'], debug: false }, name: 'v3 or v4' },
    { match: '/q', query: { debug: true }, name: 'debug' },
  ])
  test.each([
    ['/m', { method: 'GET' }, 'get or post', 'a method'],
    ['/m', { method: 'HEAD' }, 'get or post', 'HEAD where GET is'],
    ['/m', { method: 'DELETE' }, 'delete', 'a later route of the same path'],
    ['/m', { method: 'PUT' }, undefined, 'another method'],
    ['/h', {}, 'plain', 'no header'],
    ['/h', { headers: { 'x-team': 'red' } }, 'red', 'a header, whatever the case of its name'],
    ['/h', { headers: { 'x-team': 'RED' } }, 'plain', 'values are told by case'],
    ['/h', { headers: { 'x-team': 'green', 'x-beta': '' } }, 'blue or green beta', 'one of several, and any'],
    ['/h', { headers: { 'x-team': 'green' } }, 'plain', 'one of two conditions'],
    ['/h', { headers: { 'x-beta': 'only' } }, 'beta without team', 'none'],
    ['/h', { headers: { 'x-beta': 'only', 'x-team': 'x' } }, 'plain', 'none, but there is one'],
    ['/q?v=2', {}, 'v2', 'a query parameter'],
    ['/q?v=1&v=2', {}, 'v2', 'any of its values'],
    ['/q?v=4', {}, 'v3 or v4', 'one of several values'],
    ['/q?v=4&debug', {}, 'debug', 'a parameter that must not be there'],
    ['/q?%64ebug=1', {}, 'debug', 'an encoded name'],
    ['/q?v=1', {}, undefined, 'another value'],
    ['/q', {}, undefined, 'no query'],
  ] as [string, RequestInit, string | undefined, string][])('%s %j → %s: %s', (path, init, expected) => {
    expect(find(table, path, init)?.value).toBe(expected)
  })

  test('keeps nothing of a request that failed while it was looked at', () => {
    const table = tableOf([
      { match: '/a', priority: 5 },
      { match: '/b', headers: { x: true }, priority: 9 },
      '/*',
    ])
    const headers = {
      get: () => {
        throw new Error('lost')
      },
    }
    expect(() => table.match('app.localhost', '/b', { method: 'GET', headers, url: '' })).toThrow('lost')
    expect(find(table, '/c')?.value).toBe('/*')
  })

  test('goes on with a less specific path when conditions fail', () => {
    const table = tableOf([{ match: '/a/b', methods: ['POST'] }, '/a/:x', '/*'])
    expect(find(table, '/a/b')?.value).toBe('/a/:x')
  })

  test.each([
    [{ methods: ['GE T'] }, '"GE T" is not a method'],
    [{ headers: { 'x y': 'z' } }, '"x y" can\'t be the name of a header'],
    [{ headers: { x: [] } }, 'The condition on the header "x" lists no value'],
    [{ query: { x: [] } }, 'The condition on the query "x" lists no value'],
  ])('refuses %j', (route, problem) => {
    expect(() => compileConditions(route)).toThrow(problem)
  })
})

describe('GatewayTable.match() in order', () => {
  test.each([
    ['priority before all else', ['/a', { match: '/*', priority: 1 }], '/*'],
    ['priority before the host', ['app.localhost/a', { match: '/:x', priority: 1 }], '/:x'],
    ['a negative priority last', [{ match: '/a', priority: -1 }, '/*'], '/*'],
    ['the host before the path', ['/a', 'app.localhost/*'], 'app.localhost/*'],
    ['an exact host before a wildcard', ['*.localhost/a', 'app.localhost/*'], 'app.localhost/*'],
    ['a wildcard before no host', ['/a', '*.localhost/*'], '*.localhost/*'],
    ['an earlier segment before a later one', ['/:x/b', '/a/:y'], '/a/:y'],
    [
      'more conditions first',
      [
        { match: '/:x', methods: ['GET'] },
        { match: '/:y', methods: ['GET'], query: { q: false } },
      ],
      '/:y',
    ],
    ['the path before conditions', [{ match: '/:x', methods: ['GET'] }, '/a'], '/a'],
    ['the file’s order last', ['/:x', '/:y'], '/:x'],
  ] as [string, Written[], string][])('%s', (_what, routes, expected) => {
    const path = expected.includes('/a/') ? '/a/b' : '/a'
    for (const paths of [{}, { case: 'insensitive' }, { trailing_slash: 'strict' }] as const) {
      expect(find(tableOf(routes, paths), path)?.value).toBe(expected)
    }
  })
})

describe('GatewayTable.allowedMethods()', () => {
  const table = tableOf([
    { match: '/a', methods: ['GET'] },
    { match: '/a', methods: ['PUT'], headers: { 'x-a': true } },
    { match: '/:x', methods: ['POST'] },
    { match: '/:x', query: { q: '1' } },
  ])
  const allowed = (url: string, init: RequestInit) => {
    const { host, path, request } = ask(table, url, init)
    return table.allowedMethods(host, path, request)
  }
  test.each([
    ['of all routes of the path', '/a', { method: 'DELETE' }, ['GET', 'HEAD', 'POST']],
    [
      'of routes whose other conditions hold',
      '/a',
      { method: 'DELETE', headers: { 'x-a': '1' } },
      ['GET', 'HEAD', 'PUT', 'POST'],
    ],
    ['of a parameter’s routes', '/b', { method: 'GET' }, ['POST']],
    ['of none, where no path matches', '/b/c', { method: 'GET' }, undefined],
    ['of none, on a host that is not served', 'other.org/a', { method: 'GET' }, undefined],
  ] as [string, string, RequestInit, string[] | undefined][])(
    'gives those %s',
    (_what, url, init, expected) => {
      expect(find(table, url, init)).toBeUndefined()
      expect(allowed(url, init)?.toSorted()).toEqual(expected?.toSorted())
    },
  )

  test('does not disturb the next match', () => {
    expect(allowed('/a', { method: 'DELETE' })).toBeDefined()
    expect(find(table, '/a')?.value).toBe('/a')
  })
})

describe('GatewayTable.explain()', () => {
  const table = tableOf([
    '/*',
    'other.example.com/a/b',
    { match: '/a/b', methods: ['POST'], name: 'post' },
    { match: '/a/b', headers: { 'x-team': 'red' }, query: { v: '2' }, name: 'red v2' },
    { match: '/a/b', query: { v: '3' }, name: 'v3' },
    '/a/:x',
    '/c',
  ])
  const reasons = (url: string, init?: RequestInit, accountId?: string) => {
    const { host, path, request } = ask(table, url, init)
    return table
      .explain(host, path, request, accountId)
      .map(({ value, matched, reason }) => `${value}: ${matched ? 'matched' : reason}`)
  }
  test('gives every route in the order in which it is tried, and the first reason against it', () => {
    expect(reasons('/a/b?v=2')).toEqual([
      'other.example.com/a/b: host',
      '/c: path',
      'red v2: header x-team',
      'post: method',
      'v3: query v',
      '/a/:x: matched',
      '/*: earlier',
    ])
    expect(reasons('/a/b?v=1', { headers: { 'x-team': 'red' } })).toContain('red v2: query v')
  })

  test('says for a host of nobody, when asked about an account, that it is the host', () => {
    expect(reasons('nobody.org/a/b')).toEqual([])
    expect(new Set(reasons('nobody.org/a/b', {}, 'a').map(text => text.split(': ')[1]))).toEqual(
      new Set(['host']),
    )
    expect(reasons('/a/b', {}, 'unknown')).toEqual([])
  })
})

describe('GatewayTable.set()', () => {
  test('replaces the routes of one account', () => {
    const table = new GatewayTable<string>()
    expect(table.isEmpty).toBe(true)
    table.set('a', entries('a.com/x', '/y'), options())
    table.set('b', entries('b.com/x'), options())
    table.set('a', entries('a.com/z'), options())
    expect(table.isEmpty).toBe(false)
    expect(find(table, 'a.com/x')).toBeUndefined()
    expect(find(table, 'a.com/z')?.value).toBe('a.com/z')
    expect(table.serves('app.localhost')).toBe(false)
    expect(find(table, 'b.com/x')?.value).toBe('b.com/x')
  })

  test.each([
    ['undefined', undefined],
    ['an empty list', []],
  ])('takes an account away with %s', (_what, nothing) => {
    const table = new GatewayTable<string>()
    table.set('a', entries('a.com/x', '*.a.com/', '/y'), options())
    table.set('a', nothing, options())
    expect(table.isEmpty).toBe(true)
    expect(['a.com', 'x.a.com', 'app.localhost'].some(host => table.serves(host))).toBe(false)
  })

  test('changes nothing if a route is wrong', () => {
    const table = tableOf(['/a'])
    expect(() => table.set('a', entries('/b', '/c//d'), options())).toThrow('ERR_GATEWAY_FILE')
    expect(find(table, '/a')?.value).toBe('/a')
    expect(find(table, '/b')).toBeUndefined()
  })
})

describe('the work of GatewayTable.match()', () => {
  /** Look-ups in maps: nothing else grows with a table. */
  const work = (routes: Written[], url: string): number => {
    const table = tableOf(routes)
    const { host, path, request } = ask(table, url)
    const spy = vi.spyOn(Map.prototype, 'get')
    try {
      table.match(host, path, request)
      return spy.mock.calls.length
    } finally {
      spy.mockRestore()
    }
  }
  const many = (create: (i: number) => string) => (size: number) =>
    Array.from({ length: size }, (_, i) => create(i))

  test.each([
    ['literals', many(i => `/api/x${i}`), '/api/x7'],
    ['parameters at the same depth', many(i => `/:p${i}/x${i}`), '/a/x7'],
    ['parameters, none fits', many(i => `/:p${i}/x${i}`), '/a/none'],
    ['suffixes of the same length', many(i => `/:p.${String(i).padStart(5, '0')}`), '/a.00007'],
    ['prefixes of the same length', many(i => `/a${String(i).padStart(5, '0')}*`), '/a00007b'],
    ['hosts', many(i => `h${i}.example.com/:x`), 'h7.example.com/a'],
    ['wildcard hosts', many(i => `*.h${i}.example.com/:x`), 'a.h7.example.com/a'],
  ])('is the same with 10 and 10,000 routes: %s', (_what, create, url) => {
    const few = work(create(10), url)
    expect(few).toBeGreaterThan(0)
    expect(work(create(10_000), url)).toBe(few)
  })

  test('grows with the branches that fit, never with their combinations', () => {
    const depth = 60
    const deep = (end: string, literalAt: number) =>
      `${Array.from({ length: depth }, (_, i) => (i === literalAt ? '/a' : `/:p${i}`)).join('')}/${end}`
    const routes = Array.from({ length: depth }, (_, i) => deep(`end${i}`, i))
    // Each of the 60 patterns fits up to its last segment: 2^60 ways, if they were mixed.
    expect(work(routes, `${'/a'.repeat(depth)}/none`)).toBeLessThan(depth * depth)
  })

  test('stops at the first route of the highest priority', () => {
    const get = vi.fn(() => null)
    const table = tableOf([
      { match: '/a', priority: 1 },
      ...many(i => `/:p${i}`)(10).map(match => ({ match, headers: { x: true } })),
    ])
    expect(table.match('app.localhost', '/a', { method: 'GET', headers: { get }, url: '' })?.value).toBe('/a')
    expect(get).not.toHaveBeenCalled()
  })
})
