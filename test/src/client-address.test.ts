import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { clientAddress, type ForwardedSource } from '../../src/core/client-address.ts'
import { NetworkSet } from '../../src/core/networks.ts'

const TRUSTED = new NetworkSet(['10.0.0.0/8', '2001:db8::/32'])

function ask(
  peer: string,
  xForwardedFor: string | null,
  forwarded: string | null = null,
  source?: ForwardedSource,
): string {
  return clientAddress(peer, TRUSTED, { xForwardedFor, forwarded }, source)
}

describe('clientAddress() with X-Forwarded-For', () => {
  test.each<[what: string, peer: string, header: string | null, client: string]>([
    ['an untrusted peer, whatever it says', '192.0.2.1', '198.51.100.7', '192.0.2.1'],
    ['a trusted peer that says nothing', '10.0.0.1', null, '10.0.0.1'],
    ['one hop', '10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['what a client made up on the left', '10.0.0.1', '1.1.1.1, 198.51.100.7', '198.51.100.7'],
    ['a made-up trusted address on the left', '10.0.0.1', '10.0.0.9, 198.51.100.7', '198.51.100.7'],
    ['two proxies', '10.0.0.1', '1.1.1.1,198.51.100.7 , 10.0.0.2', '198.51.100.7'],
    ['trusted hops alone', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['a port', '10.0.0.1', '198.51.100.7:50123', '198.51.100.7'],
    ['IPv6', '10.0.0.1', '2606:4700::1', '2606:4700::1'],
    ['IPv6 in brackets, with a port', '10.0.0.1', '[2606:4700:0::1]:443', '2606:4700::1'],
    ['IPv6 in brackets', '10.0.0.1', '[2606:4700::1]', '2606:4700::1'],
    ['IPv4 in IPv6', '::ffff:10.0.0.1', '::ffff:198.51.100.7', '198.51.100.7'],
    ['a trusted IPv6 peer', '2001:db8::5', '198.51.100.7', '198.51.100.7'],
    ['an IPv6 peer in another spelling', '2606:4700:0:0::1', null, '2606:4700::1'],
    ['an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['a peer that is no address', 'unix', '1.1.1.1', 'unix'],
    ['a name', '10.0.0.1', '1.1.1.1, host.example', '10.0.0.1'],
    ['`unknown`', '10.0.0.1', '1.1.1.1, unknown, 10.0.0.2', '10.0.0.2'],
    ['an empty hop', '10.0.0.1', '1.1.1.1, , 10.0.0.2', '10.0.0.2'],
    ['a comma at the end', '10.0.0.1', '1.1.1.1,', '10.0.0.1'],
    ['octal', '10.0.0.1', '010.0.0.1', '10.0.0.1'],
    ['a zone', '10.0.0.1', 'fe80::1%eth0', '10.0.0.1'],
    ['two ports', '10.0.0.1', '1.1.1.1:80:80', '10.0.0.1'],
    ['an open bracket', '10.0.0.1', '[2606:4700::1', '10.0.0.1'],
  ])('%s', (_what, peer, header, client) => {
    expect(ask(peer, header)).toBe(client)
  })

  test('walks 32 hops at most', () => {
    expect(ask('10.0.0.1', `1.1.1.1, ${Array(31).fill('10.0.0.2').join(', ')}`)).toBe('1.1.1.1')
    expect(ask('10.0.0.1', `1.1.1.1, ${Array(32).fill('10.0.0.2').join(', ')}`)).toBe('10.0.0.2')
  })

  test('says the same whatever a client writes in front of what the proxy adds', () => {
    fc.assert(
      fc.property(fc.string(), made => {
        expect(ask('10.0.0.1', `${made}, 198.51.100.7`)).toBe('198.51.100.7')
      }),
    )
  })
})

describe('clientAddress() with Forwarded', () => {
  test.each<[what: string, header: string, client: string]>([
    ['one hop', 'for=198.51.100.7', '198.51.100.7'],
    [
      'names in any case, other parameters',
      'By=10.0.0.1;FOR=198.51.100.7;proto=https;host=a.example',
      '198.51.100.7',
    ],
    ['quoted IPv6 with a port', 'for="[2606:4700::1]:4711"', '2606:4700::1'],
    ['quoted IPv4', 'for="198.51.100.7"', '198.51.100.7'],
    ['unquoted IPv6, as some write it', 'for=[2606:4700::1]', '2606:4700::1'],
    ['an escaped character', 'for="198.51.100\\.7"', '198.51.100.7'],
    ['two proxies', 'for=1.1.1.1, for=198.51.100.7;by=10.0.0.2,for=10.0.0.2', '198.51.100.7'],
    ['a comma in quotes', 'for=1.1.1.1, for=198.51.100.7;host="a,b"', '198.51.100.7'],
    ['an escaped quote and a comma in quotes', 'for=1.1.1.1, for=198.51.100.7;host="a\\",b"', '198.51.100.7'],
    ['an open quote from the client', 'for="evil, for=198.51.100.7', '198.51.100.7'],
    [
      'an open quote from the client before a quoted hop',
      'for="evil, for="[2606:4700::1]:80"',
      '2606:4700::1',
    ],
    ['a trusted hop after a broken one', 'for="evil, for=10.0.0.2', '10.0.0.2'],
    ['`unknown`', 'for=1.1.1.1, for=unknown', '10.0.0.1'],
    ['an obfuscated identifier', 'for=1.1.1.1, for=_hidden', '10.0.0.1'],
    ['an obfuscated port', 'for="198.51.100.7:_port"', '198.51.100.7'],
    ['no `for`', 'proto=https', '10.0.0.1'],
    ['two `for`', 'for=1.1.1.1;for=198.51.100.7', '10.0.0.1'],
    ['a pair without value', 'for=198.51.100.7;secure', '10.0.0.1'],
    ['text behind a quote', 'for="198.51.100.7"x', '10.0.0.1'],
    ['spaces around =', 'for = 198.51.100.7', '10.0.0.1'],
    ['nothing', '', '10.0.0.1'],
  ])('%s', (_what, header, client) => {
    expect(ask('10.0.0.1', null, header)).toBe(client)
  })

  test('says the same whatever a client writes in front of what the proxy adds', () => {
    const hop = fc.constantFrom('for=198.51.100.7', 'for="198.51.100.7:80"', 'proto="a,b";for=198.51.100.7')
    fc.assert(
      fc.property(fc.string(), hop, (made, hop) => {
        expect(ask('10.0.0.1', null, `${made}, ${hop}`)).toBe('198.51.100.7')
      }),
    )
    const quotes = fc
      .array(fc.constantFrom('"', '\\', ',', 'for=1.1.1.1', ';', ' '))
      .map(parts => parts.join(''))
    fc.assert(
      fc.property(quotes, hop, (made, hop) => {
        expect(ask('10.0.0.1', null, `${made},${hop}`)).toBe('198.51.100.7')
      }),
    )
  })

  test('is quick about long headers', () => {
    const startedMs = performance.now()
    for (const part of ['"', '\\"', '"\\', ',', 'for=10.0.0.2,', 'for="10.0.0.2",', ';', 'for="']) {
      ask('10.0.0.1', null, part.repeat(20_000))
      ask('10.0.0.1', part.repeat(20_000))
    }
    expect(performance.now() - startedMs).toBeLessThan(1000)
  })
})

describe('clientAddress() where both headers are there', () => {
  test.each<
    [source: ForwardedSource | undefined, xff: string | null, forwarded: string | null, client: string]
  >([
    [undefined, '1.1.1.1', 'for=2.2.2.2', '1.1.1.1'],
    ['auto', '1.1.1.1', 'for=2.2.2.2', '1.1.1.1'],
    ['auto', null, 'for=2.2.2.2', '2.2.2.2'],
    ['auto', '', 'for=2.2.2.2', '10.0.0.1'],
    ['x-forwarded-for', '1.1.1.1', 'for=2.2.2.2', '1.1.1.1'],
    ['x-forwarded-for', null, 'for=2.2.2.2', '10.0.0.1'],
    ['forwarded', '1.1.1.1', 'for=2.2.2.2', '2.2.2.2'],
    ['forwarded', '1.1.1.1', null, '10.0.0.1'],
  ])('%s: X-Forwarded-For %j and Forwarded %j are from %s', (source, xff, forwarded, client) => {
    expect(ask('10.0.0.1', xff, forwarded, source)).toBe(client)
  })
})
