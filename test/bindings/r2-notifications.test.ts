import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { beforeEach, describe, expect, test } from 'vitest'
import type { NotificationFilter } from '../../bindings/r2/notification-rules.ts'
import {
  addNotificationRules,
  deliverNotifications,
  hasNotifications,
  listNotificationRules,
  MAX_NOTIFICATION_RULES,
  NOTIFICATIONS_SCHEMA,
  noteChange,
  removeNotificationRules,
} from '../../bindings/r2/notifications.ts'
import type { StateEnv } from '../../src/env.ts'

/** As much of a Durable Object's SQL as the module uses, on Node's SQLite. */
function openSql(): SqlStorage {
  const db = new DatabaseSync(':memory:')
  db.exec(NOTIFICATIONS_SCHEMA)
  const exec = (query: string, ...values: SQLInputValue[]) => {
    const rows = db.prepare(query).all(...values)
    return { toArray: () => rows, one: () => rows[0] }
  }
  return { exec } as unknown as SqlStorage
}

/** Queues that note what they take; those in `failing` take nothing. */
function createQueues(ids: readonly string[]) {
  const taken = new Map<string, { key: string; type: string }[]>()
  const failing = new Set<string>()
  const sizes: number[] = []
  const registry = {
    findResource: async (_: string, id: string) =>
      ids.includes(id) ? { id, name: id, object: `object of ${id}` } : undefined,
  }
  const env = {
    ACCOUNT: { idFromName: (name: string) => name, get: () => registry },
    QUEUE: {
      idFromName: (name: string) => name,
      get: (name: string) => ({
        send: async (messages: { type: string; body: Uint8Array }[]) => {
          if (failing.has(name)) throw new Error(`${name} is away`)
          sizes.push(messages.length)
          const read = messages.map(({ type, body }) => ({
            type,
            key: JSON.parse(new TextDecoder().decode(body)).object.key as string,
          }))
          taken.set(name, [...(taken.get(name) ?? []), ...read])
        },
      }),
    },
  } as unknown as StateEnv
  return { env, taken, failing, sizes }
}

let sql: SqlStorage
beforeEach(() => {
  sql = openSql()
})

const filter = (prefix = '', actions: NotificationFilter['actions'] = ['PutObject']) => ({
  prefix,
  suffix: '',
  actions,
})
const add = (queueId: string, ...filters: NotificationFilter[]) =>
  addNotificationRules(sql, { accountId: 'acc', bucket: 'photos', queueId, filters }, 0)
const put = (key: string) => noteChange(sql, { action: 'PutObject', key, size: 1, eTag: 'e', nowMs: 0 })

describe('notifications of a bucket', () => {
  test('are owed for changes that a rule tells of, and for no others', () => {
    expect(put('before')).toBe(false)
    add('q', filter('logs/'))
    expect(put('other')).toBe(false)
    expect(hasNotifications(sql)).toBe(false)
    expect(put('logs/a')).toBe(true)
    expect(hasNotifications(sql)).toBe(true)
  })

  test('go to each queue in their order, in portions, and are then forgotten', async () => {
    const { env, taken, sizes } = createQueues(['one', 'two'])
    add('one', filter())
    add('two', filter('key 1'))
    const keys = Array.from({ length: 100 }, (_, i) => `key ${i}`)
    for (const key of keys) put(key)
    await deliverNotifications(sql, env)
    expect(taken.get('acc/object of one')).toEqual(keys.map(key => ({ key, type: 'json' })))
    expect(taken.get('acc/object of two')?.map(({ key }) => key)).toEqual(
      keys.filter(k => k.startsWith('key 1')),
    )
    expect(Math.max(...sizes)).toBe(32)
    expect(hasNotifications(sql)).toBe(false)
  })

  test('are kept while their queue fails, and keep no other queue from its own', async () => {
    const { env, taken, failing } = createQueues(['one', 'two'])
    add('one', filter())
    add('two', filter())
    failing.add('acc/object of one')
    put('a')
    await expect(deliverNotifications(sql, env)).rejects.toThrow('is away')
    expect(taken.get('acc/object of two')).toEqual([{ key: 'a', type: 'json' }])
    expect(hasNotifications(sql)).toBe(true)
    failing.clear()
    await deliverNotifications(sql, env)
    expect(taken.get('acc/object of one')).toEqual([{ key: 'a', type: 'json' }])
    expect(taken.get('acc/object of two')).toHaveLength(1)
  })

  test('of a queue that was deleted are forgotten with its rules', async () => {
    const { env } = createQueues([])
    add('gone', filter())
    put('a')
    await deliverNotifications(sql, env)
    expect(hasNotifications(sql)).toBe(false)
    expect(listNotificationRules(sql)).toEqual([])
  })

  test('that come while others are under way are delivered too', async () => {
    const { env, taken } = createQueues(['q'])
    add('q', filter())
    put('a')
    const delivering = deliverNotifications(sql, env)
    put('b')
    await delivering
    expect(taken.get('acc/object of q')?.map(({ key }) => key)).toEqual(['a', 'b'])
  })
})

describe('notification rules of a bucket', () => {
  test('are listed as they were added, with an id each', () => {
    add('one', { ...filter('a'), description: 'why' })
    add('two', filter('a', ['PutObject', 'DeleteObject']))
    const common = { suffix: '', ruleId: expect.stringMatching(/^[0-9a-f]{32}$/) }
    const createdAt = '1970-01-01T00:00:00.000Z'
    expect(listNotificationRules(sql)).toEqual([
      { ...common, queueId: 'one', prefix: 'a', actions: ['PutObject'], description: 'why', createdAt },
      { ...common, queueId: 'two', prefix: 'a', actions: ['PutObject', 'DeleteObject'], createdAt },
    ])
  })

  test('of one queue may not overlap, also within one request', () => {
    add('q', filter('a'))
    expect(() => add('q', filter('ab'))).toThrow(/^ERR_R2_NOTIFICATION: .*overlaps/)
    expect(() => add('other', filter('x'), filter('xy'))).toThrow('ERR_R2_NOTIFICATION')
    expect(() => add('q', filter('ab', ['DeleteObject']), filter('b'))).not.toThrow()
  })

  test(`may be ${MAX_NOTIFICATION_RULES}, and not one more`, () => {
    for (let i = 0; i < MAX_NOTIFICATION_RULES; i++) add(`q${i}`, filter())
    expect(() => add('more', filter())).toThrow(/would have 101 notification rules; at most 100/)
  })

  test('are removed by id, or all of a queue', () => {
    add('q', filter('a'), filter('b'))
    add('other', filter())
    const [first, second] = listNotificationRules(sql)
    removeNotificationRules(sql, 'q', [first?.ruleId ?? ''])
    expect(listNotificationRules(sql).map(({ ruleId }) => ruleId)).toContain(second?.ruleId)
    removeNotificationRules(sql, 'q')
    expect(listNotificationRules(sql).map(({ queueId }) => queueId)).toEqual(['other'])
  })

  test('that are unknown, or of another queue, are not removed', () => {
    add('q', filter('a'))
    add('other', filter())
    const [ofQ, ofOther] = listNotificationRules(sql)
    const ids = [ofQ?.ruleId ?? '', ofOther?.ruleId ?? '']
    expect(() => removeNotificationRules(sql, 'q', ids)).toThrow('ERR_R2_NOTIFICATION')
    expect(() => removeNotificationRules(sql, 'none')).toThrow('has no notification rule for this queue')
    expect(listNotificationRules(sql)).toHaveLength(2)
  })

  test('that go leave what is owed by them', async () => {
    const { env, taken } = createQueues(['q'])
    add('q', filter())
    put('a')
    removeNotificationRules(sql, 'q')
    await deliverNotifications(sql, env)
    expect(taken.get('acc/object of q')).toHaveLength(1)
  })
})
