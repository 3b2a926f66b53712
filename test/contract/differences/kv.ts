import { expect } from 'vitest'
import { type Differences, type Result, same } from './difference.ts'

/** Where ours differs from the native binding: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Differences = {
  ...same(
    ['get() of an object as key', 'get() of a batch: an object as key'],
    {
      error: expect.stringContaining("'get' on 'KvNamespace': parameter 1 is not of type 'string or Array'"),
    },
    'the text of an object comes from its methods, which are calls into the function here',
  ),
  ...same(
    ['getWithMetadata() of a batch: an object as key'],
    { error: expect.stringContaining("parameter 1 is not of type 'string or Array'") },
    'as above',
  ),
  ...same(
    ['put() of an object as key', 'delete() of an object as key'],
    { error: expect.stringContaining("parameter 1 is not of type 'string'") },
    'as above',
  ),
  ...same(
    ['list() with an object as prefix'],
    { error: expect.stringContaining("parameter 1 is not of type 'ListOptions'") },
    'as above',
  ),
  ...same(
    [
      'put() of a stream of numbers',
      'put() of a stream that fails',
      'put() of a stream that fails after a part',
    ],
    { put: { error: 'Error: ReadableStream received over RPC disconnected prematurely.' }, stored: null },
    "RPC does not carry a stream's own error",
  ),
  ...same(
    ['put() of a FormData', 'put() of an object of a class'],
    { put: { error: expect.stringMatching(/^DataCloneError: Could not serialize/) }, stored: null },
    'RPC refuses what cannot be cloned before we see it',
  ),
  ...same(
    ['put() with metadata: a function', 'put() with metadata: an object with a function'],
    {
      put: { error: 'DataCloneError: #<RpcStub> could not be cloned.' },
      stored: { value: null, metadata: null, cacheStatus: 'MISS' },
    },
    'a function arrives as a stub; natively, metadata that is one makes the key unreadable',
  ),
  ...same(
    ['get() as text of 17 Mi characters, one beyond Latin-1'],
    { error: expect.stringContaining('limited to 32MiB') },
    'RPC carries 32 MiB, and such a text has two bytes a character; as arrayBuffer or stream it is read',
  ),
  ...same(
    ['a key with a lone surrogate'],
    { keys: [{ name: 'lone\ufffd' }], list_complete: true, cacheStatus: null },
    'natively the connection to the store is lost',
  ),
  ...same(
    ['get() of a batch: keys that look like numbers'],
    {
      map: [
        ['10', 'value of 10'],
        ['gone', null],
        ['9', 'value of 9'],
      ],
    },
    'natively they are missing from the result',
  ),
  ...same(
    ['getWithMetadata() of a batch: keys that look like numbers'],
    {
      map: [
        ['10', { value: 'value of 10', metadata: null }],
        ['gone', null],
        ['9', { value: 'value of 9', metadata: null }],
      ],
    },
    'as above',
  ),
  ...same(
    ['get() of a batch: the key __proto__', 'getWithMetadata() of a batch: the key __proto__'],
    {
      map: [
        ['__proto__', expect.anything()],
        ['b1', expect.anything()],
      ],
    },
    'as above',
  ),
  ...same(['a call is a Promise'], false, 'it is an RpcPromise, which can be awaited and pipelined'),
  ...same(['a method apart from its binding'], null, 'methods of a stub are bound to it'),
}

/** Streams can't be constructed in such old Workers, natively neither. */
const ONLY_NEW_DATES = [
  'put() of a stream of numbers',
  'put() of a stream that fails',
  'put() of a stream that fails after a part',
]

/** The differences under a compatibility date. */
export function differencesOn(date: string): Differences {
  const entries = Object.entries(DIFFERENCES)
  return Object.fromEntries(entries.filter(([name]) => date > '2026' || !ONLY_NEW_DATES.includes(name)))
}

/** Where Miniflare differs from workerd's own binding, and ours does not. */
export const MINIFLARE_DIFFERENCES: Differences = {
  ...same(
    ['put() of too large a value, with bad options'],
    { error: 'Error: KV PUT failed: 413 Value length of 26214401 exceeds limit of 26214400.' },
    'Miniflare looks at the options first',
  ),
  ...same(
    [
      'list() with a malformed cursor',
      'list() with a number as cursor',
      'list() with a cursor that is no UTF-8',
    ],
    { error: 'Error: KV GET failed: 400 Invalid cursor.' },
    'Miniflare reads any text as a cursor',
  ),
}

/** Results of a driver under a limit of keys. Ours are 8 bytes shorter, and the messages say so. */
export function comparable(results: string, keyBytes: number): Result[] {
  const text = results
    .replaceAll(`limit of ${keyBytes}`, 'limit of <limit>')
    .replaceAll(`length of ${keyBytes + 1}`, 'length of <limit + 1>')
    .replaceAll('k'.repeat(keyBytes), '<a key at the limit>')
  return JSON.parse(text) as Result[]
}

/** Results on Miniflare's store with what it never says: that a value came from no cache. */
export function withCacheStatus(results: string): string {
  const add = (_: string, value: unknown) =>
    isRead(value) && value.cacheStatus === null ? { ...value, cacheStatus: 'MISS' } : value
  return JSON.stringify(JSON.parse(results, add))
}

function isRead(value: unknown): value is { readonly metadata: unknown; readonly cacheStatus: unknown } {
  return typeof value === 'object' && value !== null && 'metadata' in value && 'cacheStatus' in value
}
