import { describe, expect, test } from 'vitest'

/** As much of a kind as is tested. The module's own types are those of a Worker, which Node's can't stand beside. */
interface Kind {
  parse(input: Record<string, unknown>, name: string): unknown
  bind(spec: { type: string; name: string; id: string }, scope: Record<string, unknown>): unknown
  readonly facade: { readonly source: string }
}

const path: string = '../../bindings/d1/kind.ts'
const { d1 } = (await import(path)) as { d1: Kind }

describe('d1.parse()', () => {
  test.each([
    '0b5c2f7e-1111-4222-8333-944455556666',
    'driver-db',
    'a',
    '<your-id>',
    '{{id}}',
    'x'.repeat(64),
  ])('accepts the id %s', id => {
    expect(d1.parse({ id, other: 1 }, 'DB')).toEqual({ type: 'd1', name: 'DB', id })
    expect(d1.parse({ database_id: id }, 'DB')).toEqual({ type: 'd1', name: 'DB', id })
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
  ])('refuses the id %j', id => {
    expect(() => d1.parse({ id }, 'DB')).toThrow(
      /^ERR_BINDING_INVALID: Binding "DB": `id` is .*1 to 64 printable/,
    )
  })
})

describe('d1.bind()', () => {
  const spec = { type: 'd1', name: 'DB', id: 'id' }
  const scope = (resources: Record<string, string>) => ({
    accountId: 'account',
    resources,
    d1: 'template',
    exports: { D1Entrypoint: (options: unknown) => options },
  })

  test('gives the function its account and the object of its database, in props', () => {
    expect(d1.bind(spec, scope({ 'd1/id': 'object', 'd1/other': 'another' }))).toEqual({
      template: 'template',
      database: { props: { accountId: 'account', object: 'object' } },
    })
  })

  test.each([{}, { 'r2_bucket/id': 'object' }])(
    'refuses a database that the version does not know',
    resources => {
      expect(() => d1.bind(spec, scope(resources))).toThrow('Binding "DB": the database "id" is not known.')
    },
  )

  test('has a facade of less than 500 bytes: every cold start pays it', () => {
    expect(d1.facade.source.length).toBeLessThan(500)
  })
})
