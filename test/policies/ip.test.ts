import { describe, expect, test } from 'vitest'
import { ipPolicy } from '../../routes/policies/ip.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const request = () => new Request('https://api.example.com/')

describe('ip', () => {
  test.each<[options: object, ip: string, status: number]>([
    [{ allow: ['192.0.2.0/24'] }, '192.0.2.255', 200],
    [{ allow: ['192.0.2.0/24'] }, '192.0.3.0', 403],
    [{ allow: ['192.0.2.0/24'] }, '::ffff:192.0.2.1', 200],
    [{ allow: ['192.0.2.0/24'] }, '2001:db8::1', 403],
    [{ allow: ['2001:db8::/32'] }, '2001:DB8:0::1', 200],
    [{ allow: [] }, '192.0.2.1', 403],
    [{ deny: ['192.0.2.7'] }, '192.0.2.7', 403],
    [{ deny: ['192.0.2.7'] }, '192.0.2.8', 200],
    [{ allow: ['192.0.2.0/24'], deny: ['192.0.2.7'] }, '192.0.2.7', 403],
    [{ allow: ['192.0.2.7'], deny: ['192.0.2.0/24'] }, '192.0.2.7', 403],
    [{ deny: ['192.0.2.7'] }, 'unknown', 403],
    [{ deny: ['192.0.2.7'] }, '', 403],
  ])('with %j answers %s with %i', async (options, clientIp, status) => {
    const answer = await runPolicy(createPhase(ipPolicy, options), makeExchange(request(), { clientIp }))
    expect(answer.status).toBe(status)
    if (status === 403) expect(await codeOf(answer)).toBe('ERR_IP_REFUSED')
  })

  test.each<[peer: string, headers: Record<string, string>, source: string, ip: string]>([
    ['10.0.0.1:4711', { 'x-forwarded-for': '1.1.1.1, 192.0.2.7' }, 'auto', '192.0.2.7'],
    ['10.0.0.1:4711', { forwarded: 'for=192.0.2.7' }, 'auto', '192.0.2.7'],
    ['10.0.0.1:4711', { forwarded: 'for=192.0.2.7', 'x-forwarded-for': '1.1.1.1' }, 'forwarded', '192.0.2.7'],
    ['[::ffff:10.0.0.1]:4711', { 'x-forwarded-for': '192.0.2.7' }, 'auto', '192.0.2.7'],
    ['198.51.100.1:4711', { 'x-forwarded-for': '192.0.2.7' }, 'auto', '198.51.100.1'],
  ])('behind trusted proxies, %s with %j (%s) is %s', async (peer, headers, forwarded, ip) => {
    const request = new Request('https://a.example/', { headers })
    Object.defineProperty(request, 'cf', { value: { clientIp: peer } })
    const exchange = makeExchange(request)
    const options = { allow: ['192.0.2.7'], trusted_proxies: ['10.0.0.0/8'], forwarded }
    const answer = await runPolicy(createPhase(ipPolicy, options), exchange)
    expect([exchange.clientIp, answer.status]).toEqual([ip, ip === '192.0.2.7' ? 200 : 403])
  })

  test('notes which list decided', async () => {
    const trace = makeTrace()
    const phase = createPhase(ipPolicy, { allow: ['10.0.0.0/8'], deny: ['10.0.0.1'] })
    for (const clientIp of ['10.0.0.1', '11.0.0.1', '10.0.0.2', 'x']) {
      await runPolicy(phase, makeExchange(request(), { clientIp, trace }))
    }
    expect(trace.findings).toEqual([
      'The address is denied. {"ip":"10.0.0.1"}',
      'The address is not allowed. {"ip":"11.0.0.1"}',
      'The address may call. {"ip":"10.0.0.2"}',
      'The address of the client is not known. {"ip":"x"}',
    ])
  })

  test.each<[options: unknown, message: string]>([
    [{}, 'It needs "allow" or "deny"'],
    [{ deny: [] }, 'It needs "allow" or "deny"'],
    [{ allow: ['10.0.0.1/8'] }, 'allow.0: "10.0.0.1/8" has bits set beyond its prefix: write 10.0.0.0/8'],
    [{ allow: ['example.com'] }, 'allow.0: "example.com" is no address or network'],
    [{ allow: '10.0.0.0/8' }, 'allow: '],
    [{ deny: ['::1'], forwarded: 'via' }, 'forwarded: '],
  ])('refuses the options %j', (options, message) => {
    expect(() => createPhase(ipPolicy, options)).toThrow(message)
  })
})
