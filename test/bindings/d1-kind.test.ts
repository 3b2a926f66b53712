import { describe, expect, test } from 'vitest'
import type { BindScope } from '../../bindings/binding.ts'
import { d1 } from '../../bindings/d1/kind.ts'

describe('d1.bind()', () => {
  const spec = { type: 'd1', name: 'DB', id: 'id' } as const
  const scope = (resources: Record<string, string>) =>
    ({
      accountId: 'account',
      resources,
      d1: 'template',
      exports: { D1Entrypoint: (options: unknown) => options },
    }) as unknown as BindScope

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
    expect(d1.facade?.source.length).toBeLessThan(500)
  })
})
