import { expect } from 'vitest'
import { type Differences, type Result, same } from './difference.ts'

/** Where ours differs from Miniflare's R2 under workerd's own client: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Differences = {
  'put() with a storage class': {
    ours: {
      put: expect.objectContaining({ storageClass: 'InfrequentAccess' }),
      got: expect.objectContaining({ storageClass: 'InfrequentAccess' }),
      text: 'v',
    },
    why: 'Miniflare knows no storage classes; R2 does',
  },
  'put() of a stream that fails': {
    ours: ['Error: Network connection lost.', null],
    why: 'the body goes to the edge as a request, which does not carry its error',
  },
  'put() with a key of SSE-C': {
    ours: { put: expect.stringContaining('SSE-C is not supported'), got: null, text: null },
    why: 'Miniflare ignores it; objects are not encrypted here, and it must not look as if they were',
  },
  'get() with a key of SSE-C': {
    ours: { error: expect.stringContaining('SSE-C is not supported') },
    why: 'as above',
  },
}

const NO_TAGS = 'natively, classes had no Symbol.toStringTag'

/** The same under a date of 2022: objects and errors are as under today's. */
const OLD_DIFFERENCES: Differences = {
  ...DIFFERENCES,
  ...same(['the binding: its class'], ['R2Bucket', '[object R2Bucket]', []], NO_TAGS),
  ...same(
    ['an object: its class'],
    expect.arrayContaining([expect.arrayContaining(['[object HeadResult]'])]),
    NO_TAGS,
  ),
  ...same(
    ['a failing call returns a Promise'],
    [true, true],
    'natively, wrong arguments were thrown at once',
  ),
  ...same(
    ['a number', 'an object', 'an array', 'true', 'a Date', 'a function', 'FormData'].map(
      v => `put() of ${v}`,
    ),
    { put: expect.stringContaining("parameter 2 is not of type 'JsReadableStream"), got: null, text: null },
    'natively, a value of a wrong type was stored as no bytes',
  ),
}

/** The differences under a compatibility date. */
export function differencesOn(date: string): Differences {
  return date < '2023' ? OLD_DIFFERENCES : DIFFERENCES
}

/** Under old dates, what is undefined is no property natively; ours has it always. */
export function comparable(results: string, date: string): Result[] {
  const isOld = date < '2023'
  const withoutUndefined = (_: string, value: unknown) => (value === '<undefined>' ? undefined : value)
  return JSON.parse(results, isOld ? withoutUndefined : undefined) as Result[]
}

/** As R2 says it of objects that named no class, and ours does; Miniflare says nothing. */
export function withStorageClass(results: string): string {
  return results.replaceAll('"storageClass":""', '"storageClass":"Standard"')
}
