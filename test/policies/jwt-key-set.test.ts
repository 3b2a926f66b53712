import { beforeAll, describe, expect, test } from 'vitest'
import { isSafeUrl } from '../../routes/policies/jwt/fetch-json.ts'
import {
  KeySet,
  type KeySetOptions,
  lifetimeSeconds,
  metadataUrls,
} from '../../routes/policies/jwt/key-set.ts'
import type { KeyChoice } from '../../routes/policies/jwt/keys.ts'
import { FakeProvider, ISSUER, makeGate, makeSigner, type Signer } from './jwt-support.ts'

let first: Signer
let second: Signer
beforeAll(async () => {
  first = await makeSigner('first')
  second = await makeSigner('second')
})

/** A key set at a fake provider, and a clock that the test moves. */
function setUp(options: KeySetOptions = { issuer: ISSUER }, headers?: Record<string, string>) {
  const provider = new FakeProvider().publish([first], headers)
  const clock = { seconds: 1000 }
  const keySet = new KeySet(options, () => clock.seconds * 1000)
  const find = async (kid: string): Promise<KeyChoice> =>
    keySet.find({ alg: 'ES256', kid }, provider.services)
  return { provider, clock, keySet, find }
}

const found = (choice: KeyChoice) => ('keys' in choice ? choice.keys.map(key => key.kid) : choice.problem)

describe('KeySet', () => {
  test('discovers, fetches and keeps the keys: later look-ups are synchronous and ask nobody', async () => {
    const { provider, keySet, find } = setUp()
    expect(found(await find('first'))).toEqual(['first'])
    const again = keySet.find({ alg: 'ES256', kid: 'first' }, provider.services)
    expect(again).not.toBeInstanceOf(Promise)
    expect(provider.calls).toEqual([`${ISSUER}/.well-known/openid-configuration`, `${ISSUER}/keys`])
  })

  test('falls back to the place of RFC 8414 for metadata', async () => {
    const { provider, keySet, find } = setUp({ issuer: `${ISSUER}/tenant` })
    provider.documents.set(`${ISSUER}/.well-known/oauth-authorization-server/tenant`, () =>
      Response.json({ issuer: `${ISSUER}/tenant`, jwks_uri: `${ISSUER}/keys` }),
    )
    expect(found(await find('first'))).toEqual(['first'])
    expect(provider.calls[0]).toBe(`${ISSUER}/tenant/.well-known/openid-configuration`)
    expect((await keySet.metadata(provider.services)).issuer).toBe(`${ISSUER}/tenant`)
  })

  test('takes a URL in place of discovery', async () => {
    const { provider, find } = setUp({ jwksUrl: `${ISSUER}/keys` })
    expect(found(await find('first'))).toEqual(['first'])
    expect(provider.calls).toEqual([`${ISSUER}/keys`])
  })

  test.each([
    [
      'another issuer',
      { issuer: 'https://evil.example', jwks_uri: `${ISSUER}/keys` },
      'says that the issuer is',
    ],
    [
      'the issuer with a slash',
      { issuer: `${ISSUER}/`, jwks_uri: `${ISSUER}/keys` },
      'says that the issuer is',
    ],
    ['no jwks_uri', { issuer: ISSUER }, 'jwks_uri'],
    ['a jwks_uri without TLS', { issuer: ISSUER, jwks_uri: 'http://id.example.com/keys' }, 'jwks_uri'],
    ['a jwks_uri that is data', { issuer: ISSUER, jwks_uri: 'data:application/json,{}' }, 'jwks_uri'],
  ])('refuses metadata with %s', async (_what, metadata, message) => {
    const { provider, find } = setUp()
    provider.documents.set(`${ISSUER}/.well-known/openid-configuration`, () => Response.json(metadata))
    await expect(find('first')).rejects.toThrow(message)
    await expect(find('first')).rejects.toMatchObject({ code: 'ERR_IDENTITY_PROVIDER' })
    expect(provider.keyFetches).toBe(0)
  })

  test('asks once, however many wait, and prolongs the request that asks', async () => {
    const { provider, find } = setUp()
    const gate = makeGate()
    const answer = provider.documents.get(`${ISSUER}/keys`)
    provider.documents.set(`${ISSUER}/keys`, async () => {
      await gate.opened
      return answer?.() ?? new Response()
    })
    const all = Array.from({ length: 50 }, () => find('first'))
    expect(provider.waitedFor.length).toBeGreaterThan(0)
    gate.open()
    expect((await Promise.all(all)).every(choice => 'keys' in choice)).toBe(true)
    expect(provider.keyFetches).toBe(1)
    await expect(Promise.all(provider.waitedFor)).resolves.toBeDefined()
  })

  test('gives up on a fetch whose request is gone, and asks again', async () => {
    const { provider, clock, find } = setUp({ issuer: ISSUER, timeoutMs: 5000 })
    const answer = provider.documents.get(`${ISSUER}/keys`)
    provider.documents.set(`${ISSUER}/keys`, () => new Promise(() => {}))
    const lost = find('first')
    lost.catch(() => {})
    await expect.poll(() => provider.keyFetches).toBe(1)
    provider.documents.set(`${ISSUER}/keys`, () => answer?.() ?? new Response())
    clock.seconds += 19
    const stillWaiting = find('first')
    stillWaiting.catch(() => {})
    expect(provider.keyFetches).toBe(1)
    clock.seconds += 1
    expect(found(await find('first'))).toEqual(['first'])
    expect(provider.keyFetches).toBe(2)
  })

  describe('and rotation', () => {
    test('a name that it does not know is looked for once per cooldown, whoever asks', async () => {
      const { provider, clock, find } = setUp()
      await find('first')
      clock.seconds += 29.9
      for (const kid of ['a', 'b', 'c']) expect(found(await find(kid))).toBe('unknown')
      expect(provider.keyFetches).toBe(1)
      clock.seconds += 0.1
      for (const kid of ['a', 'b', 'c', 'a']) expect(found(await find(kid))).toBe('unknown')
      expect(provider.keyFetches).toBe(2)
    })

    test('a new key is found at once after the cooldown, a withdrawn one no longer', async () => {
      const { provider, clock, find } = setUp()
      const before = await find('first')
      clock.seconds += 30
      provider.publish([second])
      expect(found(await find('second'))).toEqual(['second'])
      expect(found(await find('first'))).toBe('unknown')
      expect('keys' in before && before.keys[0]?.isCurrent).toBe(false)
    })

    test('a key that is still published stays the same object', async () => {
      const { provider, clock, find } = setUp()
      const before = await find('first')
      clock.seconds += 30
      provider.publish([second, first])
      await find('second')
      const after = await find('first')
      expect('keys' in after && 'keys' in before && after.keys[0] === before.keys[0]).toBe(true)
      expect('keys' in before && before.keys[0]?.isCurrent).toBe(true)
    })

    test('a key of the same name with another value is another key', async () => {
      const { provider, clock, find, keySet } = setUp()
      const before = await find('first')
      const impostor = await makeSigner('first')
      provider.publish([impostor])
      clock.seconds += 600
      await find('first')
      await Promise.all(provider.waitedFor)
      expect('keys' in before && before.keys[0]?.isCurrent).toBe(false)
      expect(found(await keySet.find({ alg: 'ES256', kid: 'first' }, provider.services))).toEqual(['first'])
    })
  })

  describe('and time', () => {
    test.each([
      ['no header', {}, 600],
      ['a max-age within bounds', { 'cache-control': 'public, max-age=900' }, 900],
      ['a max-age that is too short', { 'cache-control': 'max-age=1' }, 60],
      ['a max-age that is too long', { 'cache-control': 'max-age=999999' }, 3600],
      ['an answer that is not to be stored', { 'cache-control': 'no-store' }, 60],
      ['s-maxage alone', { 'cache-control': 's-maxage=5' }, 600],
      ['nonsense', { 'cache-control': 'max-age=soon' }, 600],
    ])('keeps keys with %s', async (_what, headers, seconds) => {
      expect(lifetimeSeconds(new Headers(headers as Record<string, string>), 600)).toBe(seconds)
      const { provider, clock, find } = setUp(undefined, headers as Record<string, string>)
      await find('first')
      clock.seconds += seconds - 0.001
      await find('first')
      expect(provider.keyFetches).toBe(1)
      clock.seconds += 0.001
      expect(found(await find('first'))).toEqual(['first'])
      await Promise.all(provider.waitedFor)
      expect(provider.keyFetches).toBe(2)
    })

    test('uses old keys while the provider is down, up to a bound, and asks once per cooldown', async () => {
      const { provider, clock, find, keySet } = setUp({ issuer: ISSUER, maxStaleSeconds: 7200 })
      await find('first')
      provider.goDown()
      clock.seconds += 7199
      expect(found(await find('first'))).toEqual(['first'])
      expect(found(await find('first'))).toEqual(['first'])
      await Promise.all(provider.waitedFor)
      const asked = provider.calls.length
      clock.seconds += 0.9
      expect(found(await find('first'))).toEqual(['first'])
      expect(provider.calls).toHaveLength(asked)
      expect(keySet.isUsable).toBe(true)
      clock.seconds += 0.1
      expect(keySet.isUsable).toBe(false)
      await expect(find('first')).rejects.toMatchObject({ code: 'ERR_IDENTITY_PROVIDER' })
    })

    test('says that it does not know when the provider is down and the key is new', async () => {
      const { provider, clock, find } = setUp()
      await find('first')
      provider.goDown()
      clock.seconds += 30
      await expect(find('second')).rejects.toMatchObject({ code: 'ERR_IDENTITY_PROVIDER' })
      await expect(find('second')).rejects.toMatchObject({ code: 'ERR_IDENTITY_PROVIDER' })
      expect(found(await find('first'))).toEqual(['first'])
    })

    test('asks a provider that was never there once per cooldown, and works when it comes', async () => {
      const { provider, clock, find } = setUp()
      provider.goDown()
      for (let i = 0; i < 5; i++) await expect(find('first')).rejects.toThrow('can not be reached')
      expect(provider.calls).toHaveLength(1)
      provider.publish([first])
      clock.seconds += 30
      expect(found(await find('first'))).toEqual(['first'])
    })
  })

  describe('and bad answers', () => {
    test.each([
      ['an error', () => new Response('', { status: 500 }), 'answered 500'],
      [
        'a redirect',
        () => new Response('', { status: 302, headers: { location: 'https://evil.example' } }),
        'answered 302',
      ],
      ['no JSON', () => new Response('<html>'), 'no JSON object'],
      ['a list', () => Response.json([]), 'no JSON object'],
      ['no keys', () => Response.json({ kees: [] }), 'without "keys"'],
      ['too much', () => new Response(`{"keys":[${' '.repeat(262_144)}]}`), 'more than 262144 bytes'],
    ])('refuses %s', async (_what, answer, message) => {
      const { provider, find } = setUp()
      provider.documents.set(`${ISSUER}/keys`, answer)
      await expect(find('first')).rejects.toThrow(message)
    })

    test('reads no further than the bound', async () => {
      const { provider, find } = setUp({ issuer: ISSUER, maxBytes: 1000 })
      let chunks = 0
      const endless = new ReadableStream({
        pull: controller => {
          chunks++
          controller.enqueue(new Uint8Array(400))
        },
      })
      provider.documents.set(`${ISSUER}/keys`, () => new Response(endless))
      await expect(find('first')).rejects.toThrow('more than 1000 bytes')
      expect(chunks).toBeLessThan(6)
    })

    test('waits no longer than the timeout', async () => {
      const { provider, find } = setUp({ issuer: ISSUER, timeoutMs: 20 })
      provider.documents.set(`${ISSUER}/keys`, () => new Promise(() => {}))
      await expect(find('first')).rejects.toThrow('did not answer within 20 ms')
    })

    test('leaves out keys that are none, and says why', async () => {
      const { provider, find, keySet } = setUp()
      const weak = { kty: 'RSA', kid: 'weak', n: Buffer.alloc(128, 255).toString('base64url'), e: 'AQAB' }
      const secret = { kty: 'oct', kid: 'secret', k: Buffer.alloc(32).toString('base64url') }
      const leaked = { ...first.publicJwk, kid: 'leaked', d: 'AAAA' }
      const enc = { ...first.publicJwk, kid: 'enc', use: 'enc' }
      const keys = [weak, secret, leaked, enc, null, 7, { kty: 'EC' }, first.publicJwk]
      provider.documents.set(`${ISSUER}/keys`, () => Response.json({ keys }))
      expect(found(await find('first'))).toEqual(['first'])
      expect(keySet.leftOut).toEqual([
        expect.stringMatching(/"weak".*1024 bits/),
        expect.stringMatching(/"secret".*secret/),
        expect.stringMatching(/"leaked".*private/),
        expect.stringMatching(/"enc".*"use" is "enc"/),
        expect.stringMatching(/4.*no JSON object/),
        expect.stringMatching(/5.*no JSON object/),
        expect.stringMatching(/6.*"crv"/),
      ])
      for (const kid of ['weak', 'secret', 'leaked', 'enc']) expect(found(await find(kid))).toBe('unknown')
    })
  })
})

describe('metadataUrls()', () => {
  test.each([
    [
      'https://a.example',
      [
        'https://a.example/.well-known/openid-configuration',
        'https://a.example/.well-known/oauth-authorization-server',
      ],
    ],
    [
      'https://a.example/',
      [
        'https://a.example/.well-known/openid-configuration',
        'https://a.example/.well-known/oauth-authorization-server',
      ],
    ],
    [
      'https://a.example/t/1/',
      [
        'https://a.example/t/1/.well-known/openid-configuration',
        'https://a.example/.well-known/oauth-authorization-server/t/1',
      ],
    ],
    ['https://a.example/?x=1', []],
    ['accounts.example', []],
  ])('%s', (issuer, urls) => {
    expect(metadataUrls(issuer)).toEqual(urls)
  })
})

describe('isSafeUrl()', () => {
  test.each([
    ['https://a.example/keys', true],
    ['http://127.0.0.1:9000/keys', true],
    ['http://localhost/keys', true],
    ['http://[::1]/keys', true],
    ['http://a.example/keys', false],
    ['http://10.0.0.1/keys', false],
    ['http://localhost.a.example/keys', false],
    ['https://user:pass@a.example/keys', false],
    ['https://a.example/keys#x', false],
    ['file:///etc/passwd', false],
    ['keys', false],
  ])('%s → %s', (url, isSafe) => {
    expect(isSafeUrl(url)).toBe(isSafe)
  })

  test('takes http: where the operator says so', () => {
    expect(isSafeUrl('http://10.0.0.1/keys', true)).toBe(true)
    expect(isSafeUrl('ftp://10.0.0.1/keys', true)).toBe(false)
  })
})
