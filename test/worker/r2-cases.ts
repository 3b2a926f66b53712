/** An R2 binding that may be called wrongly. */
// biome-ignore lint/suspicious/noExplicitAny: what comes back is what is being found out
export type R2 = any
/** One case: what it returns or throws is compared. `k` makes keys of the case's own. */
export type R2Case = (r2: R2, k: (name?: string) => string) => unknown

const bytes = (text: string) => new TextEncoder().encode(text)
const MIB = 1024 * 1024
const MD5_OF_V = '9e3669d19b675bd57058fd4664205d2a'
const bodyOf = (body: BodyInit) => new Response(body).body
const unknownLength = (text: string) =>
  new ReadableStream({
    start(controller) {
      controller.enqueue(bytes(text))
      controller.close()
    },
  })
const fixed = (length: number, text: string) => {
  const stream = new FixedLengthStream(length)
  const writer = stream.writable.getWriter()
  void writer.write(bytes(text)).catch(() => {})
  void writer.close().catch(() => {})
  return stream.readable
}
const h = (headers: Record<string, string>) => new Headers(headers)

/** Puts a value and reads it back. */
const roundTrip =
  (value: () => unknown, options?: unknown): R2Case =>
  async (r2, k) => {
    const put = await attempt(() => r2.put(k(), value(), options))
    const got = await r2.get(k())
    return { put, got, text: got && (await got.text()) }
  }
/** Puts ten bytes and reads what the options say. */
const read =
  (options?: unknown, value = '0123456789'): R2Case =>
  async (r2, k) => {
    await r2.put(k(), value)
    const got = await r2.get(k(), options)
    return { got, text: got?.body ? await got.text() : undefined }
  }
/** Reads under a condition that may need the object's etag and time. */
const readIf =
  (onlyIf: (object: R2) => unknown): R2Case =>
  async (r2, k) => {
    const object = await r2.put(k(), 'value')
    const got = await r2.get(k(), { onlyIf: onlyIf(object) })
    return { kind: got && 'body' in got, etag: got?.etag, range: got?.range }
  }
const putIf =
  (onlyIf: (object: R2) => unknown, isThere = true): R2Case =>
  async (r2, k) => {
    const object = isThere ? await r2.put(k(), 'old') : { etag: 'none', uploaded: new Date(0) }
    const put = await r2.put(k(), 'new', { onlyIf: onlyIf(object) })
    const got = await r2.get(k())
    return { put: put?.etag, text: got && (await got.text()) }
  }
const attempt = async (run: () => unknown) => {
  try {
    return await run()
  } catch (error) {
    return String(error)
  }
}
const fill = async (r2: R2, k: (name?: string) => string, names: readonly string[]) => {
  for (const name of names) await r2.put(k(name), name)
}
/** Lists, with the case's own prefix taken off. */
const list =
  (names: readonly string[], options: (k: (name?: string) => string) => object): R2Case =>
  async (r2, k) => {
    await fill(r2, k, names)
    const pages = []
    let cursor: string | undefined
    do {
      const page = await r2.list({ prefix: k(''), ...options(k), ...(cursor && { cursor }) })
      pages.push({
        keys: page.objects.map((object: R2) => object.key.slice(k('').length)),
        prefixes: page.delimitedPrefixes.map((prefix: string) => prefix.slice(k('').length)),
        truncated: page.truncated,
        cursor: typeof page.cursor,
      })
      cursor = page.cursor
    } while (cursor && pages.length < 9)
    return pages
  }
/** An upload in parts of the sizes given, completed with what `choose` makes of the parts. */
const upload =
  (sizes: readonly number[], choose: (parts: R2[]) => unknown = parts => parts): R2Case =>
  async (r2, k) => {
    const made = await r2.createMultipartUpload(k(), { httpMetadata: { contentType: 'x/y' } })
    const parts: R2[] = []
    for (const [i, size] of sizes.entries()) {
      parts.push(await made.uploadPart(i + 1, new Uint8Array(size).fill(48 + i)))
    }
    const done = await attempt(() => made.complete(choose(parts)))
    const got = await r2.get(k())
    const bytes = got && new Uint8Array(await got.arrayBuffer())
    return { done, size: bytes?.length, ends: bytes && [bytes[0], bytes.at(-1)], type: got?.httpMetadata }
  }
const each = (
  cases: Readonly<Record<string, (k: string) => unknown>>,
  make: (value: (k: string) => unknown) => R2Case,
  title: string,
) => Object.fromEntries(Object.entries(cases).map(([name, value]) => [`${title} ${name}`, make(value)]))

const WRONG_VALUES: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  'a number': () => 5,
  'an object': () => ({ a: 1 }),
  'an array': () => [1, 2],
  true: () => true,
  'a Date': () => new Date(0),
  'a function': () => () => {},
  FormData: () => new FormData(),
}

const ETAG_OF_VALUE = '2063c1608d6e0baf80249c42e2be5804'

/** Every case, by what it says of the binding. */
export const r2Cases: Readonly<Record<string, R2Case>> = {
  'the binding: its class': r2 => [r2.constructor.name, Object.prototype.toString.call(r2), Object.keys(r2)],
  'the binding: its methods': r2 => Object.getOwnPropertyNames(Object.getPrototypeOf(r2)).sort(),
  'the binding: what it lacks': r2 => [typeof r2.fetch, typeof r2.nothing],
  'the binding: its class cannot be constructed': r2 => new r2.constructor(),
  'an object: its class': async (r2, k) => {
    const put = await r2.put(k(), 'v')
    const got = await r2.get(k())
    return [put, got].map(o => [o.constructor.name, Object.prototype.toString.call(o), Object.keys(o)])
  },
  'an object: its prototype': async (r2, k) => {
    await r2.put(k(), 'v')
    const got = await r2.get(k())
    const proto = Object.getPrototypeOf(got)
    const head = Object.getPrototypeOf(proto)
    return [Object.getOwnPropertyNames(proto).sort(), Object.getOwnPropertyNames(head).sort()]
  },
  'an object: as JSON': async (r2, k) => {
    const put = await r2.put(k(), 'v', { customMetadata: { a: 'b' } })
    const { version, uploaded, ...rest } = JSON.parse(JSON.stringify(put))
    return { ...rest, types: [typeof version, typeof uploaded] }
  },
  'an object: its properties cannot be written': async (r2, k) => {
    const put = await r2.put(k(), 'v')
    return [
      await attempt(() => {
        put.size = 5
      }),
      put.size,
    ]
  },
  'checksums: as they are and as JSON': async (r2, k) => {
    await r2.put(k(), 'v', { sha256: await crypto.subtle.digest('SHA-256', bytes('v')) })
    const { checksums } = await r2.head(k())
    return [
      checksums.constructor.name,
      checksums,
      checksums.md5,
      checksums.sha256,
      checksums.sha1,
      checksums.toJSON(),
      JSON.stringify(checksums),
    ]
  },

  'head() of a key': async (r2, k) => {
    await r2.put(k(), 'value', { httpMetadata: { contentType: 't/x' }, customMetadata: { a: '1' } })
    return r2.head(k())
  },
  'head() of a missing key': (r2, k) => r2.head(k()),
  'get() of a missing key': (r2, k) => r2.get(k()),
  'get() of a missing key with a condition': (r2, k) => r2.get(k(), { onlyIf: { etagMatches: 'x' } }),
  'get() of a missing key with a range': (r2, k) => r2.get(k(), { range: { offset: 5 } }),
  ...Object.fromEntries(
    ['head', 'get', 'put', 'delete', 'list', 'createMultipartUpload', 'resumeMultipartUpload'].map(method => [
      `${method}() without arguments`,
      (r2: R2) => r2[method](),
    ]),
  ),
  'put() without a value': (r2, k) => r2.put(k()),
  'a failing call returns a Promise': (r2: R2) => {
    const call = r2.get()
    call.catch(() => {})
    return [call instanceof Promise, call.constructor === Promise]
  },
  ...Object.fromEntries(
    [null, undefined, 5, true, {}, ['a', 'b'], new URL('http://x.y/'), ''].map(key => [
      `get() of ${String(key)} as key (${typeof key})`,
      (r2: R2) => r2.get(key),
    ]),
  ),
  'get() of a symbol as key': r2 => r2.get(Symbol('x')),
  'put() of the empty key': r2 => r2.put('', 'empty key'),
  'a method apart from its binding': (r2, k) => {
    const { head } = r2
    return head(k())
  },

  'put() of a string': roundTrip(() => 'value'),
  'put() of the empty string': roundTrip(() => ''),
  'put() of text beyond Latin-1': roundTrip(() => 'grüße 🎈 \u0000 end'),
  'put() of a lone surrogate': roundTrip(() => 'a\ud800b'),
  'put() of an ArrayBuffer': roundTrip(() => bytes('buffer').buffer),
  'put() of a Uint8Array': roundTrip(() => bytes('xbytesx').subarray(1, 6)),
  'put() of a DataView': roundTrip(() => new DataView(bytes('view').buffer)),
  'put() of a Uint16Array': roundTrip(() => new Uint16Array([0x4241, 0x4443])),
  'put() of a Blob': roundTrip(() => new Blob(['blob'], { type: 'text/b' })),
  'put() of a File': roundTrip(() => new File(['file'], 'f.txt')),
  'put() of null': roundTrip(() => null),
  'put() of a body': roundTrip(() => bodyOf('a body')),
  'put() of an empty body': roundTrip(() => bodyOf('')),
  'put() of a FixedLengthStream': roundTrip(() => fixed(5, 'fixed')),
  'put() of a FixedLengthStream that ends early': (r2, k) =>
    attempt(() => r2.put(k(), fixed(9, 'fixed')))
      .then(String)
      .then(text => text !== 'null'),
  'put() of a stream that fails': async (r2, k) => {
    const { readable, writable } = new FixedLengthStream(9)
    const writer = writable.getWriter()
    writer.closed.catch(() => {})
    void writer
      .write(bytes('some'))
      .then(() => writer.abort(new Error('mine')))
      .catch(() => {})
    return [await attempt(() => r2.put(k(), readable)), await r2.head(k())]
  },
  'put() with a key of SSE-C': roundTrip(() => 'v', { ssecKey: '0'.repeat(64) }),
  'get() with a key of SSE-C': read({ ssecKey: new Uint8Array(32) }),
  'put() of a stream of unknown length': roundTrip(() => unknownLength('unknown')),
  'put() of a TransformStream': roundTrip(() => {
    const { readable, writable } = new IdentityTransformStream()
    const writer = writable.getWriter()
    void writer.write(bytes('identity')).catch(() => {})
    void writer.close().catch(() => {})
    return readable
  }),
  'put() of a stream that is locked': async (r2, k) => {
    const stream = bodyOf('locked')
    stream?.getReader()
    return r2.put(k(), stream)
  },
  'put() of a stream that was read': async (r2, k) => {
    const response = new Response('read')
    await response.text()
    return r2.put(k(), response.body)
  },
  'put() leaves a view as it was': async (r2, k) => {
    const view = bytes('kept')
    await r2.put(k(), view)
    return view.length
  },
  ...each(WRONG_VALUES, value => roundTrip(value as () => unknown), 'put() of'),
  'put() over an object': async (r2, k) => {
    const one = await r2.put(k(), 'one', { customMetadata: { a: '1' } })
    const two = await r2.put(k(), 'two')
    const got = await r2.get(k())
    return { other: one.version !== two.version, got, text: await got.text() }
  },

  'put() with HTTP metadata': roundTrip(() => 'v', {
    httpMetadata: {
      contentType: 'text/html',
      contentLanguage: 'en',
      contentDisposition: 'inline',
      contentEncoding: 'gzip',
      cacheControl: 'max-age=1',
      cacheExpiry: new Date(1e12),
    },
  }),
  'put() with HTTP metadata from headers': roundTrip(() => 'v', {
    httpMetadata: h({
      'content-type': 'text/html',
      'content-language': 'en',
      'content-disposition': 'inline',
      'content-encoding': 'br',
      'cache-control': 'no-store',
      expires: 'Sun, 09 Sep 2001 01:46:40 GMT',
      'x-other': '1',
    }),
  }),
  'put() with an unreadable Expires': roundTrip(() => 'v', { httpMetadata: h({ expires: '0' }) }),
  'put() with empty HTTP metadata': roundTrip(() => 'v', { httpMetadata: { contentType: '' } }),
  'put() with HTTP metadata that is text': roundTrip(() => 'v', { httpMetadata: 'text/html' }),
  'put() with a content type that is a number': roundTrip(() => 'v', { httpMetadata: { contentType: 5 } }),
  'put() with a content type that is null': roundTrip(() => 'v', { httpMetadata: { contentType: null } }),
  'put() with a cache expiry in milliseconds': roundTrip(() => 'v', { httpMetadata: { cacheExpiry: 1e12 } }),
  'put() with a cache expiry that is text': roundTrip(() => 'v', { httpMetadata: { cacheExpiry: 'soon' } }),
  'put() with custom metadata': roundTrip(() => 'v', { customMetadata: { a: 'b', ü: '🎈', Z: '', 1: '2' } }),
  'put() with custom metadata that is no text': roundTrip(() => 'v', {
    customMetadata: { a: 1, b: true, c: null, d: [1, 2], e: { f: 1 } },
  }),
  'put() with custom metadata that is undefined': roundTrip(() => 'v', { customMetadata: { a: undefined } }),
  'put() with custom metadata that is an array': roundTrip(() => 'v', { customMetadata: ['a', 'b'] }),
  'put() with custom metadata that is null': roundTrip(() => 'v', { customMetadata: null }),
  'put() with custom metadata that is a number': roundTrip(() => 'v', { customMetadata: 5 }),
  'put() with 8,192 bytes of custom metadata': roundTrip(() => 'v', {
    customMetadata: { k: 'x'.repeat(8191) },
  }),
  'put() with 8,193 bytes of custom metadata': roundTrip(() => 'v', {
    customMetadata: { k: 'x'.repeat(8192) },
  }),
  'put() with 4,096 wide characters of custom metadata': roundTrip(() => 'v', {
    customMetadata: { k: `${'ü'.repeat(4095)}x` },
  }),
  'put() with wide characters that need two bytes each': roundTrip(() => 'v', {
    customMetadata: { '': '€'.repeat(4096) },
  }),
  'put() with one wide character more': roundTrip(() => 'v', { customMetadata: { '': '€'.repeat(4097) } }),
  'put() with options that are text': roundTrip(() => 'v', 'options'),
  'put() with options that are null': roundTrip(() => 'v', null),
  'put() with a storage class': roundTrip(() => 'v', { storageClass: 'InfrequentAccess' }),
  'put() of a key of 1,024 bytes': async (r2, k) =>
    (await r2.put(k('x'.repeat(1024 - k('').length)), 'v')).key.length,
  'put() of a key of 1,025 bytes': (r2, k) => r2.put(k('x'.repeat(1025 - k('').length)), 'v'),
  'put() of a key of 1,025 bytes in fewer characters': (r2, k) => r2.put(k('€'.repeat(342)), 'v'),
  ...Object.fromEntries(
    (['head', 'get', 'delete', 'createMultipartUpload'] as const).map(method => [
      `${method}() of a key of 1,025 bytes`,
      (r2: R2) => r2[method]('x'.repeat(1025)),
    ]),
  ),

  'put() with its MD5 as hex': roundTrip(() => 'v', { md5: MD5_OF_V }),
  'put() with its MD5 as upper case': roundTrip(() => 'v', { md5: MD5_OF_V.toUpperCase() }),
  'put() with another MD5': roundTrip(() => 'w', { md5: MD5_OF_V }),
  'put() with an MD5 as buffer': async (r2, k) =>
    r2.put(k(), 'v', { md5: await crypto.subtle.digest('MD5', bytes('v')) }),
  'put() with an MD5 as view': async (r2, k) =>
    r2.put(k(), 'v', { md5: new Uint8Array(await crypto.subtle.digest('MD5', bytes('v'))) }),
  'put() with an MD5 that is too short': roundTrip(() => 'v', { md5: MD5_OF_V.slice(1) }),
  'put() with an MD5 that is no hex': roundTrip(() => 'v', { md5: `${MD5_OF_V.slice(1)}g` }),
  'put() with an MD5 buffer that is too short': roundTrip(() => 'v', { md5: new Uint8Array(15) }),
  'put() with an MD5 that is a number': roundTrip(() => 'v', { md5: 5 }),
  'put() with an MD5 that is null': roundTrip(() => 'v', { md5: null }),
  'put() with two checksums': roundTrip(() => 'v', { md5: MD5_OF_V, sha1: '0'.repeat(40) }),
  ...Object.fromEntries(
    (
      [
        ['sha1', 'SHA-1', 20],
        ['sha256', 'SHA-256', 32],
        ['sha384', 'SHA-384', 48],
        ['sha512', 'SHA-512', 64],
      ] as const
    ).flatMap(([field, name, length]) => [
      [
        `put() with its ${name}`,
        async (r2: R2, k: (n?: string) => string) =>
          r2.put(k(), 'v', { [field]: await crypto.subtle.digest(name, bytes('v')) }),
      ],
      [`put() with another ${name}`, roundTrip(() => 'w', { [field]: '0'.repeat(length * 2) })],
      [
        `put() with a ${name} that is too short`,
        roundTrip(() => 'w', { [field]: '0'.repeat(length * 2 - 1) }),
      ],
      [`put() with a ${name} that is no hex`, roundTrip(() => 'w', { [field]: 'x'.repeat(length * 2) })],
      [
        `put() with a ${name} buffer that is too long`,
        roundTrip(() => 'w', { [field]: new Uint8Array(length + 1) }),
      ],
    ]),
  ),

  ...Object.fromEntries(
    (
      [
        { offset: 3 },
        { offset: 3, length: 4 },
        { length: 4 },
        { offset: 0, length: 10 },
        { offset: 9, length: 1 },
        { offset: 8, length: 100 },
        { offset: 10 },
        { offset: 11 },
        { length: 0 },
        { offset: 2, length: 0 },
        { suffix: 3 },
        { suffix: 10 },
        { suffix: 11 },
        { suffix: 0 },
        { offset: -1 },
        { length: -1 },
        { suffix: -1 },
        { offset: 1.5 },
        { length: 1.5 },
        { suffix: 1.5 },
        { suffix: 3, offset: 1 },
        { suffix: 3, length: 1 },
        {},
        { offset: '3' },
        { offset: Number.NaN },
        { length: Number.POSITIVE_INFINITY },
        { offset: null },
        { offset: undefined, length: 2 },
        { offset: 2 ** 53 },
        5,
        'bytes=0-1',
        null,
        [],
      ] as const
    ).map(range => [
      `get() of the range ${JSON.stringify(range)}${Number.isNaN((range as R2)?.offset) ? ' (NaN)' : ''}`,
      read({ range }),
    ]),
  ),
  ...Object.fromEntries(
    [
      'bytes=0-3',
      'bytes=3-',
      'bytes=-3',
      'bytes=-0',
      'bytes=-10',
      'bytes=-11',
      'bytes=9-9',
      'bytes=9-100',
      'bytes=10-',
      'bytes=5-4',
      'bytes=0-1,3-4',
      'bytes=',
      'bytes=,',
      'bytes = 1-2',
      'Bytes=1-2',
      'BYTES=1-2',
      'items=0-1',
      'bytes=a-b',
      'bytes=-',
      'bytes= 1 - 2 ',
      '',
    ].map(range => [`get() of the header Range: ${range}`, read({ range: h({ range }) })]),
  ),
  'get() of headers without Range': read({ range: h({ 'x-other': '1' }) }),
  'get() of a range of an empty object': read({ range: { offset: 0 } }, ''),
  'get() of a suffix of an empty object': read({ range: { suffix: 1 } }, ''),
  'get() of the header Range of an empty object': read({ range: h({ range: 'bytes=0-1' }) }, ''),
  'get() of an empty object': read(undefined, ''),
  'get() with options that are text': read('text'),
  'get() with options that are null': read(null),
  'get() with options that are a number': read(5),

  'get() if the etag matches': readIf(({ etag }) => ({ etagMatches: etag })),
  'get() if another etag matches': readIf(() => ({ etagMatches: 'other' })),
  'get() if any etag matches': readIf(() => ({ etagMatches: '*' })),
  'get() if the etag differs': readIf(({ etag }) => ({ etagDoesNotMatch: etag })),
  'get() if another etag differs': readIf(() => ({ etagDoesNotMatch: 'other' })),
  'get() if it was uploaded before later': readIf(() => ({ uploadedBefore: new Date(Date.now() + 1e6) })),
  'get() if it was uploaded before the epoch': readIf(() => ({ uploadedBefore: new Date(0) })),
  'get() if it was uploaded after the epoch': readIf(() => ({ uploadedAfter: new Date(0) })),
  'get() if it was uploaded after later': readIf(() => ({ uploadedAfter: new Date(Date.now() + 1e6) })),
  'get() if it was uploaded after its own time': readIf(({ uploaded }) => ({ uploadedAfter: uploaded })),
  'get() if it was uploaded before its own time': readIf(({ uploaded }) => ({ uploadedBefore: uploaded })),
  'get() if it was uploaded before its own second': readIf(({ uploaded }) => ({
    uploadedBefore: new Date(Math.floor(uploaded.getTime() / 1000) * 1000),
    secondsGranularity: true,
  })),
  'get() if the etag matches though it is too new': readIf(({ etag }) => ({
    etagMatches: etag,
    uploadedBefore: new Date(0),
  })),
  'get() if the etag differs though it is too old': readIf(() => ({
    etagDoesNotMatch: 'x',
    uploadedAfter: new Date(Date.now() + 1e6),
  })),
  'get() if the etag differs not, uploaded after': readIf(({ etag }) => ({
    etagDoesNotMatch: etag,
    uploadedAfter: new Date(0),
  })),
  'get() if a quoted etag matches': readIf(({ httpEtag }) => ({ etagMatches: httpEtag })),
  'get() if a quoted etag differs': readIf(({ httpEtag }) => ({ etagDoesNotMatch: httpEtag })),
  'get() if an etag that is a number matches': readIf(() => ({ etagMatches: 5 })),
  'get() if a date that is a number': readIf(() => ({ uploadedAfter: 5 })),
  'get() if a date that is text': readIf(() => ({ uploadedAfter: '2020-01-01' })),
  'get() if nothing is asked': readIf(() => ({})),
  'get() if a condition that is text': readIf(() => 'etag'),
  'get() if a condition that is null': readIf(() => null),
  ...Object.fromEntries(
    [
      ['if-match', `"${ETAG_OF_VALUE}"`],
      ['if-match', `W/"${ETAG_OF_VALUE}"`],
      ['if-match', '"other"'],
      ['if-match', `"other", "${ETAG_OF_VALUE}"`],
      ['if-match', '*'],
      ['if-match', ETAG_OF_VALUE],
      ['if-match', `"other" "${ETAG_OF_VALUE}"`],
      ['if-match', '"other", *'],
      ['if-match', '"other" *'],
      ['if-match', '"other" W/"x"'],
      ['if-match', '"unclosed'],
      ['if-match', 'W/unquoted'],
      ['if-match', 'W/"unclosed'],
      ['if-match', `, ,"${ETAG_OF_VALUE}"`],
      ['if-match', ''],
      ['if-none-match', `"${ETAG_OF_VALUE}"`],
      ['if-none-match', `W/"${ETAG_OF_VALUE}"`],
      ['if-none-match', '"other"'],
      ['if-none-match', '*'],
      ['if-none-match', 'x'],
      ['if-modified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ['if-modified-since', 'Thu, 01 Jan 2099 00:00:00 GMT'],
      ['if-unmodified-since', 'Thu, 01 Jan 1970 00:00:00 GMT'],
      ['if-unmodified-since', 'Thu, 01 Jan 2099 00:00:00 GMT'],
      ['if-modified-since', 'never'],
    ].map(([name, value]) => [
      `get() with ${name}: ${value}`,
      readIf(() => h({ [name as string]: value as string })),
    ]),
  ),
  'get() with if-modified-since of its own second': readIf(({ uploaded }) =>
    h({ 'if-modified-since': uploaded.toUTCString() }),
  ),
  'get() with if-unmodified-since of its own second': readIf(({ uploaded }) =>
    h({ 'if-unmodified-since': uploaded.toUTCString() }),
  ),

  'put() if the etag matches': putIf(({ etag }) => ({ etagMatches: etag })),
  'put() if another etag matches': putIf(() => ({ etagMatches: 'other' })),
  'put() if there is an object': putIf(() => ({ etagMatches: '*' })),
  'put() if there is an object, and there is none': putIf(() => ({ etagMatches: '*' }), false),
  'put() if there is none': putIf(() => h({ 'if-none-match': '*' }), false),
  'put() if there is none, and there is one': putIf(() => h({ 'if-none-match': '*' })),
  'put() if it was uploaded before the epoch': putIf(() => ({ uploadedBefore: new Date(0) })),
  'put() if it was uploaded before, and there is none': putIf(() => ({ uploadedBefore: new Date(0) }), false),
  'put() if it was uploaded after, and there is none': putIf(() => ({ uploadedAfter: new Date(0) }), false),
  'put() if a condition that is text': putIf(() => 'x'),

  'a body: read twice': async (r2, k) => {
    await r2.put(k(), 'body')
    const got = await r2.get(k())
    const before = got.bodyUsed
    const text = await got.text()
    return [
      before,
      text,
      got.bodyUsed,
      await attempt(() => got.text()),
      await attempt(() => got.arrayBuffer()),
    ]
  },
  'a body: each way': async (r2, k) => {
    await r2.put(k(), '{"a":1}', { httpMetadata: { contentType: 'application/json' } })
    const get = () => r2.get(k())
    const blob = await (await get()).blob()
    const stream = (await get()).body
    return [
      await (await get()).arrayBuffer(),
      await (await get()).bytes(),
      await (await get()).json(),
      [blob.type, blob.size, await blob.text()],
      [stream instanceof ReadableStream, await new Response(stream).text()],
    ]
  },
  'a body: the same at each look': async (r2, k) => {
    await r2.put(k(), 'body')
    const got = await r2.get(k())
    const { body } = got
    return body === got.body
  },
  'a body: JSON that is none': async (r2, k) => {
    await r2.put(k(), 'no json')
    return (await r2.get(k())).json()
  },
  'a body: as a Response': async (r2, k) => {
    await r2.put(k(), 'body', { httpMetadata: { contentType: 'text/x' } })
    const got = await r2.get(k())
    const headers = new Headers()
    got.writeHttpMetadata(headers)
    headers.set('etag', got.httpEtag)
    const response = new Response(got.body, { headers })
    return [headers, await response.text()]
  },
  'a body: with BYOB': async (r2, k) => {
    await r2.put(k(), 'body')
    const reader = (await r2.get(k())).body.getReader({ mode: 'byob' })
    const { value } = await reader.read(new Uint8Array(10))
    return value
  },
  'a body: cancelled': async (r2, k) => {
    await r2.put(k(), 'x'.repeat(100_000))
    const got = await r2.get(k())
    await got.body.cancel()
    return got.bodyUsed
  },
  'a body: of a get whose condition fails': async (r2, k) => {
    await r2.put(k(), 'x')
    const got = await r2.get(k(), { onlyIf: { etagMatches: 'y' } })
    return [got.constructor.name, got.body, got.text, got.size]
  },
  'writeHttpMetadata(): each field': async (r2, k) => {
    await r2.put(k(), 'v', {
      httpMetadata: {
        contentType: 'a/b',
        contentLanguage: 'en',
        contentDisposition: 'inline',
        contentEncoding: 'gzip',
        cacheControl: 'max-age=1',
        cacheExpiry: new Date(1e12),
      },
    })
    const headers = new Headers({ 'content-type': 'old', 'x-kept': '1' })
    ;(await r2.head(k())).writeHttpMetadata(headers)
    return headers
  },
  'writeHttpMetadata(): nothing': async (r2, k) => {
    await r2.put(k(), 'v')
    const headers = new Headers()
    const result = (await r2.head(k())).writeHttpMetadata(headers)
    return [headers, result]
  },
  'writeHttpMetadata() to no Headers': async (r2, k) => (await r2.put(k(), 'v')).writeHttpMetadata({}),

  'delete() of a key': async (r2, k) => {
    await r2.put(k(), 'v')
    return [await r2.delete(k()), await r2.head(k())]
  },
  'delete() of a missing key': (r2, k) => r2.delete(k()),
  'delete() of several keys': async (r2, k) => {
    await fill(r2, k, ['a', 'b', 'c'])
    const done = await r2.delete([k('a'), k('c'), k('missing')])
    return [done, await r2.head(k('a')), (await r2.head(k('b'))).key.slice(-1), await r2.head(k('c'))]
  },
  'delete() of no keys': r2 => r2.delete([]),
  'delete() of the same key twice': async (r2, k) => {
    await r2.put(k(), 'v')
    return [await r2.delete([k(), k()]), await r2.head(k())]
  },
  'delete() of 1,000 keys': (r2, k) => r2.delete(Array.from({ length: 1000 }, (_, i) => k(String(i)))),
  'delete() of an array with a number': async r2 => {
    await r2.put('7', 'v')
    return [await r2.delete([7]), await r2.head('7')]
  },
  'delete() of null': r2 => r2.delete(null),

  'list() of nothing': list([], () => ({})),
  'list() of keys in order': list(
    ['b', 'a', 'c', 'B', 'aa', 'a/b', '1', 'ü', '€', '🎈', '\uffee'],
    () => ({}),
  ),
  'list() in pages': list(['a', 'b', 'c', 'd', 'e'], () => ({ limit: 2 })),
  'list() in pages that fit': list(['a', 'b', 'c', 'd'], () => ({ limit: 2 })),
  'list() with a prefix': list(['a1', 'a2', 'b1'], k => ({ prefix: k('a') })),
  'list() with a prefix of wildcards': list(['%_1', 'a_1', '*1', '[a]'], k => ({ prefix: k('%') })),
  'list() with a delimiter': list(['a/1', 'a/2', 'b', 'c/1/2', 'd'], () => ({ delimiter: '/' })),
  'list() with a delimiter in pages': list(['a/1', 'a/2', 'b', 'c/1/2', 'd', 'e/'], () => ({
    delimiter: '/',
    limit: 2,
  })),
  'list() with a delimiter and a prefix of a folder': list(['a/1', 'a/2/3', 'a/2/4', 'b'], k => ({
    delimiter: '/',
    prefix: k('a/'),
  })),
  'list() with a delimiter of several characters': list(['a--1', 'a--2', 'b-1', '--c'], () => ({
    delimiter: '--',
  })),
  'list() with the empty delimiter': list(['a/1', 'b'], () => ({ delimiter: '' })),
  'list() in pages of one folder': list(['a/1', 'a/2', 'b/1', 'b/2', 'c/1'], () => ({
    delimiter: '/',
    limit: 1,
  })),
  'list() after a key': list(['a', 'b', 'c'], k => ({ startAfter: k('a') })),
  'list() after a missing key': list(['a', 'b', 'c'], k => ({ startAfter: k('aa') })),
  'list() after a key in a folder': list(['a/1', 'a/2', 'b/1'], k => ({
    startAfter: k('a/1'),
    delimiter: '/',
  })),
  'list() after the last key of a folder': list(['a/1', 'a/2', 'b/1'], k => ({
    startAfter: k('a/2'),
    delimiter: '/',
  })),
  'list() with a limit of 1,000': list(['a'], () => ({ limit: 1000 })),
  'list() with a limit of 1,001': list(['a'], () => ({ limit: 1001 })),
  'list() with a limit of 0': list(['a'], () => ({ limit: 0 })),
  'list() with a limit of -1': list(['a'], () => ({ limit: -1 })),
  'list() with a limit that is text': list(['a', 'b'], () => ({ limit: '1' })),
  'list() with a limit with a fraction': list(['a', 'b'], () => ({ limit: 1.5 })),
  'list() with a prefix that is a number': list(['a'], () => ({ prefix: 5 })),
  'list() with a delimiter that is null': list(['a'], () => ({ delimiter: null })),
  'list() with an include that is text': list(['a'], () => ({ include: 'httpMetadata' })),
  'list() with an unknown include': list(['a'], () => ({ include: ['everything'] })),
  'list() with options that are text': r2 => r2.list('x'),
  'list() of objects': async (r2, k) => {
    await r2.put(k('a'), 'a', { httpMetadata: { contentType: 'x/y' }, customMetadata: { a: 'b' } })
    return r2.list({ prefix: k('') })
  },
  ...Object.fromEntries(
    [[], ['httpMetadata'], ['customMetadata'], ['httpMetadata', 'customMetadata']].map(include => [
      `list() including ${JSON.stringify(include)}`,
      async (r2: R2, k: (name?: string) => string) => {
        await r2.put(k('a'), 'a', { httpMetadata: { contentType: 'x/y' }, customMetadata: { a: 'b' } })
        const { objects } = await r2.list({ prefix: k(''), include })
        return [
          objects[0].httpMetadata,
          objects[0].customMetadata,
          await attempt(() => objects[0].writeHttpMetadata(new Headers())),
        ]
      },
    ]),
  ),

  'createMultipartUpload(): what it returns': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    return [
      made.constructor.name,
      made.key === k(),
      typeof made.uploadId,
      Object.keys(made),
      Object.getOwnPropertyNames(Object.getPrototypeOf(made)).sort(),
    ]
  },
  'createMultipartUpload() leaves no object yet': async (r2, k) => {
    await r2.createMultipartUpload(k())
    return [await r2.head(k()), (await r2.list({ prefix: k() })).objects.length]
  },
  'createMultipartUpload() with too much metadata': (r2, k) =>
    r2.createMultipartUpload(k(), { customMetadata: { k: 'x'.repeat(8192) } }),
  'an upload of one part': upload([3]),
  'an upload of no parts': upload([]),
  'an upload of two parts': upload([5 * MIB, 3]),
  'an upload of two parts of the same size': upload([5 * MIB, 5 * MIB]),
  'an upload whose first part is too small': upload([5 * MIB - 1, 3]),
  'an upload whose parts differ': upload([5 * MIB, 5 * MIB + 1, 3]),
  'an upload whose last part is the largest': upload([5 * MIB, 5 * MIB + 1]),
  'an upload completed out of order': upload([5 * MIB, 3], parts => parts.toReversed()),
  'an upload completed with one of two parts': upload([5 * MIB, 3], parts => [parts[0]]),
  'an upload completed with the second of two parts': upload([5 * MIB, 3], parts => [parts[1]]),
  'an upload completed with a part twice': upload([3], parts => [parts[0], parts[0]]),
  'an upload completed with another etag': upload([3], () => [{ partNumber: 1, etag: 'other' }]),
  'an upload completed with a part that is missing': upload([3], parts => [
    parts[0],
    { partNumber: 2, etag: 'x' },
  ]),
  'an upload completed with part number 0': upload([3], () => [{ partNumber: 0, etag: 'x' }]),
  'an upload completed with part number 10,001': upload([3], () => [{ partNumber: 10_001, etag: 'x' }]),
  'an upload completed with nonsense': upload([3], () => 'parts'),
  'an upload completed with parts without etag': upload([3], () => [{ partNumber: 1 }]),
  'uploadPart(): what it returns': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    const part = await made.uploadPart(1, 'text')
    return [part.partNumber, typeof part.etag, Object.keys(part)]
  },
  ...Object.fromEntries(
    [0, 1, 10_000, 10_001, -1, 1.5, '2', Number.NaN, undefined].map(number => [
      `uploadPart() of part number ${String(number)} (${typeof number})`,
      async (r2: R2, k: (name?: string) => string) =>
        (await (await r2.createMultipartUpload(k())).uploadPart(number, 'x')).partNumber,
    ]),
  ),
  ...each(
    {
      'a string': () => 'text',
      'a buffer': () => bytes('b').buffer,
      'a view': () => bytes('v'),
      'a Blob': () => new Blob(['b']),
      'a body': () => bodyOf('b'),
      'a FixedLengthStream': () => fixed(3, 'abc'),
      'an unknown length': () => unknownLength('u'),
      null: () => null,
      'a number': () => 5,
      nothing: () => undefined,
    },
    value => async (r2, k) =>
      (await (await r2.createMultipartUpload(k())).uploadPart(1, value(''))).partNumber,
    'uploadPart() of',
  ),
  'uploadPart() a second time': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    const one = await made.uploadPart(1, 'one')
    const two = await made.uploadPart(1, 'second')
    const first = await attempt(() => made.complete([one]))
    const done = await made.complete([two])
    return [one.etag !== two.etag, first, done.size, await (await r2.get(k())).text()]
  },
  'uploadPart() of an unknown upload': (r2, k) => r2.resumeMultipartUpload(k(), 'unknown').uploadPart(1, 'x'),
  'complete() of an unknown upload': (r2, k) => r2.resumeMultipartUpload(k(), 'unknown').complete([]),
  'abort() of an unknown upload': (r2, k) => r2.resumeMultipartUpload(k(), 'unknown').abort(),
  'uploadPart() under another key': async (r2, k) => {
    const { uploadId } = await r2.createMultipartUpload(k())
    return r2.resumeMultipartUpload(k('other'), uploadId).uploadPart(1, 'x')
  },
  'resumeMultipartUpload(): goes on': async (r2, k) => {
    const { uploadId } = await r2.createMultipartUpload(k())
    const again = r2.resumeMultipartUpload(k(), uploadId)
    const part = await again.uploadPart(1, 'resumed')
    const done = await again.complete([part])
    return [again.uploadId === uploadId, again.key === k(), done.size]
  },
  'resumeMultipartUpload() with one argument': (r2, k) => r2.resumeMultipartUpload(k()),
  'complete() a second time': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    const part = await made.uploadPart(1, 'x')
    await made.complete([part])
    return attempt(() => made.complete([part]))
  },
  'uploadPart() after complete()': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    await made.complete([await made.uploadPart(1, 'x')])
    return made.uploadPart(2, 'y')
  },
  'abort() after complete()': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    await made.complete([await made.uploadPart(1, 'x')])
    return [await made.abort(), (await r2.head(k())).size]
  },
  'abort(): what is left': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    const part = await made.uploadPart(1, 'x')
    const done = await made.abort()
    return [
      done,
      await made.abort(),
      await attempt(() => made.complete([part])),
      await attempt(() => made.uploadPart(1, 'x')),
      await r2.head(k()),
    ]
  },
  'complete() over an object': async (r2, k) => {
    await r2.put(k(), 'old', { customMetadata: { old: '1' } })
    const made = await r2.createMultipartUpload(k(), { customMetadata: { new: '2' } })
    const done = await made.complete([await made.uploadPart(1, 'new')])
    const got = await r2.get(k())
    return [done, await got.text(), got.customMetadata]
  },
  'ranges of an object in parts': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    const parts = [
      await made.uploadPart(1, new Uint8Array(5 * MIB).fill(97)),
      await made.uploadPart(2, 'tail'),
    ]
    await made.complete(parts)
    const get = async (range: object) => {
      const got = await r2.get(k(), { range })
      return [got.range, (await got.text()).slice(-12)]
    }
    return [
      await get({ offset: 5 * MIB - 2, length: 4 }),
      await get({ suffix: 4 }),
      await get({ offset: 5 * MIB, length: 2 }),
      await get({ offset: 0, length: 3 }),
    ]
  },
  'put() over an object in parts': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    await made.complete([await made.uploadPart(1, 'parts')])
    await r2.put(k(), 'whole')
    const got = await r2.get(k())
    return [got.etag, await got.text()]
  },
  'delete() of an object in parts': async (r2, k) => {
    const made = await r2.createMultipartUpload(k())
    await made.complete([await made.uploadPart(1, 'parts')])
    await r2.delete(k())
    return r2.get(k())
  },
}
