import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toClaim } from '../../routes/gateway/host-pattern.ts'
import { DEFAULT_PATHS, normalisePath } from '../../routes/gateway/path.ts'
import { toKey } from '../../routes/gateway/path-key.ts'
import { parsePatterns } from '../../routes/gateway/pattern.ts'

const literal = (text: string) => ({ kind: 'literal', text })
const param = (name: string | undefined, prefix = '', suffix = '') => ({
  kind: 'param',
  name,
  prefix,
  suffix,
})
const rest = (prefix = '') => ({ kind: 'rest', prefix })

describe('parsePatterns()', () => {
  test.each([
    ['/', []],
    ['/a/b', [literal('a'), literal('b')]],
    ['/a/b/', [literal('a'), literal('b')]],
    ['/users/:id', [literal('users'), param('id')]],
    ['/file-:id.json', [param('id', 'file-', '.json')]],
    ['/:id.json', [param('id', '', '.json')]],
    ['/*', [rest()]],
    ['/files/*', [literal('files'), rest()]],
    ['/files*', [rest('files')]],
    ['/a/*/b', [literal('a'), param(undefined), literal('b')]],
    ['/a/*/*', [literal('a'), param(undefined), rest()]],
    ['/a/*/', [literal('a'), param(undefined)]],
    ['/items\\:batch', [literal('items:batch')]],
    ['/items%3Abatch', [literal('items:batch')]],
    ['/\\(\\)/\\*/\\?', [literal('()'), literal('*'), literal('?')]],
    ['/what%3f', [literal('what?')]],
    ['/café', [literal('café')]],
    ['/caf%c3%a9', [literal('café')]],
    ['/%61dmin', [literal('admin')]],
    ['/@me/a+b', [literal('@me'), literal('a+b')]],
    ['/.well-known/:x', [literal('.well-known'), param('x')]],
    ['/..:x', [param('x', '..')]],
  ])('reads the path %s', (text, segments) => {
    expect(parsePatterns(text)).toEqual([{ text: text, host: undefined, segments }])
  })

  test.each([
    ['Shop.Example.com/', 'shop.example.com'],
    ['*.example.com/', '*.example.com'],
    ['*.localhost/', '*.localhost'],
    ['café.example/', 'xn--caf-dma.example'],
    ['192.0.2.1/', '192.0.2.1'],
    ['/', undefined],
  ])('reads the host of %s', (text, claim) => {
    const [pattern] = parsePatterns(text)
    expect(pattern?.host && toClaim(pattern.host)).toBe(claim)
  })

  test.each([
    ['/a/:x?', ['/a/:x', '/a']],
    ['/:x?', ['/:x', '/']],
    ['/v1/:a?/:b?', ['/v1/:a/:b', '/v1/:a', '/v1/:b', '/v1']],
    ['/:locale?/shop/*', ['/:locale/shop/*', '/shop/*']],
  ])('makes of %s the patterns %j', (text, expected) => {
    expect(parsePatterns(text).map(({ text }) => text)).toEqual(expected)
  })

  test('keeps a trailing slash where it matters', () => {
    const strict = { ...DEFAULT_PATHS, trailing_slash: 'strict' } as const
    const segmentsOf = (text: string) => parsePatterns(text, strict).map(({ segments }) => segments)
    expect(segmentsOf('/a/')).toEqual([[literal('a'), literal('')]])
    expect(segmentsOf('/a')).toEqual([[literal('a')]])
    expect(segmentsOf('/')).toEqual([[literal('')]])
    expect(segmentsOf('/:x?')).toEqual([[param('x')], [literal('')]])
  })

  test('folds literals where case is ignored, not names', () => {
    const [pattern] = parsePatterns('/Files/File-:Id.JSON', { ...DEFAULT_PATHS, case: 'insensitive' })
    expect(pattern?.segments).toEqual([literal('files'), param('Id', 'file-', '.json')])
  })

  test('takes an encoded slash only where these are kept', () => {
    const [pattern] = parsePatterns('/@scope%2fname', { ...DEFAULT_PATHS, encoded_slashes: 'keep' })
    expect(pattern?.segments).toEqual([literal('@scope%2Fname')])
    expect(() => parsePatterns('/@scope%2fname')).toThrow('an encoded slash (%2F)')
  })

  test.each([
    ['example.com', 'it has no path; write "example.com/*" for all of them'],
    ['*', 'it has no path; write "/*" for all of them'],
    ['', 'it has no path'],
    ['https://example.com/', 'leave "https://" out'],
    ['example.com:8787/', 'leave the port out'],
    ['*/x', 'leave the host out'],
    ['*example.com/', 'in the host, * may stand only at the start, before a dot'],
    ['a.*.com/', 'in the host, * may stand only at the start, before a dot'],
    ['exa mple.com/', '"exa mple.com" is not a host name'],
    [`${'a'.repeat(64)}.com/`, 'is not a host name'],
    ['[::1]/', 'is not a host name'],
    ['api/orders', '"api" has no dot, so it is no host that can be served; a path begins with "/"'],
    ['/a//b', 'it has an empty segment'],
    ['/a/../b', '".." can\'t match'],
    ['/./a', '"." can\'t match'],
    ['/:', '":" needs a name'],
    ['/:1', '":" needs a name'],
    ['/:café', '":café" is not a name'],
    ['/a/:id/:id', '":id" stands in it twice'],
    ['/:a-:b', '":a-:b" has two parameters'],
    ['/:__proto__', '":__proto__" can\'t be a name'],
    ['/:id(\\d+)', '":id(" is not supported: there are no expressions'],
    ['/:id{[0-9]+}', '":id{" is not supported: there are no expressions'],
    ['/(a|b)', '"(" is not supported'],
    ['/a{/b}?', '"{" is not supported'],
    ['/:path+', '":path+" is not supported'],
    ['/:path*', '":name*" is not supported'],
    ['/**', '"**" is not supported'],
    ['/*.json', '"*" in "*.json" must end the match or be a segment of its own'],
    ['/a*/b', '"*" in "a*" must end the match or be a segment of its own'],
    ['/file-:id?', 'only a whole segment can be optional'],
    ['/:id?.json', 'only a whole segment can be optional'],
    ['/a?b=c', '"?" may stand only after a parameter'],
    ['/a#b', 'leave the fragment'],
    ['/a;v=1', '";" and what follows it in a segment is not looked at'],
    ['/a%3Bv', '";" and what follows it in a segment is not looked at'],
    ['/100%', '"100%" has a "%" that two hexadecimal digits don\'t follow'],
    ['/a%00', 'an encoded control character'],
    ['/a\\\\b', 'paths with backslashes are refused'],
    ['/a\\b', '"\\" may stand only before a character that is no letter, digit or slash'],
    ['/a\\', '"\\" may stand only before a character that is no letter, digit or slash'],
  ])('refuses %j: %s', (text, problem) => {
    expect(() => parsePatterns(text)).toThrow(problem)
    expect(() => parsePatterns(text)).toThrow('ERR_GATEWAY_FILE: The match "')
  })

  test.each([
    ['characters', (n: number) => `/${'a'.repeat(n - 1)}`, 1024],
    ['segments', (n: number) => '/a'.repeat(n), 64],
    ['optional parameters', (n: number) => Array.from({ length: n }, (_, i) => `/:p${i}?`).join(''), 4],
  ])('has a bound on %s', (what, create, bound) => {
    expect(() => parsePatterns(create(bound))).not.toThrow()
    expect(() => parsePatterns(create(bound + 1))).toThrow(`it has ${bound + 1} ${what}, of at most ${bound}`)
  })

  const character = fc.constantFrom(
    ...'/ab:*?.;%(){}\\+#-@é／ \u0301é',
    '%2',
    '%c3%a9',
    '%61',
    '%2F',
    '\ud800',
  )
  const anyText = fc.array(character, { maxLength: 12 }).map(characters => characters.join(''))

  test('takes or refuses any text, and never fails otherwise', () => {
    fc.assert(
      fc.property(anyText, text => {
        try {
          expect(parsePatterns(`/${text}`).length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_GATEWAY_FILE' })
        }
      }),
      { numRuns: 3000 },
    )
  })

  test('reads a literal as a request with that path is read', () => {
    let taken = 0
    const text = fc.array(fc.constantFrom(...'ab/.-@é[|~+', '%20', '%61', '%c3%a9', '%40', '%25', 'ａ'))
    fc.assert(
      fc.property(text, pieces => {
        const path = `/${pieces.join('')}`
        const normal = normalisePath(path)
        let segments: readonly unknown[]
        try {
          segments = parsePatterns(path, { ...DEFAULT_PATHS, trailing_slash: 'strict' })[0]?.segments ?? []
        } catch {
          return
        }
        taken++
        if (normal.refused !== undefined) throw new Error(normal.refused)
        expect(segments).toEqual(toKey(normal.path, DEFAULT_PATHS).slice(1).split('/').map(literal))
      }),
      { numRuns: 1000 },
    )
    expect(taken).toBeGreaterThan(100)
  })
})
