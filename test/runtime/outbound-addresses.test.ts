import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseEndpoint, refusalOf, toEgressRules } from '../../runtime/egress-rules.ts'
import {
  canonicalHost,
  DENIED_NETWORKS,
  isPublicAddress,
  type Reach,
  reachOf,
} from '../../src/core/addresses.ts'

describe('reachOf()', () => {
  const table: Record<Reach, string[]> = {
    public: [
      ...[
        '1.1.1.1',
        '8.8.8.8',
        '9.255.255.255',
        '11.0.0.0',
        '100.63.255.255',
        '100.128.0.0',
        '172.15.255.255',
      ],
      ...['172.32.0.0', '192.167.255.255', '192.169.0.0', '126.255.255.255', '128.0.0.0', '223.255.255.255'],
      ...[
        '2606:4700::1111',
        '[2a00::1]',
        '::ffff:8.8.8.8',
        '64:ff9b::808:808',
        'example.com',
        'EXAMPLE.com.',
      ],
      'localhost.example.com',
      'local.example',
    ],
    private: [
      ...['10.0.0.0', '10.255.255.255', '172.16.0.0', '172.31.255.255', '192.168.0.0', '192.168.255.255'],
      ...['100.64.0.0', '100.127.255.255', 'fc00::', 'fdff::1', '::ffff:10.0.0.1', '64:ff9b::a00:1'],
      ...[
        'printer.local',
        'db.internal',
        'nas.lan',
        'x.home.arpa',
        'router',
        'kubernetes.default.svc.cluster.local',
      ],
    ],
    loopback: [
      ...['127.0.0.0', '127.255.255.255', '127.1', '0x7f.1', '2130706433', '017700000001', '127.0.0.1.'],
      ...['::1', '[::1]', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '[::ffff:7f00:1]', '64:ff9b::7f00:1'],
      ...['localhost', 'LOCALHOST.', 'a.b.localhost'],
    ],
    never: [
      ...['0.0.0.0', '0.255.255.255', '169.254.0.0', '169.254.169.254', '169.254.255.255', '192.0.0.192'],
      ...['192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255'],
      ...['240.0.0.1', '255.255.255.255', '100.100.100.200', '168.63.129.16'],
      ...[
        '::',
        'fe80::1',
        'febf::1',
        'fe80::1%eth0',
        'ff02::1',
        '::127.0.0.1',
        '2002:7f00:1::',
        '2002:808:808::',
      ],
      ...[
        '2001::1',
        '2001:db8::1',
        '3fff::1',
        '100::1',
        '4000::1',
        'fec0::1',
        '64:ff9b:1::1',
        'fd00:ec2::254',
      ],
      ...['::ffff:169.254.169.254', 'metadata.google.internal', 'Metadata.', 'instance-data'],
      ...['', ' ', 'a b', 'a:80', '[::1]:80', 'a/b', 'user@example.com', '999.1.1.1', '1.2.3.4.5', '[::g]'],
    ],
  }
  const rows = Object.entries(table).flatMap(([reach, hosts]) => hosts.map(host => [host, reach] as const))

  test.each(rows)('of %j is %s', (host, reach) => {
    expect(reachOf(host)).toBe(reach)
    expect(isPublicAddress(host)).toBe(reach === 'public')
  })

  const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  const spellings = (value: number): string[] => {
    const parts = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]
    const hex = value.toString(16).padStart(8, '0')
    return [
      String(value),
      `0x${hex}`,
      `0${value.toString(8)}`,
      parts.map(part => `0x${part.toString(16)}`).join('.'),
      parts.map(part => `0${part.toString(8)}`).join('.'),
      `${parts[0]}.${value & 0xffffff}`,
      `${parts[0]}.${parts[1]}.${value & 0xffff}`,
      `::ffff:${parts.join('.')}`,
      `[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`,
      `64:ff9b::${hex.slice(0, 4)}:${hex.slice(4)}`,
    ]
  }

  test('does not depend on how an IPv4 address is spelt', () => {
    fc.assert(
      fc.property(octets, ([a, b, c, d]) => {
        const plain = reachOf(`${a}.${b}.${c}.${d}`)
        const value = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
        for (const spelling of spellings(value))
          expect([spelling, reachOf(spelling)]).toEqual([spelling, plain])
      }),
    )
  })

  test('of whatever a URL makes of a host is that of the host', () => {
    const host = fc.oneof(
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.domain(),
      fc.constantFrom('LOCALHOST', '127.1', '1.2.3'),
    )
    fc.assert(
      fc.property(host, text => {
        const canonical = canonicalHost(text)
        if (canonical !== undefined) expect(reachOf(canonical)).toBe(reachOf(text))
      }),
    )
  })

  test('of any text at all is an answer, never an exception', () => {
    fc.assert(
      fc.property(fc.string(), text => ['public', 'private', 'loopback', 'never'].includes(reachOf(text))),
    )
  })
})

describe('DENIED_NETWORKS', () => {
  test.each(DENIED_NETWORKS)('%s holds no public address', network => {
    const [first = '', prefix] = network.split('/')
    expect(reachOf(first)).not.toBe('public')
    expect(Number(prefix)).toBeGreaterThan(0)
  })
})

describe('parseEndpoint()', () => {
  test.each([
    ['example.com:1', { host: 'example.com', port: 1 }],
    ['example.com:65535', { host: 'example.com', port: 65_535 }],
    ['0x7f.1:80', { host: '127.0.0.1', port: 80 }],
    ['[::1]:443', { host: '[::1]', port: 443 }],
    ['example.com:0', undefined],
    ['example.com:65536', undefined],
    ['example.com', undefined],
    [':80', undefined],
    ['a:b:80', undefined],
  ])('of %j is %o', (text, endpoint) => {
    expect(parseEndpoint(text)).toEqual(endpoint)
  })
})

describe('refusalOf()', () => {
  const env = {
    SKERRY_DOMAIN: 'fn.example.com',
    SKERRY_LISTENS_ON: '203.0.112.7:8787, 127.0.0.1:8787,[::1]:8787',
  }
  const closed = toEgressRules(env)
  const open = toEgressRules({ ...env, INTRANET: {} })
  const OURS = 'it is the control plane of this platform'
  const PRIVATE = 'it is not a public address'

  test.each([
    // host, port, by default, with private egress
    ['example.com', 443, undefined, undefined],
    ['example.com', 8787, undefined, OURS],
    ['fn.example.com', 443, OURS, OURS],
    ['a.fn.example.com', 443, undefined, undefined],
    ['203.0.112.7', 8787, OURS, OURS],
    ['203.0.112.7', 443, undefined, undefined],
    ['203.0.112.8', 8787, undefined, undefined],
    ['127.0.0.1', 5432, PRIVATE, undefined],
    ['127.0.0.1', 8787, OURS, OURS],
    ['127.9.9.9', 8787, OURS, OURS],
    ['[::1]', 8787, OURS, OURS],
    ['[::1]', 5432, PRIVATE, undefined],
    ['10.0.0.5', 80, PRIVATE, undefined],
    ['10.0.0.5', 8787, OURS, OURS],
    ['169.254.169.254', 80, `${PRIVATE}, and can not be allowed`, `${PRIVATE}, and can not be allowed`],
  ])('of %s:%i is %j by default, %j with private egress', (host, port, byDefault, withIntranet) => {
    expect(refusalOf({ host, port }, closed)).toBe(byDefault)
    expect(refusalOf({ host, port }, open)).toBe(withIntranet)
  })

  test('takes the port from SKERRY_URL where the listeners are not named', () => {
    const rules = toEgressRules({ SKERRY_URL: 'http://localhost:8787', INTRANET: {} })
    expect(refusalOf({ host: 'localhost', port: 8787 }, rules)).toBe(OURS)
    expect(refusalOf({ host: 'localhost', port: 5432 }, rules)).toBeUndefined()
  })
})
