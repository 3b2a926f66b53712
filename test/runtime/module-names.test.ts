import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkModuleName } from '../../runtime/module-names.ts'

describe('checkModuleName()', () => {
  test.each([
    'index.js',
    './index.js',
    'src/lib/a.mjs',
    './0d1e-logo.wasm?module',
    'left-pad',
    '@scope/package',
    'a..b.js',
    '...',
    'lib/__skerry__/x.js',
    '__skerry__.js',
    'naïve file (1).txt',
    '100%.txt',
    'x'.repeat(1024),
  ])('accepts %s', name => {
    expect(checkModuleName(name)).toBeUndefined()
  })

  test.each([
    ['', 'empty'],
    ['cloudflare:workers', '":"'],
    ['node:fs', '":"'],
    ['node%3afs', '":"'],
    ['/index.js', 'starts with "/"'],
    ['%2f/index.js', 'starts with "/"'],
    ['../index.js', '".."'],
    ['src/../../index.js', '".."'],
    ['%2e%2e/index.js', '".."'],
    ['..%2findex.js', '".."'],
    ['..%5Cindex.js', '".."'],
    ['.', 'names a directory'],
    ['./', 'names a directory'],
    ['__skerry__', 'reserved'],
    ['__skerry__/main.js', 'reserved'],
    ['./__skerry__/main.js', 'reserved'],
    ['.//./__skerry__//main.js', 'reserved'],
    ['__SKERRY__/main.js', 'reserved'],
    ['%5f_skerry__/main.js', 'reserved'],
    ['a\\b.js', 'backslash'],
    ['a\0b.js', 'control character'],
    ['a\nb.js', 'control character'],
    ['x'.repeat(1025), '1024 bytes'],
  ])('refuses %j', (name, reason) => {
    expect(checkModuleName(name)).toContain(reason)
  })

  test('lets no name through that resolves outside of the user’s modules', () => {
    const part = fc.constantFrom('..', '.', '', '__skerry__', 'a', '%2e%2e', '%2f', '\\', ':')
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), parts => {
        const name = parts.join('/')
        if (checkModuleName(name) !== undefined) return
        const { href } = new URL(decodeURIComponent(name), 'bundle://host/root/')
        expect(href).toMatch(/^bundle:\/\/host\/root\//)
        expect(href.replace(/\/{2,}/g, '/')).not.toMatch(/root\/+__skerry__/)
      }),
      { numRuns: 2000 },
    )
  })
})
