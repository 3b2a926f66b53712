import { describe, expect, test } from 'vitest'
import { addBase, normaliseBasePath, stripBase } from '../../bindings/assets/base-path.ts'
import { matchesGlob } from '../../bindings/assets/glob.ts'
import { parseHeadersFile } from '../../bindings/assets/headers-file.ts'
import { fillIn, matchPattern, parsePattern } from '../../bindings/assets/pattern.ts'
import { parseRedirectsFile } from '../../bindings/assets/redirects-file.ts'
import { parseRules, toSiteConfig } from '../../bindings/assets/site-config.ts'

describe('matchPattern()', () => {
  const match = (pattern: string, text: string) => {
    const parsed = parsePattern(pattern)
    const groups = parsed && matchPattern(parsed, text)
    return groups && Object.fromEntries(groups)
  }

  test.each<[pattern: string, text: string, groups: Record<string, string> | undefined]>([
    ['/a', '/a', {}],
    ['/a', '/a/', undefined],
    ['/*', '/', { splat: '' }],
    ['/*', '/a/b', { splat: 'a/b' }],
    ['/a/*/z', '/a/b/z/c/z', { splat: 'b/z/c' }],
    ['/*.js', '/a/b.js', { splat: 'a/b' }],
    ['/:x', '/a', { x: 'a' }],
    ['/:x', '/', undefined],
    ['/:x', '/a/b', undefined],
    ['/:x-:y', '/a-b-c', { x: 'a-b', y: 'c' }],
    ['/:x:y', '/abc', { x: 'ab', y: 'c' }],
    ['/:x/*', '/a/b/c', { x: 'a', splat: 'b/c' }],
    ['/(.+)', '/(.+)', {}],
    ['/(.+)', '/abc', undefined],
    ['https://:sub.example.com/*', 'https://a.example.com/b', { sub: 'a', splat: 'b' }],
    ['https://:sub.example.com/*', 'https://a.b.example.com/b', undefined],
    ['/:a/:a', '/x/x', undefined],
    ['/:a/:ab', '/x/y', undefined],
    ['/:ab/:a', '/x/y', { ab: 'x', a: 'y' }],
    ['/*/*', '/a/b', undefined],
  ])('of %s and %s', (pattern, text, groups) => {
    expect(match(pattern, text)).toEqual(groups)
  })

  test('takes time in proportion to the path, however many placeholders stand side by side', () => {
    const pattern = `/${Array.from({ length: 32 }, (_, i) => `:${String.fromCharCode(97 + (i % 26))}${i}x`).join('')}!`
    const startedAtMs = performance.now()
    expect(match(pattern, `/${'a'.repeat(16_000)}`)).toBeUndefined()
    expect(performance.now() - startedAtMs).toBeLessThan(1000)
  })

  test('fillIn() puts in what placeholders stand for, as it is', () => {
    expect(
      fillIn('/:a/:splat/:none', [
        ['a', '$&'],
        ['splat', 'x/y'],
      ]),
    ).toBe('/$&/x/y/:none')
  })
})

test.each<[pattern: string, text: string, fits: boolean]>([
  ['/api/*', '/api/', true],
  ['/api/*', '/api', false],
  ['/a', '/a', true],
  ['/a', '/ab', false],
  ['*', '', true],
  ['/*/x/*', '/a/x/b/x/', true],
  ['/*.js', '/a.js.map', false],
  ['/a*a', '/a', false],
  ['/a*b*b', '/ab', false],
  ['/a.c', '/abc', false],
])('matchesGlob() of %s and %s: %s', (pattern, text, fits) => {
  expect(matchesGlob(pattern, text)).toBe(fits)
})

describe('parseHeadersFile()', () => {
  test('reads blocks, joins what comes twice, and leaves out blocks without header', () => {
    const { rules, problems } = parseHeadersFile(
      '# c\n/a b\n\tX-One: 1\n  X-One: 2:3\r\n  ! X-Two\n/none\n\nhttps://h.test/:x\nA: b\n/a%20b\nLast: wins',
    )
    expect(problems).toEqual([])
    expect(rules).toEqual([
      { pattern: '/a%20b', set: [['last', 'wins']], unset: [] },
      { pattern: 'https://h.test/:x', set: [['a', 'b']], unset: [] },
    ])
    expect(parseHeadersFile('/x\n ! X-Two\n X: y').rules).toEqual([
      { pattern: '/x', set: [['x', 'y']], unset: ['X-Two'] },
    ])
  })

  test.each([
    ['X-A: b', 1, 'Expected a path before headers'],
    ['/a\nX-A:', 2, 'Invalid header format'],
    ['/a\nno colon', 2, 'Invalid header format'],
    ['/a\n! ', 2, 'Invalid header format'],
    ['/a\nX A: b', 2, 'Invalid header format'],
    ['/a\nX-A: b\u0000c', 2, 'Invalid header format'],
    ['/*/*\nX-A: b', 1, 'Only one wildcard is allowed per rule.'],
    ['/*/:splat\nX-A: b', 1, 'Cannot combine a wildcard'],
    ['http://a.test/x\nX-A: b', 1, 'URLs should either be relative'],
    ['https://a.test:80/x\nX-A: b', 1, 'Specifying ports is not supported.'],
    [`/a\nX-A: ${'b'.repeat(1996)}`, 2, 'Exceeds the maximum allowed length of 2000'],
    [
      `/${':a/'.repeat(1)}${Array.from({ length: 32 }, (_, i) => `:b${String.fromCharCode(97 + (i % 26))}${i}_`).join('/')}\nX: y`,
      1,
      'Only 32 placeholders',
    ],
  ])('refuses %j', (text, line, message) => {
    expect(parseHeadersFile(text).problems).toEqual([{ line, message: expect.stringContaining(message) }])
  })

  test('takes 100 rules, and lines of 2,000 characters', () => {
    const rules = (count: number) => Array.from({ length: count }, (_, i) => `/${i}\nX: y`).join('\n')
    expect(parseHeadersFile(rules(100))).toMatchObject({ problems: [], rules: { length: 100 } })
    expect(parseHeadersFile(rules(101)).problems).toHaveLength(1)
    expect(parseHeadersFile(`/a\nX-A: ${'b'.repeat(1995)}`).problems).toEqual([])
  })
})

describe('parseRedirectsFile()', () => {
  test('looks up what comes before the first placeholder, and tries the rest in order', () => {
    const text = '/a /b\n/c https://x.test/y?q#h 301\n/d/* /e/:splat 200 # why\n/f /g\n/a /again\n'
    expect(parseRedirectsFile(text, 'auto-trailing-slash')).toEqual({
      problems: [],
      rules: {
        fixed: [
          ['/a', { to: '/b', status: 302 }],
          ['/c', { to: 'https://x.test/y?q#h', status: 301 }],
        ],
        rules: [
          { pattern: '/d/*', to: '/e/:splat', status: 200 },
          { pattern: '/f', to: '/g', status: 302 },
        ],
      },
    })
  })

  test.each([
    ['/a', 'Expected exactly 2 or 3 whitespace-separated tokens. Got 1.'],
    ['/a /b 301 /c', 'Expected exactly 2 or 3 whitespace-separated tokens. Got 4.'],
    ['https://x.test/a /b', 'Only relative URLs are allowed.'],
    ['/a b', 'URLs should either be relative'],
    ['/a http://x.test/', 'URLs should either be relative'],
    ['/a /b 404', 'Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got 404.'],
    ['/a https://x.test/ 200', 'Proxy (200) redirects can only point to relative paths.'],
    ['/* /index.html 200', 'Infinite loop detected in this rule.'],
    ['/ /index', 'Infinite loop detected in this rule.'],
  ])('refuses %s', (text, message) => {
    expect(parseRedirectsFile(text, 'auto-trailing-slash').problems).toEqual([
      { line: 1, message: expect.stringContaining(message) },
    ])
  })

  test('lets a directory lead to its index where html_handling is none', () => {
    expect(parseRedirectsFile('/ /index.html', 'none').problems).toEqual([])
    expect(parseRedirectsFile('/* /index.html 200', 'none').problems).toHaveLength(1)
  })

  test.each([
    ['static', 2000, (i: number) => `/${i} /x`],
    ['dynamic', 100, (i: number) => `/${i}/* /x`],
  ])('takes as many %s rules as Cloudflare: %i', (kind, most, line) => {
    const text = (count: number) => Array.from({ length: count }, (_, i) => line(i)).join('\n')
    expect(parseRedirectsFile(text(most), 'none').problems).toEqual([])
    expect(parseRedirectsFile(text(most + 1), 'none').problems).toEqual([
      { line: most + 1, message: `Maximum number of ${kind} _redirects rules limit of ${most} exceeded` },
    ])
  })
})

describe('the configuration of static files', () => {
  const program = { mainModule: 'a.js', compatibilityDate: '2026-11-01', compatibilityFlags: [] as string[] }
  const rules = { headers: [], redirects: { fixed: [], rules: [] } }

  test('has its defaults filled in', () => {
    expect(toSiteConfig({}, program, rules)).toEqual({
      config: {
        html_handling: 'auto-trailing-slash',
        not_found_handling: 'none',
        base_path: '/',
        worker_first: false,
        has_worker: true,
        navigation_prefers_assets: true,
        ...rules,
      },
    })
  })

  test.each([
    ['2025-03-31', [], false],
    ['2025-04-01', [], true],
    ['2025-03-31', ['assets_navigation_prefers_asset_serving'], true],
    ['2026-11-01', ['assets_navigation_has_no_effect'], false],
  ])('prefers files for navigations at %s with %j: %s', (compatibilityDate, compatibilityFlags, prefers) => {
    const parsed = toSiteConfig({}, { ...program, compatibilityDate, compatibilityFlags }, rules)
    expect(parsed).toMatchObject({ config: { navigation_prefers_assets: prefers } })
  })

  const many = (count: number) => Array.from({ length: count }, (_, i) => `/${i}`)
  test.each<[what: string, first: boolean | string[], problem: string | undefined]>([
    ['100 patterns', many(100), undefined],
    ['101 patterns', many(101), 'has 101 rules; at most 100'],
    ['a pattern of 100 characters', [`/${'a'.repeat(99)}`], undefined],
    ['a pattern of 101 characters', [`/${'a'.repeat(100)}`], 'at most 100 characters'],
    ['a pattern without slash', ['api/*'], "must start with '/' or '!/'"],
    ['exceptions alone', ['!/a'], 'at least 1 rule that does not begin with !'],
  ])('run_worker_first: %s', (_what, first, problem) => {
    const parsed = toSiteConfig({ run_worker_first: first }, program, rules)
    if (problem === undefined) expect(parsed).toHaveProperty('config')
    else expect(parsed).toEqual({ problem: expect.stringContaining(problem) })
  })

  test.each([[true], [['/a']]])('run_worker_first %j needs a Worker', first => {
    expect(toSiteConfig({ run_worker_first: first }, { ...program, mainModule: '' }, rules)).toHaveProperty(
      'problem',
    )
  })

  test('a line that is no rule refuses it, in the words of Cloudflare', () => {
    expect(parseRules({ _redirects: '/a /b\n/c' }, undefined)).toEqual({
      problem:
        'Invalid _redirects configuration:\nLine 2: Expected exactly 2 or 3 whitespace-separated tokens. Got 1.',
    })
    expect(parseRules({ _headers: 'X: y' }, undefined)).toEqual({
      problem: 'Invalid _headers configuration:\nLine 1: Expected a path before headers',
    })
  })
})

describe('a base path', () => {
  test.each([
    ['/', '/'],
    ['docs', '/docs/'],
    ['/docs/', '/docs/'],
    ['/a/./b/../c', '/a/c/'],
    ['/..', '/'],
  ])('%s is %s', (text, path) => {
    expect(normaliseBasePath(text)).toEqual({ path })
  })

  test.each(['', '//a', 'https://a.test/', '/a?b', '/a#b', '/a%20b', '/a\\b', '/a\nb'])(
    '%j is none',
    text => {
      expect(normaliseBasePath(text)).toHaveProperty('problem')
    },
  )

  test('is taken off and put on', () => {
    expect(['/docs', '/docs/', '/docs/a', '/docsa', '/'].map(path => stripBase(path, '/docs/'))).toEqual([
      '/',
      '/',
      '/a',
      undefined,
      undefined,
    ])
    expect(['/', '/a'].map(path => addBase(path, '/docs/'))).toEqual(['/docs/', '/docs/a'])
  })
})
