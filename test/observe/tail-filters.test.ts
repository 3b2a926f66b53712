import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TailEvent } from '../../src/observe/tail-event.ts'
import { matchesTailFilters, parseTailFilters } from '../../src/observe/tail-filters.ts'

const fetched: TailEvent = {
  clientIp: '192.0.2.7',
  message: {
    outcome: 'ok',
    scriptName: 'fn',
    scriptVersion: { id: 'v1' },
    eventTimestamp: 1,
    event: {
      request: { url: 'https://fn.localhost/a', method: 'POST', headers: { 'x-team': 'blue-green' }, cf: {} },
      response: { status: 200 },
    },
    logs: [{ level: 'log', message: ['hello', { user: 'ann' }, null], timestamp: 1 }],
    exceptions: [],
    truncated: false,
  },
}
const ticked: TailEvent = {
  message: {
    ...fetched.message,
    event: { cron: '* * * * *', scheduledTime: 1 },
    logs: [],
    outcome: 'exception',
  },
}

describe('matchesTailFilters()', () => {
  test.each([
    // filters, fetch event, cron event
    [[], true, true],
    [[{ outcome: ['ok', 'canceled'] }], true, false],
    [[{ outcome: ['exception', 'exceededCpu'] }], false, true],
    [[{ outcome: [] }], false, false],
    [[{ method: ['get', 'post'] }], true, false],
    [[{ method: ['GET'] }], false, false],
    [[{ header: { key: 'X-Team' } }], true, false],
    [[{ header: { key: 'x-team', query: 'green' } }], true, false],
    [[{ header: { key: 'x-team', query: 'red' } }], false, false],
    [[{ header: { key: 'constructor' } }], false, false],
    [[{ client_ip: ['192.0.2.7'] }], true, false],
    [[{ client_ip: ['self'] }], true, false],
    [[{ client_ip: ['192.0.2.8'] }], false, false],
    [[{ query: 'hell' }], true, false],
    [[{ query: '"user":"ann"' }], true, false],
    [[{ query: 'bye' }], false, false],
    [[{ scriptVersion: 'v1' }], true, true],
    [[{ scriptVersion: 'v2' }], false, false],
    [[{ method: ['POST'] }, { outcome: ['ok'] }], true, false],
    [[{ method: ['POST'] }, { outcome: ['exception'] }], false, false],
  ])('with %j shows the fetch event: %s, the cron event: %s', (filters, ofFetch, ofCron) => {
    const parsed = parseTailFilters({ filters }, '192.0.2.7')
    expect(matchesTailFilters(parsed, fetched, 0)).toBe(ofFetch)
    expect(matchesTailFilters(parsed, ticked, 0)).toBe(ofCron)
  })

  test('with a sampling rate shows that share of events', () => {
    const filters = parseTailFilters({ filters: [{ sampling_rate: 0.25 }] }, '')
    expect(matchesTailFilters(filters, fetched, 0.249)).toBe(true)
    expect(matchesTailFilters(filters, fetched, 0.25)).toBe(false)
  })
})

describe('parseTailFilters()', () => {
  test.each([[{}], [{ filters: [] }]])('takes %j as no filter', body => {
    expect(parseTailFilters(body, '')).toEqual([])
  })

  const many = (count: number, of: unknown) => Array.from({ length: count }, () => of)

  test.each([
    [
      '20 filters',
      many(20, { query: 'a' }),
      many(21, { query: 'a' }),
      'filters has at most 20 entries, not 21.',
    ],
    [
      '100 values',
      [{ method: many(100, 'GET') }],
      [{ method: many(101, 'GET') }],
      'filters[0].method has at most 100 entries, not 101.',
    ],
    [
      '1024 characters',
      [{ query: 'a'.repeat(1024) }],
      [{ query: 'a'.repeat(1025) }],
      'filters[0].query has at most 1024 characters, not 1025.',
    ],
    [
      'a sampling rate of 1',
      [{ sampling_rate: 1 }],
      [{ sampling_rate: 1.01 }],
      'filters[0].sampling_rate must be a number above 0, at most 1, not 1.01.',
    ],
  ])('takes %s, and nothing beyond', (_, good, bad, message) => {
    expect(parseTailFilters({ filters: good }, '')).toHaveLength(good.length)
    expect(() => parseTailFilters({ filters: bad }, '')).toThrow(
      expect.objectContaining({ code: 'ERR_API_BODY', detail: message }),
    )
  })

  test.each([
    [null, 'The body must be an object whose "filters" is an array, not null.'],
    [[], 'The body must be an object whose "filters" is an array, not [].'],
    [{ filters: {} }, 'The body must be an object whose "filters" is an array, not {"filters":{}}.'],
    [{ filters: ['a'] }, 'filters[0] must be an object, not "a".'],
    [
      { filters: [{}] },
      'filters[0] must be one of sampling_rate, outcome, method, header, client_ip, query, scriptVersion, not {}.',
    ],
    [
      { filters: [{ colour: 'red' }] },
      'filters[0] must be one of sampling_rate, outcome, method, header, client_ip, query, scriptVersion, not {"colour":"red"}.',
    ],
    [
      { filters: [{ query: 'a', method: [] }] },
      'filters[0] must have one field, not {"query":"a","method":[]}.',
    ],
    [
      { filters: [{ sampling_rate: 0 }] },
      'filters[0].sampling_rate must be a number above 0, at most 1, not 0.',
    ],
    [{ filters: [{ method: 'GET' }] }, 'filters[0].method must be an array of strings, not "GET".'],
    [{ filters: [{ method: [1] }] }, 'filters[0].method[0] must be a string, not 1.'],
    [{ filters: [{ header: 'a' }] }, 'filters[0].header must be an object with "key", not "a".'],
    [{ filters: [{ header: {} }] }, 'filters[0].header.key must be a string, not absent.'],
  ])('refuses %j and says what is wrong', (body, detail) => {
    expect(() => parseTailFilters(body, '')).toThrow(
      expect.objectContaining({ code: 'ERR_API_BODY', detail }),
    )
  })

  test('answers any JSON with filters or a coded error', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        try {
          return Array.isArray(parseTailFilters({ filters: value }, ''))
        } catch (error) {
          return (error as { code?: string }).code === 'ERR_API_BODY'
        }
      }),
    )
  })
})
