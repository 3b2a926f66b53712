import { describe, expect, test } from 'vitest'
import { d1 } from '../../bindings/d1/kind.ts'
import { kv } from '../../bindings/kv/kind.ts'

describe.each([
  { kind: kv, type: 'kv_namespace', given: 'namespace_id', kept: 'namespace_id' },
  { kind: d1, type: 'd1', given: 'id', kept: 'id' },
  { kind: d1, type: 'd1', given: 'database_id', kept: 'id' },
])('requireId(), by `$given` of a binding of type $type', ({ kind, type, given, kept }) => {
  test.each([
    '0123456789abcdef0123456789abcdef',
    '0b5c2f7e-1111-4222-8333-944455556666',
    'driver-db',
    'a',
    'My_KV-1',
    '<your-id>',
    '{{id}}',
    'x'.repeat(64),
  ])('accepts %s', id => {
    expect(kind.parse({ [given]: id, other: 1 }, 'ID')).toEqual({ type, name: 'ID', [kept]: id })
  })

  test.each([
    undefined,
    '',
    5,
    'a b',
    'a/b',
    '../x',
    '..',
    'a?b',
    'a#b',
    'a%62',
    'a\\b',
    'ä',
    'x'.repeat(65),
    null,
  ])('refuses %j', id => {
    const message = `^ERR_BINDING_INVALID: Binding "ID": \`${kept}\` is .*1 to 64 printable`
    expect(() => kind.parse({ [given]: id }, 'ID')).toThrow(new RegExp(message))
  })
})
