import { see } from './kv-see.ts'

/** A KV binding that may be called wrongly. */
export type Kv = Record<
  'get' | 'getWithMetadata' | 'put' | 'delete' | 'list',
  (...args: unknown[]) => Promise<unknown>
>
/** One case: what it returns or throws is compared. */
export type Case = (kv: Kv, env: DriverEnv) => unknown

/** What the driver is bound to. */
export interface DriverEnv {
  readonly KV: Kv
  /** The longest key. */
  readonly KEY_BYTES: number
}

const LIMIT_BYTES = 25 * 1024 * 1024
const nowSeconds = () => Math.floor(Date.now() / 1000)
const bytes = (text: string) => new TextEncoder().encode(text)
const streamOf = (...chunks: unknown[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk)
      controller.close()
    },
  })
const bodyOf = (body: BodyInit) => new Response(body).body

/** Puts a value under a key of its own and reads it back. */
const roundTrip =
  (key: string, value: () => unknown, type?: string): Case =>
  async kv => {
    await kv.put(key, value())
    return kv.get(key, type)
  }

/** Tries to put, then says whether anything was stored. */
const tryPut =
  (key: string, value: () => unknown, options?: () => unknown): Case =>
  async kv => ({
    put: await see(() => kv.put(key, value(), options?.())),
    stored: await see(() => kv.getWithMetadata(key)),
  })

/** The same for options, with the seconds from then until the key expires. */
const tryOptions =
  (key: string, options: () => unknown): Case =>
  async kv => {
    const before = nowSeconds()
    const put = await see(() => kv.put(`option/${key}`, 'v', options()))
    const { keys } = (await kv.list({ prefix: `option/${key}` })) as KVNamespaceListResult<unknown>
    const left = keys.map(({ expiration, metadata }) => ({
      metadata,
      // To ten seconds, so that it makes no difference how long the call takes.
      left: expiration === undefined ? 'never' : Math.round((expiration - before) / 10) * 10,
    }))
    return { put: JSON.parse(JSON.stringify(put).replace(/\d{10,13}/g, '<time>')), left }
  }

const keyArguments: Record<string, unknown[]> = {
  'no key': [],
  'the empty key': ['', 'v'],
  'the key "."': ['.', 'v'],
  'the key ".."': ['..', 'v'],
  'a number as key': [12, 'v'],
  'null as key': [null, 'v'],
  'undefined as key': [undefined, 'v'],
  'a boolean as key': [true, 'v'],
  'an object as key': [{ a: 1 }, 'v'],
}

const ttls: unknown[] = [
  60,
  59,
  61,
  0,
  -1,
  1.5,
  60.9,
  '60',
  'nan',
  '',
  null,
  undefined,
  true,
  {},
  [],
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31) - 1,
  61n,
  new Date(0),
]

const expirations: Record<string, () => unknown> = {
  'a second ago': () => nowSeconds() - 1,
  now: nowSeconds,
  'in 30 s': () => nowSeconds() + 30,
  'in 65 s': () => nowSeconds() + 65,
  'in 100.7 s': () => nowSeconds() + 100.7,
  'in 100 s, as text': () => String(nowSeconds() + 100),
  'no number': () => 'tomorrow',
  'in milliseconds': () => Date.now() + 1e6,
  'as a Date': () => new Date(Date.now() + 1e6),
  null: () => null,
}

const metadatas: Record<string, () => unknown> = {
  'a number': () => 0,
  'a text': () => '',
  null: () => null,
  undefined: () => undefined,
  'a tree': () => ({ a: [1, { b: undefined }, null], é: '\u2028\r\n\0' }),
  'a Map': () => new Map([[1, 2]]),
  'a Date': () => new Date(0),
  'a lone surrogate': () => '\ud800',
  '1,024 bytes': () => 'x'.repeat(1022),
  '1,025 bytes': () => 'x'.repeat(1023),
  '1,026 bytes in 513 characters': () => 'é'.repeat(512),
  'a BigInt': () => 5n,
  'a function': () => () => 1,
  'an object with a function': () => ({ a: 1, f: () => 1 }),
}

const values: Record<string, () => unknown> = {
  'a text': () => 'text',
  'the empty text': () => '',
  'an ArrayBuffer': () => bytes('abc').buffer,
  'a part of an array': () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  'a DataView': () => new DataView(new Uint8Array([9, 8, 7]).buffer, 1),
  '16-bit numbers': () => new Uint16Array([258]),
  'a byte stream': () => bodyOf('streamed'),
  'a stream of arrays': () => streamOf(bytes('ab'), bytes('cd')),
  'a stream of texts': () => streamOf('ab', 'cd'),
  'a stream of nothing': () => streamOf(),
  'a stream of numbers': () => streamOf(1, 2),
  'a stream that fails': () =>
    new ReadableStream({ pull: controller => controller.error(new RangeError('my own')) }),
  'a stream that fails after a part': () => {
    let isBegun = false
    return new ReadableStream({
      pull: controller => {
        if (isBegun) controller.error(new RangeError('my own'))
        else controller.enqueue(bytes('part'))
        isBegun = true
      },
    })
  },
  'a decoded stream': () => bodyOf('decoded')?.pipeThrough(new TextDecoderStream()),
  'a compressed stream': () => bodyOf('compressed')?.pipeThrough(new CompressionStream('gzip')),
  'half of a tee': () => bodyOf('tee')?.tee()[0],
  undefined: () => undefined,
  null: () => null,
  'a number': () => 5,
  'a BigInt': () => 5n,
  'a boolean': () => true,
  'an object': () => ({ a: 1 }),
  'an array': () => [1],
  'a Date': () => new Date(0),
  'a Map': () => new Map(),
  'a function': () => () => 1,
  'a Blob': () => new Blob(['x']),
  'a Response': () => new Response('x'),
  'a FormData': () => new FormData(),
  'an object of a class': () => new (class Value {})(),
  '25 MiB': () => new Uint8Array(LIMIT_BYTES),
  '25 MiB and a byte': () => new Uint8Array(LIMIT_BYTES + 1),
  'a text of 25 MiB and a byte': () => 'x'.repeat(LIMIT_BYTES + 1),
  'a stream of 25 MiB': () => bodyOf(new Uint8Array(LIMIT_BYTES)),
  'a stream of 25 MiB and a byte': () => bodyOf(new Uint8Array(LIMIT_BYTES + 1)),
}

const readOptions: Record<string, unknown> = {
  'the type "Text"': 'Text',
  'the type ""': '',
  'the type 5': 5,
  'the type true': true,
  'null for options': null,
  'empty options': {},
  'an array for options': ['json'],
  'a function for options': () => 1,
  'an undefined type': { type: undefined },
  'a null type': { type: null },
  'an unknown type': { type: 'x' },
  'cacheTtl 30': { cacheTtl: 30 },
  'cacheTtl 29': { cacheTtl: 29 },
  'cacheTtl 29.9': { cacheTtl: 29.9 },
  'cacheTtl "60"': { cacheTtl: '60' },
  'cacheTtl "soon"': { cacheTtl: 'soon' },
  'cacheTtl null': { cacheTtl: null },
  'cacheTtl 2 ** 31': { cacheTtl: 2 ** 31 },
  'cacheTtl 60n': { cacheTtl: 60n },
  'cacheTtl 1 and an unknown type': { cacheTtl: 1, type: 'x' },
}

const oddKeys = [
  ...[
    'a/b',
    'a%2Fb',
    'a?b',
    'a#b',
    'a b',
    'a+b',
    '/',
    '//',
    './a',
    '../a',
    'a/./b',
    'a/../b',
    '\0',
    '\n',
    'a\\b',
  ],
  ...['%', '%zz', ' ', '...', 'x/..', 'a&b=c', 'bulk/get', 'ü', 'e\u0301', '😀', '\uffff', '\ufeff', 'null'],
]

const batches: Record<string, unknown[]> = {
  'no keys': [[]],
  'the empty key': [['b1', '']],
  'the key "."': [['.']],
  'a key twice': [['b1', 'b1']],
  'a missing key': [['b1', 'gone']],
  'texts as JSON': [['b1'], 'json'],
  'JSON as JSON': [['b2', 'gone'], { type: 'json' }],
  arrayBuffer: [['b1'], 'arrayBuffer'],
  stream: [['b1'], { type: 'stream' }],
  'an unknown type': [['b1'], 'x'],
  'cacheTtl 3': [['b1'], { cacheTtl: 3 }],
  'cacheTtl 90': [['b1'], { cacheTtl: 90 }],
  'null as key': [[null, 'b1']],
  'an array as key': [[['b1']]],
  'an object as key': [[{}]],
  'keys that look like numbers': [['10', 'gone', '9']],
  'the key __proto__': [['__proto__', 'b1']],
  'bytes that are no text': [['b3']],
  '100 keys': [Array.from({ length: 100 }, (_, i) => `none${i}`)],
  '101 keys': [Array.from({ length: 101 }, (_, i) => `none${i}`)],
}

const lists: Record<string, unknown[]> = {
  'a prefix': [{ prefix: 'list/' }],
  'limit 3': [{ prefix: 'list/', limit: 3 }],
  'limit 0': [{ prefix: 'list/', limit: 0 }],
  'limit -1': [{ prefix: 'list/', limit: -1 }],
  'limit 2.7': [{ prefix: 'list/', limit: 2.7 }],
  'limit "3"': [{ prefix: 'list/', limit: '3' }],
  'limit "x"': [{ prefix: 'list/', limit: 'x' }],
  'limit null': [{ prefix: 'list/', limit: null }],
  'limit 1,000': [{ prefix: 'list/', limit: 1000 }],
  'limit 1,001': [{ prefix: 'list/', limit: 1001 }],
  'limit 2 ** 31': [{ limit: 2 ** 31 }],
  'a prefix of nothing': [{ prefix: 'NOTHING' }],
  'a number as prefix': [{ prefix: 5 }],
  'an object as prefix': [{ prefix: {} }],
  'a malformed cursor': [{ cursor: '!!!' }],
  'a number as cursor': [{ cursor: 5 }],
  'a cursor that is no UTF-8': [{ cursor: btoa('\xff') }],
  'an empty cursor': [{ prefix: 'list/', cursor: '', limit: 1 }],
  'a null cursor': [{ prefix: 'list/', cursor: null, limit: 1 }],
  'a made-up cursor': [{ prefix: 'list/', cursor: btoa('list/02'), limit: 2 }],
  'a cursor before the prefix': [{ prefix: 'list/', cursor: btoa('A'), limit: 2 }],
  'a cursor after the prefix': [{ prefix: 'list/', cursor: btoa('z'), limit: 2 }],
  'a text for options': ['list/'],
  'a number for options': [5],
}

const atLimit: Record<string, (key: string, kv: Kv) => Promise<unknown>> = {
  get: (key, kv) => kv.get(key),
  getWithMetadata: (key, kv) => kv.getWithMetadata(key),
  put: (key, kv) => kv.put(key, 'v'),
  delete: (key, kv) => kv.delete(key),
  'get of a batch': (key, kv) => kv.get([key]),
  list: (key, kv) => kv.list({ prefix: key }),
}

function table<T>(
  items: Readonly<Record<string, T>>,
  title: (name: string) => string,
  make: (item: T, name: string) => Case,
) {
  return Object.fromEntries(Object.entries(items).map(([name, item]) => [title(name), make(item, name)]))
}

/** Every case, by what it tries. */
export const cases: Record<string, Case> = {
  ...table(
    keyArguments,
    name => `get() of ${name}`,
    args => kv => kv.get(...args.slice(0, 1)),
  ),
  ...table(
    keyArguments,
    name => `put() of ${name}`,
    args => kv => kv.put(...args),
  ),
  ...table(
    keyArguments,
    name => `delete() of ${name}`,
    args => kv => kv.delete(...args.slice(0, 1)),
  ),
  ...table(
    atLimit,
    name => `${name}() at the limit of keys`,
    call => (kv, env) => call('k'.repeat(env.KEY_BYTES), kv),
  ),
  ...table(
    atLimit,
    name => `${name}() past the limit of keys`,
    call => (kv, env) => call('k'.repeat(env.KEY_BYTES + 1), kv),
  ),
  'a key whose bytes, not characters, are too many': (kv, env) => kv.get(`${'é'.repeat(env.KEY_BYTES / 2)}x`),
  'put() without a value': kv => kv.put('k'),
  ...table(
    values,
    name => `put() of ${name}`,
    (value, name) => async kv => ({
      put: await see(() => kv.put(`value/${name}`, value())),
      stored: await see(() => kv.get(`value/${name}`, 'arrayBuffer')),
    }),
  ),
  'put() leaves the caller its buffer': async kv => {
    const { buffer } = bytes('abc')
    await kv.put('buffer', buffer)
    return buffer.byteLength
  },
  'put() of a stream that was read': async kv => {
    const stream = bodyOf('used')
    await new Response(stream).text()
    return see(() => kv.put('used', stream))
  },
  'put() of a stream from get()': async kv => {
    await kv.put('pipe1', 'piped')
    await kv.put('pipe2', await kv.get('pipe1', 'stream'))
    return kv.get('pipe2')
  },
  ...Object.fromEntries(
    ttls.map((ttl, index) => {
      const name = `${typeof ttl} ${typeof ttl === 'bigint' ? ttl : JSON.stringify(ttl)}, ${index}`
      return [`put() with expirationTtl ${name}`, tryOptions(`ttl${index}`, () => ({ expirationTtl: ttl }))]
    }),
  ),
  ...table(
    expirations,
    name => `put() with expiration ${name}`,
    (at, name) => tryOptions(`at ${name}`, () => ({ expiration: at() })),
  ),
  'put() with both expiries': tryOptions('both', () => ({
    expiration: nowSeconds() + 1000,
    expirationTtl: 100,
  })),
  'put() with a bad expiration that does not count': tryOptions('both2', () => ({
    expiration: 1,
    expirationTtl: 100,
  })),
  ...table(
    metadatas,
    name => `put() with metadata: ${name}`,
    (value, name) =>
      tryPut(
        `metadata/${name}`,
        () => 'v',
        () => ({ metadata: value() }),
      ),
  ),
  'put() without metadata forgets the old': async kv => {
    await kv.put('forget', 'v', { metadata: 1 })
    await kv.put('forget', 'w')
    return kv.getWithMetadata('forget')
  },
  'put() with null for options': tryOptions('null', () => null),
  'put() with a text for options': tryOptions('text', () => 'x'),
  'put() with a number for options': tryOptions('number', () => 5),
  'put() with a function for options': tryOptions('function', () => () => 1),
  'put() with unknown options': tryOptions('unknown', () => ({ foo: 1 })),
  'put() of too long a key, with everything else wrong too': (kv, env) =>
    kv.put('k'.repeat(env.KEY_BYTES + 1), new Uint8Array(LIMIT_BYTES + 1), { expirationTtl: 1 }),
  'put() of too large a value, with bad options': kv =>
    kv.put('k', new Uint8Array(LIMIT_BYTES + 1), { expirationTtl: 1, metadata: 'x'.repeat(2000) }),
  'put() of too much metadata, expiring too soon': kv =>
    kv.put('k', 'v', { expirationTtl: 1, metadata: 'x'.repeat(2000) }),
  'get() as text': roundTrip('type/text', () => 'ä', 'text'),
  'get() as arrayBuffer': roundTrip('type/buffer', () => 'ä', 'arrayBuffer'),
  'get() as stream': roundTrip('type/stream', () => 'ä', 'stream'),
  'get() as json': roundTrip('type/json', () => '{"__proto__":{"x":1},"a":[1,null]}', 'json'),
  'get() as json of what is none': roundTrip('type/json1', () => 'value', 'json'),
  'get() as json of nothing': roundTrip('type/json2', () => '', 'json'),
  'get() as json behind a byte order mark': roundTrip('type/json3', () => '\ufeff1', 'json'),
  'get() as json, deeply nested': async kv => {
    await kv.put('type/deep', '['.repeat(3000) + ']'.repeat(3000))
    return Array.isArray(await kv.get('type/deep', 'json'))
  },
  'get() of bytes that are no text': roundTrip('type/bytes', () => new Uint8Array([255, 254, 65])),
  'get() of a byte order mark': roundTrip('type/bom', () => '\ufeffhi'),
  'get() as stream of 25 MiB': async kv => {
    await kv.put('large', new Uint8Array(LIMIT_BYTES))
    let length = 0
    for await (const chunk of (await kv.get('large', 'stream')) as ReadableStream<Uint8Array>)
      length += chunk.byteLength
    await kv.delete('large')
    return length
  },
  'get() as text of 17 Mi characters, one beyond Latin-1': async kv => {
    await kv.put('wide', bytes(`${'x'.repeat(17 * 1024 * 1024)}€`))
    const seen = await see(() => kv.get('wide'))
    await kv.delete('wide')
    return typeof seen === 'string' ? seen.length : seen
  },
  'a stream may be read in parts': async kv => {
    await kv.put('parts', 'hello')
    const stream = (await kv.get('parts', 'stream')) as ReadableStream<Uint8Array>
    const reader = stream.getReader({ mode: 'byob' })
    const { done, value } = await reader.read(new Uint8Array(3))
    await reader.cancel()
    return { done, length: value?.byteLength }
  },
  'getWithMetadata() as stream': async kv => {
    await kv.put('meta', 'hello', { metadata: { a: 1 } })
    return kv.getWithMetadata('meta', { type: 'stream' })
  },
  'getWithMetadata() whose stream is never read': async kv => {
    const { metadata } = (await kv.getWithMetadata('meta', 'stream')) as { metadata: unknown }
    return metadata
  },
  'getWithMetadata() of a missing key': kv => kv.getWithMetadata('gone', 'stream'),
  'getWithMetadata() of the empty key': kv => kv.getWithMetadata(''),
  'getWithMetadata() of bad JSON': kv => kv.getWithMetadata('meta', 'json'),
  'get() of a missing key with an unknown type': kv => kv.get('gone', 'x'),
  ...table(
    readOptions,
    name => `get() with ${name}`,
    options => async kv => {
      await kv.put('read', '1')
      return kv.get('read', options)
    },
  ),
  'keys of any characters': async kv => {
    for (const key of oddKeys) await kv.put(key, `value of ${key}`)
    const single = await Promise.all(oddKeys.map(async key => (await kv.get(key)) === `value of ${key}`))
    const batch = [...((await kv.get(oddKeys)) as Map<string, string>)]
    for (const key of oddKeys) await kv.delete(key)
    return { single, batch }
  },
  'a key with a lone surrogate': async kv => {
    await kv.put('lone\ud800', 'v')
    return kv.list({ prefix: 'lone' })
  },
  'delete() of a key': async kv => {
    await kv.put('delete', 'v')
    return [await see(() => kv.delete('delete')), await kv.get('delete')]
  },
  'delete() of a missing key': kv => kv.delete('gone'),
  'delete() of an array': async kv => {
    await kv.put('a,b', 'v')
    await kv.delete(['a', 'b'])
    return kv.get('a,b')
  },
  ...table(
    batches,
    name => `get() of a batch: ${name}`,
    args => async kv => {
      await putBatch(kv)
      return kv.get(...args)
    },
  ),
  ...table(
    batches,
    name => `getWithMetadata() of a batch: ${name}`,
    args => async kv => kv.getWithMetadata(...args),
  ),
  'get() of a batch of more than 25 MiB': async kv => {
    await kv.put('large', new Uint8Array(LIMIT_BYTES))
    const seen = await see(() => kv.get(['large', 'b1']))
    await kv.delete('large')
    return seen
  },
  ...table(
    lists,
    name => `list() with ${name}`,
    args => async kv => {
      await putList(kv)
      return kv.list(...args)
    },
  ),
  'list() page by page': async kv => {
    const names: unknown[] = []
    let cursor: string | undefined
    do {
      const page = (await kv.list({ prefix: 'list/', limit: 4, cursor })) as KVNamespaceListResult<unknown>
      names.push(page.keys.map(({ name }) => name))
      cursor = page.list_complete ? undefined : page.cursor
    } while (cursor)
    return names
  },
  'a result is a Map': async kv => Object.prototype.toString.call(await kv.get(['b1'])),
  'a call is a Promise': kv => kv.get('b1') instanceof Promise,
  'a method apart from its binding': kv => {
    const { get } = kv
    return get('gone')
  },
}

async function putBatch(kv: Kv): Promise<void> {
  await kv.put('b1', 'text', { metadata: 1 })
  await kv.put('b2', '{"a":1}')
  await kv.put('b3', new Uint8Array([255, 65]))
  for (const key of ['9', '10', '__proto__']) await kv.put(key, `value of ${key}`)
}

async function putList(kv: Kv): Promise<void> {
  for (let i = 0; i < 9; i++) await kv.put(`list/0${i}`, 'v')
  await kv.put('list/é', 'v', { metadata: { a: 1 } })
  await kv.put('list/\uffff', 'v')
  await kv.put('list/😀', 'v')
}
