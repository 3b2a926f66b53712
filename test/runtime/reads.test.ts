import { describe, expect, test } from 'vitest'
import { readsOf } from '../../runtime/reads.ts'
import type { ModuleType } from '../../src/core/manifest.ts'

const read = (text: string, type: ModuleType = 'esm') =>
  readsOf(new Map([['index.js', { type, bytes: new TextEncoder().encode(text) }]]))

describe('readsOf() finds request.cf', () => {
  test.each([
    'request.cf.country',
    'request.cf?.colo',
    'request\n  .cf',
    'request?.cf',
    `request['cf']`,
    'request[`cf`]',
    'const { cf } = request',
    'const { method, cf: place } = request',
    'const { cf = {} } = request',
    'fetch(url,{cf:{cacheTtl:5}})',
  ])('in %s', code => {
    expect(read(code).cf).toBe(true)
  })

  test.each(['request.cfg', 'request.method', 'a.cf1', 'const { cfg } = x', 'let scf = 1', 'x.cf_ray'])(
    'not in %s',
    code => {
      expect(read(code).cf).toBe(false)
    },
  )
})

describe('readsOf() finds headers that Cloudflare sets', () => {
  test.each([
    'cf-connecting-ip',
    'CF-Connecting-IPv6',
    'CF-RAY',
    'cf-ipcountry',
    'CF-Visitor',
    'X-Real-IP',
    'x-forwarded-for',
    'X-Forwarded-Proto',
    'True-Client-IP',
  ])('%s', name => {
    expect(read(`request.headers.get('${name}')`).clientHeaders).toBe(true)
  })

  // biome-ignore lint/suspicious/noTemplateCurlyInString: code under test
  test.each(["'cf-' + part", '`cf-${part}`', '"x-forwarded-"+x'])('built from parts: %s', code => {
    expect(read(`request.headers.get(${code})`).clientHeaders).toBe(true)
  })

  test('inside of compiled code', () => {
    expect(read('\0asm…cf-connecting-ip…', 'wasm')).toEqual({ cf: false, clientHeaders: true })
  })

  test.each(["request.headers.get('x-request-id')", 'const x = "cf"'])('not in %s', code => {
    expect(read(code).clientHeaders).toBe(false)
  })
})

describe('readsOf() finds the Cache API', () => {
  test.each(['caches.default', 'const { open } = caches', 'globalThis.caches?.open', "self['caches']"])(
    'in %s',
    code => {
      expect(read(code).caches).toBe(true)
    },
  )

  test.each(['const cachesSeen = 1', 'Cache', "globalThis['cac' + 'hes']"])('not in %s', code => {
    expect(read(code)).toEqual({ cf: false, clientHeaders: false })
  })

  test('not in data', () => expect(read('caches', 'data').caches).toBeUndefined())
})

test('readsOf() looks at every module but source maps', () => {
  const bytes = new TextEncoder().encode('request.cf; "cf-ray"')
  const together = (type: ModuleType) =>
    readsOf(
      new Map<string, { type: ModuleType; bytes: Uint8Array }>([
        ['index.js', { type: 'esm', bytes: new Uint8Array() }],
        ['other', { type, bytes }],
      ]),
    )
  expect(together('cjs')).toEqual({ cf: true, clientHeaders: true })
  expect(together('source-map')).toEqual({ cf: false, clientHeaders: false })
})
