import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, test } from 'vitest'
import { canonicalAddress, NetworkSet, networkProblem, parseAddress } from '../../src/core/networks.ts'

const v6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map(parts => new ipaddr.IPv6(parts))

describe('parseAddress()', () => {
  test('reads every dotted IPv4 address as its number', () => {
    fc.assert(
      fc.property(fc.ipV4(), text => {
        const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number)
        expect(parseAddress(text)).toBe(((a * 256 + b) * 256 + c) * 256 + d)
        expect(canonicalAddress(text)).toBe(text)
        expect(parseAddress(`::ffff:${text}`)).toBe(parseAddress(text))
      }),
    )
  })

  test('reads an IPv6 address the same in every spelling', () => {
    fc.assert(
      fc.property(v6, address => {
        const key = parseAddress(address.toString())
        expect(parseAddress(address.toNormalizedString())).toBe(key)
        expect(parseAddress(address.toNormalizedString().toUpperCase())).toBe(key)
      }),
    )
  })

  test.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.04',
    '1..2.3',
    '.1.2.3',
    '1.2.3.',
    ' 1.2.3.4',
    '0x7f.0.0.1',
    '2130706433',
    '127.1',
    '+1.2.3.4',
    '1.2.3.4:80',
    'localhost',
    '[::1]',
    'fe80::1%eth0',
    '1::2::3',
    '::ffff:1.2.3.04',
    '::ffff:127.1',
    '1:2:3:4:5:6:7:8:9',
    ':::',
    'g::',
  ])('takes %j for none', text => {
    expect(parseAddress(text)).toBeUndefined()
    expect(canonicalAddress(text)).toBeUndefined()
  })

  test.each([
    ['2001:DB8:0:0::1', '2001:db8::1'],
    ['::', '::'],
    ['::FFFF:10.0.0.1', '10.0.0.1'],
    ['::ffff:a00:1', '10.0.0.1'],
    ['255.255.255.255', '255.255.255.255'],
  ])('of %s, the canonical spelling is %s', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical)
  })

  test('never throws, whatever it gets', () => {
    fc.assert(fc.property(fc.string(), text => void canonicalAddress(text)))
    fc.assert(fc.property(fc.stringMatching(/^[0-9a-f:.%/]{0,40}$/), text => void canonicalAddress(text)))
  })
})

describe('NetworkSet', () => {
  test.each<[network: string, inside: string[], outside: string[]]>([
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3'], ['9.255.255.255', '11.0.0.0']],
    ['192.0.2.128/25', ['192.0.2.128', '192.0.2.255'], ['192.0.2.127', '192.0.3.0']],
    ['192.0.2.7', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['192.0.2.7/32', ['192.0.2.7'], ['192.0.2.6', '192.0.2.8']],
    ['0.0.0.0/0', ['0.0.0.0', '255.255.255.255'], ['::', '2001:db8::1']],
    [
      '2001:db8::/32',
      ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
      ['2001:db7:ffff::', '2001:db9::'],
    ],
    [
      '2001:db8:0:8000::/49',
      ['2001:db8:0:8000::', '2001:db8:0:ffff::1'],
      ['2001:db8:0:7fff::', '2001:db8:1::'],
    ],
    ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::', '::2', '0.0.0.1']],
    ['::/0', ['::', 'ffff::'], ['1.2.3.4', '::ffff:1.2.3.4']],
    ['::ffff:10.0.0.0/104', ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0']],
  ])('%s has %j but not %j', (network, inside, outside) => {
    const set = new NetworkSet([network])
    expect(inside.map(address => set.has(address))).toEqual(inside.map(() => true))
    expect(outside.map(address => set.has(address))).toEqual(outside.map(() => false))
    expect(set.has('nonsense')).toBe(false)
  })

  test('has what one of its networks has, as ipaddr.js sees it', () => {
    const network = fc.oneof(
      fc
        .tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
        .map(([ip, bits]) => `${ipaddr.IPv4.networkAddressFromCIDR(`${ip}/${bits}`)}/${bits}`),
      fc
        .tuple(v6, fc.integer({ min: 0, max: 128 }))
        .map(([ip, bits]) => `${ipaddr.IPv6.networkAddressFromCIDR(`${ip}/${bits}`)}/${bits}`)
        .filter(text => !text.startsWith('::ffff:')),
    )
    fc.assert(
      fc.property(fc.array(network), fc.oneof(fc.ipV4(), v6.map(String)), (networks, text) => {
        const address = ipaddr.process(text)
        const expected = networks.some(each => {
          const [base, bits] = ipaddr.parseCIDR(each)
          return base.kind() === address.kind() && (address as ipaddr.IPv4).match(base as ipaddr.IPv4, bits)
        })
        expect(new NetworkSet(networks).has(text)).toBe(expected)
      }),
    )
  })

  test('finds an address among ten thousand networks, nested and side by side', () => {
    const networks = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 8}.${i & 255}.64/26`)
    const set = new NetworkSet(['10.3.0.0/16', ...networks, '10.3.7.0/24'])
    expect(set.has('10.39.15.64')).toBe(true)
    expect(set.has('10.39.15.63')).toBe(false)
    expect(set.has('10.3.7.1')).toBe(true)
    expect(set.has('10.39.16.64')).toBe(false)
  })

  test('is empty without networks', () => {
    expect(new NetworkSet([]).isEmpty).toBe(true)
    expect(new NetworkSet(['::1']).isEmpty).toBe(false)
    expect(new NetworkSet([]).has('1.2.3.4')).toBe(false)
  })

  test.each([
    ['nonsense', 'is no address or network'],
    ['10.0.0.0/33', 'must be a number from 0 to 32'],
    ['10.0.0.0/', 'must be a number from 0 to 32'],
    ['10.0.0.0/08', 'must be a number from 0 to 32'],
    ['10.0.0.0/-1', 'must be a number from 0 to 32'],
    ['::/129', 'must be a number from 0 to 128'],
    ['::ffff:10.0.0.0/8', 'must be a number from 96 to 128'],
    ['10.0.0.1/8', 'write 10.0.0.0/8 for the network'],
    ['2001:db8::1/64', 'write 2001:db8::/64 for the network'],
    ['::ffff:10.0.0.1/104', 'write 10.0.0.0/8 for the network'],
  ])('refuses %s: %s', (text, message) => {
    expect(networkProblem(text)).toContain(message)
    expect(() => new NetworkSet([text])).toThrow(message)
  })
})
