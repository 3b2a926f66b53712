import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PermitRequest, periodEndMs, type QuotaRequest } from '../../src/core/permits.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'limiter-'))
let module = ''
let workerd: Workerd

beforeAll(async () => {
  module = await bundleModule('test/worker/limiter.ts')
  workerd = await start()
})
afterAll(async () => {
  await workerd.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const start = () =>
  startWorkerd({ modules: { 'worker.js': module }, durableObjects: ['Limiter', 'Records'], dataDir })

/** Ends the process as kill -9 does, and starts it again on the same data. */
async function restart(): Promise<void> {
  await workerd.stop()
  workerd = await start()
}

async function call<T>(path: string, ...args: unknown[]): Promise<T> {
  const response = await workerd.fetch(path, { method: 'POST', body: JSON.stringify(args) })
  const { result, error } = (await response.json()) as { result: T; error?: string }
  if (error) throw new Error(error)
  return result
}

const permits = (changes: Partial<PermitRequest> = {}): PermitRequest => ({
  key: 'k',
  algorithm: 'sliding-window',
  limit: 10,
  windowMs: 60_000,
  burst: 10,
  wanted: 1,
  needed: 1,
  ahead: 0,
  unspent: 0,
  unspentUntilMs: 0,
  ...changes,
})

const quota = (changes: Partial<QuotaRequest> = {}): QuotaRequest => ({
  policy: 'plan',
  key: 'k',
  limit: 100,
  period: 'month',
  wanted: 1,
  needed: 1,
  ahead: 0,
  ...changes,
})

describe('Limiter', () => {
  it('grants no more permits than the limit to callers at once', async () => {
    const grants = await Promise.all(
      Array.from({ length: 20 }, () => call<{ granted: number }>('/Limiter/take', permits({ key: 'many' }))),
    )
    expect(grants.filter(({ granted }) => granted === 1)).toHaveLength(10)
    expect(await call('/Limiter/take', permits({ key: 'other' }))).toMatchObject({ granted: 1, remaining: 9 })
  })

  it('remembers permits though workerd ends idle objects', async () => {
    await call('/Limiter/take', permits({ key: 'idle', wanted: 10 }))
    await expect(call('/Limiter/end')).rejects.toThrow('ended')
    expect(await call('/Limiter/take', permits({ key: 'idle' }))).toMatchObject({ granted: 0 })
  })

  it('counts a quota exactly, also of callers at once', async () => {
    const states = await Promise.all(
      Array.from({ length: 30 }, () =>
        call<{ granted: number }>('/Limiter/spend', quota({ key: 'many', limit: 20 })),
      ),
    )
    expect(states.filter(({ granted }) => granted === 1)).toHaveLength(20)
    expect(await call('/Limiter/spend', quota({ key: 'many', limit: 20, wanted: 0 }))).toEqual({
      granted: 0,
      used: 20,
      resetAtMs: periodEndMs('month', Date.now()),
    })
  })

  it('keeps what was spent of a quota when its process is killed', async () => {
    for (let i = 0; i < 5; i++) await call('/Limiter/spend', quota({ key: 'kept', wanted: 3 }))
    await restart()
    expect(await call('/Limiter/spend', quota({ key: 'kept', wanted: 0, needed: 0 }))).toMatchObject({
      used: 15,
    })
  })

  it('grants all that wait, a quarter of the rest ahead, and none where there are fewer than needed', async () => {
    const spend = (changes: Partial<QuotaRequest>) =>
      call<{ granted: number; used: number }>('/Limiter/spend', quota({ key: 'ahead', ...changes }))
    expect(await spend({ wanted: 60, ahead: 100 })).toMatchObject({ granted: 70, used: 70 })
    expect(await spend({ wanted: 40, needed: 31 })).toMatchObject({ granted: 0, used: 70 })
    expect(await spend({ wanted: 40, needed: 1 })).toMatchObject({ granted: 30, used: 100 })
    expect(await spend({ limit: 101 })).toMatchObject({ granted: 1, used: 101 })
    expect(await spend({ limit: 50 })).toMatchObject({ granted: 0, used: 101 })
  })

  it('counts days and months apart, and each policy for itself', async () => {
    await call('/Limiter/spend', quota({ key: 'apart', wanted: 7 }))
    expect(await call('/Limiter/spend', quota({ key: 'apart', period: 'day' }))).toMatchObject({ used: 1 })
    expect(await call('/Limiter/spend', quota({ key: 'apart', policy: 'b' }))).toMatchObject({ used: 1 })
  })

  it('lists quotas by policy and key, page by page, and begins them anew', async () => {
    for (const key of ['x', 'y', 'z'])
      await call('/Limiter/spend', quota({ policy: 'listed', key, wanted: 2 }))
    const list = async (after?: string, limit = 100) => {
      const rows = await call<{ key: string; used: number }[]>('/Limiter/listQuotas', 'listed', after, limit)
      return rows.map(({ key, used }) => `${key} ${used}`)
    }
    expect(await list()).toEqual(['x 2', 'y 2', 'z 2'])
    expect(await list('x', 1)).toEqual(['y 2'])
    expect(await call('/Limiter/resetQuotas', 'listed', 'y')).toBe(1)
    expect(await list()).toEqual(['x 2', 'z 2'])
    expect(await call('/Limiter/resetQuotas', 'listed', 'y')).toBe(0)
    expect(await call('/Limiter/resetQuotas', 'listed')).toBe(2)
    expect(await list()).toEqual([])
  })
})

describe('Records', () => {
  it('lets one of several callers claim a key; the others get what is there', async () => {
    const claims = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        call<{ claimed: boolean; value: string }>('/Records/claim', 'one', `value ${i}`, 60),
      ),
    )
    const [winner] = claims.filter(({ claimed }) => claimed)
    expect(claims.filter(({ claimed }) => claimed)).toHaveLength(1)
    expect(new Set(claims.map(({ value }) => value))).toEqual(new Set([winner?.value]))
  })

  it('keeps claims and records when its process is killed', async () => {
    await call('/Records/claim', 'claimed', 'a', 60)
    await call('/Records/put', 'put', 'b', 60)
    await call('/Records/put', 'put', 'c', 60)
    await call('/Records/put', 'deleted', 'd', 60)
    await call('/Records/delete', 'deleted')
    await restart()
    expect(await call('/Records/claim', 'claimed', 'z', 60)).toEqual({ claimed: false, value: 'a' })
    expect(await call('/Records/get', 'put')).toBe('c')
    expect(await call('/Records/get', 'deleted')).toBeUndefined()
  })

  it('has forgotten a record once its time is over', async () => {
    await call('/Records/put', 'short', 'a', 0.05)
    await expect.poll(() => call('/Records/get', 'short')).toBeUndefined()
    expect(await call('/Records/claim', 'short', 'b', 60)).toEqual({ claimed: true, value: 'b' })
  })

  it('takes a record of a million characters, and none of one more', async () => {
    await call('/Records/put', 'large', 'x'.repeat(1_000_000 - 5), 60)
    await expect(call('/Records/put', 'large', 'x'.repeat(1_000_000 - 4), 60)).rejects.toThrow(
      'ERR_RECORD_LIMIT: The record has 1000001 characters; the limit is 1000000.',
    )
  })

  it('lets one fetch, and tells those who wait when it is done', async () => {
    const first = await call<{ isFetcher: boolean; handle: string }>('/Records/begin', 'page')
    expect(first.isFetcher).toBe(true)
    const others = [call('/Records/begin', 'page'), call('/Records/begin', 'page')]
    await call('/Records/done', 'page', 'no such handle')
    expect(await Promise.race([...others, call('/Records/begin', 'another')])).toMatchObject({
      isFetcher: true,
    })
    await call('/Records/done', 'page', first.handle)
    expect(await Promise.all(others)).toEqual([
      { isFetcher: false, handle: '' },
      { isFetcher: false, handle: '' },
    ])
  })
})
