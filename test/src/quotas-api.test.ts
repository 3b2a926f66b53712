import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { periodEndMs } from '../../src/core/permits.ts'
import { bundleModule, embeddedKv, startWorkerd, type Workerd } from '../support/workerd.ts'

const TOKEN = 'a'.repeat(64)
const OBJECTS = {
  DIRECTORY: 'Directory',
  ACCOUNT: 'Account',
  CRON: 'CronClock',
  TAILS: 'TailHub',
  LIMITER: 'Limiter',
  RECORDS: 'Records',
}
const dir = mkdtempSync(join(tmpdir(), 'quotas-'))
let workerd: Workerd
let accountId = ''

beforeAll(async () => {
  const kv = (name: string, namespace: string) => ({
    name,
    kvNamespace: { name: 'kv', props: { json: JSON.stringify({ namespace }) } },
  })
  workerd = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/quotas.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      kv('CODE', 'code'),
      kv('KV', 'kv'),
      ...Object.entries(OBJECTS).map(([name, className]) => ({
        name,
        durableObjectNamespace: { className },
      })),
      { name: 'ADMIN_TOKEN', text: TOKEN },
      { name: 'MASTER_KEY', text: btoa('0'.repeat(32)) },
      { name: 'SKERRY_HOST_KIND', text: 'self-host' },
    ],
    durableObjects: Object.values(OBJECTS),
    services: embeddedKv('kv', dir),
  })
  const { result } = await api<{ result: { id: string }[] }>('GET', '/client/v4/accounts')
  accountId = result[0]?.id ?? ''
  for (const [policy, key, wanted] of [
    ['plan', 'api-key=keys/k1', 3],
    ['plan', 'api-key=keys/k2', 1],
    ['trial', 'ip=203.0.113.7', 2],
  ] as const) {
    await api('POST', '/-/spend', {
      accountId,
      policy,
      key,
      wanted,
      needed: 1,
      ahead: 0,
      limit: 10,
      period: 'month',
    })
  }
})
afterAll(async () => {
  await workerd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function api<T>(method: string, path: string, body?: object): Promise<T> {
  const headers = { authorization: `Bearer ${TOKEN}`, host: 'localhost' }
  const response = await workerd.fetch(path, { method, headers, ...(body && { body: JSON.stringify(body) }) })
  return (await response.json()) as T
}

const quotas = (method: string, query = '') =>
  api<{ quotas: { key: string; used: number }[] }>(method, `/api/v1/accounts/${accountId}/quotas${query}`)
const keys = async (query = '') =>
  (await quotas('GET', query)).quotas.map(({ key, used }) => `${key} ${used}`)

it('GET /quotas lists what callers have used, page by page', async () => {
  expect(await quotas('GET')).toEqual({
    quotas: [
      {
        policy: 'plan',
        key: 'api-key=keys/k1',
        period: 'month',
        limit: 10,
        used: 3,
        resets_on: new Date(periodEndMs('month', Date.now())).toISOString(),
      },
      expect.objectContaining({ key: 'api-key=keys/k2', used: 1 }),
      expect.objectContaining({ policy: 'trial', key: 'ip=203.0.113.7', used: 2 }),
    ],
    next: null,
  })
  expect(await quotas('GET', '?policy=plan&limit=1')).toMatchObject({ next: 'api-key=keys/k1' })
  expect(await keys('?policy=plan&limit=1&after=api-key%3Dkeys/k1')).toEqual(['api-key=keys/k2 1'])
})

it.each(['?limit=0', '?limit=1001', '?limit=x', '?after=k1'])('GET /quotas refuses %s', async query => {
  expect(await quotas('GET', query)).toMatchObject({ code: 'ERR_BAD_REQUEST' })
})

it.each(['', '?policy=plan', '?key=k', '?policy=plan&key=k&all=true'])(
  'DELETE /quotas refuses "%s"',
  async query => {
    expect(await quotas('DELETE', query)).toMatchObject({ code: 'ERR_BAD_REQUEST' })
  },
)

it('DELETE /quotas begins one count anew, or all of a policy', async () => {
  expect(await quotas('DELETE', '?policy=plan&key=api-key%3Dkeys/k1')).toEqual({ reset: 1 })
  expect(await keys()).toEqual(['api-key=keys/k2 1', 'ip=203.0.113.7 2'])
  expect(await quotas('DELETE', '?policy=plan&all=true')).toEqual({ reset: 1 })
  expect(await keys()).toEqual(['ip=203.0.113.7 2'])
})
