import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { destinationOf } from '../../src/destination.ts'

describe('destinationOf()', () => {
  it.each([
    ['http://app.localhost:8787/a/b?c=d', { host: 'app.localhost', path: '/a/b' }],
    ['http://APP.localhost/', { host: 'app.localhost', path: '/' }],
    ['http://[::1]:8787/x', { host: '[::1]', path: '/x' }],
  ])('takes %s apart', (url, expected) => {
    expect(destinationOf(url)).toMatchObject(expected)
  })

  it('agrees with URL', () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), text => {
        const url = new URL(text)
        const authority = url.username ? expect.any(String) : url.host
        expect(destinationOf(url.href)).toEqual({ authority, host: url.hostname, path: url.pathname })
      }),
    )
  })
})
