import { expect, test } from 'vitest'
import { withFiles } from '../../routes/gateway/files.ts'
import { fileNamesIn } from '../../src/core/gateway-files.ts'

const DOCUMENT = {
  script_hosts: 'file:never.json',
  routes: [
    { match: '/', respond: { body: 'file:page.html' } },
    { match: 'file:never.json', respond: { body: 'file:data.json', headers: { a: 'file:never.json' } } },
  ],
  policies: { p: { type: 'x', schema: 'file:order.json', list: ['file:key.pem', 'not a file: x'] } },
}

test('fileNamesIn() finds the files that policies and bodies name, each once', () => {
  expect(fileNamesIn(DOCUMENT)).toEqual(['order.json', 'key.pem', 'page.html', 'data.json'])
  expect(fileNamesIn({ policies: { a: { b: 'file:x', c: 'file:x' } } })).toEqual(['x'])
})

test.each([undefined, 5, [], { routes: 5, policies: [] }, { routes: [null, 'x', { respond: 5 }] }])(
  'withFiles() leaves %j, which is no document, as it is',
  value => {
    expect(withFiles(value, new Map())).toEqual({ value, issues: [] })
  },
)

test('withFiles() puts JSON in as a value, and everything else as a text', () => {
  const files = new Map([
    ['page.html', '<p>'],
    ['data.json', '{"a":[1]}'],
    ['order.json', '{"type":"object"}'],
    ['key.pem', '---'],
  ])
  expect(withFiles(DOCUMENT, files)).toEqual({
    issues: [],
    value: {
      ...DOCUMENT,
      routes: [
        { match: '/', respond: { body: '<p>' } },
        { match: 'file:never.json', respond: { body: '{"a":[1]}', headers: { a: 'file:never.json' } } },
      ],
      policies: { p: { type: 'x', schema: { type: 'object' }, list: ['---', 'not a file: x'] } },
    },
  })
})

test.each([
  [
    'missing.json',
    undefined,
    `The file "missing.json" didn't come along; \`skerry gateway apply\` sends it.`,
  ],
  ['openapi.yaml', 'a: 1', '"openapi.yaml" is YAML, which is not read here: convert it to JSON.'],
  ['wrong.json', '{', expect.stringMatching(/^"wrong\.json" is not JSON: /)],
])('withFiles() says where %s is named, and what is wrong with it', (name, text, message) => {
  const files = new Map(text === undefined ? [] : [[name, text]])
  const { issues } = withFiles({ policies: { p: { schema: [`file:${name}`] } } }, files)
  expect(issues).toEqual([{ path: ['policies', 'p', 'schema', 0], message }])
})
