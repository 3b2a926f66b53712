import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { respondFixed, respondRedirect } from '../../routes/gateway/targets.ts'
import { addQuery, expandTemplate } from '../../routes/gateway/template.ts'
import { codeOf, makeExchange } from '../policies/support.ts'

const exchangeAt = (url: string, params: Record<string, string> = {}) =>
  makeExchange(new Request(url), { params })

test.each([
  ['/v2/:id', { id: '7' }, '/v2/7'],
  ['/:a/x/*', { a: 'b', '*': 'c/d%20e' }, '/b/x/c/d%20e'],
  ['/:missing/x', {}, '//x'],
  ['/:constructor', {}, '/'],
  ['http://host:8080/:id', { id: '1' }, 'http://host:8080/1'],
  ['/plain', { plain: 'x' }, '/plain'],
  ['/:id', { id: '$&:id*' }, '/$&:id*'],
])('expandTemplate(%s, %j) is %s', (template, params, expected) => {
  expect(expandTemplate(template, params as Record<string, string>)).toBe(expected)
})

test.each([
  ['/a', '', '/a'],
  ['/a', '?', '/a'],
  ['/a', '?b=1', '/a?b=1'],
  ['/a?b=1', '?c=2', '/a?b=1&c=2'],
  ['/a?', '?c=2', '/a?c=2'],
])('addQuery(%s, %s) is %s', (path, search, expected) => {
  expect(addQuery(path, search)).toBe(expected)
})

describe('respondRedirect()', () => {
  test.each([
    ['a path', '/new', 'http://a.test/old', {}, '/new'],
    ['a path with a parameter', '/new/:id', 'http://a.test/old/7', { id: '7' }, '/new/7'],
    ['another host', 'https://new.test/*', 'http://a.test/x/y', { '*': 'x/y' }, 'https://new.test/x/y'],
    ['a bare host', 'https://new.test', 'http://a.test/', {}, 'https://new.test/'],
    ['the query', '/new', 'http://a.test/old?a=1&b=%20', {}, '/new?a=1&b=%20'],
    ['a query of its own before that', '/new?x=1', 'http://a.test/old?a=1', {}, '/new?x=1&a=1'],
    ['a fragment behind it', '/new#top', 'http://a.test/old?a=1', {}, '/new?a=1#top'],
    [
      'a host by a parameter',
      'https://:team.new.test/',
      'http://a.test/blue',
      { team: 'blue' },
      'https://blue.new.test/',
    ],
    ['letters that URLs escape', '/größe', 'http://a.test/', {}, '/gr%C3%B6%C3%9Fe'],
  ])('leads to %s', (_what, to, url, params, location) => {
    const response = respondRedirect(to, exchangeAt(url, params as Record<string, string>))
    expect([response.status, response.headers.get('location')]).toEqual([308, location])
  })

  test('leaves the query out with keep_query = false, and has the status of the route', () => {
    const options = { to: '/new', status: 302, keep_query: false } as const
    const response = respondRedirect(options, exchangeAt('http://a.test/old?a=1'))
    expect([response.status, response.headers.get('location')]).toEqual([302, '/new'])
  })

  test.each([
    ['/*', '/evil.test', '/evil.test'],
    ['/*', '\\evil.test', '/evil.test'],
    ['/*', '//evil.test', '/evil.test'],
    ['/:a', '/\\/evil.test', '/evil.test'],
  ])('to %s never leaves the host for "%s"', (to, value, location) => {
    const response = respondRedirect(to, exchangeAt('http://a.test/', { '*': value, a: value }))
    expect(response.headers.get('location')).toBe(location)
  })

  test.each(['evil.test\\', 'evil.test/', 'x@evil.test', 'evil.test:80', '', 'a.b', 'a%2fb'])(
    'refuses "%s" in the place of a host',
    async value => {
      const response = respondRedirect(
        'https://:team.new.test/',
        exchangeAt('http://a.test/', { team: value }),
      )
      expect([response.status, await codeOf(response)]).toEqual([400, 'ERR_BAD_REQUEST'])
    },
  )

  test('stays where it is meant to, whatever the parameters and the query', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string(),
        fc.constantFrom('/*', '/a/*', '/:a*', 'https://new.test/:a/*'),
        (one, two, to) => {
          const exchange = exchangeAt(`http://a.test/x?${encodeURIComponent(two)}`, { a: one, '*': two })
          const location = respondRedirect(to, exchange).headers.get('location')
          if (location === null) return
          const origin = new URL(location, 'http://a.test/').origin
          expect(origin).toBe(to.startsWith('/') ? 'http://a.test' : 'https://new.test')
        },
      ),
    )
  })
})

describe('respondFixed()', () => {
  test('answers what the route says', async () => {
    const response = respondFixed({ status: 418, headers: { 'x-a': '1' }, body: 'short' })
    expect([response.status, response.headers.get('x-a'), await response.text()]).toEqual([418, '1', 'short'])
    expect(response.headers.get('content-type')).toBe('text/plain;charset=UTF-8')
  })

  test('leaves the content type that the route gives', () => {
    const headers = { 'Content-Type': 'application/json' }
    expect(respondFixed({ status: 200, headers, body: '{}' }).headers.get('content-type')).toBe(
      'application/json',
    )
  })

  test.each([204, 205, 304])('has no body with status %i', status => {
    expect(respondFixed({ status, headers: {}, body: 'x' }).body).toBeNull()
  })
})
