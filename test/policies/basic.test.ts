import { pbkdf2Sync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { decodeCredentials } from '../../routes/policies/basic/credentials.ts'
import { basicPolicy } from '../../routes/policies/basic/index.ts'
import { hashPassword, parseStoredPassword } from '../../routes/policies/basic/password.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const salt = Uint8Array.from('0123456789abcdef', character => character.charCodeAt(0))
const BEN_HASH = await hashPassword('ben-secret', salt, 1000)
const USERS = { ann: 'ann-secret', ben: BEN_HASH, zoë: 'pä:ss wörd' }

describe('basic', () => {
  test.each<[user: string, password: string, status: number]>([
    ['ann', 'ann-secret', 200],
    ['ann', 'ann-secre', 401],
    ['ann', 'ann-secrett', 401],
    ['ann', '', 401],
    ['Ann', 'ann-secret', 401],
    ['ben', 'ben-secret', 200],
    ['ben', 'ben-secreT', 401],
    ['ben', BEN_HASH, 401],
    ['zoë', 'pä:ss wörd', 200],
    ['zoe\u0308', 'pa\u0308:ss wo\u0308rd', 200],
    ['eve', 'ann-secret', 401],
    ['', '', 401],
    ['__proto__', '', 401],
    ['constructor', '', 401],
  ])('answers %j with %j with %i', async (user, password, status) => {
    const phase = createPhase(basicPolicy, { users: USERS, roles: { ann: ['admin'] } }, { name: 'staff' })
    // The second time the password that was right is remembered.
    for (let i = 0; i < 2; i++) {
      const exchange = makeExchange(withCredentials(user, password))
      const answer = await runPolicy(phase, exchange)
      expect(answer.status).toBe(status)
      if (status === 200) {
        const subject = user.normalize('NFC')
        const roles = user === 'ann' ? ['admin'] : []
        expect(exchange.identity).toEqual({
          type: 'basic',
          policy: 'staff',
          subject,
          scopes: [],
          roles,
          claims: {},
        })
        expect(exchange.takeRequest().headers.has('authorization')).toBe(false)
      } else {
        expect(await codeOf(answer)).toBe('ERR_CREDENTIALS_INVALID')
        expect(answer.headers.get('www-authenticate')).toBe('Basic realm="staff", charset="UTF-8"')
        expect(exchange.identity).toBeUndefined()
      }
    }
  })

  test.each<[what: string, header: string | undefined, code: string]>([
    ['no header', undefined, 'ERR_CREDENTIALS_MISSING'],
    ['another scheme', 'Bearer abc', 'ERR_CREDENTIALS_MISSING'],
    ['no base64', 'Basic !!!', 'ERR_CREDENTIALS_INVALID'],
    ['no colon', `Basic ${btoa('ann')}`, 'ERR_CREDENTIALS_INVALID'],
    ['no UTF-8', `Basic ${btoa('ann:\xff')}`, 'ERR_CREDENTIALS_INVALID'],
    ['a control character', `Basic ${btoa('ann:ann-secret\n')}`, 'ERR_CREDENTIALS_INVALID'],
    ['two headers', `Basic ${btoa('ann:ann-secret')}, Basic ${btoa('x:y')}`, 'ERR_CREDENTIALS_INVALID'],
    ['too much', `Basic ${'A'.repeat(6400)}`, 'ERR_CREDENTIALS_INVALID'],
  ])('refuses %s', async (_what, header, code) => {
    const phase = createPhase(basicPolicy, { users: USERS, realm: 'The staff' })
    const exchange = makeExchange(
      new Request('https://a.example/', header ? { headers: { authorization: header } } : {}),
    )
    expect(phase.isPresented?.(exchange)).toBe(code === 'ERR_CREDENTIALS_INVALID')
    const answer = await runPolicy(phase, exchange)
    expect([answer.status, await codeOf(answer)]).toEqual([401, code])
    expect(answer.headers.get('www-authenticate')).toBe('Basic realm="The staff", charset="UTF-8"')
  })

  test('derives as many iterations for a user that there is not, or of a plain password, as for a hash', async () => {
    const derive = vi.spyOn(crypto.subtle, 'deriveBits')
    const phase = createPhase(basicPolicy, {
      users: { ...USERS, cid: await hashPassword('cid-secret', salt, 2500) },
    })
    for (const user of ['ann', 'ben', 'cid', 'eve']) {
      derive.mockClear()
      await runPolicy(phase, makeExchange(withCredentials(user, 'wrong')))
      const iterations = derive.mock.calls.map(
        ([algorithm]) => (algorithm as { iterations: number }).iterations,
      )
      expect([user, iterations.reduce((sum, each) => sum + each, 0)]).toEqual([user, 2500])
    }
    derive.mockRestore()
  })

  test('derives nothing for a password that was right before, and again for any other', async () => {
    const phase = createPhase(basicPolicy, { users: USERS })
    const derive = vi.spyOn(crypto.subtle, 'deriveBits')
    await runPolicy(phase, makeExchange(withCredentials('ben', 'ben-secret')))
    expect(derive).toHaveBeenCalledTimes(1)
    await runPolicy(phase, makeExchange(withCredentials('ben', 'ben-secret')))
    expect(derive).toHaveBeenCalledTimes(1)
    await runPolicy(phase, makeExchange(withCredentials('ben', 'ben-secret ')))
    expect(derive).toHaveBeenCalledTimes(2)
    derive.mockRestore()
  })

  test('leaves the header where it is told to', async () => {
    const exchange = makeExchange(withCredentials('ann', 'ann-secret'))
    await runPolicy(createPhase(basicPolicy, { users: USERS, hide: false }), exchange)
    expect(exchange.takeRequest().headers.has('authorization')).toBe(true)
  })

  test('notes the user, and never the password', async () => {
    const trace = makeTrace()
    for (const password of ['ann-secret', 'guess-1']) {
      await runPolicy(
        createPhase(basicPolicy, { users: USERS }),
        makeExchange(withCredentials('ann', password), { trace }),
      )
    }
    expect(trace.findings).toEqual([
      'The password is right. {"user":"ann","roles":[]}',
      'There is no such user, or the password is wrong. {"user":"ann"}',
    ])
  })

  test.each<[options: unknown, message: string]>([
    [{}, '"users" is missing'],
    [{ users: {} }, 'There must be a user.'],
    [{ users: { 'a:b': 'x' } }, 'no colon'],
    [{ users: { ann: '' } }, 'It must not be empty.'],
    [{ users: { ann: 'x' }, realm: 'a"b' }, 'realm: It must have 1 to 128'],
    [{ users: { ann: 'x' }, roles: { ben: [] } }, '"roles" names "ben", who is not in "users"'],
    [{ users: { ann: 'pbkdf2-sha1$1000$x$y' } }, 'users.ann: The hash "pbkdf2-sha1" is not known'],
    [{ users: { ann: BEN_HASH.replace('1000', '999') } }, 'must have 1000 to 100000 iterations, not 999'],
    [{ users: { ann: BEN_HASH.replace('1000', '100001') } }, 'iterations, not 100001'],
    [{ users: { ann: 'pbkdf2-sha256$1000$AAAA$AAAA' } }, 'The salt of the hash must be base64'],
    [{ users: { ann: `${BEN_HASH}AAAA` } }, 'The hash must be base64 of 32 bytes.'],
  ])('refuses the options %j', (options, message) => {
    expect(() => createPhase(basicPolicy, options)).toThrow(message)
  })
})

describe('parseStoredPassword()', () => {
  test('reads what hashPassword() writes, and what passlib and Python write', () => {
    const stored = parseStoredPassword(BEN_HASH)
    expect(stored).toMatchObject({ kind: 'pbkdf2', iterations: 1000, salt })
    expect(parseStoredPassword(`$${BEN_HASH.replaceAll('+', '.')}`)).toEqual(stored)
    expect(parseStoredPassword(`${BEN_HASH}=`)).toEqual(stored)
  })

  test('is of the same PBKDF2 as Node has', () => {
    const hash = pbkdf2Sync('ben-secret', salt, 1000, 32, 'sha256')
    expect(parseStoredPassword(BEN_HASH)).toMatchObject({ hash: Uint8Array.from(hash) })
  })

  test.each(['secret', '$2b$10$abc', 'pbkdf2', 'a$b$c$d'])('takes %s for a plain password', text => {
    expect(parseStoredPassword(text)).toEqual({ kind: 'plain', text })
  })
})

describe('decodeCredentials()', () => {
  test('reads every name and password without control characters', () => {
    const part = fc.string({ unit: 'binary' }).filter(text => !/\p{Cc}/u.test(text))
    fc.assert(
      fc.property(
        part.filter(text => !text.includes(':')),
        part,
        (user, password) => {
          const header = withCredentials(user, password).headers.get('authorization') ?? ''
          expect(decodeCredentials(header)).toEqual({
            user: user.normalize('NFC'),
            password: password.normalize('NFC'),
          })
        },
      ),
    )
  })

  test('never throws', () => {
    fc.assert(fc.property(fc.string(), text => void decodeCredentials(`Basic ${text}`)))
  })
})

function withCredentials(user: string, password: string): Request {
  const token = Buffer.from(`${user}:${password}`).toString('base64')
  return new Request('https://a.example/', { headers: { authorization: `Basic ${token}` } })
}
