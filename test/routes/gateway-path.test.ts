import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PATHS, normalisePath, type PathOptions } from '../../routes/gateway/path.ts'
import { fromKey, toKey } from '../../routes/gateway/path-key.ts'

const KEEP: PathOptions = { ...DEFAULT_PATHS, encoded_slashes: 'keep' }
const SENSITIVE = { case: 'sensitive' } as const

describe('normalisePath()', () => {
  test.each([
    ['/'],
    ['/api/v1/users'],
    ['/api/v1/users/'],
    ['/.well-known/acme-challenge/x'],
    ['/a/...'],
    ["/a!$&'()*+,-=:@_~b"],
    ['/@me'],
    ['/[slug]-1|2.js'],
    ['/caf%C3%A9'],
    ['/a%20b'],
    ['/%40me'],
    ['/100%25'],
    ['/50%2520off'],
    ['/admin;x=1'],
    ['/a;v=1/b;v=2'],
    ['/%E2%80%A6'],
    ['/:%3B)'],
  ])('leaves %s as it is', path => {
    expect(normalisePath(path)).toEqual({ path, isChanged: false })
  })

  test.each([
    ['//', '/', 'slashes in a row'],
    ['//a///b//', '/a/b/', 'slashes in a row'],
    ['/./a/./b', '/a/b', 'single dots'],
    ['/a/b/../c', '/a/c', 'double dots'],
    ['/../../a', '/a', 'double dots above the root'],
    ['/a/.', '/a/', 'a dot at the end'],
    ['/a/b/..', '/a/', 'double dots at the end'],
    ['/a/..', '/', 'double dots back to the root'],
    ['/a/%2e%2E/b', '/b', 'encoded dots'],
    ['/a/.%2e/b', '/b', 'half encoded dots'],
    ['/%61%64min', '/admin', 'encoded letters'],
    ['/%7Eann%2Dx%5f1', '/~ann-x_1', 'encoded unreserved characters'],
    ['/caf%c3%a9', '/caf%C3%A9', 'lower-case escapes'],
    ['/café', '/caf%C3%A9', 'letters beyond ASCII'],
    ['/🦭', '/%F0%9F%A6%AD', 'characters of two code units'],
    ['/a{b}^`"<>', '/a%7Bb%7D%5E%60%22%3C%3E', 'characters that URL parsers escape'],
  ])('turns %s into %s: %s', (given, path) => {
    expect(normalisePath(given)).toEqual({ path, isChanged: true })
  })

  test.each([
    ['', 'no "/" at its beginning'],
    ['*', 'no "/" at its beginning'],
    ['admin', 'no "/" at its beginning'],
    ['/a%2fb', 'an encoded slash (%2F)'],
    ['/a%5Cb', 'an encoded backslash (%5C)'],
    ['/a\\b', 'a backslash'],
    ['/a%00', 'an encoded control character'],
    ['/a%0d%0ab', 'an encoded control character'],
    ['/a%7F', 'an encoded control character'],
    ['/a%C2%85b', 'an encoded control character'],
    ['/a\tb', 'a character that URLs can’t have'],
    ['/a b', 'a character that URLs can’t have'],
    ['/a?b', 'a character that URLs can’t have'],
    ['/a#b', 'a character that URLs can’t have'],
    ['/%', 'a "%" that two hexadecimal digits don\'t follow'],
    ['/%4', 'a "%" that two hexadecimal digits don\'t follow'],
    ['/%zz', 'a "%" that two hexadecimal digits don\'t follow'],
    ['/%c0%af', 'escapes that are not UTF-8'],
    ['/%e0%80%af', 'escapes that are not UTF-8'],
    ['/%ed%a0%80', 'escapes that are not UTF-8'],
    ['/%f4%90%80%80', 'escapes that are not UTF-8'],
    ['/%e9', 'escapes that are not UTF-8'],
    ['/\ud800', 'escapes that are not UTF-8'],
    ['/%252f', 'a double encoding (%252f)'],
    ['/%2561', 'a double encoding (%2561)'],
    ['/%25%36%31', 'a double encoding (%2561)'],
    ['/%252561', 'a double encoding (%252561)'],
    ['/%252e%252e', 'a double encoding (%252e)'],
    ['/x//../a', '".." after an empty segment ("//..")'],
    ['/..;/a', 'dots in disguise (..;)'],
    ['/.;x=1/a', 'dots in disguise (.;x=1)'],
    ['/..%3b/a', 'dots in disguise (..%3B)'],
    ['/%ef%bc%8e%ef%bc%8e/a', 'dots in disguise (%EF%BC%8E%EF%BC%8E)'],
    ['/%e2%80%a5/a', 'dots in disguise (%E2%80%A5)'],
    ['/;x/a', 'a path parameter without a name before it ("/;")'],
    ['/%3Bx', 'a path parameter without a name before it ("/;")'],
    ['/a%ef%bc%8fb', 'a character that may be read as a slash (%EF%BC%8F)'],
    ['/a／b', 'a character that may be read as a slash (%EF%BC%8F)'],
    ['/a%ef%bc%bcb', 'a character that may be read as a slash (%EF%BC%BC)'],
    ['/%e2%84%80', 'a character that may be read as a slash (%E2%84%80)'],
  ])('refuses %j: %s', (path, refused) => {
    expect(normalisePath(path)).toEqual({ refused })
  })

  test.each([
    ['/@scope%2fname', '/@scope%2Fname'],
    ['/proxy/https%253A%252F%252Fexample.com', '/proxy/https%253A%252F%252Fexample.com'],
    ['/A／B', '/A%EF%BC%8FB'],
  ])('lets %s through where encoded slashes are kept', (given, path) => {
    expect(normalisePath(given, KEEP)).toMatchObject({ path })
    expect(normalisePath(given).refused).toBeDefined()
  })

  test.each([['/a%2f..%2fb'], ['/..%2fb'], ['/a%2f..;x%2fb'], ['/a%5cb'], ['/a%00']])(
    'refuses %s even there',
    path => {
      expect(normalisePath(path, KEEP).refused).toBeDefined()
    },
  )

  const piece = fc.constantFrom(
    ...['a', 'B', '.', '..', '/', '//', '%2e', '%2F', '%61', '%25', '%3b', '%c3%a9', '%ef%bc%8f', '%ef', '%'],
    ...['é', '／', ';', ';x=1', '%00', '\\', '[', '{', '|', '~', '1', '5', ' ', '\u0301', '%7f', '％'],
  )
  const anyPath = fc.array(piece, { maxLength: 12 }).map(pieces => `/${pieces.join('')}`)

  test.each([
    ['by default', DEFAULT_PATHS],
    ['with encoded slashes kept', KEEP],
  ])('gives what neither it nor a URL parser would change again: %s', (_what, options) => {
    fc.assert(
      fc.property(anyPath, given => {
        const { path } = asNormal(normalisePath(given, options))
        if (path === undefined) return
        expect(normalisePath(path, options)).toEqual({ path, isChanged: false })
        expect(new URL(`http://h${path}`).pathname).toBe(path)
        expect(path).toMatch(/^\/[!-~]*$/)
        expect(toKey(path, options).split('/')).toHaveLength(path.split('/').length)
      }),
      { numRuns: 2000 },
    )
  })

  test('resolves dots as URL parsers do, but for slashes in a row', () => {
    const segment = fc.constantFrom('a', 'b', '.', '..', '%2e', '.%2E', '...', '.a')
    fc.assert(
      fc.property(fc.array(segment), fc.boolean(), (segments, slash) => {
        const given = `/${segments.join('/')}${slash && segments.length > 0 ? '/' : ''}`
        expect(asNormal(normalisePath(given)).path).toBe(new URL(`http://h${given}`).pathname)
      }),
    )
  })
})

describe('toKey()', () => {
  test.each([
    ['/@me', '/%40me', 'an escape that need not be'],
    ['/a{b}', '/a%7Bb%7D', 'an escape that must be'],
    ['/caf%C3%A9', '/cafe%CC%81', 'an accent of its own'],
    ['/admin', '/%EF%BD%81dmin', 'full-width letters'],
    ['/admin', '/admin;jsessionid=1', 'path parameters'],
    ['/admin/users', '/admin;a/users;b=1;c', 'path parameters of each segment'],
    ['/admin', '/admin%3Bx', 'encoded path parameters'],
  ])('is the same for %s and %s: %s', (a, b) => {
    expect(toKey(b, SENSITIVE)).toBe(toKey(a, SENSITIVE))
  })

  test.each([
    ['/a%2Fb', '/a/b', 'a kept slash'],
    ['/a%252Fb', '/a%2Fb', 'a double encoding'],
    ['/a', '/A', 'case'],
  ])('differs for %s and %s: %s', (a, b) => {
    expect(toKey(b, SENSITIVE)).not.toBe(toKey(a, SENSITIVE))
  })

  test('is the same for both cases where case is insensitive', () => {
    expect(toKey('/Admin/CAF%C3%89', { case: 'insensitive' })).toBe('/admin/café')
  })

  test('comes back as a path', () => {
    expect(fromKey('a b/é%2F%25')).toBe('a%20b%2F%C3%A9%2F%25')
  })
})

const asNormal = (result: ReturnType<typeof normalisePath>): { path?: string } =>
  result.refused === undefined ? result : {}
