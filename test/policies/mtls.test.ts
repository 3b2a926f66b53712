import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPhase } from '../../routes/policies/middleware.ts'
import { fromEnvoy, normaliseName } from '../../routes/policies/mtls/certificate.ts'
import { mtlsPolicy } from '../../routes/policies/mtls/index.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const SHA256 = 'ab'.repeat(32)
const SHA1 = 'cd'.repeat(20)
const XFCC = `By=spiffe://x/edge;Hash=${SHA256};Subject="CN=orders,O=Example";URI=spiffe://x/orders;DNS=orders.x`

describe('mtls from Cloudflare', () => {
  const cf = (change: object = {}) => ({
    tlsClientAuth: {
      certPresented: '1',
      certVerified: 'SUCCESS',
      certRevoked: '0',
      certFingerprintSHA256: SHA256,
      certSubjectDNRFC2253: 'CN=orders,O=Example',
      certIssuerDNRFC2253: 'CN=Example CA',
      certSerial: '0A',
      ...change,
    },
  })

  test('tells who it is', async () => {
    const exchange = open(cf())
    expect((await runPolicy(createPhase(mtlsPolicy, {}, { name: 'devices' }), exchange)).status).toBe(200)
    expect(exchange.identity).toEqual({
      type: 'mtls',
      policy: 'devices',
      subject: 'CN=orders,O=Example',
      scopes: [],
      roles: [],
      claims: { fingerprint: SHA256, issuer: 'CN=Example CA', serial: '0A', uris: [], dns_names: [] },
    })
  })

  test.each<[what: string, options: object, cf: object | undefined, code: string | undefined]>([
    ['no TLS facts', {}, {}, 'ERR_CLIENT_CERT_MISSING'],
    ['no cf', {}, undefined, 'ERR_CLIENT_CERT_MISSING'],
    ['no certificate', {}, cf({ certPresented: '0' }), 'ERR_CLIENT_CERT_MISSING'],
    ['an unverified one', {}, cf({ certVerified: 'FAILED:self signed' }), 'ERR_CLIENT_CERT_REFUSED'],
    ['a revoked one', {}, cf({ certRevoked: '1' }), 'ERR_CLIENT_CERT_REFUSED'],
    [
      'an allowed fingerprint',
      { fingerprints: [SHA256.toUpperCase().replace(/..(?!$)/g, '$&:')] },
      cf(),
      undefined,
    ],
    ['another fingerprint', { fingerprints: ['00'.repeat(32)] }, cf(), 'ERR_CLIENT_CERT_REFUSED'],
    ['an allowed subject', { subjects: ['cn = orders, O=Example'] }, cf(), undefined],
    ['another subject', { subjects: ['CN=orders'] }, cf(), 'ERR_CLIENT_CERT_REFUSED'],
    ['a subject in another case', { subjects: ['CN=Orders,O=Example'] }, cf(), 'ERR_CLIENT_CERT_REFUSED'],
    ['an allowed issuer', { issuers: ['CN=Example CA'] }, cf(), undefined],
    [
      'an allowed subject of another issuer',
      { subjects: ['CN=orders,O=Example'], issuers: ['CN=B'] },
      cf(),
      'ERR_CLIENT_CERT_REFUSED',
    ],
    [
      'no fingerprint told',
      { fingerprints: [SHA256] },
      cf({ certFingerprintSHA256: '' }),
      'ERR_CLIENT_CERT_REFUSED',
    ],
  ])('of %s', async (_what, options, cf, code) => {
    const exchange = open(cf)
    const answer = await runPolicy(createPhase(mtlsPolicy, options), exchange)
    expect(answer.status).toBe(code ? 403 : 200)
    if (code) expect(await codeOf(answer)).toBe(code)
    expect(exchange.identity === undefined).toBe(code !== undefined)
  })
})

describe('mtls from Envoy', () => {
  const phase = createPhase(mtlsPolicy, { from: 'envoy', trusted: ['10.0.0.0/8'] })

  test('tells who it is', async () => {
    const exchange = open({ clientIp: '10.0.0.1:999' }, { 'x-forwarded-client-cert': XFCC })
    expect((await runPolicy(phase, exchange)).status).toBe(200)
    expect(exchange.identity).toMatchObject({
      subject: 'CN=orders,O=Example',
      claims: { fingerprint: SHA256, uris: ['spiffe://x/orders'], dns_names: ['orders.x'] },
    })
    expect(exchange.takeRequest().headers.has('x-forwarded-client-cert')).toBe(true)
  })

  test.each<[what: string, cf: object | undefined, headers: Record<string, string>]>([
    ['anybody else', { clientIp: '192.0.2.1:999' }, {}],
    ['a peer that is not known', {}, {}],
    ['where there is no cf', undefined, {}],
    ['one that claims to be trusted', {}, { 'cf-connecting-ip': '10.0.0.1', 'x-forwarded-for': '10.0.0.1' }],
  ])('takes the header of %s out, and does not believe it', async (_what, cf, headers) => {
    const exchange = open(cf, { 'x-forwarded-client-cert': XFCC, ...headers })
    const answer = await runPolicy(phase, exchange)
    expect(await codeOf(answer)).toBe('ERR_CLIENT_CERT_MISSING')
    expect(exchange.takeRequest().headers.has('x-forwarded-client-cert')).toBe(false)
  })

  test('takes it out when it is only asked whether something was presented', () => {
    const exchange = open({ clientIp: '192.0.2.1:999' }, { 'x-forwarded-client-cert': XFCC })
    expect(phase.isPresented?.(exchange)).toBe(false)
    expect(exchange.takeRequest().headers.has('x-forwarded-client-cert')).toBe(false)
  })

  test.each<[options: object, status: number]>([
    [{ uris: ['spiffe://x/orders'] }, 200],
    [{ uris: ['spiffe://x/billing'] }, 403],
    [{ fingerprints: [SHA256], uris: ['spiffe://x/orders'], subjects: ['CN=orders,O=Example'] }, 200],
  ])('with %j answers %i', async (options, status) => {
    const phase = createPhase(mtlsPolicy, { from: 'envoy', trusted: ['10.0.0.1'], ...options })
    const exchange = open({ clientIp: '10.0.0.1:999' }, { 'x-forwarded-client-cert': XFCC })
    expect((await runPolicy(phase, exchange)).status).toBe(status)
  })
})

describe('fromEnvoy()', () => {
  test.each<[what: string, header: string, fingerprint: string, isVerified: boolean]>([
    ['one element', XFCC, SHA256, true],
    ['the last of several', `Hash=${'00'.repeat(32)};Subject="CN=a,O=b",${XFCC}`, SHA256, true],
    ['what a client left open', `Hash=00;Subject="x,${XFCC}`, SHA256, true],
    [
      'a quote that a client left open to swallow ours',
      `Hash=00;Subject="x,By=a;Hash=${SHA256};Subject="CN=real"`,
      SHA256,
      true,
    ],
    ['two hashes', `Hash=00;Hash=${SHA256}`, '', false],
    ['an unknown key', `Hash=${SHA256};Evil=1`, '', false],
    ['an odd quote', `Hash=${SHA256};Subject="CN=a`, '', false],
    ['nothing of the client', 'By=spiffe://x/edge', '', false],
    ['text', 'hello', '', false],
  ])('of %s', (_what, header, fingerprint, isVerified) => {
    expect(fromEnvoy(header)).toMatchObject({ fingerprint, isVerified })
  })

  test('unquotes subjects, and leaves commas and semicolons in quotes', () => {
    const header = `Hash=${SHA256};Subject="CN=\\"a\\";b,O=c=d"`
    expect(fromEnvoy(header)?.subject).toBe('CN="a";b,O=c=d')
  })

  test('of no header is none', () => {
    expect([fromEnvoy(null), fromEnvoy(''), fromEnvoy('  ')]).toEqual([undefined, undefined, undefined])
  })

  test('sees the last element whatever stands before it', () => {
    const parts = fc.constantFrom('"', '\\', ',', ';', 'Hash=00', 'Subject="', 'x')
    fc.assert(
      fc.property(fc.array(parts), made => {
        expect(fromEnvoy(`${made.join('')},${XFCC}`)).toEqual(fromEnvoy(XFCC))
      }),
    )
  })
})

describe('mtls from nginx', () => {
  const headers = {
    'ssl-client-verify': 'SUCCESS',
    'ssl-client-s-dn': 'CN=orders,O=Example',
    'ssl-client-i-dn': 'CN=Example CA',
    'ssl-client-fingerprint': SHA1,
  }

  test.each<[what: string, change: Record<string, string>, options: object, code: string | undefined]>([
    ['a verified certificate', {}, {}, undefined],
    ['an allowed fingerprint', {}, { fingerprints: [SHA1] }, undefined],
    ['an allowed issuer', {}, { issuers: ['CN=Example CA'] }, undefined],
    ['a failed one', { 'ssl-client-verify': 'FAILED:expired' }, {}, 'ERR_CLIENT_CERT_REFUSED'],
    ['none', { 'ssl-client-verify': 'NONE' }, {}, 'ERR_CLIENT_CERT_MISSING'],
    ['an empty word', { 'ssl-client-verify': '' }, {}, 'ERR_CLIENT_CERT_MISSING'],
    ['other names of headers', {}, { headers: { verify: 'X-Verified' } }, 'ERR_CLIENT_CERT_MISSING'],
  ])('of %s', async (_what, change, options, code) => {
    const phase = createPhase(mtlsPolicy, { from: 'nginx', trusted: ['::1'], ...options })
    const exchange = open({ clientIp: '[::1]:999' }, { ...headers, ...change })
    const answer = await runPolicy(phase, exchange)
    expect(answer.status).toBe(code ? 403 : 200)
    if (code) expect(await codeOf(answer)).toBe(code)
  })

  test('takes all headers of anybody else out, and notes which', async () => {
    const trace = makeTrace()
    const exchange = open({ clientIp: '192.0.2.1:999' }, { ...headers, 'x-other': '1' }, trace)
    await runPolicy(createPhase(mtlsPolicy, { from: 'nginx', trusted: ['::1'] }), exchange)
    expect([...exchange.takeRequest().headers.keys()]).toEqual(['x-other'])
    expect(trace.findings.filter(each => each.includes('was taken out'))).toHaveLength(4)
  })
})

describe('mtls options', () => {
  test.each<[options: unknown, message: string]>([
    [{ from: 'envoy' }, 'It needs "trusted"'],
    [{ from: 'nginx', trusted: [] }, 'It needs "trusted"'],
    [{ from: 'envoy', trusted: ['::1'], issuers: ['CN=x'] }, '"issuers" is of no use with Envoy'],
    [{ uris: ['spiffe://x'] }, '"uris" is of use with Envoy only'],
    [{ fingerprints: ['abc'] }, 'fingerprints.0: It must be a fingerprint'],
    [{ fingerprints: [] }, 'The list must not be empty.'],
    [{ from: 'iis' }, 'from: '],
    [{ trusted: ['x'] }, 'trusted.0: "x" is no address or network'],
  ])('%j are refused', (options, message) => {
    expect(() => createPhase(mtlsPolicy, options)).toThrow(message)
  })
})

describe('normaliseName()', () => {
  test.each([
    ['cn=a, o = b', 'CN=a,O=b'],
    ['CN=a\\,b,O=c', 'CN=a\\,b,O=c'],
    ['CN="a, b",O=c', 'CN="a, b",O=c'],
    ['CN=a;O=b', 'CN=a,O=b'],
  ])('of %s is %s', (text, name) => {
    expect(normaliseName(text)).toBe(name)
  })
})

function open(cf: object | undefined, headers: Record<string, string> = {}, trace = makeTrace()) {
  const request = new Request('https://a.example/', { headers })
  if (cf) Object.defineProperty(request, 'cf', { value: cf })
  return makeExchange(request, { trace })
}
