import fc from 'fast-check'
import { stringify } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { findJsonPlaces } from '../../routes/gateway/json-places.ts'
import type { Path, Places } from '../../routes/gateway/places.ts'
import { describePath, locateIssues, parseSource } from '../../routes/gateway/source.ts'
import { findTomlPlaces } from '../../routes/gateway/toml-places.ts'

const TOML = `# A comment with [brackets] = "and more"
script_hosts = "all"
paths.case = 'sensitive'
"quoted key".inner = { a = [1, 2], "b.c" = { d = true } }

[[routes]]
match = "a.example/*" # [[routes]]
methods = [
  "GET", # first
  'POST',
]

  [routes.upstream]
  servers = [ { url = "http://a" },
    { url = "http://b", weight = 2 } ]

[[routes]]
match = """
one \\"""two
"""
use = ["custmers"]

[policies.fair]
type = '''rate-limit'''
when = 1979-05-27 07:32:00
limit = 1_000 

[policies."dotted.name"]
nested.deep.value = inf
`

describe('parseSource()', () => {
  test('reads TOML, with dates as texts', () => {
    expect(parseSource('a = 2026-01-02T03:04:05Z\n[b]\nc = [1]', 'toml')).toEqual({
      value: { a: '2026-01-02T03:04:05.000Z', b: { c: [1] } },
    })
  })

  test('reads a file that begins with a byte order mark', () => {
    expect(parseSource('\uFEFF{"a":1}', 'json')).toEqual({ value: { a: 1 } })
    expect(parseSource('\uFEFFa = 1', 'toml')).toEqual({ value: { a: 1 } })
  })

  test.each([
    ['toml', 'a = 1\nb = \n', 2, 5, /^This is not TOML: /],
    ['toml', 'a = 1\na = 2\n', 2, 1, /^This is not TOML: /],
    ['toml', '[routes]\n  x = "open', 2, 7, /^This is not TOML: /],
    ['toml', 'a = 9223372036854775807', 1, 5, /^This is not TOML: /],
    ['json', '', 1, 1, 'This is not JSON: There must be a value here, not the end of the file.'],
    [
      'json',
      '{\n  "a": 1,\n}',
      3,
      1,
      'This is not JSON: There must be a key in double quotes here, not "}".',
    ],
    ['json', '{"a" 1}', 1, 6, 'This is not JSON: There must be a colon here, not "1".'],
    ['json', '{"a": 01}', 1, 7, 'This is not JSON: There must be a value here, not "0".'],
    ['json', '{"a": [1 2]}', 1, 10, 'This is not JSON: There must be a comma or "]" here, not "2".'],
    ['json', '{"a": "x', 1, 7, 'This is not JSON: This text has no closing quote.'],
    ['json', '{"a": "\\x"}', 1, 7, 'This is not JSON: There is a wrong escape in this text.'],
    ['json', '{} {}', 1, 4, 'This is not JSON: There must be the end of the file here, not "{".'],
  ] as const)('of %s %j says where it goes wrong', (format, text, line, column, message) => {
    const answer = parseSource(text, format)
    expect(answer).toMatchObject({ issues: [{ line, column, path: '' }] })
    const [issue] = 'issues' in answer ? answer.issues : []
    expect(issue?.message).toMatch(message)
  })

  test.each(['toml', 'json'] as const)('refuses %s that is too deep, and takes what is not', format => {
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    const source = (depth: number) => (format === 'toml' ? `a = ${nested(depth)}` : nested(depth))
    expect(parseSource(source(90), format)).toHaveProperty('value')
    expect(parseSource(source(100_000), format)).toHaveProperty('issues')
  })

  test('takes exactly the JSON that JSON.parse() takes', () => {
    const nearJson = fc.oneof(
      fc.json(),
      fc
        .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '}', '1', ' ', '\\'))
        .map(([text, at, extra]) => {
          const place = at % (text.length + 1)
          return text.slice(0, place) + extra + text.slice(place + 1)
        }),
    )
    fc.assert(
      fc.property(nearJson, text => {
        expect(findJsonPlaces(text).fault === undefined).toBe(isJson(text))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('locateIssues()', () => {
  test.each<[path: Path, line: number, column: number]>([
    [['script_hosts'], 2, 16],
    [['paths', 'case'], 3, 14],
    [['quoted key', 'inner', 'a', 1], 4, 32],
    [['quoted key', 'inner', 'b.c', 'd'], 4, 50],
    [['routes', 0], 6, 1],
    [['routes', 0, 'match'], 7, 9],
    [['routes', 0, 'methods'], 8, 11],
    [['routes', 0, 'methods', 1], 10, 3],
    [['routes', 0, 'upstream'], 13, 3],
    [['routes', 0, 'upstream', 'servers', 1, 'weight'], 15, 34],
    [['routes', 1], 17, 1],
    [['routes', 1, 'match'], 18, 9],
    [['routes', 1, 'use', 0], 21, 8],
    [['policies', 'fair'], 23, 1],
    [['policies', 'fair', 'type'], 24, 8],
    [['policies', 'fair', 'limit'], 26, 9],
    [['policies', 'dotted.name', 'nested', 'deep', 'value'], 29, 21],
  ])('finds %j of TOML in line %i, column %i', (path, line, column) => {
    expect(parseSource(TOML, 'toml')).toHaveProperty('value')
    expect(locateIssues(TOML, 'toml', [{ path, message: 'x' }])).toEqual([
      { line, column, path: describePath(path), message: 'x' },
    ])
  })

  test.each<[path: Path, line: number, column: number]>([
    [['routes', 0, 'match'], 7, 1],
    [['policies', 'fair'], 23, 11],
    [['paths', 'case'], 3, 7],
  ])('finds the key of %j in line %i, column %i', (path, line, column) => {
    expect(locateIssues(TOML, 'toml', [{ path, message: 'x', at: 'key' }])).toMatchObject([{ line, column }])
  })

  test('points at what is above when the thing itself is not in the text', () => {
    const issues = [
      { path: ['routes', 1, 'script'], message: 'missing' },
      { path: ['nowhere', 'at', 'all'], message: 'missing' },
    ]
    expect(locateIssues(TOML, 'toml', issues)).toMatchObject([
      { line: 1, column: 1 },
      { line: 17, column: 1 },
    ])
  })

  test('finds things in JSON', () => {
    const text = '{\n  "routes": [\n    {"match": "/", "use": ["a", "b"]}\n  ]\n}'
    const at = (path: Path, part?: 'key') =>
      locateIssues(text, 'json', [{ path, message: 'x', ...(part && { at: part }) }])[0]
    expect(at(['routes', 0, 'use', 1])).toMatchObject({ line: 3, column: 33, path: 'routes[0].use[1]' })
    expect(at(['routes', 0, 'match'], 'key')).toMatchObject({ line: 3, column: 6 })
    expect(at(['routes', 0, 'nothing'])).toMatchObject({ line: 3, column: 5 })
  })

  test('counts no column for a byte order mark', () => {
    expect(locateIssues('\uFEFFa = 1', 'toml', [{ path: ['a'], message: 'x' }])).toMatchObject([
      { column: 5 },
    ])
  })

  // Whatever a document holds, each of its leaves is found where the text has its key or value.
  const key = fc
    .oneof(
      fc.constantFrom('a', 'b', 'routes', 'x-y', 'a b', '"', "'", '.', '', '#', '[', 'ü'),
      fc.string({ maxLength: 4 }),
    )
    .filter(name => name !== '__proto__')
  const leaf = fc.oneof(
    fc.string({ unit: 'grapheme', maxLength: 12 }),
    fc.constantFrom('"""', "'''", '#', ']', '}', '\\', 'line\nline', '\r\n', 'a = 1'),
    fc.integer(),
    fc.boolean(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  )
  const { table } = fc.letrec<{ table: Record<string, unknown>; value: unknown }>(tie => ({
    value: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.array(tie('value'), { maxLength: 3 }),
      tie('table'),
      fc.array(tie('table'), { minLength: 1, maxLength: 3 }),
    ),
    table: fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  }))

  test('points at the key or value of each leaf of any TOML document', () => {
    fc.assert(
      fc.property(table, document => {
        const text = stringify(document)
        expectAllFound(document, text, findTomlPlaces(text))
      }),
      { numRuns: 1000 },
    )
  })

  test('points at the key or value of each leaf of any JSON document', () => {
    fc.assert(
      fc.property(table, fc.nat(3), (document, indent) => {
        const text = JSON.stringify(document, null, indent)
        expectAllFound(document, text, findJsonPlaces(text).places)
      }),
      { numRuns: 500 },
    )
  })
})

describe('describePath()', () => {
  test.each<[Path, string]>([
    [[], ''],
    [['routes', 1, 'use', 0], 'routes[1].use[0]'],
    [['policies', 'a.b', 'type'], 'policies["a.b"].type'],
    [['routes', 0, 'headers', 'x-a'], 'routes[0].headers.x-a'],
    [['1'], '["1"]'],
  ])('writes %j as %s', (path, text) => {
    expect(describePath(path)).toBe(text)
  })
})

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function expectAllFound(document: unknown, text: string, places: Places): void {
  const lines = text.split('\n')
  for (const { path, value } of leavesOf(document)) {
    const { line, column } = places.find(path, 'value')
    const rest = [(lines[line - 1] ?? '').slice(column - 1), ...lines.slice(line)].join('\n')
    expect([path, rest, startsWithValue(rest, value)]).toEqual([path, rest, true])
    const at = places.find(path, 'key')
    const key = path.at(-1)
    if (typeof key !== 'string') continue
    const keyText = (lines[at.line - 1] ?? '').slice(at.column - 1)
    const spelt = keyText.startsWith('"') || keyText.startsWith("'") || keyText.startsWith(key)
    expect([path, keyText, spelt]).toEqual([path, keyText, true])
  }
}

function startsWithValue(text: string, value: unknown): boolean {
  if (typeof value === 'string') {
    // Told apart by its first character; how an escape goes on is the writer's choice.
    const first = JSON.stringify([...value][0] ?? '').slice(1, -1)
    const begin = value === '' ? '"' : first.startsWith('\\') ? '\\' : first
    return text.startsWith("'") || (text.startsWith('"') && text.slice(1).startsWith(begin))
  }
  const [word = ''] = /^[^\s,\]}]+/.exec(text) ?? []
  return typeof value === 'boolean' ? word === String(value) : Number(word.replaceAll('_', '')) === value
}

function leavesOf(value: unknown, path: Path = []): { path: Path; value: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  if (Array.isArray(value)) return value.flatMap((item, i) => leavesOf(item, [...path, i]))
  return Object.entries(value).flatMap(([key, item]) => leavesOf(item, [...path, key]))
}
