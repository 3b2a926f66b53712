import { describe, expect, test } from 'vitest'
import type { BindScope } from '../../bindings/binding.ts'
import { kv } from '../../bindings/kv/kind.ts'

describe('kv.bind()', () => {
  const spec = { type: 'kv_namespace', name: 'KV', namespace_id: 'ns' } as const
  const exports = { KvEntrypoint: (options: unknown) => options }
  const scope = (kvPrefixes: Record<string, string>) => ({ exports, kvPrefixes }) as unknown as BindScope

  test('gives the function the prefix of its namespace, in props', () => {
    expect(kv.bind(spec, scope({ ns: '0000001:', other: '0000002:' }))).toEqual({
      props: { prefix: '0000001:' },
    })
  })

  test.each([{}, { ns: '' }])(
    'refuses a namespace without a prefix: it would reach every value',
    prefixes => {
      expect(() => kv.bind(spec, scope(prefixes))).toThrow(
        /^ERR_BINDING_INVALID: Binding "KV": .*no key prefix/,
      )
    },
  )
})
