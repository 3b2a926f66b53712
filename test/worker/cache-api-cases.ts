/** A cache that may be called wrongly. */
export type AnyCache = Record<'match' | 'put' | 'delete', (...args: unknown[]) => Promise<unknown>>
/** One case: what it returns or throws is compared. `url` is a URL of the case's own. */
export type Case = (url: string, cache: AnyCache) => unknown

const storage = caches as unknown as {
  readonly default: AnyCache
  open(...args: unknown[]): Promise<AnyCache>
}
const FRESH = { 'cache-control': 'max-age=3600' }
const TEN = '0123456789'

/** What became of a call, thrown at once or later; that is told apart. */
async function attempt(call: () => unknown): Promise<unknown> {
  let pending: unknown
  try {
    pending = call()
  } catch (error) {
    return { thrown: String(error) }
  }
  try {
    return await show(await pending)
  } catch (error) {
    return { rejected: String(error), isTypeError: error instanceof TypeError }
  }
}

async function show(value: unknown): Promise<unknown> {
  if (!(value instanceof Response)) return value === undefined ? '<undefined>' : value
  const headers = [...value.headers].filter(([name]) => name !== 'date' && name !== 'age')
  const text = (await value.text()).replaceAll(boundaryOf(value), '<boundary>')
  const dated = headers.map(([field, text]) => [
    field,
    isDate(field) ? '<date>' : text?.replace(/boundary=.+/, 'boundary=<boundary>'),
  ])
  return { status: value.status, text, headers: dated.sort() }
}

/** Puts a response, says what came of it and what is found then. */
const stored =
  (make: () => Response, request?: (url: string) => unknown): Case =>
  async (url, cache) => ({
    put: await attempt(() => cache.put(url, make())),
    match: await attempt(() => cache.match(request ? request(url) : url)),
  })

const withHeaders = (headers: HeadersInit, status = 200): Case =>
  stored(() => {
    const hasBody = status !== 204 && status !== 205 && status !== 304
    return new Response(hasBody ? 'body' : null, { status, headers: writeOut(headers) })
  })

/** Puts ten digits and asks for them with headers. */
const asked = (headers: HeadersInit, more: HeadersInit = {}): Case =>
  stored(
    () =>
      new Response(TEN, { headers: writeOut({ ...FRESH, 'content-type': 'text/x', ...(more as object) }) }),
    url => new Request(url, { headers: writeOut(headers) }),
  )

/** A date so long ago; written out when a case runs, as natively the clock stands still at 1970 before. */
const ago = (seconds: number) => `<${seconds} seconds ago>`
const writeOut = (headers: HeadersInit) =>
  JSON.parse(
    JSON.stringify(headers).replace(/<(-?\d+) seconds ago>/g, (_, seconds) =>
      new Date(Date.now() - Number(seconds) * 1000).toUTCString(),
    ),
  ) as HeadersInit
const boundaryOf = ({ headers }: Response) =>
  /boundary=(.+)/.exec(headers.get('content-type') ?? '')?.[1] ?? '<none>'
const isDate = (field = '') => field === 'expires' || field === 'last-modified'
const streamOf = (...chunks: string[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
      controller.close()
    },
  })

const keys: Record<string, (url: string) => unknown> = {
  'a URL object': url => new URL(url),
  'a Request': url => new Request(url),
  'a Request with Authorization': url => new Request(url, { headers: { authorization: 'Basic YTpi' } }),
  'a Request that wants nothing stored': url =>
    new Request(url, { headers: { 'cache-control': 'no-store' } }),
  'a HEAD': url => new Request(url, { method: 'HEAD' }),
  'a POST': url => new Request(url, { method: 'POST', body: 'b' }),
  'a URL with a fragment': url => `${url}#part`,
  'a URL in capitals': url => url.replace('cache.example', 'CACHE.Example:80'),
  'a URL with a query': url => `${url}?q=1`,
  'an object with toString': url => ({ toString: () => url }),
  'an array': url => [url],
  'a relative URL': () => '/path',
  'an empty text': () => '',
  'a text that is no URL': () => 'no url',
  'a URL without host': () => 'http://',
  'a URL of another scheme': () => 'ftp://cache.example/a',
  'a data URL': () => 'data:text/plain,hi',
  'a URL with a password': url => url.replace('//', '//user:pass@'),
  'a number': () => 5,
  null: () => null,
  undefined: () => undefined,
  'an object': () => ({}),
  'a Response': () => new Response('x'),
}

const controls = [
  'max-age=3600',
  'MAX-AGE=3600',
  'max-age="3600"',
  'max-age = 3600',
  'max-age=0',
  'max-age=-1',
  'max-age=soon',
  'max-age',
  'max-age=3600.5',
  'max-age=99999999999999',
  's-maxage=100',
  's-maxage=0, max-age=100',
  's-maxage=100, max-age=0',
  'no-store',
  'no-store, max-age=100',
  'no-cache',
  'no-cache, max-age=100',
  'no-cache="x-a", max-age=100',
  'private',
  'private, max-age=100',
  'private="x-a", max-age=100',
  'private=x-a, max-age=100',
  'public, max-age=100',
  'public, immutable, max-age=100',
  'must-revalidate, max-age=100',
  'proxy-revalidate, max-age=100',
  'max-age=100, max-age=0',
  'max-age=100; public',
  'stale-while-revalidate=100, max-age=0',
  'stale-if-error=100, max-age=0',
  'no-transform, max-age=100',
  'must-understand, max-age=100',
]

const statuses = [200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404]
const moreStatuses = [405, 410, 414, 418, 429, 451, 500, 501, 502, 503, 504]

const ranges = [
  'bytes=2-4',
  'bytes=0-0',
  'bytes=2-',
  'bytes=-3',
  'bytes=-30',
  'bytes=2-100',
  'bytes=9-9',
  'bytes=10-',
  'bytes=10-12',
  'bytes=15-',
  'bytes=-0',
  'bytes=4-2',
  'bytes=',
  'bytes=a-b',
  'bytes 2-4',
  'items=2-4',
  'Bytes=2-4',
  'bytes = 2-4',
  'bytes=2-4,',
  'bytes=2-4 ',
  'bytes=0-9',
  'bytes=1-3,5-6',
  'bytes=1-3,20-',
  'bytes=-0,1-2',
  '',
]

const validators: Record<string, [asks: HeadersInit, has: HeadersInit]> = {
  'its strong tag': [{ 'if-none-match': '"a"' }, { etag: '"a"' }],
  'another tag': [{ 'if-none-match': '"b"' }, { etag: '"a"' }],
  'a list with its tag': [{ 'if-none-match': '"b", "a"' }, { etag: '"a"' }],
  'a tag with a comma': [{ 'if-none-match': '"a,b"' }, { etag: '"a,b"' }],
  'its weak tag': [{ 'if-none-match': 'W/"a"' }, { etag: 'W/"a"' }],
  'a weak tag of a strong one': [{ 'if-none-match': 'W/"a"' }, { etag: '"a"' }],
  'a strong tag of a weak one': [{ 'if-none-match': '"a"' }, { etag: 'W/"a"' }],
  'a star': [{ 'if-none-match': '*' }, { etag: '"a"' }],
  'a star of a response without tag': [{ 'if-none-match': '*' }, {}],
  'a tag without quotes': [{ 'if-none-match': 'a' }, { etag: 'a' }],
  'its date': [{ 'if-modified-since': ago(60) }, { 'last-modified': ago(3600) }],
  'an older date': [{ 'if-modified-since': ago(7200) }, { 'last-modified': ago(3600) }],
  'a text that is no date': [{ 'if-modified-since': 'soon' }, { 'last-modified': ago(3600) }],
  'a date of a response without': [{ 'if-modified-since': ago(60) }, {}],
  'another tag and its date': [
    { 'if-none-match': '"b"', 'if-modified-since': ago(60) },
    { etag: '"a"', 'last-modified': ago(3600) },
  ],
  'its tag and a range': [{ 'if-none-match': '"a"', range: 'bytes=0-1' }, { etag: '"a"' }],
  'another tag and a range': [{ 'if-none-match': '"b"', range: 'bytes=0-1' }, { etag: '"a"' }],
  'its tag and a range beyond': [{ 'if-none-match': '"a"', range: 'bytes=20-' }, { etag: '"a"' }],
  'If-Match with another tag': [{ 'if-match': '"b"' }, { etag: '"a"' }],
  'If-Range with another tag': [{ 'if-range': '"b"', range: 'bytes=0-1' }, { etag: '"a"' }],
}

const each = <T>(items: readonly T[], name: (item: T) => string, make: (item: T) => Case) =>
  Object.fromEntries(items.map(item => [name(item), make(item)]))
const entries = <T>(items: Record<string, T>, name: (item: string) => string, make: (value: T) => Case) =>
  Object.fromEntries(Object.entries(items).map(([key, value]) => [name(key), make(value)]))

const properties = (target: object) =>
  Object.fromEntries(
    Object.entries(Object.getOwnPropertyDescriptors(target))
      .map(([name, { value, get, set, ...flags }]) => [
        name,
        { ...flags, value: typeof value, length: value?.length, get: typeof get, set: typeof set },
      ])
      .sort(),
  )

const shapes: Record<string, Case> = {
  'caches as text': () => [String(caches), Object.prototype.toString.call(caches), typeof caches],
  'a cache as text': (_, cache) => [String(cache), Object.prototype.toString.call(cache)],
  'caches is a CacheStorage': () => [
    caches instanceof CacheStorage,
    caches.constructor === CacheStorage,
    CacheStorage.name,
    Object.getPrototypeOf(CacheStorage) === Function.prototype,
  ],
  'caches.default is a Cache': (_, cache) => [
    cache instanceof Cache,
    cache.constructor === Cache,
    Cache.name,
    Object.keys(cache),
  ],
  'an opened cache is a Cache': async () => (await storage.open('x')) instanceof Cache,
  'caches.default is always the same': () => new Set([storage.default, storage.default]).size,
  'an opened cache is another each time': async () =>
    new Set([await storage.open('x'), await storage.open('x')]).size,
  'the global caches': () =>
    properties({ caches: Object.getOwnPropertyDescriptor(globalThis, 'caches') ?? {} }),
  'the global classes': () => [
    Object.keys(globalThis).filter(name => /^cache/i.test(name)),
    Cache === Reflect.get(globalThis, 'Cache'),
    CacheStorage === Reflect.get(globalThis, 'CacheStorage'),
  ],
  'members of CacheStorage': () => properties(CacheStorage.prototype),
  'members of Cache': () => properties(Cache.prototype),
  'members of caches': () => [Object.getOwnPropertyNames(caches), JSON.stringify(caches)],
  'caches.has': () => typeof (caches as unknown as { has?: unknown }).has,
  'new CacheStorage()': () => attempt(() => Reflect.construct(CacheStorage, [])),
  'new Cache()': () => attempt(() => Reflect.construct(Cache, [])),
  'a method apart from its cache': (url, { match }) => attempt(() => match(url)),
  'open apart from caches': () => {
    const { open } = storage
    return attempt(() => open('x').then(() => 'opened'))
  },
  'a method of another object': (url, { match }) => attempt(() => match.call({} as AnyCache, url)),
  'default of another object': () =>
    attempt(() => Reflect.get(CacheStorage.prototype, 'default', {} as CacheStorage)),
  'default can be assigned': () =>
    attempt(() => {
      ;(storage as { default: unknown }).default = 5
      return typeof storage.default
    }),
  'every method gives a Promise': async (url, cache) => {
    const calls = [cache.match(url), cache.put(url, new Response('x')), cache.delete(url), storage.open('x')]
    await Promise.all(calls)
    return calls.map(call => call instanceof Promise)
  },
  'caches can be cloned': () => attempt(() => structuredClone(caches)),
}

const names: Record<string, unknown[]> = {
  'a name': ['a name'],
  'an empty name': [''],
  'default as a name': ['default'],
  'a number as a name': [5],
  'null as a name': [null],
  'undefined as a name': [undefined],
  'no name': [],
  'a name of 1024 bytes': ['n'.repeat(1024)],
  'a name of 1025 bytes': ['n'.repeat(1025)],
  'a name of 512 characters of 2 bytes': ['é'.repeat(512)],
  'a name of 513 characters of 2 bytes': ['é'.repeat(513)],
}

/** A named cache keeps what is put, away from the default one. */
const named =
  (...args: unknown[]): Case =>
  (url, byDefault) =>
    attempt(async () => {
      const cache = await storage.open(...args)
      await cache.put(url, new Response('named', { headers: FRESH }))
      const again = await storage.open(...args)
      return [await show(await again.match(url)), await show(await byDefault.match(url))]
    })

const calls: Record<string, Case> = {
  'put() gives nothing': (url, cache) => attempt(() => cache.put(url, new Response('x', { headers: FRESH }))),
  'match() of nothing stored': (url, cache) => attempt(() => cache.match(url)),
  'match() without arguments': (_, cache) => attempt(() => cache.match()),
  'put() without arguments': (_, cache) => attempt(() => cache.put()),
  'put() without response': (url, cache) => attempt(() => cache.put(url)),
  'put() of a text': (url, cache) => attempt(() => cache.put(url, 'text')),
  'put() of an object': (url, cache) => attempt(() => cache.put(url, {})),
  'put() of null': (url, cache) => attempt(() => cache.put(url, null)),
  'put() of a Request': (url, cache) => attempt(() => cache.put(url, new Request(url))),
  'delete() without arguments': (_, cache) => attempt(() => cache.delete()),
  'delete() of nothing stored': (url, cache) => attempt(() => cache.delete(url)),
  'delete() of what is stored': async (url, cache) => {
    await cache.put(url, new Response('x', { headers: FRESH }))
    return [await cache.delete(url), await attempt(() => cache.match(url)), await cache.delete(url)]
  },
  'delete() for a POST': async (url, cache) => {
    await cache.put(url, new Response('x', { headers: FRESH }))
    const request = () => new Request(url, { method: 'POST' })
    return [await cache.delete(request()), await cache.delete(request(), { ignoreMethod: true })]
  },
  'match() with options of any kind': async (url, cache) => {
    await cache.put(url, new Response('x', { headers: FRESH }))
    const request = () => new Request(url, { method: 'POST' })
    const options = [
      { ignoreMethod: true },
      { ignoreMethod: 1 },
      { ignoreMethod: 'no' },
      { ignoreMethod: 0 },
      { ignoreMethod: null },
      { ignoreSearch: true },
      {},
      null,
      undefined,
      5,
      'text',
      [],
    ]
    return Promise.all(options.map(option => attempt(() => cache.match(request(), option))))
  },
  'delete() with options of any kind': (url, cache) =>
    Promise.all([null, undefined, 5, 'text', []].map(option => attempt(() => cache.delete(url, option)))),
  'match() ignores a query with ignoreSearch': async (url, cache) => {
    await cache.put(url, new Response('x', { headers: FRESH }))
    return attempt(() => cache.match(`${url}?q=1`, { ignoreSearch: true }))
  },
  'put() with a key for POST': (url, cache) =>
    attempt(() => cache.put(new Request(url, { method: 'POST' }), new Response('x', { headers: FRESH }))),
  'put() with a key for HEAD': (url, cache) =>
    attempt(() => cache.put(new Request(url, { method: 'HEAD' }), new Response('x', { headers: FRESH }))),
  'put() replaces what is stored': async (url, cache) => {
    await cache.put(url, new Response('first', { headers: { ...FRESH, 'x-first': '1' } }))
    await cache.put(url, new Response('second', { headers: FRESH }))
    return attempt(() => cache.match(url))
  },
  'put() of what must not be stored leaves what is': async (url, cache) => {
    await cache.put(url, new Response('first', { headers: FRESH }))
    await attempt(() => cache.put(url, new Response('x', { headers: { 'cache-control': 'no-store' } })))
    return attempt(() => cache.match(url))
  },
  'put() uses up the body': async (url, cache) => {
    const response = new Response('body', { headers: FRESH })
    const pending = cache.put(url, response)
    const isUsed = response.bodyUsed
    await pending
    return [isUsed, response.bodyUsed, await attempt(() => response.text())]
  },
  'put() uses up the body of what is not stored': async (url, cache) => {
    const response = new Response('body', { headers: { 'cache-control': 'no-store' } })
    await attempt(() => cache.put(url, response))
    return response.bodyUsed
  },
  'put() uses up the body of a 304 or a refused 206': async (url, cache) => {
    const part = new Response('body', { status: 206, headers: FRESH })
    await attempt(() => cache.put(url, part))
    return part.bodyUsed
  },
  'put() of a body that is read': async (url, cache) => {
    const response = new Response('body', { headers: FRESH })
    await response.text()
    return [await attempt(() => cache.put(url, response)), await attempt(() => cache.match(url))]
  },
  'put() of a body that is locked': async (url, cache) => {
    const response = new Response('body', { headers: FRESH })
    response.body?.getReader()
    return attempt(() => cache.put(url, response))
  },
  'put() of a body that fails': async (url, cache) => {
    const body = new ReadableStream({
      start: controller => controller.enqueue(new TextEncoder().encode('part')),
      pull: controller => controller.error(new RangeError('broken')),
    })
    const put = await attempt(() => cache.put(url, new Response(body, { headers: FRESH })))
    return [put, await attempt(() => cache.match(url))]
  },
  'put() of a body of texts': async (url, cache) => {
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue('text')
        controller.close()
      },
    })
    return attempt(() => cache.put(url, new Response(body, { headers: FRESH })))
  },
  'put() of half a clone': async (url, cache) => {
    const response = new Response('body', { headers: FRESH })
    await cache.put(url, response.clone())
    return [await response.text(), await attempt(() => cache.match(url))]
  },
  'put() of what match() gave': async (url, cache) => {
    await cache.put(url, new Response('body', { headers: { ...FRESH, 'x-a': '1' } }))
    await cache.put(`${url}-2`, await cache.match(url))
    return attempt(() => cache.match(`${url}-2`))
  },
  'put() of a WebSocket': async (url, cache) => {
    const [webSocket] = Object.values(new WebSocketPair())
    return attempt(() =>
      cache.put(url, new Response(null, { status: 101, webSocket: webSocket as WebSocket })),
    )
  },
  'what match() gives can be changed': async (url, cache) => {
    await cache.put(url, new Response('body', { headers: FRESH }))
    const response = (await cache.match(url)) as Response
    return [
      attempt(() => response.headers.set('x-a', '1')),
      response.url,
      response.redirected,
      response.type,
      response.ok,
      response.webSocket,
      (response as Response & { cf?: unknown }).cf === undefined,
    ].map(value => (value instanceof Promise ? '<promise>' : value))
  },
  'headers of what match() gives': async (url, cache) => {
    await cache.put(url, new Response('body', { headers: FRESH }))
    const response = (await cache.match(url)) as Response
    return attempt(() => response.headers.set('x-a', '1'))
  },
  'text of the status': async (url, cache) => {
    await cache.put(url, new Response('body', { statusText: 'Fine', headers: FRESH }))
    return ((await cache.match(url)) as Response).statusText
  },
  'dates of what match() gives': async (url, cache) => {
    await cache.put(url, new Response('body', { headers: FRESH }))
    const { headers } = (await cache.match(url)) as Response
    return [headers.get('age') === '0', Math.abs(Date.now() - Date.parse(headers.get('date') ?? '')) < 10_000]
  },
  'its own date and age': async (url, cache) => {
    await cache.put(url, new Response('body', { headers: writeOut({ ...FRESH, date: ago(100), age: '7' }) }))
    const { headers } = (await cache.match(url)) as Response
    return [headers.get('age'), Math.abs(Date.now() - Date.parse(headers.get('date') ?? '')) < 10_000]
  },
  'what varies is stored once': async (url, cache) => {
    const request = (language: string) => new Request(url, { headers: { 'accept-language': language } })
    await cache.put(request('de'), new Response('de', { headers: { ...FRESH, vary: 'accept-language' } }))
    return attempt(() => cache.match(request('fr')))
  },
  'a key of cf': async (url, cache) => {
    const cf = { cacheKey: `${url}-key` }
    await cache.put(new Request(url, { cf }), new Response('x', { headers: FRESH }))
    return [
      await attempt(() => cache.match(url)),
      await attempt(() => cache.match(`${url}-key`)),
      await attempt(() => cache.match(new Request('http://cache.example/else', { cf }))),
    ]
  },
  'a header called like one of ours': async (url, cache) => {
    const headers = { 'skerry-cache': '{"name":"x"}' }
    await cache.put(new Request(url, { headers }), new Response('x', { headers: { ...FRESH, ...headers } }))
    return [
      await attempt(() => cache.match(url)),
      await attempt(() => cache.match(new Request(url, { headers }))),
    ]
  },
  'a URL with a header': async (url, cache) => {
    await cache.put(url, new Response('x', { headers: FRESH }))
    const control = new Request(url, { headers: { 'cache-control': 'no-cache', pragma: 'no-cache' } })
    return attempt(() => cache.match(control))
  },
}

const bodies: Record<string, Case> = {
  'a body of no bytes': stored(() => new Response('', { headers: FRESH })),
  'no body': stored(() => new Response(null, { headers: FRESH })),
  'a body of a stream': stored(() => new Response(streamOf('a', 'b', 'c'), { headers: FRESH })),
  'a body of JSON': stored(() => Response.json({ a: 1 }, { headers: FRESH })),
  'a body of a megabyte': async (url, cache) => {
    await cache.put(url, new Response(new Uint8Array(1_000_000).fill(7), { headers: FRESH }))
    const bytes = new Uint8Array(await ((await cache.match(url)) as Response).arrayBuffer())
    return [bytes.length, bytes.every(byte => byte === 7)]
  },
  'a body of a length that is wrong': stored(
    () => new Response('body', { headers: { ...FRESH, 'content-length': '2' } }),
  ),
  'a part of a megabyte': async (url, cache) => {
    await cache.put(url, new Response(new Uint8Array(1_000_000).fill(7), { headers: FRESH }))
    const part = (await cache.match(new Request(url, { headers: { range: 'bytes=999990-' } }))) as Response
    return [part.status, part.headers.get('content-range'), (await part.arrayBuffer()).byteLength]
  },
  'a body said to be gzip': stored(
    () => new Response('plain', { headers: { ...FRESH, 'content-encoding': 'gzip' } }),
  ),
  'a body said to be br': stored(
    () => new Response('plain', { headers: { ...FRESH, 'content-encoding': 'br' } }),
  ),
  'a body that is gzip': async (url, cache) => {
    const body = streamOf('plain').pipeThrough(new CompressionStream('gzip'))
    const headers = { ...FRESH, 'content-encoding': 'gzip' }
    await cache.put(url, new Response(body, { headers, encodeBody: 'manual' }))
    return attempt(() => cache.match(url))
  },
  'headers of many kinds': stored(
    () =>
      new Response('x', {
        headers: [
          ['cache-control', 'max-age=100'],
          ['x-a', '1'],
          ['x-a', '2'],
          ['x-empty', ''],
          ['x-spaces', '  a  b '],
          ['x-long', 'v'.repeat(4000)],
          ['x-latin', 'é'],
          ['connection', 'keep-alive'],
          ['link', '</a>; rel=preload'],
          ['transfer-encoding', 'chunked'],
          ['cf-cache-status', 'DYNAMIC'],
          ['cache-tag', 'a,b'],
        ],
      }),
  ),
}

const headerCases: Record<string, HeadersInit> = {
  'no headers': {},
  'Expires in an hour': { expires: ago(-3600) },
  'Expires an hour ago': { expires: ago(3600) },
  'Expires that is no date': { expires: '0' },
  'Expires and max-age': { expires: ago(3600), 'cache-control': 'max-age=100' },
  'Expires and public': { expires: ago(-3600), 'cache-control': 'public' },
  'Expires of another Date': { expires: ago(50), date: ago(100) },
  'an Age above max-age': { age: '200', 'cache-control': 'max-age=100' },
  'an Age below max-age': { age: '20', 'cache-control': 'max-age=100' },
  'an Age that is no number': { age: 'old', 'cache-control': 'max-age=100' },
  'Pragma: no-cache': { pragma: 'no-cache' },
  'Pragma: no-cache with max-age': { pragma: 'no-cache', 'cache-control': 'max-age=100' },
  'CDN-Cache-Control': { 'cdn-cache-control': 'max-age=0', 'cache-control': 'max-age=100' },
  'Vary: *': { ...FRESH, vary: '*' },
  'Vary with a star among others': { ...FRESH, vary: 'accept, *' },
  'Vary with a star in a name': { ...FRESH, vary: 'x-*' },
  Vary: { ...FRESH, vary: 'accept' },
  'Set-Cookie': { ...FRESH, 'set-cookie': 'a=b' },
  'Set-Cookie and public': { 'cache-control': 'public, max-age=100', 'set-cookie': 'a=b' },
  'Set-Cookie and private=Set-Cookie': {
    'cache-control': 'private=Set-Cookie, max-age=100',
    'set-cookie': 'a=b',
  },
  'Set-Cookie and private="set-cookie"': {
    'cache-control': 'private="set-cookie", max-age=100',
    'set-cookie': 'a=b',
  },
  'Set-Cookie and no-cache="set-cookie"': {
    'cache-control': 'no-cache="set-cookie", max-age=100',
    'set-cookie': 'a=b',
  },
  'Content-Range': { ...FRESH, 'content-range': 'bytes 0-1/2' },
}

/** Everything that is tried, by name. */
export const cases: Readonly<Record<string, Case>> = {
  ...shapes,
  ...entries(
    names,
    name => `open() with ${name}`,
    args => named(...args),
  ),
  ...calls,
  ...entries(
    keys,
    name => `a key: ${name}`,
    key => async (url, cache) => ({
      put: await attempt(() => cache.put(key(url), new Response('x', { headers: FRESH }))),
      match: await attempt(() => cache.match(key(url))),
      plain: await attempt(() => cache.match(url)),
      delete: await attempt(() => cache.delete(key(url))),
    }),
  ),
  ...bodies,
  ...each(
    controls,
    text => `Cache-Control: ${text}`,
    text => withHeaders({ 'cache-control': text }),
  ),
  ...each(
    [...statuses, ...moreStatuses],
    status => `status ${status}`,
    status => withHeaders(FRESH, status),
  ),
  ...entries(
    headerCases,
    name => `stored with ${name}`,
    headers => withHeaders(headers),
  ),
  ...each(
    ranges,
    text => `Range: ${text}`,
    range => asked({ range }),
  ),
  ...entries(
    validators,
    name => `asked with ${name}`,
    ([asks, has]) => asked(asks, has),
  ),
}
