import { describe, expect, test } from 'vitest'
import {
  isNotified,
  type NotificationFilter,
  parseNotificationRule,
  rulesOverlap,
  toNotification,
} from '../../bindings/r2/notification-rules.ts'

const rule = (prefix = '', suffix = '', ...actions: NotificationFilter['actions']): NotificationFilter => ({
  prefix,
  suffix,
  actions: actions.length > 0 ? actions : ['PutObject'],
})
const put = (key: string) =>
  ({ action: 'PutObject', key, size: 3, eTag: 'abc', nowMs: Date.UTC(2026, 10, 21) }) as const

describe('isNotified()', () => {
  test.each([
    ['', '', 'any', true],
    ['logs/', '', 'logs/a', true],
    ['logs/', '', 'logs', false],
    ['logs/', '', 'my/logs/a', false],
    ['', '.json', 'a.json', true],
    ['', '.json', 'a.json.gz', false],
    ['logs/', '.json', 'logs/a.json', true],
    ['logs/', '.json', 'logs/a.txt', false],
    // Both may be the same letters of the key.
    ['aba', 'ba', 'aba', true],
    ['*', '', 'a', false],
    ['ключ/', 'é', 'ключ/é', true],
  ])('prefix "%s", suffix "%s", key "%s": %s', (prefix, suffix, key, expected) => {
    expect(isNotified(rule(prefix, suffix), put(key))).toBe(expected)
  })

  test('asks for the action', () => {
    expect(isNotified(rule('', '', 'DeleteObject'), put('a'))).toBe(false)
    expect(isNotified(rule('', '', 'DeleteObject', 'PutObject'), put('a'))).toBe(true)
  })
})

describe('rulesOverlap()', () => {
  test.each([
    [rule(), rule('a'), true],
    [rule('a'), rule('ab'), true],
    [rule('a'), rule('b'), false],
    [rule('', '.json'), rule('', '.gz'), false],
    [rule('', '.json'), rule('', 'n'), true],
    [rule('a', ''), rule('', '.gz'), true],
    [rule('a', '.json'), rule('a', '.gz'), false],
    [rule('a', '', 'PutObject'), rule('a', '', 'CopyObject'), false],
    [rule('a', '', 'PutObject', 'DeleteObject'), rule('a', '', 'DeleteObject'), true],
  ])('%j and %j: %s', (a, b, expected) => {
    expect(rulesOverlap(a, b)).toBe(expected)
    expect(rulesOverlap(b, a)).toBe(expected)
  })
})

describe('toNotification()', () => {
  const common = { account: 'acc', bucket: 'photos', eventTime: '2026-11-21T00:00:00.000Z' }

  test('tells key, size and entity tag of what was written', () => {
    const object = { key: 'a', size: 3, eTag: 'abc' }
    expect(toNotification('acc', 'photos', put('a'))).toEqual({ ...common, action: 'PutObject', object })
  })

  test.each(['DeleteObject', 'LifecycleDeletion'] as const)('tells the key alone of %s', action => {
    const object = { key: 'a' }
    expect(toNotification('acc', 'photos', { ...put('a'), action })).toEqual({ ...common, action, object })
  })
})

describe('parseNotificationRule()', () => {
  test('takes a rule as wrangler sends it, and what is left out for any', () => {
    expect(parseNotificationRule({ actions: ['PutObject', 'PutObject'], description: 'mine' })).toEqual({
      ...{ prefix: '', suffix: '', actions: ['PutObject'], description: 'mine' },
    })
    const whole = { prefix: 'a', suffix: 'b', actions: ['DeleteObject', 'LifecycleDeletion'] }
    expect(parseNotificationRule(whole)).toEqual(whole)
  })

  test.each([
    ['a list', [], 'must be an object'],
    ['nothing', null, 'must be an object'],
    ['no actions', {}, '"actions" must be a list'],
    ['an empty list', { actions: [] }, '"actions" must be a list'],
    ['an unknown action', { actions: ['GetObject'] }, 'the action "GetObject" is unknown'],
    ['a prefix of another type', { prefix: 1, actions: ['PutObject'] }, '"prefix" must be a string'],
    ['a suffix of another type', { suffix: {}, actions: ['PutObject'] }, '"suffix" must be a string'],
    ['a description of another type', { actions: ['PutObject'], description: 1 }, '"description" must be'],
  ])('refuses %s', (_, input, problem) => {
    expect(parseNotificationRule(input)).toEqual({ problem: expect.stringContaining(problem) })
  })

  test.each(['prefix', 'suffix'])('allows a %s of 1,024 bytes, and none longer', field => {
    const of = (text: string) => parseNotificationRule({ [field]: text, actions: ['PutObject'] })
    expect(of('é'.repeat(512))).toMatchObject({ [field]: 'é'.repeat(512) })
    expect(of(`${'é'.repeat(512)}a`)).toEqual({ problem: expect.stringContaining('at most 1024 bytes') })
  })
})
