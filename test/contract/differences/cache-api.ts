import { expect } from 'vitest'
import type { Differences, Result } from './difference.ts'

const hit = (headers: readonly [string, string][], more: object = {}) => {
  const all = [['cf-cache-status', 'HIT'], ['content-length', '4'], ['content-type', TEXT], ...headers]
  return { put: '<undefined>', match: { status: 200, text: 'body', headers: all.sort(), ...more } }
}
const miss = { put: '<undefined>', match: '<undefined>' }
const TEXT = 'text/plain;charset=UTF-8'
const asked = (status: number, text: string) => ({
  put: '<undefined>',
  match: expect.objectContaining({ status, text }),
})

/** Where ours differs from Miniflare's caches: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Differences = {
  'caches can be cloned': { ours: { default: {} }, why: 'it is an object of JavaScript' },
  'a key: a URL of another scheme': {
    ours: expect.objectContaining({ match: expect.objectContaining({ status: 200 }), delete: true }),
    why: 'natively such a response can be put, and is found by nobody',
  },
  'a body of a stream': {
    ours: asked(200, 'abc'),
    why: 'a short body is collected, so its length is known and announced',
  },
  'a body said to be gzip': {
    ours: asked(200, 'plain'),
    why: 'Miniflare compresses it twice; on Cloudflare it is read as it was written',
  },
  'a body that is gzip': {
    ours: expect.objectContaining({ status: 200, text: 'plain' }),
    why: 'as above',
  },
  'Cache-Control: MAX-AGE=3600': {
    ours: hit([['cache-control', 'MAX-AGE=3600']]),
    why: 'names of directives have no case (RFC 9111 §5.2)',
  },
  'Cache-Control: proxy-revalidate, max-age=100': {
    ours: hit([['cache-control', 'proxy-revalidate, max-age=100']]),
    why: 'it is about stale responses (RFC 9111 §5.2.2.8)',
  },
  'Cache-Control: stale-while-revalidate=100, max-age=0': {
    ours: miss,
    why: "Cloudflare's Cache API doesn't support it",
  },
  'Cache-Control: stale-if-error=100, max-age=0': { ours: miss, why: 'as above' },
  'stored with no headers': {
    ours: hit([]),
    why: 'Cloudflare keeps what says nothing for a time that depends on the status',
  },
  'stored with Set-Cookie and private=Set-Cookie': {
    ours: hit([['cache-control', 'private=Set-Cookie, max-age=100']]),
    why: 'Miniflare cuts the directive out',
  },
  'stored with Set-Cookie and private="set-cookie"': {
    ours: hit([['cache-control', 'private="set-cookie", max-age=100']]),
    why: "it is RFC 9111's spelling of the same",
  },
  'Range: bytes=1-3,5-6': {
    ours: asked(
      206,
      '--<boundary>\r\nContent-Type: text/x\r\nContent-Range: bytes 1-3/10\r\n\r\n123\r\n--<boundary>\r\nContent-Type: text/x\r\nContent-Range: bytes 5-6/10\r\n\r\n56\r\n--<boundary>--',
    ),
    why: 'Miniflare announces the length of the whole body',
  },
  'asked with a tag with a comma': { ours: asked(304, ''), why: 'a tag may hold one (RFC 9110 §8.8.3)' },
  'asked with another tag and its date': {
    ours: asked(200, '0123456789'),
    why: 'the date counts only without a tag (RFC 9110 §13.1.3)',
  },
  'asked with its tag and a range beyond': {
    ours: asked(304, ''),
    why: 'conditions go before ranges (RFC 9110 §13.2.2)',
  },
  'asked with If-Range with another tag': {
    ours: asked(200, '0123456789'),
    why: 'a part of another response is of no use (RFC 9110 §13.1.5)',
  },
}

/** The same under a compatibility date of old, where some of the above are alike. */
const OLD_DIFFERENCES: Differences = {
  ...Object.fromEntries(
    Object.entries(DIFFERENCES).filter(
      ([name]) => !['a body of a stream', 'a body that is gzip'].includes(name),
    ),
  ),
  'caches as text': {
    ours: ['[object CacheStorage]', '[object CacheStorage]', 'object'],
    why: 'the name is there under every date',
  },
  'a cache as text': { ours: ['[object Cache]', '[object Cache]'], why: 'as above' },
  'a key: a URL object': {
    ours: expect.objectContaining({ plain: expect.objectContaining({ status: 200 }) }),
    why: 'URLs are compared as they are read today: of old, spellings of one were several keys',
  },
  'a key: a URL in capitals': {
    ours: expect.objectContaining({ plain: expect.objectContaining({ status: 200 }) }),
    why: 'as above',
  },
  'a key: a URL without host': {
    ours: expect.objectContaining({
      put: { rejected: 'TypeError: Invalid URL. Cache API keys must be fully-qualified, valid URLs.' },
    }),
    why: 'as above',
  },
  'a body said to be br': { ours: asked(200, 'plain'), why: 'its length is not announced' },
}

/** The differences under a compatibility date. */
export function differencesOn(date: string): Differences {
  return date < '2023' ? OLD_DIFFERENCES : DIFFERENCES
}

/** Of old, wrong arguments were thrown at once; ours are rejections under every date. */
export function comparable(results: string, date: string): Result[] {
  const text =
    date > '2023'
      ? results
      : results.replace(/,"isTypeError":\w+/g, '').replaceAll('"thrown":', '"rejected":')
  return JSON.parse(text) as Result[]
}
