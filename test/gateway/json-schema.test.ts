import { type Schema, Validator } from '@cfworker/json-schema'
import { describe, expect, test } from 'vitest'
import { checkDocument } from '../../routes/gateway/check.ts'
import { gatewayJsonSchema } from '../../routes/gateway/json-schema.ts'
import { POLICY_KINDS } from '../../routes/policies/kinds.ts'

type Node = { [key: string]: unknown } & {
  description?: string
  properties?: Record<string, Node>
  additionalProperties?: Node | false
  items?: Node
  anyOf?: Node[]
  oneOf?: Node[]
}

const schema = gatewayJsonSchema() as Node
const validator = new Validator(schema as Schema, '7', false)
const policies = schema.properties?.policies?.additionalProperties as Node

function policy(type: string, options: object = {}): object {
  return { policies: { p: { type, ...options } } }
}

describe('gatewayJsonSchema()', () => {
  test('has every type of policy, with its summary', () => {
    expect(policies.oneOf?.map(({ title, description }) => [title, description])).toEqual(
      [...POLICY_KINDS.values()].map(({ type, summary }) => [type, summary]).sort(),
    )
  })

  test('describes every field of the file, and every option of policies', () => {
    const { policies: _, ...file } = schema.properties ?? {}
    const missing = [
      ...undescribed({ properties: file }, 'file'),
      ...(policies.oneOf ?? []).flatMap(kind =>
        [kind, ...(kind.oneOf ?? [])].flatMap(({ properties = {} }) =>
          Object.entries(properties)
            .filter(([key, { description }]) => key !== 'type' && !description)
            .map(([key]) => `${kind.title}.${key}`),
        ),
      ),
    ]
    expect(missing).toEqual([])
  })

  test.each<[what: string, file: object]>([
    ['an empty file', {}],
    ['its own address', { $schema: 'https://example.com/gateway.schema.json' }],
    ['a route', { routes: [{ match: 'a.example/*', methods: ['GET'], script: 'a', use: ['p'] }] }],
    [
      'routes to everything else',
      {
        routes: [
          { match: ['/a', '/b'], upstream: 'https://a.example' },
          { match: '/c', upstream: { servers: [{ url: 'http://a', weight: 2 }] } },
          { match: '/d', redirect: { to: '/e', status: 301 } },
          { match: '/f', respond: { status: 204, headers: { a: 'b' } }, headers: { x: true, y: ['1', '2'] } },
        ],
      },
    ],
    ['a policy', policy('body-limit', { max_bytes: 5 })],
    ['a duration as text', policy('timeout', { after: '5s' })],
    ['a duration as number', policy('timeout', { after: 5 })],
    [
      'a secret where the text is bounded',
      policy('oidc', {
        issuer: 'https://a',
        client_id: 'a',
        client_secret: 'secret:A',
        session_secret: 'secret:B',
      }),
    ],
  ])('takes %s', (_what, file) => {
    expect(validator.validate(file).errors).toEqual([])
  })

  test.each<[what: string, file: object]>([
    ['a field that is not known', { rotues: [] }],
    ['a route without match', { routes: [{ script: 'a' }] }],
    ['a policy without type', { policies: { p: {} } }],
    ['a type that is not known', policy('jtw')],
    ["another type's option", policy('timeout', { after: '5s', max_bytes: 5 })],
    ['an option out of bounds', policy('body-limit', { max_bytes: -1 })],
  ])('refuses %s, as the check does', (_what, file) => {
    expect(validator.validate(file).valid).toBe(false)
    expect(checkDocument(file)).toHaveProperty('issues')
  })

  test('leaves "$schema" to editors: the check takes no notice of it', () => {
    expect(checkDocument({ $schema: './gateway.schema.json' })).toHaveProperty('document')
  })
})

function undescribed(node: Node, path: string): string[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, property]) => {
    if (key === '$schema') return []
    const place = `${path}.${key}`
    const parts = [property, ...(property.anyOf ?? [])]
    return [
      ...(property.description ? [] : [place]),
      ...parts.flatMap(part => [
        ...undescribed(part, place),
        ...(part.items ? undescribed(part.items, place) : []),
      ]),
    ]
  })
}
