/** Every call of a producer that differs from others in what it sends or why it is refused. */

type Case = (queue: Queue) => unknown
const send =
  (body: unknown, options?: unknown): Case =>
  queue =>
    queue.send(body, options as QueueSendOptions)
const batch =
  (messages: unknown, options?: unknown): Case =>
  queue =>
    queue.sendBatch(messages as MessageSendRequest[], options as QueueSendBatchOptions)
const many = (count: number) => Array.from({ length: count }, (_, i) => ({ body: i }))
const sized = (...sizes: number[]) =>
  sizes.map(size => ({ body: new Uint8Array(size), contentType: 'bytes' }))

class Point {
  x = 1
  method(): void {}
}

/** Calls that send nothing, or nothing that is compared. */
export const REFUSALS: Readonly<Record<string, Case>> = {
  'send() without argument': queue => (queue.send as () => unknown)(),
  'send() of undefined': send(undefined),
  'send() of a circular object': send(circular()),
  'send() of a BigInt as JSON': send(1n),
  'send() of a function as JSON': send(() => {}),
  'send() of what toJSON() makes nothing of': send({ toJSON() {} }),
  'send() of what toJSON() fails on': send({
    toJSON() {
      throw new RangeError('no JSON')
    },
  }),
  'send() of a function as v8': send({ f() {} }, { contentType: 'v8' }),
  'send() of a symbol as v8': send(Symbol('y'), { contentType: 'v8' }),
  'send() of a stream as v8': queue => queue.send(new Response('x').body, { contentType: 'v8' }),
  'send() of a number as text': send(5, { contentType: 'text' }),
  'send() of a String object as text': send(Object('so'), { contentType: 'text' }),
  'send() of a string as bytes': send('a', { contentType: 'bytes' }),
  'send() of an ArrayBuffer as bytes': send(new ArrayBuffer(3), { contentType: 'bytes' }),
  'send() of undefined as text': send(undefined, { contentType: 'text' }),
  'send() with an unknown content type': send('a', { contentType: 'xml' }),
  'send() with an empty content type': send('a', { contentType: '' }),
  'send() with a number as content type': send('a', { contentType: 5 }),
  'send() with null as content type': send('a', { contentType: null }),
  'send() with a string as options': send('a', 'x'),
  'send() with a number as options': send('a', 5),
  'send() with a delay beyond 32 bits': send('a', { delaySeconds: 2 ** 40 }),
  'send() with a BigInt as delay': send('a', { delaySeconds: 1n }),
  'send() with a delay of -1': send('a', { delaySeconds: -1 }),
  'send() with a delay of 86,401': send('a', { delaySeconds: 86_401 }),
  'send() of 128,001 bytes': send(new Uint8Array(128_001), { contentType: 'bytes' }),
  'send() of 128,001 bytes of JSON': send('x'.repeat(127_999)),
  'sendBatch() without argument': queue => (queue.sendBatch as () => unknown)(),
  'sendBatch() of a string': batch('abc'),
  'sendBatch() of a number': batch(5),
  'sendBatch() of an object': batch({}),
  'sendBatch() of null': batch(null),
  'sendBatch() of no message': batch([]),
  'sendBatch() of strings': batch(['a']),
  'sendBatch() of numbers': batch([5]),
  'sendBatch() of messages without body': batch([{}]),
  'sendBatch() of an asynchronous generator': batch(
    (async function* () {
      yield { body: 1 }
    })(),
  ),
  'sendBatch() of a generator that fails': batch(
    // biome-ignore lint/correctness/useYield: it fails before it yields
    (function* () {
      throw new Error('the generator')
    })(),
  ),
  'sendBatch() with an unknown content type': batch([{ body: 1, contentType: 'xml' }]),
  'sendBatch() of a number as text': batch([{ body: 1, contentType: 'text' }]),
  'sendBatch() of 101 messages': batch(many(101)),
  'sendBatch() of 256,001 bytes': batch(sized(128_000, 128_000, 1)),
  'sendBatch() with a message of 128,001 bytes': batch(sized(128_001, 1)),
  'sendBatch() with a delay of -1': batch(many(1), { delaySeconds: -1 }),

  'the keys of a producer': queue => Object.keys(queue),
  'the text of a producer': queue => String(queue),
  'the name of the class': queue => queue.constructor.name,
  'a call is a Promise': queue => {
    const call = queue.metrics()
    return call instanceof Promise
  },
}

/** Calls whose messages are compared as the consumer gets them. */
export const DELIVERIES: Readonly<Record<string, Case>> = {
  'an object as JSON': send({ a: [1, 'é\u{1f600}', null, { b: true }] }),
  'a string as JSON': send('text'),
  'null as JSON': send(null),
  'an object with toJSON()': send({ toJSON: () => 'from toJSON' }),
  'a date as JSON': send(new Date(5)),
  'an instance of a class as JSON': send(new Point()),
  'a content type in capitals': send('a', { contentType: 'TEXT' }),
  text: send('héé \u{1f600}\n', { contentType: 'text' }),
  'an empty text': send('', { contentType: 'text' }),
  'a text with a lone surrogate': send('a\ud800b', { contentType: 'text' }),
  'a Uint8Array as bytes': send(new Uint8Array([1, 2, 3]), { contentType: 'bytes' }),
  'a part of a buffer as bytes': send(new Uint8Array([1, 2, 3, 4]).subarray(1, 3), { contentType: 'bytes' }),
  'a DataView as bytes': send(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2), {
    contentType: 'bytes',
  }),
  'a Float64Array as bytes': send(new Float64Array([1.5]), { contentType: 'bytes' }),
  'no bytes': send(new Uint8Array(0), { contentType: 'bytes' }),
  '128,000 bytes': send(new Uint8Array(128_000), { contentType: 'bytes' }),
  'null as options': send('a', null),
  'an array as options': send('a', []),
  'null as delay': send('a', { delaySeconds: null }),
  'NaN as delay': send('a', { delaySeconds: Number.NaN }),
  'an object as delay': send('a', { delaySeconds: {} }),
  'a batch': batch([
    { body: 1 },
    { body: 'two', contentType: 'text' },
    { body: new Uint8Array([3]), contentType: 'bytes' },
    { body: new Set([4]), contentType: 'v8' },
  ]),
  'a batch as a Set': batch(new Set([{ body: 'in a set' }])),
  'a batch of 100 messages': batch(many(100)),
  'a batch of 256,000 bytes': batch(sized(128_000, 128_000)),
  'v8: primitives': v8([
    undefined,
    null,
    true,
    0,
    -0,
    -5,
    2 ** 30,
    -(2 ** 31),
    1.5,
    Number.NaN,
    12n,
    -(2n ** 70n),
  ]),
  'v8: strings': v8(['', 'é', '\u1234b', 'x\u{1f600}'.repeat(70), 'a\ud800']),
  'v8: an undefined inside': v8({ a: undefined }),
  'v8: dates': v8([new Date(5), new Date(Number.NaN)]),
  'v8: maps and sets': v8(
    new Map<unknown, unknown>([
      ['a', new Set([1])],
      [{ k: 1 }, 2],
    ]),
  ),
  'v8: expressions': v8(/a+\/\u1234/giu),
  'v8: errors': v8([new RangeError('boo'), new TypeError('bad', { cause: 5 }), new Error('plain')]),
  'v8: a circle': v8(circular()),
  'v8: one object twice': v8(twice()),
  // biome-ignore lint/suspicious/noSparseArray: what it is about
  'v8: holes': v8([1, , 3]),
  'v8: a sparse array': v8(sparse()),
  'v8: an array with names': v8(Object.assign([1], { x: 2 })),
  'v8: keys like numbers': v8({ 2: 'b', 1: 'a', '01': 'c' }),
  'v8: boxed primitives': v8([Object(5), Object('x'), Object(true), Object(3n)]),
  'v8: an instance of a class': v8(new Point()),
  'v8: an object without prototype': v8(Object.create(null)),
  'v8: buffers': v8(new Uint8Array([1, 2]).buffer),
  'v8: views': v8([
    new Uint8Array([1, 2]),
    new Int16Array([-3]),
    new Float64Array([1.5]),
    new BigUint64Array([7n]),
    new DataView(new ArrayBuffer(4), 1, 2),
  ]),
  'v8: views of one buffer': v8(shared()),
}

function v8(body: unknown): Case {
  return send(body, { contentType: 'v8' })
}

function circular(): object {
  const a: Record<string, unknown> = { b: [] }
  ;(a.b as unknown[]).push(a)
  return a
}

function twice(): unknown[] {
  const date = new Date(0)
  return [date, date]
}

function sparse(): unknown[] {
  const array: unknown[] = []
  array[5000] = 1
  return array
}

function shared(): object {
  const { buffer } = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
  return { a: new Uint8Array(buffer, 2, 3), b: new Uint16Array(buffer, 2, 2), buffer }
}

/** What a consumer does with a pair of messages that come together: `first` and `second`, at their first attempt. */
export const VERDICTS: Readonly<
  Record<string, (batch: MessageBatch, first: Message, second: Message) => void>
> = {
  nothing: () => {},
  'ack() of one': (_batch, first) => first.ack(),
  'retry() of one': (_batch, first) => first.retry(),
  'retry() of one with a delay of 0': (_batch, first) => first.retry({ delaySeconds: 0 }),
  'ackAll()': batch => batch.ackAll(),
  'retryAll()': batch => batch.retryAll(),
  'ack() of one and retryAll()': (batch, first) => {
    first.ack()
    batch.retryAll()
  },
  'retryAll() and ack() of one': (batch, first) => {
    batch.retryAll()
    first.ack()
  },
  'ackAll() and retry() of one': (batch, first) => {
    batch.ackAll()
    first.retry()
  },
  'retry() of one and ackAll()': (batch, first) => {
    first.retry()
    batch.ackAll()
  },
  'an exception': () => {
    throw new Error('the consumer')
  },
  'ack() of one and an exception': (_batch, first) => {
    first.ack()
    throw new Error('the consumer')
  },
  'ackAll() and an exception': batch => {
    batch.ackAll()
    throw new Error('the consumer')
  },
  'retry() for ever': (_batch, first) => first.retry(),
  'an exception for ever': () => {
    throw new Error('the consumer')
  },
}
