import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkDocument } from '../../routes/gateway/check.ts'
import { diffDocuments } from '../../routes/gateway/diff.ts'
import type { GatewayDocument } from '../../routes/gateway/document.ts'

function documentOf(value: unknown): GatewayDocument {
  const check = checkDocument(value)
  if ('issues' in check) throw new Error(JSON.stringify(check.issues))
  return check.document
}

const route = (name: string, more: object = {}) => ({ name, match: `/${name}`, script: 'shop', ...more })
const summary = (before: object, after: object) =>
  diffDocuments(documentOf(before), documentOf(after)).map(({ what, name, change, fields }) =>
    `${change} ${what} ${name} ${fields.map(({ path, before, after }) => `${path}: ${before} -> ${after}`).join(', ')}`.trim(),
  )

describe('diffDocuments()', () => {
  test.each<[what: string, before: object, after: object, differences: string[]]>([
    ['nothing', { routes: [route('a')] }, { routes: [route('a')] }, []],
    ['a setting', {}, { script_hosts: 'all' }, ['changed settings  script_hosts: "unrouted" -> "all"']],
    [
      'a setting of a table',
      {},
      { paths: { case: 'insensitive' } },
      ['changed settings  paths.case: "sensitive" -> "insensitive"'],
    ],
    ['a removed route', { routes: [route('a'), route('b')] }, { routes: [route('b')] }, ['removed route a']],
    [
      'a changed field',
      { routes: [route('a')] },
      { routes: [route('a', { methods: ['GET'] })] },
      ['changed route a methods: null -> ["GET"]'],
    ],
    [
      'a field that is left out',
      { routes: [route('a', { methods: ['GET'] })] },
      { routes: [route('a')] },
      ['changed route a methods: ["GET"] -> null'],
    ],
    [
      'another order',
      { routes: [route('a'), route('b')] },
      { routes: [route('b'), route('a')] },
      ['moved route b', 'moved route a'],
    ],
    [
      'routes that others came before',
      { routes: [route('a'), route('b')] },
      { routes: [route('new'), route('a'), route('b')] },
      ['added route new match: null -> "/new", script: null -> "shop"'],
    ],
    [
      'an option of a policy',
      { policies: { p: { type: 'timeout', after: '1s' } } },
      { policies: { p: { type: 'timeout', after: '2s' } } },
      ['changed policy p after: "1s" -> "2s"'],
    ],
  ])('tells %s', (_what, before, after, differences) => {
    expect(summary(before, after)).toEqual(differences)
  })

  test('without a file before, tells only what is added', () => {
    const found = diffDocuments(undefined, documentOf({ script_hosts: 'all', routes: [route('a')] }))
    expect(found.map(({ what, change }) => [what, change])).toEqual([['route', 'added']])
  })

  test('finds no difference in the order of keys, and one in that of lists', () => {
    const headers = { a: '1', b: '2' }
    const turned = { b: '2', a: '1' }
    expect(
      summary({ routes: [route('a', { headers })] }, { routes: [route('a', { headers: turned })] }),
    ).toEqual([])
    const lists = summary(
      { routes: [route('a', { methods: ['GET', 'PUT'] })] },
      { routes: [route('a', { methods: ['PUT', 'GET'] })] },
    )
    expect(lists).toHaveLength(1)
  })
})

test('checkDocument() takes its own documents, and leaves them as they are', () => {
  const names = fc.constantFrom('a', 'b', 'c', undefined)
  const routes = fc.array(
    fc.record({
      name: names,
      match: fc.constantFrom('/a', '/b/:id', ['x.example/*', '/c']),
      methods: fc.constantFrom(undefined, ['get'], ['POST', 'PUT']),
      target: fc.constantFrom(
        { script: 's' },
        { upstream: 'https://u.example' },
        { upstream: { servers: [{ url: 'http://u' }] } },
        { redirect: { to: '/x' } },
        { respond: {} },
      ),
    }),
    { maxLength: 4 },
  )
  fc.assert(
    fc.property(routes, written => {
      const file = {
        routes: written.map(({ target, ...rest }) =>
          Object.fromEntries(
            Object.entries({ ...rest, ...target }).filter(([, value]) => value !== undefined),
          ),
        ),
      }
      const check = checkDocument(file)
      fc.pre('document' in check)
      const { document } = check as { document: GatewayDocument }
      expect(documentOf(JSON.parse(JSON.stringify(document)))).toEqual(document)
      expect(diffDocuments(document, document)).toEqual([])
      expect(new Set(document.routes.map(({ name }) => name)).size).toBe(document.routes.length)
    }),
  )
})

test('checkDocument() checks ten thousand routes within a few seconds', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => ({
    match: `api.example.com/r${i}/:id`,
    script: 'shop',
  }))
  const startedMs = performance.now()
  expect(checkDocument({ routes })).toHaveProperty('document')
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})
