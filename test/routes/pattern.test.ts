import { describe, expect, it } from 'vitest'
import { claimsOf, parseRoutePattern } from '../../routes/pattern.ts'

describe('parseRoutePattern()', () => {
  it.each([
    ['example.com/*', { host: 'example.com', path: '/', open: true }],
    ['example.com', { host: 'example.com', path: '/', open: false }],
    ['https://Shop.Example.com/api/*', { host: 'shop.example.com', path: '/api/', open: true }],
    ['*.example.com/*', { host: '*.example.com', includesApex: false }],
    ['*example.com/', { host: '*.example.com', includesApex: true, path: '/', open: false }],
    ['localhost:8787/x*', { host: 'localhost', path: '/x', open: true }],
  ])('takes %s', (text, expected) => {
    expect(parseRoutePattern(text)).toMatchObject(expected)
  })

  it.each([
    ['', '"" is not a host name'],
    ['/path', '"" is not a host name'],
    ['exa mple.com/', 'is not a host name'],
    ['a.*.com/', '* may stand only at the start'],
    ['example.com/*/x', '* may stand only at the end'],
    ['example.com/x?y=1', 'must not contain a query'],
    [`${'a'.repeat(64)}.com/`, 'is not a host name'],
  ])('refuses %j', (text, problem) => {
    expect(() => parseRoutePattern(text)).toThrow(problem)
    expect(() => parseRoutePattern(text)).toThrow('ERR_ROUTE_PATTERN')
  })
})

describe('claimsOf()', () => {
  it('claims the bare name too for *name', () => {
    expect(claimsOf(parseRoutePattern('*example.com/*'))).toEqual(['*.example.com', 'example.com'])
    expect(claimsOf(parseRoutePattern('*.example.com/*'))).toEqual(['*.example.com'])
  })
})
