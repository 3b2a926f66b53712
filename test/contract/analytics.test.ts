import { afterAll, describe, expect, test } from 'vitest'
import type { DatasetRecord } from '../../bindings/analytics/object.ts'
import { type DataPoint, KEPT } from '../../bindings/analytics/point.ts'
import { byCase, fromNative, fromOurs, type Point } from '../support/analytics-points.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'
import { CASES } from '../worker/analytics-cases.ts'

const ours = await startWorkerd({
  modules: { 'main.js': await bundleModule('test/worker/analytics-host.ts') },
  bindings: [
    { name: 'LOADER', workerLoader: { id: 'functions' } },
    { name: 'DRIVER', text: await bundleModule('test/worker/analytics-cases.ts') },
  ],
  durableObjects: ['Analytics'],
})
const native = await startWorkerd({
  modules: { 'main.js': await bundleModule('test/worker/analytics-native.ts') },
  bindings: [
    { name: 'ENGINE', analyticsEngine: 'sink' },
    { name: 'SINK', service: 'sink' },
  ],
  workers: { sink: { modules: { 'main.js': await bundleModule('test/worker/analytics-sink.ts') } } },
})
afterAll(() => Promise.all([ours.stop(), native.stop()]))

describe('writeDataPoint(), ours and native', async () => {
  const [mine, theirs] = await Promise.all([ours.fetch('/'), native.fetch('/')]).then(answers =>
    Promise.all(answers.map(answer => answer.json() as Promise<Record<string, unknown>>)),
  )

  test.each(Object.keys({ class: 0, ...CASES }))('%s: returns or throws the same', name => {
    expect(mine?.[name]).toEqual(theirs?.[name])
  })
})

describe('what writeDataPoint() writes, ours and native', () => {
  test('are the same points, and none for what is beyond a limit', async () => {
    const mine = await settled(async () => {
      const written = await read<[account: string, point: DataPoint][]>(ours)
      expect(written.every(([account, { script }]) => account === 'account' && script === 'driver')).toBe(
        true,
      )
      return written.map(([, point]) => fromOurs(point))
    })
    const theirs = await settled(async () => (await read<Record<string, unknown>[]>(native)).map(fromNative))
    expect(byCase(mine)).toEqual(byCase(theirs))
    expect(Object.keys(byCase(mine))).toEqual(Object.keys(CASES))
  })
})

describe('Analytics', () => {
  const call = async (...body: unknown[]) => {
    const answer = await ours.fetch('/object', { method: 'POST', body: JSON.stringify(body) })
    return answer.json() as Promise<unknown>
  }
  const point = (dataset: string, n: number, blob = '') => ({
    ...{ dataset, script: 's', atMs: n, index: '', doubles: [n], blobs: [blob] },
  })
  const points = (dataset: string, count: number, blob?: string) =>
    Array.from({ length: count }, (_, n) => point(dataset, n, blob))

  test('keeps the newest points, and counts all', async () => {
    const bound = KEPT.points * 1.1
    await call('write', points('many', bound))
    expect(await call('read', 'many', 1)).toMatchObject({ dataset: { points: bound, kept: bound } })
    await call('write', [point('many', bound)])
    expect(await call('read', 'many', 2)).toEqual({
      dataset: { dataset: 'many', points: bound + 1, kept: KEPT.points, firstMs: 0, lastMs: bound },
      points: [point('many', bound), point('many', bound - 1)],
    })
    expect(await call('read', 'none', 1)).toBeNull()
  })

  test('keeps no more bytes than it may', async () => {
    const blob = 'x'.repeat(16_000)
    for (let n = 0; n < 6; n++) await call('write', points('large', 200, blob))
    const { dataset } = (await call('read', 'large', 1)) as { dataset: DatasetRecord }
    expect(dataset.points).toBe(1200)
    expect(dataset.kept * blob.length).toBeLessThanOrEqual(KEPT.bytes * 1.1)
    expect(dataset.kept * blob.length).toBeGreaterThan(KEPT.bytes * 0.9)
  })

  test('drops what is for one dataset too many', async () => {
    const names = Array.from({ length: KEPT.datasets + 1 }, (_, n) => `set-${n}`)
    await call(
      'write',
      names.map(name => point(name, 1)),
    )
    expect(await call('datasets')).toHaveLength(KEPT.datasets)
  })
})

async function read<T>(workerd: Workerd): Promise<T> {
  return (await workerd.fetch('/written')).json() as Promise<T>
}

/** Points travel by themselves: all are there when the last is. */
async function settled(points: () => Promise<Point[]>): Promise<Point[]> {
  await expect.poll(async () => (await points()).at(-1)?.index, { timeout: 10_000 }).toBe('end')
  return points()
}
