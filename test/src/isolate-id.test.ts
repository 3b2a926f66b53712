import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { MAX_TURN_MS, parseIsolateId, toIsolateId } from '../../src/core/isolate-id.ts'

const ACCOUNT = '0123456789abcdef0123456789abcdef'
const OWNER = { accountId: ACCOUNT, script: 'my-shop_2', turnMs: 50, digest: 'ab12.3+tail' }
const TEXT = `${ACCOUNT}/my-shop_2/50/ab12.3+tail`

const hex = fc.stringMatching(/^[0-9a-f]{32}$/)
const script = fc.stringMatching(/^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/)
const digest = fc.stringMatching(/^[A-Za-z0-9._+~-]{1,256}$/)
const owners = fc.record({
  accountId: hex,
  script,
  turnMs: fc.integer({ min: 1, max: MAX_TURN_MS }),
  digest,
})

test('toIsolateId() writes account, script, turn limit and digest', () => {
  expect(toIsolateId(OWNER)).toBe(TEXT)
})

test('parseIsolateId() gives back what toIsolateId() was given', () => {
  fc.assert(
    fc.property(owners, owner => {
      expect(parseIsolateId(toIsolateId(owner))).toEqual(owner)
    }),
  )
})

test('parseIsolateId() accepts one spelling of each owner', () => {
  const mutated = fc.tuple(owners, fc.nat(), fc.string({ minLength: 1, maxLength: 3 }))
  fc.assert(
    fc.property(mutated, ([owner, at, inserted]) => {
      const text = toIsolateId(owner)
      const where = at % (text.length + 1)
      const changed = text.slice(0, where) + inserted + text.slice(where)
      const parsed = parseIsolateId(changed)
      if (parsed) expect(toIsolateId(parsed)).toBe(changed)
    }),
  )
})

describe('parseIsolateId() at the bounds', () => {
  test.each([
    ['a script of one character', `${ACCOUNT}/a/50/d`],
    ['a script of 63', `${ACCOUNT}/${'a'.repeat(63)}/50/d`],
    ['a turn of 1 ms', `${ACCOUNT}/a/1/d`],
    ['a turn of five minutes', `${ACCOUNT}/a/300000/d`],
    ['a digest of 256', `${ACCOUNT}/a/50/${'d'.repeat(256)}`],
  ])('takes %s', (_what, text) => {
    expect(parseIsolateId(text)).toMatchObject({ accountId: ACCOUNT })
  })

  test.each([
    ['nothing', ''],
    ['an account of 31 digits', TEXT.slice(1)],
    ['an account of 33 digits', `0${TEXT}`],
    ['an account in upper case', TEXT.replace('abcdef', 'ABCDEF')],
    ['no script', `${ACCOUNT}//50/d`],
    ['a script of 64', `${ACCOUNT}/${'a'.repeat(64)}/50/d`],
    ['a script that ends with a dash', `${ACCOUNT}/a-/50/d`],
    ['a script in upper case', `${ACCOUNT}/A/50/d`],
    ['a turn of 0 ms', `${ACCOUNT}/a/0/d`],
    ['a turn of more than five minutes', `${ACCOUNT}/a/300001/d`],
    ['a turn with a leading zero', `${ACCOUNT}/a/050/d`],
    ['a turn with a fraction', `${ACCOUNT}/a/1.5/d`],
    ['no digest', `${ACCOUNT}/a/50/`],
    ['a digest of 257', `${ACCOUNT}/a/50/${'d'.repeat(257)}`],
    ['a digest with a slash', `${ACCOUNT}/a/50/d/e`],
    ['a digest with a zero byte', `${ACCOUNT}/a/50/d\0`],
    ['a line break at the end', `${TEXT}\n`],
    ["workerd's own name of it", `functions:${TEXT}`],
  ])('refuses %s', (_what, text) => {
    expect(parseIsolateId(text)).toBeUndefined()
  })
})

test.each([
  ['script', { ...OWNER, script: 'a/b' }],
  ['turn limit', { ...OWNER, turnMs: 0 }],
  ['digest', { ...OWNER, digest: '' }],
])('toIsolateId() refuses a %s that could not be read back', (_what, owner) => {
  expect(() => toIsolateId(owner)).toThrow(RangeError)
})
