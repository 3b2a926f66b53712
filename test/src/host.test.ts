import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isHost } from '../../src/core/host.ts'

describe('isHost()', () => {
  test.each([
    'localhost',
    'app.example.com',
    'APP.Example.COM',
    'app.example.com.',
    'app.example.com:8787',
    'app.example.com.:80',
    'app.example.com:',
    'app.example.com:65535',
    'a_b.example.com',
    '_acme.example.com',
    'a-b--c.example.com',
    'xn--bcher-kva.example',
    '192.0.2.1',
    '192.0.2.1:80',
    '127.1',
    '[::1]',
    '[2001:db8::1]:443',
    '[::ffff:192.0.2.1]',
    `${'a'.repeat(250)}.de`,
  ])('takes %s', host => {
    expect(isHost(host)).toBe(true)
  })

  test.each([
    '',
    ' ',
    '.',
    ':80',
    '.example.com',
    'example.com..',
    'a..b',
    'user@example.com',
    'user:password@example.com',
    'example.com/path',
    'example.com?query',
    'example.com#fragment',
    'example.com\\path',
    'a.example.com, b.example.com',
    'a.example.com b.example.com',
    'exam%70le.com',
    'exämple.com',
    'example.com;x',
    '"example.com"',
    '<example.com>',
    'example.com\u0001',
    'example.com:80a',
    'example.com:-1',
    'example.com:+1',
    'example.com:80:80',
    'example.com:65536',
    'example.com:000080',
    '::1',
    '[::1',
    '[]',
    '[::1%25eth0]',
    '[fe80::1%eth0]',
    '[:::::]',
    '[1.2.3.4]',
    '256.1.1.1',
    '1.2.3.4.5',
    'example.0x',
    `${'a'.repeat(260)}.de`,
  ])('refuses "%s"', host => {
    expect(isHost(host)).toBe(false)
  })

  test('takes only what a URL has for a host and nothing else', () => {
    const parts = fc.constantFrom(
      'a',
      'B',
      '1',
      '.',
      '-',
      '_',
      ':',
      '@',
      '/',
      '?',
      '[',
      ']',
      '%',
      '80',
      'xn--',
      '\\',
      ' ',
    )
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 12 }), pieces => {
        const text = pieces.join('')
        if (!isHost(text)) return
        const url = URL.parse(`http://${text}/path`)
        expect(url?.pathname).toBe('/path')
        expect(url?.username).toBe('')
        expect(url?.hostname).toBe(URL.parse(`http://${text.replace(/:\d*$/, '')}`)?.hostname)
      }),
      { numRuns: 2000 },
    )
  })
})
