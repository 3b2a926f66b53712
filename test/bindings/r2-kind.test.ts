import { describe, expect, test, vi } from 'vitest'
import type { BindScope } from '../../bindings/binding.ts'
import { r2 } from '../../bindings/r2/kind.ts'

const NAME = 'FILES'

describe('r2.parse()', () => {
  test.each([['abc'], ['a'.repeat(63)], ['my-bucket-2'], ['0ab']])('takes the bucket name %j', name => {
    const expected = { type: 'r2_bucket', name: NAME, bucket_name: name }
    expect(r2.parse({ bucket_name: name, jurisdiction: 'default', other: 1 }, NAME)).toEqual(expected)
  })

  test.each([
    ['missing', undefined],
    ['"ab"', 'ab'],
    ['"aaaa', 'a'.repeat(64)],
    ['"Abc"', 'Abc'],
    ['"a_c"', 'a_c'],
    ['"-ab"', '-ab'],
    ['"ab-"', 'ab-'],
    ['5', 5],
  ])('refuses the bucket name %s', (shown, name) => {
    const parse = () => r2.parse({ bucket_name: name }, NAME)
    expect(parse).toThrow(expect.objectContaining({ code: 'ERR_BINDING_INVALID' }))
    expect(parse).toThrow(`Binding "FILES": \`bucket_name\` is ${shown}`)
  })

  test('refuses a jurisdiction, which it could not keep to', () => {
    const parse = () => r2.parse({ bucket_name: 'abc', jurisdiction: 'eu' }, NAME)
    expect(parse).toThrow('`jurisdiction` is "eu"')
  })
})

describe('r2.bind()', () => {
  const spec = { type: 'r2_bucket', name: NAME, bucket_name: 'files' } as const

  test('gives a stub whose props have the account and the id of the bucket', () => {
    const R2Entrypoint = vi.fn(() => 'stub')
    const scope = { accountId: 'a1', exports: { R2Entrypoint }, resources: { 'r2_bucket/files': 'b1' } }
    expect(r2.bind(spec, scope as unknown as BindScope)).toBe('stub')
    expect(R2Entrypoint).toHaveBeenCalledExactlyOnceWith({ props: { accountId: 'a1', bucketId: 'b1' } })
  })

  test('refuses a bucket whose id is not known', () => {
    const scope = { accountId: 'a1', exports: {}, resources: { 'r2_bucket/other': 'b1' } }
    expect(() => r2.bind(spec, scope as unknown as BindScope)).toThrow('the bucket "files" is not known')
  })
})
