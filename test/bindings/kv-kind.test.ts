import { describe, expect, test } from 'vitest'

/** As much of a kind as is tested. The module's own types are those of a Worker, which Node's can't stand beside. */
interface Kind {
  parse(input: Record<string, unknown>, name: string): unknown
  bind(spec: { type: string; name: string; namespace_id: string }, scope: Record<string, unknown>): unknown
}

const path: string = '../../bindings/kv/kind.ts'
const { kv } = (await import(path)) as { kv: Kind }

describe('kv.parse()', () => {
  test.each(['0123456789abcdef0123456789abcdef', 'a', 'My_KV-1', '<your-id>', '{{id}}', 'x'.repeat(64)])(
    'accepts the id %s',
    id => {
      expect(kv.parse({ namespace_id: id, other: 1 }, 'KV')).toEqual({
        type: 'kv_namespace',
        name: 'KV',
        namespace_id: id,
      })
    },
  )

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
  ])('refuses the id %j', id => {
    expect(() => kv.parse({ namespace_id: id }, 'CACHE')).toThrow(
      /^ERR_BINDING_INVALID: Binding "CACHE": `namespace_id` is .*1 to 64 printable/,
    )
  })
})

describe('kv.bind()', () => {
  const spec = { type: 'kv_namespace', name: 'KV', namespace_id: 'ns' }
  const exports = { KvEntrypoint: (options: unknown) => options }
  const scope = (kvPrefixes: Record<string, string>) => ({ exports, kvPrefixes })

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
