import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Servers, toServer } from '../../routes/gateway/servers.ts'

const HEALTH = { maxFails: 2, failMs: 1000, trialMs: 500 }
const [a, b, c] = ['http://a', 'http://b', 'http://c'].map(url => toServer(url)) as [
  ReturnType<typeof toServer>,
  ReturnType<typeof toServer>,
  ReturnType<typeof toServer>,
]
const pickMany = (servers: Servers, count: number, nowMs = 0) =>
  Array.from({ length: count }, () => servers.pick(nowMs).origin.at(-1)).join('')

test.each([
  ['http://10.0.0.5:8080', 'http://10.0.0.5:8080', ''],
  ['http://app.internal/', 'http://app.internal', ''],
  ['https://app.internal/base/', 'https://app.internal', '/base'],
  ['https://app.internal:443/a/b', 'https://app.internal', '/a/b'],
])('toServer(%s) is %s and "%s"', (text, origin, basePath) => {
  expect(toServer(text)).toEqual({ origin, basePath, weight: 1 })
})

describe('Servers.pick()', () => {
  test('mixes servers by weight instead of emptying one after the other', () => {
    const servers = new Servers([{ ...a, weight: 5 }, b, c], HEALTH)
    expect(pickMany(servers, 7)).toBe('aabacaa')
    expect(pickMany(servers, 7)).toBe('aabacaa')
  })

  test('gives each server exactly its share of a round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 }), weights => {
        fc.pre(weights.some(weight => weight > 0))
        const given = weights.map((weight, i) => ({ origin: `http://s${i}`, basePath: '', weight }))
        const servers = new Servers(given, HEALTH)
        const counts = new Map<string, number>()
        const round = weights.reduce((sum, weight) => sum + weight)
        for (let i = 0; i < round; i++) {
          const { origin } = servers.pick(0)
          counts.set(origin, (counts.get(origin) ?? 0) + 1)
        }
        expect(weights.map((_, i) => counts.get(`http://s${i}`) ?? 0)).toEqual(weights)
      }),
    )
  })

  test('sends nothing to a server of weight 0', () => {
    expect(pickMany(new Servers([a, { ...b, weight: 0 }], HEALTH), 4)).toBe('aaaa')
  })

  test('gives another server than the one that failed, if there is one', () => {
    const servers = new Servers([a, b], HEALTH)
    expect(servers.pick(0, a)).toBe(b)
    expect(new Servers([a], HEALTH).pick(0, a)).toBe(a)
  })
})

describe('a server that fails', () => {
  test('is out after max_fails in a row, and not before', () => {
    const servers = new Servers([a, b], HEALTH)
    servers.failed(a, 0)
    expect(servers.isOut(a, 0)).toBe(false)
    servers.failed(a, 0)
    expect(servers.isOut(a, 0)).toBe(true)
    expect(pickMany(servers, 4)).toBe('bbbb')
  })

  test('is not out if it answered in between', () => {
    const servers = new Servers([a, b], HEALTH)
    servers.failed(a, 0)
    servers.succeeded(a)
    servers.failed(a, 0)
    expect(servers.isOut(a, 0)).toBe(false)
  })

  test('is never out with max_fails 0', () => {
    const servers = new Servers([a, b], { ...HEALTH, maxFails: 0 })
    for (let i = 0; i < 100; i++) servers.failed(a, 0)
    expect(servers.isOut(a, 0)).toBe(false)
  })

  test('is tried by one request at a time once its time is over, until it answers', () => {
    const servers = new Servers([a, b], HEALTH)
    servers.failed(a, 0)
    servers.failed(a, 0)
    expect(pickMany(servers, 4, 999)).toBe('bbbb')
    expect(pickMany(servers, 5, 1000).replaceAll('b', '')).toBe('a')
    servers.succeeded(a)
    expect(pickMany(servers, 4, 1000).replaceAll('b', '')).toBe('aa')
  })

  test('is out again if the one request fails', () => {
    const servers = new Servers([a, b], HEALTH)
    servers.failed(a, 0)
    servers.failed(a, 0)
    expect(pickMany(servers, 3, 1000)).toContain('a')
    servers.failed(a, 1100)
    expect(servers.isOut(a, 2099)).toBe(true)
    expect(servers.isOut(a, 2100)).toBe(false)
  })

  test('may be tried by another request if nothing is heard of the first', () => {
    const servers = new Servers([a, b], HEALTH)
    servers.failed(a, 0)
    servers.failed(a, 0)
    expect(pickMany(servers, 3, 1000)).toContain('a')
    expect(pickMany(servers, 3, 1499)).toBe('bbb')
    expect(pickMany(servers, 3, 1500)).toContain('a')
  })

  test('is tried anyway when all are out: the one that is back first', () => {
    const servers = new Servers([a, b], { ...HEALTH, maxFails: 1 })
    servers.failed(b, 0)
    servers.failed(a, 10)
    expect(pickMany(servers, 3, 20)).toBe('bbb')
  })
})
