import { describe, expect, test } from 'vitest'
import type { EdgeApiKey } from '../../src/core/gateway.ts'
import type { AccountChanges } from '../../src/core/routing.ts'
import { ApiKeyTable, apiKeysOf, applyApiKeys } from '../../src/edge-keys.ts'

const A = toHash('a')
const B = toHash('b')

describe('ApiKeyTable', () => {
  test('finds keys by hash, without the hash', () => {
    const table = new ApiKeyTable()
    table.apply(changes(0, 1, { apiKeys: [key(A)] }))
    expect(table.find(A)).toEqual({ ...key(A), hash: undefined })
    expect(table.find(B)).toBeUndefined()
  })

  test('takes changes in: new, changed and deleted keys; without any, all stay', () => {
    const table = new ApiKeyTable()
    table.apply(changes(0, 1, { apiKeys: [key(A)] }))
    table.apply(changes(1, 2, { apiKeys: [key(A, { revokedAtMs: 5 }), key(B)] }))
    expect([table.find(A)?.revokedAtMs, table.find(B)?.revokedAtMs]).toEqual([5, 0])
    table.apply(changes(2, 3))
    expect(table.size).toBe(2)
    table.apply(changes(3, 4, { removedApiKeys: [A, toHash('never seen')] }))
    expect([table.find(A), table.size]).toEqual([undefined, 1])
  })

  test('forgets what a whole picture has not', () => {
    const table = new ApiKeyTable()
    table.apply(changes(0, 1, { apiKeys: [key(A)] }))
    table.apply(changes(0, 2, { apiKeys: [key(B)] }))
    expect([table.find(A), table.find(B)?.id]).toEqual([undefined, B.slice(0, 4)])
  })

  test('is not set back by a push that was overtaken', () => {
    const table = new ApiKeyTable()
    table.apply(changes(0, 1, { apiKeys: [key(A)] }))
    table.apply(changes(1, 3, { apiKeys: [key(A, { revokedAtMs: 5 })] }))
    table.apply(changes(1, 2, { apiKeys: [key(A, { name: 'old' })] }))
    expect(table.find(A)).toMatchObject({ name: 'ci', revokedAtMs: 5 })
  })

  test('each account has its own, and the same one each time', () => {
    applyApiKeys(changes(0, 1, { apiKeys: [key(A)] }))
    expect(apiKeysOf('acc').find(A)).toMatchObject({ name: 'ci' })
    expect(apiKeysOf('other').find(A)).toBeUndefined()
    const held = apiKeysOf('later')
    applyApiKeys({ ...changes(0, 1, { apiKeys: [key(B)] }), accountId: 'later' })
    expect(held.find(B)).toMatchObject({ name: 'ci' })
  })
})

function toHash(character: string): string {
  return Buffer.from(character.repeat(32)).toString('hex').slice(0, 64)
}

function key(hash: string, change: Partial<EdgeApiKey> = {}): EdgeApiKey {
  return {
    ...{ id: hash.slice(0, 4), prefix: 'sk_x', name: 'ci', owner: 'blue', scopes: [], metadata: {} },
    ...{ expiresAtMs: 0, revokedAtMs: 0, hash },
    ...change,
  }
}

function changes(from: number, to: number, more: Partial<AccountChanges> = {}): AccountChanges {
  return { accountId: 'acc', workersDomain: 'localhost', from, to, scripts: [], removed: [], ...more }
}
