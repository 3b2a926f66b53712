import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ALGORITHMS, ASYMMETRIC } from '../../routes/policies/jwt/algorithms.ts'
import { KeySet } from '../../routes/policies/jwt/key-set.ts'
import {
  chooseKeys,
  type Jwk,
  type KeyChoice,
  parseJwk,
  VerificationKey,
} from '../../routes/policies/jwt/keys.ts'
import { isFailure } from '../../routes/policies/jwt/token-failure.ts'
import { type JwsHeader, type JwtRules, verifyJws, verifyJwt } from '../../routes/policies/jwt/verify.ts'

/**
 * Published cases, read from the place where the vectors are kept: the examples of RFC 7515, 7519, 7520 and 8037,
 * Wycheproof's JWS cases, and a set of forged tokens with a fixed clock.
 */
const FOLDER = join(import.meta.dirname, '../../../shared/vectors/jwt')
const isThere = existsSync(FOLDER)
const titleOf = (title: string) =>
  isThere ? title : `${title} (skipped: ../shared/vectors/jwt is not there)`

type Expected = 'accept' | 'reject' | 'either'
interface Keys extends Jwk {
  readonly keys?: readonly Jwk[]
}

/** Where we decide otherwise than the vector says, and why: the vectors themselves dispute it, or contradict themselves. */
const DISPUTED: Readonly<Record<string, string>> = {
  'json_web_signature#346':
    'The key says "alg": "PS256", the token PS384: a key is bound to its algorithm (RFC 8725 §3.1).',
  'json_web_signature#347': 'The key says "alg": "ES521", which is no algorithm.',
  'json_web_signature#350': 'As 346, with "key_ops".',
  'json_web_signature#351': 'As 347, with "key_ops".',
  'json_web_signature#367':
    'The same bytes as 357, which is to be accepted: the padding that it is about got lost.',
  'json_web_signature#370': 'As 367.',
  'json_web_signature#372': 'A "?" within the header: base64url has no such character (RFC 7515 §2).',
  'json_web_signature#373': 'A "?" within the payload.',
}

/** Examples that are no compact JWS with a payload: a JWT always is one (RFC 7519 §1, §3). */
const notCompact = (form: string, isDetached: boolean | undefined) =>
  form !== 'compact' || isDetached === true

describe.skipIf(!isThere)(titleOf('verifyJws() and the examples of the RFCs'), () => {
  const { vectors } = read<{
    vectors: {
      id: string
      form: string
      token: unknown
      detached?: boolean
      key: Keys
      payload?: string
      expect: Expected
    }[]
  }>('rfc-examples.json')

  test.each(vectors.map(vector => [vector.id, vector] as const))('%s', async (_id, vector) => {
    const token = typeof vector.token === 'string' ? vector.token : JSON.stringify(vector.token)
    const decision = await decide(token, vector.key)
    const expected = notCompact(vector.form, vector.detached) ? 'reject' : vector.expect
    expect(decision.verdict).toBe(expected)
    if (expected === 'accept' && vector.payload !== undefined) expect(decision.payload).toBe(vector.payload)
  })
})

describe.skipIf(!isThere)(titleOf('verifyJws() and the cases of Wycheproof'), () => {
  const { vectors } = read<{
    vectors: { id: string; comment: string; jws: unknown; key: Keys; expect: Expected; level?: string }[]
  }>('wycheproof-jws.json')

  test('are decided as expected, all but those that are disputed', async () => {
    const wrong: string[] = []
    for (const { id, jws, key, expect: expected } of vectors) {
      const { verdict, why } = await decide(typeof jws === 'string' ? jws : JSON.stringify(jws), key)
      if (verdict !== expected) wrong.push(`${id}: ${verdict} (${why})`)
    }
    expect(wrong.map(each => each.split(':')[0])).toEqual(Object.keys(DISPUTED))
    expect(vectors).toHaveLength(476)
  })

  test.each(Object.entries(DISPUTED))('%s is disputed: %s', (id, _reason) => {
    const vector = vectors.find(each => each.id === id)
    const others = vectors.filter(each => each.jws === vector?.jws && each.expect !== vector?.expect)
    expect(vector?.level?.startsWith('disputed') || others.length > 0).toBe(true)
  })
})

describe.skipIf(!isThere)(titleOf('verifyJwt() and forged tokens'), () => {
  const {
    config,
    jwks,
    hs_jwk: secret,
    vectors,
  } = read<{
    config: {
      issuer: string
      audience: string
      now: number
      leeway: number
      algorithms: string[]
      hs_key_algorithms: string[]
    }
    jwks: { keys: Jwk[] }
    hs_jwk: Jwk
    vectors: { id: string; token: string; key: string; expect: Expected }[]
  }>('attack-tokens.dev.json')

  test.each(vectors.map(vector => [vector.expect, vector.id, vector] as const))(
    '%s %s',
    async (_e, _id, vector) => {
      const isSecret = vector.key === 'HS'
      const rules: JwtRules = {
        algorithms: new Set(isSecret ? config.hs_key_algorithms : config.algorithms),
        maxBytes: 8192,
        types: new Set(['', 'jwt', 'at+jwt', 'jose']),
        issuers: [config.issuer],
        audiences: [config.audience],
        leewaySeconds: config.leeway,
        requireExpiry: true,
        maxAgeSeconds: undefined,
        required: [],
      }
      const find = await finderOf(isSecret ? secret : jwks)
      const result = await verifyJwt(vector.token, rules, find, config.now * 1000)
      const verdict = isFailure(result) ? 'reject' : 'accept'
      expect([verdict, 'either']).toContain(vector.expect)
      // What may go either way is refused by us: the stricter reading.
      if (vector.expect === 'either') expect(EITHER[vector.id]).toBe(verdict)
    },
  )

  const EITHER: Readonly<Record<string, string>> = {
    'claim-iat-future': 'reject',
    'struct-leading-space': 'reject',
    'struct-sig-noncanonical-bits': 'reject',
    'struct-payload-invalid-utf8': 'reject',
    'struct-big-100k': 'reject',
    // `zip` is no parameter of a JWS: like every unknown one it is ignored (RFC 7515 §4).
    'struct-zip-def': 'accept',
  }
})

async function decide(
  token: string,
  keys: Keys,
): Promise<{ verdict: Expected; why: string; payload: string }> {
  const find = await finderOf(keys)
  const result = await verifyJws(token, { algorithms: new Set(ALGORITHMS.keys()), maxBytes: 8192 }, find)
  if (isFailure(result)) return { verdict: 'reject', why: result.detail, payload: '' }
  return { verdict: 'accept', why: '', payload: new TextDecoder().decode(result.payload) }
}

/** Keys the way the policy takes them: secrets and single keys as configured, sets as published by a provider. */
async function finderOf(keys: Keys): Promise<(header: JwsHeader) => KeyChoice | Promise<KeyChoice>> {
  const list = keys.keys ?? [keys]
  if (keys.keys === undefined || list.every(key => key.kty === 'oct')) {
    const parsed = list.map(parseJwk)
    const good = parsed.filter(key => key instanceof VerificationKey)
    // A gateway file with a key that is none is refused as a whole.
    return header => (good.length === parsed.length ? chooseKeys(good, header) : { problem: 'unknown' })
  }
  const set = new KeySet({ jwksUrl: 'https://issuer.example/jwks' })
  const services = { fetch: async () => Response.json(keys), waitUntil: () => {} }
  return header => set.find(header, services)
}

function read<T>(file: string): T {
  return (isThere ? JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) : { vectors: [], config: {} }) as T
}

test('all algorithms with a public key are there', () => {
  expect(ASYMMETRIC).toEqual([
    'RS256',
    'RS384',
    'RS512',
    'PS256',
    'PS384',
    'PS512',
    'ES256',
    'ES384',
    'ES512',
    'EdDSA',
    'Ed25519',
  ])
})
