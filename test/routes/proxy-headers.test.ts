import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deleteHopByHop, toUpstreamHeaders, type Way } from '../../routes/gateway/proxy-headers.ts'

const WAY: Way = {
  peer: '192.0.2.1',
  isTrusted: false,
  clientIp: '192.0.2.1',
  scheme: 'http',
  host: 'api.test',
}
/** What an upstream sees, without what it is always told, unless `all`. */
function see(
  sent: Record<string, string>,
  way: Partial<Way> = {},
  set?: Record<string, string>,
): Record<string, string> {
  const given = new Headers(sent)
  const asked = set ? new Headers({ ...sent, ...set }) : given
  return Object.fromEntries(toUpstreamHeaders(asked, given, { ...WAY, ...way }))
}
const withoutTold = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !TOLD.includes(name)))
const TOLD = [
  'via',
  'cdn-loop',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-proto',
  'x-real-ip',
]

describe('toUpstreamHeaders()', () => {
  test('tells who called, how, and of what', () => {
    expect(see({})).toEqual({
      via: '1.1 skerry',
      'cdn-loop': 'skerry; hops=1',
      forwarded: 'for=192.0.2.1;host="api.test";proto=http',
      'x-forwarded-for': '192.0.2.1',
      'x-forwarded-host': 'api.test',
      'x-forwarded-proto': 'http',
      'x-real-ip': '192.0.2.1',
    })
  })

  test('quotes IPv6 addresses, and says unknown for what is no address', () => {
    expect(see({}, { clientIp: '2001:db8::1' }).forwarded).toMatch(/^for="\[2001:db8::1\]";/)
    expect(see({}, { clientIp: 'a "b"' }).forwarded).toMatch(/^for=unknown;/)
    expect(see({}, { host: 'a"\\' }).forwarded).toContain('host="a\\"\\\\"')
  })

  test('replaces what a client says of its way', () => {
    const forged = {
      forwarded: 'for=9.9.9.9',
      'x-forwarded-for': '9.9.9.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'evil.test',
      'x-forwarded-port': '1',
      'x-forwarded-prefix': '/x',
      'x-real-ip': '9.9.9.9',
    }
    expect(see(forged)).toEqual(see({}))
  })

  test('adds to what a trusted proxy says of it', () => {
    const told = {
      forwarded: 'for=9.9.9.9',
      'x-forwarded-for': '9.9.9.9',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.test',
      'x-forwarded-port': '443',
      'x-real-ip': '8.8.8.8',
    }
    expect(see(told, { isTrusted: true, clientIp: '9.9.9.9' })).toMatchObject({
      forwarded: 'for=9.9.9.9, for=192.0.2.1;host="api.test";proto=http',
      'x-forwarded-for': '9.9.9.9, 192.0.2.1',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.test',
      'x-forwarded-port': '443',
      'x-real-ip': '9.9.9.9',
    })
  })

  test('keeps what a policy set in one of these', () => {
    const headers = see(
      { 'x-forwarded-proto': 'http' },
      {},
      { 'x-forwarded-proto': 'https', 'cf-connecting-ip': '1.1.1.1' },
    )
    expect(headers).toMatchObject({ 'x-forwarded-proto': 'https', 'cf-connecting-ip': '1.1.1.1' })
  })

  test('leaves headers of the platform out that a client made up', () => {
    expect(
      withoutTold(see({ 'cf-connecting-ip': '9.9.9.9', 'cf-ray': '1', 'true-client-ip': '9.9.9.9' })),
    ).toEqual({})
  })

  test.each([
    [
      'what Connection names',
      { connection: 'x-a, X-B ,close', 'x-a': '1', 'x-b': '1', 'x-c': '1' },
      { 'x-c': '1' },
    ],
    [
      'what is said to us',
      { te: 'trailers', trailer: 'x', expect: '100-continue', host: 'a', 'proxy-authorization': 'x' },
      {},
    ],
    [
      'an upgrade to anything',
      { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'A' },
      {},
    ],
    ['the framing of the body', { 'transfer-encoding': 'chunked', 'content-length': '3' }, {}],
  ])('leaves %s out', (_what, sent, kept) => {
    expect(withoutTold(see(sent as Record<string, string>))).toEqual(kept)
  })

  test('asks for a WebSocket without what the two ends agree on themselves', () => {
    const asked = {
      connection: 'Upgrade',
      upgrade: 'WebSocket',
      'sec-websocket-key': 'x',
      'sec-websocket-version': '13',
      'sec-websocket-extensions': 'permessage-deflate',
      'sec-websocket-protocol': 'chat',
    }
    expect(withoutTold(see(asked))).toEqual({ upgrade: 'websocket', 'sec-websocket-protocol': 'chat' })
  })

  test.each(['authorization', 'cookie', 'x-forwarded-for', 'content-type', 'skerry-identity', 'cdn-loop'])(
    'does not let Connection take %s out',
    name => {
      expect(see({ connection: name, [name]: 'x' })).toHaveProperty(name)
    },
  )

  test('passes trace context on, and makes none', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
    expect(withoutTold(see({ traceparent, tracestate: 'a=b' }))).toEqual({ traceparent, tracestate: 'a=b' })
    expect(see({})).not.toHaveProperty('traceparent')
  })

  test('adds to Via and CDN-Loop, and counts only its own hops', () => {
    expect(see({ via: '2 front', 'cdn-loop': 'other; x=1, skerry; hops=3' })).toMatchObject({
      via: '2 front, 1.1 skerry',
      'cdn-loop': 'other; x=1, skerry; hops=4',
    })
    expect(see({ 'cdn-loop': 'other' })['cdn-loop']).toBe('other, skerry; hops=1')
  })

  test('never lets a client say where it comes from', () => {
    const names = fc.constantFrom(
      'forwarded',
      'x-forwarded-for',
      'x-forwarded-host',
      'x-real-ip',
      'connection',
      'via',
    )
    const values = fc.string({ unit: fc.constantFrom(...'ab=,;"1.:[] x-forwarded-for'), maxLength: 30 })
    fc.assert(
      fc.property(fc.dictionary(names, values), sent => {
        const { via: _, ...headers } = see(sent)
        const { via: __, ...expected } = see({})
        expect(headers).toMatchObject(expected)
      }),
    )
  })
})

test('deleteHopByHop() says whether there was anything', () => {
  expect(deleteHopByHop(new Headers({ 'x-a': '1' }))).toBe(false)
  expect(deleteHopByHop(new Headers({ 'keep-alive': '1' }))).toBe(true)
})
