import fc from 'fast-check'
import { compactVerify, exportJWK, exportSPKI, generateKeyPair, importJWK, SignJWT } from 'jose'
import { beforeAll, describe, expect, test } from 'vitest'
import { ALGORITHMS, ASYMMETRIC } from '../../routes/policies/jwt/algorithms.ts'
import { decodeBase64Url, parseJsonObject, splitCompact } from '../../routes/policies/jwt/encoding.ts'
import { chooseKeys, parseJwk, parseSecret, VerificationKey } from '../../routes/policies/jwt/keys.ts'
import { isFailure } from '../../routes/policies/jwt/token-failure.ts'
import { type JwtRules, verifyJwt } from '../../routes/policies/jwt/verify.ts'
import { AUDIENCE, forge, goodClaims, ISSUER, makeSigner, NOW, type Signer } from './jwt-support.ts'
import { NOW_MS } from './support.ts'

const RULES: JwtRules = {
  algorithms: new Set(ASYMMETRIC),
  maxBytes: 8192,
  types: new Set(['', 'jwt', 'at+jwt', 'jose']),
  issuers: [ISSUER],
  audiences: [AUDIENCE],
  leewaySeconds: 5,
  requireExpiry: true,
  maxAgeSeconds: undefined,
  required: [],
}

const ORDER_OF_P256 = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'

let ec: Signer
let rsa: Signer
let ed: Signer
let keys: VerificationKey[]
beforeAll(async () => {
  ;[ec, rsa, ed] = await Promise.all([
    makeSigner('ec'),
    makeSigner('rsa', 'RS256'),
    makeSigner('ed', 'EdDSA'),
  ])
  keys = [ec, rsa, ed].map(signer => keyOf(signer.publicJwk))
})

const keyOf = (jwk: Readonly<Record<string, unknown>>): VerificationKey => {
  const key = parseJwk(jwk)
  if (typeof key === 'string') throw new Error(key)
  return key
}

/** `ok`, or why not. */
async function verdictOn(token: string, rules: Partial<JwtRules> = {}, with_ = keys): Promise<string> {
  const all = { ...RULES, ...rules }
  const result = await verifyJwt(token, all, header => chooseKeys(with_, header), NOW_MS)
  return isFailure(result) ? `${result.code}: ${result.detail}` : 'ok'
}

describe('verifyJwt() and signatures', () => {
  test.each(ASYMMETRIC)('takes %s as another library signs it', async alg => {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
    const token = await new SignJWT(goodClaims()).setProtectedHeader({ alg }).sign(privateKey)
    expect(await verdictOn(token, {}, [keyOf(await exportJWK(publicKey))])).toBe('ok')
  })

  test.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ])('takes %s with a secret of %i bytes, and not with one less', async (alg, bytes) => {
    const secret = new Uint8Array(bytes).fill(7)
    const token = await new SignJWT(goodClaims()).setProtectedHeader({ alg }).sign(secret)
    const algorithms = new Set([alg])
    expect(await verdictOn(token, { algorithms }, [parseSecret(secret)].filter(isKey))).toBe('ok')
    const shorter = [parseSecret(secret.slice(1))].filter(isKey)
    expect(await verdictOn(token, { algorithms }, shorter)).toMatch(/no such key/)
  })

  test('refuses a token with any byte changed', async () => {
    for (const signer of [ec, rsa, ed]) {
      const token = await signer.sign()
      for (let i = 0; i < token.length; i += signer === rsa ? 7 : 3) {
        const other = token[i] === 'A' ? 'B' : 'A'
        expect(await verdictOn(token.slice(0, i) + other + token.slice(i + 1))).not.toBe('ok')
      }
    }
  })

  test('refuses whatever is no token, without failing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string(),
          fc.string().map(text => `${text}.${text}.${text}`),
          fc.json(),
        ),
        async text => {
          expect(await verdictOn(text)).toMatch(/^ERR_JWT_INVALID: The/)
        },
      ),
    )
  })

  test('refuses forged headers and claims of every shape, without failing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (header, payload) => {
        const full =
          typeof header === 'object' && !Array.isArray(header)
            ? { alg: 'ES256', kid: 'ec', ...header }
            : header
        expect(await verdictOn(forge(full, payload))).toMatch(/^ERR_JWT_INVALID: The/)
      }),
    )
  })

  test('agrees with another library on signatures of random bytes', async () => {
    const [header, payload] = (await ec.sign()).split('.')
    const jwk = await importJWK(ec.publicJwk as never, 'ES256')
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 60, maxLength: 72 }), async bytes => {
        const token = `${header}.${payload}.${Buffer.from(bytes).toString('base64url')}`
        const theirs = await compactVerify(token, jwk).then(
          () => true,
          () => false,
        )
        expect((await verdictOn(token)) === 'ok').toBe(theirs)
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['nothing but zeros', new Uint8Array(64)],
    ['r = 0', Uint8Array.from({ length: 64 }, (_, i) => (i < 32 ? 0 : 1))],
    ['s = 0', Uint8Array.from({ length: 64 }, (_, i) => (i < 32 ? 1 : 0))],
    ['r and s of the order of the curve', Buffer.from(`${ORDER_OF_P256}${ORDER_OF_P256}`, 'hex')],
    ['63 bytes', new Uint8Array(63).fill(1)],
    ['65 bytes', new Uint8Array(65).fill(1)],
    ['DER', Buffer.from('3006020101020101', 'hex')],
  ])('refuses an ECDSA signature of %s', async (_what, signature) => {
    expect(await verdictOn(forge({ alg: 'ES256', kid: 'ec' }, goodClaims(), signature))).toMatch(/signature/)
  })

  test('refuses a good signature with zeros in front, or behind', async () => {
    const [header, payload, signature = ''] = (await ec.sign()).split('.')
    const bytes = Buffer.from(signature, 'base64url')
    for (const padded of [Buffer.concat([Buffer.alloc(1), bytes]), Buffer.concat([bytes, Buffer.alloc(1)])]) {
      expect(await verdictOn(`${header}.${payload}.${padded.toString('base64url')}`)).toMatch(/signature/)
    }
  })
})

describe('verifyJwt() and algorithms', () => {
  test.each([
    'none',
    'None',
    'NONE',
    'nOnE',
    '',
    ' RS256',
    'rs256',
    'HS256',
    'ES256K',
    'RSA1_5',
    'dir',
    '__proto__',
    'constructor',
  ])('refuses "alg": "%s"', async alg => {
    for (const signature of ['', 'AAAA']) {
      expect(await verdictOn(forge({ alg, kid: 'ec' }, goodClaims(), signature))).toMatch(/^ERR_JWT_INVALID/)
    }
  })

  test('never takes a public key for a secret, however it is written', async () => {
    const text = await exportSPKI((await importJWK(rsa.publicJwk as never, 'RS256')) as CryptoKey)
    const spki = Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64')
    const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64')}\n-----END PUBLIC KEY-----\n`
    for (const secret of [
      Buffer.from(pem),
      spki,
      Buffer.from(String(rsa.publicJwk.n)),
      Buffer.from(JSON.stringify(rsa.publicJwk)),
    ]) {
      const token = await new SignJWT(goodClaims())
        .setProtectedHeader({ alg: 'HS256', kid: 'rsa' })
        .sign(secret)
      expect(await verdictOn(token)).toMatch(/"alg"/)
      expect(await verdictOn(token, { algorithms: new Set(ALGORITHMS.keys()) })).toMatch(/no such key/)
    }
  })

  test('keeps a key to the algorithm that it names, and to its curve', async () => {
    const { publicKey, privateKey } = await generateKeyPair('PS256', { extractable: true })
    const token = await new SignJWT(goodClaims()).setProtectedHeader({ alg: 'PS256' }).sign(privateKey)
    const jwk = { ...(await exportJWK(publicKey)) }
    expect(await verdictOn(token, {}, [keyOf(jwk)])).toBe('ok')
    expect(await verdictOn(token, {}, [keyOf({ ...jwk, alg: 'PS256' })])).toBe('ok')
    expect(await verdictOn(token, {}, [keyOf({ ...jwk, alg: 'RS256' })])).toMatch(/no such key/)
    expect(
      await verdictOn((await ec.sign()).replace(/^[^.]+/, headerOf({ alg: 'ES384', kid: 'ec' }))),
    ).toMatch(/no such key/)
  })

  test('takes only what is on the list', async () => {
    expect(await verdictOn(await ec.sign(), { algorithms: new Set(['RS256']) })).toMatch(/not one of RS256/)
    expect(await verdictOn(await rsa.sign(), { algorithms: new Set(['RS256']) })).toBe('ok')
  })
})

describe('verifyJwt() and keys that a token brings', () => {
  test.each(['jwk', 'jku', 'x5u', 'x5c', 'x5t', 'x5t#S256'])('ignores "%s"', async name => {
    const mallory = await makeSigner('ec')
    const values = {
      jwk: mallory.publicJwk,
      jku: 'https://evil.example/keys',
      x5u: 'https://evil.example/x5u',
    }
    const header = { [name]: Object.entries(values).find(([key]) => key === name)?.[1] ?? ['AAAA'] }
    expect(await verdictOn(await ec.sign({}, header))).toBe('ok')
    expect(await verdictOn(await mallory.sign({}, header))).toMatch(/signature/)
  })

  test.each(['../../../dev/null', "' OR '1'='1", 'ec\u0000', 'EC', 'ec ', '__proto__', '', '$(id)'])(
    'takes the kid %j for a name and nothing else',
    async kid => {
      expect(await verdictOn(await ec.sign({}, { kid }))).toMatch(/no such key/)
    },
  )

  test.each([[7], [null], [['ec']], [{ a: 1 }], [true]])('refuses the kid %j', async kid => {
    expect(await verdictOn(forge({ alg: 'ES256', kid }, goodClaims()))).toMatch(/"kid"/)
  })

  test('a token without kid: with the only key that fits, never with one of several', async () => {
    const { kid: _kid, ...nameless } = ec.publicJwk
    const token = await ec.sign({}, { kid: undefined })
    expect(await verdictOn(token)).toBe('ok')
    const other = await makeSigner('ec2')
    expect(await verdictOn(token, {}, [...keys, keyOf(other.publicJwk)])).toMatch(/several/)
    const { kid: _other, ...otherNameless } = other.publicJwk
    expect(await verdictOn(token, {}, [keyOf(otherNameless), keyOf(nameless)])).toBe('ok')
  })

  test('two keys of one name fit no token', async () => {
    const other = await makeSigner('ec')
    expect(await verdictOn(await ec.sign(), {}, [...keys, keyOf(other.publicJwk)])).toMatch(/several/)
  })
})

describe('parseJwk()', () => {
  test.each([
    ['RSA with 2,040 bits', rsaKey(Buffer.alloc(255, 255)), /2040 bits; RSA keys need 2048/],
    [
      'RSA with 2,048 bits after zeros that count for nothing',
      rsaKey(Buffer.concat([Buffer.alloc(8), Buffer.alloc(255, 255)])),
      /2040 bits/,
    ],
    ['RSA with 16,392 bits', rsaKey(Buffer.alloc(2049, 255)), /at most 16384/],
    ['RSA with the exponent 1', rsaKey(Buffer.alloc(256, 255), 'AQ'), /exponent/],
    ['RSA with an even exponent', rsaKey(Buffer.alloc(256, 255), 'BA'), /exponent/],
    ['RSA without exponent', { kty: 'RSA', n: 'AQAB' }, /"n" and "e"/],
    [
      'a curve that is not supported',
      { kty: 'EC', crv: 'secp256k1', x: 'AA', y: 'AA' },
      /"crv" must be P-256/,
    ],
    ['a coordinate that is too short', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }, /32 bytes/],
    ['X25519', { kty: 'OKP', crv: 'X25519', x: 'AA' }, /Ed25519/],
    ['an unknown type', { kty: 'XYZ' }, /"kty"/],
    ['no type', {}, /"kty"/],
    [
      'a secret of 31 bytes',
      { kty: 'oct', k: Buffer.alloc(31).toString('base64url') },
      /31 bytes; HS256 needs 32/,
    ],
    ['a kid that is no text', { ...rsaKey(Buffer.alloc(256, 255)), kid: 1 }, /"kid"/],
  ])('refuses %s', (_what, jwk, message) => {
    expect(parseJwk(jwk)).toMatch(message)
  })

  test('a point that is not on its curve verifies nothing', async () => {
    const x = Buffer.alloc(32, 1).toString('base64url')
    const key = keyOf({ kty: 'EC', crv: 'P-256', x, y: x, kid: 'ec' })
    expect(await verdictOn(await ec.sign(), {}, [key])).toMatch(/signature/)
  })
})

describe('verifyJwt() and structure', () => {
  test.each([
    ['two parts', 'a.b', /fewer than three/],
    ['four parts', 'a.b.c.d', /more than three/],
    ['five parts', 'a.b.c.d.e', /encrypted/],
    ['six parts', 'a.b.c.d.e.f', /more than three/],
    ['a text', 'token', /fewer than three/],
    ['no signature', forge({ alg: 'ES256' }, {}, ''), /no signature/],
    ['a header that is a list', forge(['ES256'], {}), /header.*no JSON object/],
    ['a header with alg twice', forge('{"alg":"none","alg":"ES256"}', {}), /name twice/],
    [
      'a header with alg twice, spelt differently',
      forge('{"alg":"ES256","\\u0061lg":"ES256"}', {}),
      /name twice/,
    ],
    ['claims with exp twice', forge({ alg: 'ES256' }, '{"exp":1,"exp":9999999999}'), /claims.*name twice/],
    ['claims that are a list', forge({ alg: 'ES256' }, []), /claims/],
    ['claims that are null', forge({ alg: 'ES256' }, 'null'), /claims/],
    ['claims after a byte order mark', forge({ alg: 'ES256' }, '\uFEFF{}'), /claims/],
    ['crit', forge({ alg: 'ES256', crit: ['exp'], exp: 1 }, {}), /"crit"/],
    ['an empty crit', forge({ alg: 'ES256', crit: [] }, {}), /"crit"/],
    ['b64', forge({ alg: 'ES256', b64: false, crit: ['b64'] }, {}), /"crit"/],
    ['b64 that is not critical', forge({ alg: 'ES256', b64: false }, {}), /"b64"/],
    ['typ of a logout token', forge({ alg: 'ES256', typ: 'logout+jwt' }, {}), /type "logout\+jwt"/],
    ['typ of a proof', forge({ alg: 'ES256', typ: 'dpop+jwt' }, {}), /type "dpop\+jwt"/],
    ['typ that is no text', forge({ alg: 'ES256', typ: 1 }, {}), /"typ"/],
  ])('refuses %s', async (_what, token, message) => {
    expect(await verdictOn(token)).toMatch(message)
  })

  test.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt', 'Application/JWT', 'JOSE', undefined])(
    'takes the typ %s',
    async typ => {
      expect(await verdictOn(await ec.sign({}, { typ }))).toBe('ok')
    },
  )

  test('takes a token of the longest size, and none that is longer', async () => {
    const token = await ec.sign()
    expect(await verdictOn(token, { maxBytes: token.length })).toBe('ok')
    expect(await verdictOn(token, { maxBytes: token.length - 1 })).toMatch(/at most/)
  })

  test('splitCompact() gives back exactly what was written, and only that has the spelling', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1 }),
        fc.uint8Array(),
        fc.uint8Array({ minLength: 1 }),
        (a, b, c) => {
          const text = [a, b, c].map(part => Buffer.from(part).toString('base64url')).join('.')
          expect(splitCompact(text)).toMatchObject({ header: a, payload: b, signature: c })
        },
      ),
    )
  })

  test.each(['A', 'AB=', 'AB==', 'A B', 'A+', 'A/', 'AB\n', 'Aé', 'AB', 'AAB', 'A\u0100'])(
    'decodeBase64Url() refuses %j',
    text => {
      expect(decodeBase64Url(text)).toBeUndefined()
    },
  )

  test('parseJsonObject() reads what JSON.stringify() writes, whatever is in it', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), value => {
        const text = JSON.stringify(value)
        expect(parseJsonObject(new TextEncoder().encode(text))).toEqual(JSON.parse(text))
      }),
    )
  })

  test('parseJsonObject() refuses a name twice at the top, in whatever order and nesting', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        (name, others, value) => {
          const rest = Object.entries({ ...others, [name]: 1 }).map(
            ([key, each]) => `${JSON.stringify(key)}:${JSON.stringify(each)}`,
          )
          const text = `{${[...rest, `${JSON.stringify(name)}:${JSON.stringify(value)}`].join(',')}}`
          expect(parseJsonObject(new TextEncoder().encode(text))).toBeUndefined()
        },
      ),
    )
  })
})

describe('verifyJwt() and claims', () => {
  test.each([
    ['exp a moment before the end of the leeway', { exp: NOW - 4.999 }, /^ok$/],
    ['exp at the end of the leeway', { exp: NOW - 5 }, /^ERR_JWT_EXPIRED/],
    ['no exp', { exp: undefined }, /no "exp"/],
    ['nbf at the end of the leeway', { nbf: NOW + 5 }, /^ok$/],
    ['nbf after it', { nbf: NOW + 5.001 }, /not valid yet/],
    ['iat at the end of the leeway', { iat: NOW + 5 }, /^ok$/],
    ['iat after it', { iat: NOW + 5.001 }, /from the future/],
    ['no iat', { iat: undefined }, /^ok$/],
    ['an exp with a fraction', { exp: NOW + 0.5 }, /^ok$/],
    ['an exp far away', { exp: 1e300 }, /^ok$/],
    ['a negative exp', { exp: -1 }, /^ERR_JWT_EXPIRED/],
    ['an audience among several', { aud: ['a', AUDIENCE] }, /^ok$/],
    ['another audience', { aud: 'invoices' }, /"aud"/],
    ['an audience that contains ours', { aud: `${AUDIENCE} x` }, /"aud"/],
    ['no audience', { aud: undefined }, /"aud"/],
    ['an empty list of audiences', { aud: [] }, /"aud"/],
    ['another issuer', { iss: 'https://evil.example' }, /"iss"/],
    ['the issuer with a slash', { iss: `${ISSUER}/` }, /"iss"/],
    ['no issuer', { iss: undefined }, /"iss"/],
  ])('%s', async (_what, claims: Readonly<Record<string, unknown>>, expected) => {
    expect(await verdictOn(await ec.sign(claims))).toMatch(expected)
  })

  test.each([
    ['exp', '"9999999999"'],
    ['exp', 'true'],
    ['exp', 'null'],
    ['exp', '[9999999999]'],
    ['exp', '1e999'],
    ['nbf', '"0"'],
    ['nbf', '-1e999'],
    ['iat', '"0"'],
    ['iss', `["${ISSUER}"]`],
    ['sub', '7'],
    ['sub', 'null'],
    ['jti', '{}'],
    ['aud', '7'],
    ['aud', 'null'],
    ['aud', `["${AUDIENCE}", 7]`],
    ['aud', `{"0":"${AUDIENCE}"}`],
  ])('refuses "%s": %s, though it is signed', async (name, value) => {
    const claims = JSON.stringify(goodClaims({ [name]: undefined })).replace(/\}$/, `,"${name}":${value}}`)
    const secret = new Uint8Array(32).fill(1)
    const token = await signText(claims, secret)
    const own = [parseSecret(secret)].filter(isKey)
    expect(await verdictOn(token, { algorithms: new Set(['HS256']) }, own)).toMatch(
      /^ERR_JWT_INVALID: The claim/,
    )
  })

  test('without an audience of its own it refuses tokens that have one, unless told to take any', async () => {
    expect(await verdictOn(await ec.sign(), { audiences: undefined })).toMatch(/none is set here/)
    expect(await verdictOn(await ec.sign({ aud: undefined }), { audiences: undefined })).toBe('ok')
    expect(await verdictOn(await ec.sign(), { audiences: false })).toBe('ok')
  })

  test('a largest age needs iat, and holds whatever exp says', async () => {
    const rules = { maxAgeSeconds: 60 }
    expect(await verdictOn(await ec.sign({ iat: NOW - 64.999 }), rules)).toBe('ok')
    expect(await verdictOn(await ec.sign({ iat: NOW - 65 }), rules)).toMatch(
      /^ERR_JWT_EXPIRED: .*older than 60/,
    )
    expect(await verdictOn(await ec.sign({ iat: undefined }), rules)).toMatch(/no "iat"/)
    expect(await verdictOn(await ec.sign({ exp: undefined }), { ...rules, requireExpiry: false })).toBe('ok')
  })

  test.each([
    ['a value', 'tenant', ['acme'], { tenant: 'acme' }, true],
    ['another value', 'tenant', ['acme'], { tenant: 'ACME' }, false],
    ['none', 'tenant', ['acme'], {}, false],
    ['one of a list', 'tenant', ['a', 'b'], { tenant: 'b' }, true],
    ['a member of a list', 'groups', ['staff'], { groups: ['x', 'staff'] }, true],
    ['no member', 'groups', ['staff'], { groups: ['staffs'] }, false],
    ['a path', 'realm.roles', ['admin'], { realm: { roles: ['admin'] } }, true],
    ['a name with dots', 'https://x.example/team', ['red'], { 'https://x.example/team': 'red' }, true],
    ['anything, and it is there', 'tenant', true, { tenant: '' }, true],
    ['anything, and it is false', 'email_verified', true, { email_verified: false }, false],
    ['anything, and it is null', 'tenant', true, { tenant: null }, false],
    ['a number, and it is a text', 'level', [3], { level: '3' }, false],
    ['what every object has', 'constructor', true, {}, false],
    ['what every object has, deeper', 'realm.constructor.name', ['Object'], { realm: {} }, false],
  ])('a required claim: %s', async (_what, path, values, claims, isTaken) => {
    const required = [{ path, values: values as true }]
    expect(await verdictOn(await ec.sign(claims), { required })).toMatch(isTaken ? /^ok$/ : `"${path}"`)
  })
})

const isKey = (key: VerificationKey | string): key is VerificationKey => key instanceof VerificationKey

function headerOf(header: unknown): string {
  return Buffer.from(JSON.stringify(header)).toString('base64url')
}

function rsaKey(modulus: Uint8Array, e = 'AQAB') {
  return { kty: 'RSA', n: Buffer.from(modulus).toString('base64url'), e }
}

/** Signs claims that no library would write. */
async function signText(claims: string, secret: Uint8Array<ArrayBuffer>): Promise<string> {
  const input = `${headerOf({ alg: 'HS256' })}.${Buffer.from(claims).toString('base64url')}`
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  const mac = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(input))
  return `${input}.${Buffer.from(mac).toString('base64url')}`
}
