import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Hex } from '../../src/core/ids.ts'
import { LIMITS } from '../../src/core/limits.ts'
import type { AccountChanges } from '../../src/core/routing.ts'
import type { ApiKeyRecord, CreatedApiKey, NewApiKey } from '../../src/registry/api-keys.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const FIELDS: NewApiKey = {
  name: 'ci',
  owner: 'blue',
  scopes: ['a'],
  metadata: { plan: 'gold' },
  expiresAtMs: 0,
}

let workerd: Workerd

beforeAll(async () => {
  workerd = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/api-keys.ts') },
    bindings: [
      { name: 'ACCOUNT', durableObjectNamespace: { className: 'Account' } },
      { name: 'KEYS', durableObjectNamespace: { className: 'Keys' } },
    ],
    durableObjects: ['Account', 'Keys'],
  })
})

afterAll(() => workerd.stop())

describe('the API keys of an account', () => {
  test('reach edges with each change, by their hash and without their text', async () => {
    const { key, text } = await call<CreatedApiKey>('createApiKey', FIELDS)
    const made = await changesSince(0)
    const { createdOn: _, replacedBy: __, ...shared } = key
    expect(made.apiKeys).toEqual([{ ...shared, hash: await sha256Hex(text) }])
    expect(JSON.stringify(made)).not.toContain(text)

    expect(await changesSince(made.to)).not.toHaveProperty('apiKeys')
    await call('updateApiKey', key.id, { scopes: ['b'] })
    const changed = await changesSince(made.to)
    expect(changed).toMatchObject({
      from: made.to,
      to: made.to + 1,
      apiKeys: [{ id: key.id, scopes: ['b'] }],
    })

    const rotated = await call<CreatedApiKey>('rotateApiKey', key.id, { overlapMs: 1000 })
    const both = await changesSince(changed.to)
    expect(both.apiKeys?.map(({ id }) => id)).toEqual([key.id, rotated.key.id])
    expect(both.apiKeys?.[0]?.expiresAtMs).toBeGreaterThan(0)
    expect(both.apiKeys?.[1]).toMatchObject({ ...FIELDS, scopes: ['b'] })

    await call('revokeApiKey', key.id)
    const revoked = await changesSince(both.to)
    expect(revoked.apiKeys).toHaveLength(1)
    expect(revoked.apiKeys?.[0]?.revokedAtMs).toBeGreaterThan(0)

    await call('deleteApiKey', key.id)
    const deleted = await changesSince(revoked.to)
    expect(deleted).not.toHaveProperty('apiKeys')
    expect(deleted.removedApiKeys).toEqual([await sha256Hex(text)])
    expect(await changesSince(0)).toMatchObject({ apiKeys: [{ id: rotated.key.id }] })
    expect(await changesSince(0)).not.toHaveProperty('removedApiKeys')
  })

  test('change nothing, the revision included, where a change fails', async () => {
    const { key } = await call<CreatedApiKey>('createApiKey', FIELDS)
    await call('rotateApiKey', key.id, { overlapMs: 0 })
    const { to } = await changesSince(0)
    await expect(call('rotateApiKey', key.id, { overlapMs: 0 })).rejects.toThrow('ERR_API_KEY_STATE')
    await expect(call('deleteApiKey', 'nobody')).rejects.toThrow('ERR_API_KEY_NOT_FOUND')
    expect((await changesSince(0)).to).toBe(to)
  })

  test('live as long after they are replaced as before, unless told otherwise', async () => {
    const lifetimeMs = 86_400_000
    const { key } = await call<CreatedApiKey>('createApiKey', {
      ...FIELDS,
      expiresAtMs: Date.now() + lifetimeMs,
    })
    const next = await call<CreatedApiKey>('rotateApiKey', key.id, { overlapMs: 2 * lifetimeMs })
    expect(Math.abs(next.key.expiresAtMs - Date.now() - lifetimeMs)).toBeLessThan(60_000)
    expect(
      (await call<ApiKeyRecord>('getApiKey', key.id)).expiresAtMs,
      'never later than it would have',
    ).toBe(key.expiresAtMs)
    const last = await call<CreatedApiKey>('rotateApiKey', next.key.id, { overlapMs: 0, expiresAtMs: 0 })
    expect(last.key.expiresAtMs).toBe(0)
  })

  test(`are ${LIMITS.apiKeys} at most, which fit into one message to an edge`, async () => {
    const metadata = { notes: 'x'.repeat(LIMITS.apiKeyBytes - 100) }
    const response = await workerd.fetch('/fill', {
      method: 'POST',
      body: JSON.stringify({ ...FIELDS, metadata }),
    })
    const { error, count, bytes } = (await response.json()) as { error: string; count: number; bytes: number }
    expect(error).toContain(`ERR_API_KEY_LIMIT: The account has ${LIMITS.apiKeys} API keys`)
    expect(count).toBe(LIMITS.apiKeys)
    // workerd's bound of one RPC message.
    expect(bytes).toBeLessThan(32 * 1024 * 1024)
  })
})

async function call<T>(method: string, ...args: unknown[]): Promise<T> {
  const response = await workerd.fetch('/', { method: 'POST', body: JSON.stringify([method, ...args]) })
  const { value, error } = (await response.json()) as { value: T; error?: string }
  if (error) throw new Error(error)
  return value
}

function changesSince(from: number): Promise<AccountChanges> {
  return call<AccountChanges>('changes', from)
}
