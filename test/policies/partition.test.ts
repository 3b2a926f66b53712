import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Identity } from '../../routes/policies/identity.ts'
import { networkOf, Partition } from '../../routes/policies/partition.ts'
import { sha256Hex } from '../../src/core/ids.ts'
import { makeExchange } from './support.ts'

const ann: Identity = {
  type: 'jwt',
  policy: 'customers',
  subject: 'ann',
  scopes: [],
  roles: [],
  claims: { team: 'red', org: { id: 7 } },
}

function exchange({
  headers = {},
  identity,
  clientIp = '203.0.113.7',
}: {
  headers?: Record<string, string>
  identity?: Identity | undefined
  clientIp?: string
} = {}) {
  const made = makeExchange(new Request('https://api.example.com/orders/1?q=2', { headers }), {
    clientIp,
    route: 'orders',
  })
  made.identity = identity
  return made
}

describe('Partition', () => {
  it.each([
    ['all', {}, 'all'],
    ['ip', {}, 'ip=203.0.113.7'],
    ['route', {}, 'route=orders'],
    ['host', {}, 'host=api.example.com'],
    ['path', {}, 'path=/orders/1'],
    ['identity.sub', { identity: ann }, 'identity.sub=customers/ann'],
    ['jwt.sub', { identity: ann }, 'jwt.sub=customers/ann'],
    ['jwt.team', { identity: ann }, 'jwt.team=customers/red'],
    ['claims.org.id', { identity: ann }, 'claims.org.id=customers/7'],
    ['api-key', { identity: { ...ann, type: 'api-key', subject: 'k1' } }, 'api-key=customers/k1'],
  ])('by %s', async (by, setup, expected) => {
    expect(await new Partition(by).describe(exchange(setup))).toBe(expected)
  })

  it.each([
    ['header:x-team', { headers: { 'x-team': 'red' } }],
    ['cookie:team', { headers: { cookie: 'a=b; team=red; team=blue' } }],
  ])('by %s: what may be a credential is shown as its digest', async (by, setup) => {
    const digest = await sha256Hex('red')
    expect(await new Partition(by).describe(exchange(setup))).toBe(`${by}=sha256:${digest}`)
  })

  it.each([
    ['no identity', 'jwt.sub', undefined],
    ['an anonymous one', 'identity.sub', { ...ann, type: 'anonymous' }],
    ['one of another kind', 'jwt.sub', { ...ann, type: 'api-key' }],
    ['one without the claim', 'identity.age', ann],
    ['no API key', 'api-key', ann],
    ['no such header', 'header:x-team', ann],
    ['no such cookie', 'cookie:team', ann],
  ])('goes by the address when there is %s', async (_, by, identity) => {
    const [here, there] = [exchange({ identity }), exchange({ identity, clientIp: '198.51.100.9' })]
    const partition = new Partition(by)
    expect(await partition.describe(here)).toBe('ip=203.0.113.7')
    expect(partition.keyOf(here)).not.toBe(partition.keyOf(there))
    const shared = new Partition(by, 'shared')
    expect(shared.keyOf(here)).toBe(shared.keyOf(there))
  })

  it('does not take a value for what stands in for a missing one', () => {
    const partition = new Partition('header:x-team')
    const missing = partition.keyOf(exchange())
    for (const value of ['203.0.113.7', '?203.0.113.7', '-']) {
      expect(partition.keyOf(exchange({ headers: { 'x-team': value } }))).not.toBe(missing)
    }
  })

  it('combines several: callers are the same only if all are', async () => {
    const partition = new Partition(['route', 'header:a', 'header:b'])
    const values = fc.string({
      unit: fc.constantFrom('=', '1', '2', ':', '?', 'a'),
      minLength: 1,
      maxLength: 6,
    })
    await fc.assert(
      fc.asyncProperty(fc.tuple(values, values), fc.tuple(values, values), async ([a, b], [c, d]) => {
        const [one, other] = [exchange({ headers: { a, b } }), exchange({ headers: { a: c, b: d } })]
        const isSame = a === c && b === d
        expect(partition.keyOf(one) === partition.keyOf(other)).toBe(isSame)
        expect((await partition.describe(one)) === (await partition.describe(other))).toBe(isSame)
      }),
    )
  })

  it('describes subjects so that they can be told from others, spaces and all', async () => {
    const partition = new Partition(['identity.sub', 'ip'])
    const describe = (subject: string) => partition.describe(exchange({ identity: { ...ann, subject } }))
    expect(await describe('a ip=1.2.3.4')).toBe('identity.sub=customers/a%20ip%3D1.2.3.4 ip=203.0.113.7')
    expect(await describe('\ud800')).toBe('identity.sub=customers/%EF%BF%BD ip=203.0.113.7')
    expect(await describe('x'.repeat(200))).toMatch(/^identity\.sub=sha256:[0-9a-f]{64} ip=/)
  })
})

describe('networkOf()', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['no:address', 'no:address'],
  ])('%s is %s', (ip, expected) => {
    expect(networkOf(ip)).toBe(expected)
  })
})
